//! The receipts a facility holds: evidence of what a host took and gave.

use karute_consent::id::{Digest, RecordId, VaultId};
use karute_consent::time::Timestamp;
use karute_protocol::trail::{EventKind, Receipt};
use serde::Serialize;

use crate::agent::error::AgentError;
use crate::agent::facility::Facility;
use crate::flow::agent::lines::{text, texts};
use crate::flow::agent::receipt::receipt_name;

/// A receipt.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptLine {
    /// Under which name it is kept.
    #[serde(serialize_with = "text")]
    pub receipt: Digest,
    /// What was done.
    #[serde(serialize_with = "text")]
    pub kind: EventKind,
    /// When, by the host's clock.
    pub time: Timestamp,
    /// Number of the event in the vault.
    pub number: u64,
    /// Records, the first 64 of them.
    #[serde(serialize_with = "texts")]
    pub records: Vec<RecordId>,
}

/// The receipts about one vault, by number.
pub fn receipts(facility: &Facility, vault: VaultId) -> Result<Vec<ReceiptLine>, AgentError> {
    let mut lines = Vec::new();
    for receipt in facility.keep.receipts::<Receipt>()? {
        if receipt.leaf.vault == vault {
            lines.push(ReceiptLine {
                receipt: Digest::from_bytes(receipt_name(&receipt)?),
                kind: receipt.event.kind,
                time: receipt.leaf.time,
                number: receipt.leaf.number.0,
                records: receipt.event.records,
            });
        }
    }
    lines.sort_by_key(|line| line.number);
    Ok(lines)
}
