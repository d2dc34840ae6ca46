//! `karute patient erase`: records leave the vault.

use clap::Args;
use karute_consent::revocation::ErasureReason;

use crate::cli::agent::{json, network, open_patient, record};
use crate::cli::frame::Frame;
use crate::cli::table::counted;
use crate::cli::values::words;
use crate::failure::Failure;
use crate::flow::agent::erase::erase;

/// Erase records from the vault; that they were there stays visible
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute patient erase 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --reason mistake")]
pub(super) struct EraseArgs {
    /// The records, as the list shows them
    #[arg(required = true)]
    records: Vec<String>,
    /// Why
    #[arg(long, default_value = "wish", value_parser = words!(ErasureReason))]
    reason: ErasureReason,
}

impl EraseArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let wanted = self.records.iter().map(|typed| record(typed)).collect::<Result<Vec<_>, _>>()?;
        let mut patient = open_patient(frame)?;
        let erased = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(erase(&mut patient, &mut reach, wanted, self.reason).await?)
        })?;
        frame.show(&json(&erased)?, || {
            format!(
                "{} erased at the node; copies that somebody fetched before stay with them",
                counted(erased.records.len(), "record")
            )
        })
    }
}
