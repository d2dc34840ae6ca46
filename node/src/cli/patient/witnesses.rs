//! `karute patient witnesses`: who vouches for the vault's ledger, and how to replace them.

use clap::Args;

use crate::cli::agent::{json, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::table::Table;
use crate::cli::vouching::{status_line, typed_set};
use crate::failure::Failure;
use crate::flow::agent::sync::sync_patient;
use crate::flow::agent::witnesses::{Witnessing, set_witnesses, witnessing};

/// Show who vouches that nobody is shown an old state of the vault, or replace them
///
/// A depositor seals nothing unless enough witnesses signed the newest state of the vault not long ago. Replacing them
/// needs the device that holds the identity key. With --none the vault has no witnesses any more: then only the node's
/// own word says what is newest.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient witnesses
  karute patient witnesses --set tokyo+0a1b2c3d+BGf4... osaka+... kyoto+... --quorum 2")]
pub(super) struct WitnessesArgs {
    /// Verifier keys of all witnesses from now on, up to 8
    #[arg(long, value_name = "VKEY", num_args = 1..=8, conflicts_with = "none")]
    set: Vec<String>,
    /// How many of them have to sign; by default a majority
    #[arg(long, value_name = "K", requires = "set")]
    quorum: Option<u8>,
    /// Do without witnesses from now on
    #[arg(long)]
    none: bool,
}

impl WitnessesArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        if self.none || !self.set.is_empty() {
            let set = typed_set(&self.set, self.quorum)?;
            let changed = frame.run(async {
                let mut reach = network(&patient.transport())?;
                Ok(set_witnesses(&mut patient, &mut reach, set).await?)
            })?;
            return frame.show(&json(&changed)?, || {
                format!(
                    "the witnesses are changed; the ledger has {} entries\n{CHANGED}\n\n{}",
                    changed.size,
                    table(&changed.now, frame)
                )
            });
        }
        frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(sync_patient(&mut patient, &mut reach).await?)
        })?;
        let found = witnessing(&patient.keep, patient.view()?)?;
        frame.show(&json(&found)?, || table(&found, frame))
    }
}

fn table(found: &Witnessing, frame: &Frame) -> String {
    let mut table = Table::new(&["witness", "signed the newest state", "verifier key"]);
    for line in &found.witnesses {
        let seen = line.seen.map_or_else(|| "not yet".to_owned(), |seen| format!("{} UTC", moment::minute(seen)));
        table.row([line.name.clone(), seen, line.vkey.clone()]);
    }
    format!("{}\n\n{}", status_line(found, frame.ambient().now()), table.render(""))
}

/// What a change of witnesses does not do.
const CHANGED: &str = "\
From here on the new witnesses count. Those of before have not signed this change unless the node asks them once more:
a depositor who was last shown the vault before it still goes by them, until it is shown the change.";
