//! `karute patient erase`: records leave the vault, or the trail forgets what an event said.

use clap::Args;
use karute_consent::id::TrailNumber;
use karute_consent::revocation::ErasureReason;

use crate::cli::agent::{json, network, open_patient, record};
use crate::cli::frame::Frame;
use crate::cli::table::counted;
use crate::cli::values::words;
use crate::failure::Failure;
use crate::flow::agent::erase::{Doomed, erase};

/// Erase records, or events of the trail; that they were there stays visible
///
/// The node drops the bytes. Numbers, proofs and receipts stay valid, and the order to erase stands in the ledger. What
/// somebody fetched or was given a receipt for before stays with them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient erase 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --reason mistake
  karute patient erase --event 12 --event 13")]
pub(super) struct EraseArgs {
    /// The records, as the list shows them
    #[arg(required_unless_present = "events")]
    records: Vec<String>,
    /// An event, by its number in the trail; can be given again
    #[arg(long = "event", value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    events: Vec<u64>,
    /// Why
    #[arg(long, default_value = "wish", value_parser = words!(ErasureReason))]
    reason: ErasureReason,
}

impl EraseArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let records = self.records.iter().map(|typed| record(typed)).collect::<Result<_, _>>()?;
        let events = self.events.iter().copied().map(TrailNumber).collect();
        let doomed = Doomed { records, events };
        let mut patient = open_patient(frame)?;
        let erased = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(erase(&mut patient, &mut reach, doomed, self.reason).await?)
        })?;
        frame.show(&json(&erased)?, || {
            let records = counted(erased.records.len(), "record");
            let events = counted(erased.events.len(), "event");
            let what = match (erased.records.len(), erased.events.len()) {
                (_, 0) => records,
                (0, _) => events,
                _ => format!("{records} and {events}"),
            };
            format!(
                "{what} erased at the node; copies that somebody fetched before stay with them\nevent    {}\nreceipt  {}",
                erased.number, erased.receipt
            )
        })
    }
}
