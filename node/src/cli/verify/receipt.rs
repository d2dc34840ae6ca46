//! `karute verify receipt`: what a node once confirmed.

use std::path::PathBuf;

use clap::Args;
use karute_consent::encoding::from_bytes;
use karute_consent::id::NodeId;
use karute_protocol::trail::Receipt;
use serde_json::json;

use super::{read, unproven};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::failure::Failure;

/// Check a receipt that a node gave
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute verify receipt receipts/0a1b2c... --node 5f3a...")]
pub(super) struct ReceiptArgs {
    /// The receipt, as the agent keeps it in its folder
    file: PathBuf,
    /// The node that must have signed it, by its id
    #[arg(long, value_name = "NODE")]
    node: NodeId,
}

impl ReceiptArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let bytes = read(&self.file, RECEIPT_BYTES_MAX)?;
        let receipt: Receipt = from_bytes(&bytes, RECEIPT_BYTES_MAX).map_err(|e| unproven(&self.file, e))?;
        let head = receipt.verify(self.node).map_err(|e| unproven(&self.file, e))?;
        let (leaf, event) = (&receipt.leaf, &receipt.event);
        let shown = json!({ "good": true, "vault": leaf.vault.to_string(), "number": leaf.number.0, "time": leaf.time.secs(),
            "kind": event.kind.word(), "party": event.party.to_string(), "count": event.count, "outcome": event.outcome.0,
            "records": event.records.iter().map(ToString::to_string).collect::<Vec<_>>(), "trail_size": head.size });
        frame.show(&shown, || {
            format!(
                "good: node {} has entered this in its trail of {} events\nvault   {}\nnumber  {}\ntime    {} UTC\nevent   {}\nparty   {}",
                self.node,
                head.size,
                leaf.vault,
                leaf.number.0,
                moment::minute(leaf.time),
                event.kind,
                event.party,
            )
        })
    }
}

const RECEIPT_BYTES_MAX: usize = 64 * 1024;
