//! `karute facility init`: the keys and the card of a party.

use std::path::PathBuf;

use clap::Args;
use karute_consent::card::CardKind;
use karute_consent::sealing::Suite;
use serde_json::json;

use crate::agent::facility::{Facility, NewFacility};
use crate::cli::agent::settings;
use crate::cli::frame::{Frame, Role};
use crate::cli::values::words;
use crate::failure::{Failure, FailureKind};
use crate::home::read_bounded;

/// Make the keys and the card of a facility, researcher or guardian
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility init --name 'Hospital A'
  karute facility init --name 'Aunt Hanako' --kind guardian --home ~/.karute-aunt --passphrase-file pass")]
pub(super) struct InitArgs {
    /// Name shown to patients
    #[arg(long)]
    name: Option<String>,
    /// What kind of party
    #[arg(long, default_value = "facility", value_parser = words!(CardKind))]
    kind: CardKind,
    /// Suite of the sealing key; x25519 only for keys in hardware that can do no more
    #[arg(long, default_value = "x-wing", value_parser = words!(Suite))]
    suite: Suite,
    /// Address where this party can be reached; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
    /// File with evidence of who this is, put into the card as it is
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
}

impl InitArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let (home, config) = settings(frame, Role::Facility)?;
        let name = self.name.or(config.name).ok_or_else(|| {
            Failure::new(FailureKind::Usage, "the name is missing").hint("give it with --name NAME, or in config.toml")
        })?;
        let evidence =
            match &self.evidence {
                None => None,
                Some(path) => Some(read_bounded(path, EVIDENCE_BYTES_MAX)?.ok_or_else(|| {
                    Failure::new(FailureKind::NotFound, format!("there is no file {}", path.display()))
                })?),
            };
        let wanted = NewFacility { kind: self.kind, name, suite: self.suite, addresses: self.address, evidence };
        let facility = Facility::create_in(&home, &frame.new_passphrase()?, &frame.ambient(), wanted)?;
        let shown = json!({ "home": home, "party": facility.party().to_string(), "name": facility.name() });
        frame.show(&shown, || {
            format!(
                "party   {}\nname    {}\nfolder  {}\n\nGive patients the card: karute facility card --out FILE",
                facility.party(),
                facility.name(),
                home.display()
            )
        })
    }
}

/// As a card may carry.
const EVIDENCE_BYTES_MAX: u64 = 8192;
