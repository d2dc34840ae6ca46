//! `karute facility withdraw`: a depositor takes its own records back.

use clap::Args;
use karute_consent::revocation::WithdrawalReason;

use super::query::VaultArgs;
use crate::cli::agent::{json, network, open_facility, record};
use crate::cli::frame::Frame;
use crate::cli::table::counted;
use crate::cli::values::words;
use crate::failure::Failure;
use crate::flow::agent::withdraw::withdraw;

/// Take back records that this facility deposited, such as a misfiled one
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  karute facility withdraw 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --vault karute:vault:... --reason misfiled"
)]
pub(super) struct WithdrawArgs {
    /// The records, as the deposit printed them
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<String>,
    #[command(flatten)]
    vault: VaultArgs,
    /// Why
    #[arg(long, default_value = "misfiled", value_parser = words!(WithdrawalReason))]
    reason: WithdrawalReason,
}

impl WithdrawArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let records = self.records.iter().map(|typed| record(typed)).collect::<Result<Vec<_>, _>>()?;
        let mut facility = open_facility(frame)?;
        let vault = self.vault.find(&mut facility)?;
        let withdrawn = frame.run(async {
            let mut reach = network(&facility.transport())?;
            Ok(withdraw(&mut facility, &mut reach, vault, records, self.reason).await?)
        })?;
        frame.show(&json(&withdrawn)?, || {
            format!(
                "{} withdrawn: the node serves them no more and has erased them; copies fetched before stay where they are",
                counted(withdrawn.records.len(), "record")
            )
        })
    }
}
