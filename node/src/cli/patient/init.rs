//! `karute patient init`: a new vault, its first device, and the recovery sheet.

use std::path::PathBuf;

use clap::Args;
use karute_consent::vault::WitnessSet;
use serde_json::json;

use super::sheet;
use crate::agent::patient::Patient;
use crate::agent::store::Store;
use crate::cli::agent::{NodeAddress, network, settings};
use crate::cli::frame::{Frame, Role};
use crate::cli::picture;
use crate::cli::values::{Kinds, kinds};
use crate::cli::vouching::{NONE, typed_set};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::create::{CreateVault, create_vault, fresh_recovery_code};
use crate::flow::agent::witnesses::witnessing;

/// Make a vault on a node and print its recovery sheet
///
/// The vault's keys are made here and stay here; the node gets none of them. If the node could not be reached, run the
/// command again: it goes on where it stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient init --name 'Yamada Taro' --node /ip4/192.0.2.1/tcp/7400/p2p/12D3KooW... --code 6k3v...
  karute patient init --name 'Yamada Taro' --node ... --code ... --recovery-sheet sheet.txt --passphrase-file pass")]
pub(super) struct InitArgs {
    /// Your name, as those to whom you give a grant will see it
    #[arg(long)]
    name: Option<String>,
    /// Address of the node, as karute node init printed it
    #[arg(long, value_name = "ADDRESS", env = "KARUTE_NODE", hide_env_values = true)]
    node: Option<String>,
    /// Registration code of the node
    #[arg(long, value_name = "CODE", env = "KARUTE_REGISTRATION_CODE", hide_env_values = true)]
    code: Option<String>,
    /// Write the recovery sheet into this file instead of on the terminal
    #[arg(long, value_name = "FILE")]
    recovery_sheet: Option<PathBuf>,
    /// Make collections for these kinds of data at once; others are made when first needed
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    category: Vec<Kinds>,
    /// Verifier key of a witness that vouches for the newest state of the vault; may be given up to 8 times
    #[arg(long, value_name = "VKEY")]
    witness: Vec<String>,
    /// How many of the witnesses have to sign; by default a majority
    #[arg(long, value_name = "K")]
    quorum: Option<u8>,
    /// Show the vault's link as a QR picture too
    #[arg(long)]
    qr: bool,
}

impl InitArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let (home, config) = settings(frame, Role::Patient)?;
        let host = self.node.or(config.node).ok_or_else(|| missing("the node's address", "--node ADDRESS"))?;
        check_address(&host)?;
        let vkeys = if self.witness.is_empty() { &config.witnesses } else { &self.witness };
        let witnesses = typed_set(vkeys, self.quorum.or(config.quorum))?;
        let mut patient = match Store::exists(&home) {
            true => Patient::open_in(&home, &frame.passphrase()?, &frame.ambient())?,
            false => {
                let name = self.name.or(config.name).ok_or_else(|| missing("your name", "--name NAME"))?;
                Patient::create_in(&home, &frame.new_passphrase()?, &frame.ambient(), &name)?
            }
        };
        if patient.vault().is_some() {
            return Err(Failure::new(FailureKind::InvalidInput, format!("{} has a vault already", home.display()))
                .hint("see karute patient status; make another vault in another folder with --home"));
        }
        let code = fresh_recovery_code(&frame.ambient());
        let wanted = CreateVault { host, registration: self.code, kinds: kinds(&self.category), witnesses };
        let created = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(create_vault(&mut patient, &mut reach, wanted, &code).await?)
        })?;
        let sheet = sheet::text(patient.name(), &created.link, &code);
        sheet::hand_over(&sheet, self.recovery_sheet.as_deref(), frame)?;
        let shown_code = self.recovery_sheet.is_none().then(|| code.to_text().to_string());
        let shown = json!({ "home": home, "vault": created.vault.to_string(), "link": created.link,
            "size": created.size, "witnesses": witnessing(&patient.keep, patient.view()?)?, "recovery_code": shown_code });
        let vouched = witnesses_text(patient.view()?.state()?.witness_set());
        frame.show(&shown, || {
            let mut text = format!("vault   {}\nfolder  {}\nlink    {}\n", created.vault, home.display(), created.link);
            text.push_str(&vouched);
            if let Some(picture) = self.qr.then(|| picture::qr(&created.link)).flatten() {
                text.push_str(&picture);
            }
            text.push_str("\nGive the link to a facility that shall deposit or ask; it carries no right.");
            text
        })
    }
}

/// Who vouches for the new vault, or what it means that nobody does.
fn witnesses_text(set: WitnessSet) -> String {
    let names: Vec<&str> = set.witnesses.iter().map(|witness| witness.name.as_str()).collect();
    match set.quorum {
        0 => format!(
            "\n{NONE}: only the node's own word tells a depositor what is newest. See karute patient witnesses --help\n"
        ),
        quorum => format!("\nwitnesses: {} of {} must sign: {}\n", quorum, names.len(), names.join(", ")),
    }
}

/// An address that cannot be one is refused before anything is made.
fn check_address(address: &str) -> Result<(), Failure> {
    let wrong = |e| {
        Failure::new(FailureKind::InvalidInput, e)
            .during("reading the node's address")
            .hint("copy it whole from karute node status, up to the end of .../p2p/12D3KooW...")
    };
    address.parse::<NodeAddress>().map(|_| ()).map_err(wrong)
}

fn missing(what: &str, flag: &str) -> Failure {
    Failure::new(FailureKind::Usage, format!("{what} is missing"))
        .hint(format!("give it with {flag}, or in config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_peer_id_is_refused_with_what_to_do() {
        for address in ["", "192.0.2.1:7400", "/ip4/192.0.2.1/tcp/7400", "nonsense"] {
            let failure = check_address(address).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::InvalidInput, "{address}");
            assert!(failure.advice().unwrap().contains("karute node status"));
        }
    }
}
