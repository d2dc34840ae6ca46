//! The receipts a facility holds: evidence of what a host took and gave, and whether its log still says so.

use karute_consent::id::{Digest, NodeId, RecordId, VaultId};
use karute_consent::time::Timestamp;
use karute_protocol::trail::{EventKind, Log, Receipt};
use serde::Serialize;

use crate::agent::error::AgentError;
use crate::agent::facility::Facility;
use crate::flow::agent::check_receipts::{Compared, compare, compare_with_log};
use crate::flow::agent::convict::{Complaint, FindingLine, Noted, convict};
use crate::flow::agent::lines::{text, texts};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::receipt_name;
use crate::flow::agent::sync::refresh_facility;

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

/// What came of checking receipts against the log of their host.
#[derive(Clone, Debug)]
pub struct ReceiptReport {
    /// The receipts about the vault, by number.
    pub lines: Vec<ReceiptLine>,
    /// The host.
    pub node: NodeId,
    /// Receipts of this host that were checked, those about other vaults included: the log is one.
    pub checked: u64,
    /// Those of them whose checkpoint the newest head of the log extends.
    pub confirmed: u64,
    /// Proven lies.
    pub findings: Vec<FindingLine>,
    /// What is wrong without a proof.
    pub complaints: Vec<Complaint>,
}

/// Checks the receipts of a vault's host against one another and against its log as it is now.
pub async fn check_receipts(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
) -> Result<ReceiptReport, AgentError> {
    let mut noted = Noted::default();
    let refreshed = refresh_facility(facility, reach, vault).await;
    noted.step(&facility.keep, refreshed)?;
    let known = facility.known(vault)?;
    let session = reach.host(known.link(), known.view()).await?;
    let node = session.node();
    let mut held = facility.keep.receipts::<Receipt>()?;
    held.retain(|receipt| receipt.verify(node).is_ok());
    let held: Vec<&Receipt> = held.iter().collect();
    let Compared { mut lies, complaints, extended } = compare_with_log(session, facility.ambient(), &held).await?;
    lies.extend(compare(node, &held));
    let good = held
        .iter()
        .filter(|receipt| receipt.checkpoint.verify(Log::Trail, node).is_ok_and(|head| extended.contains(&head.size)));
    let confirmed = good.count() as u64;
    let checked = held.len() as u64;
    noted.findings.extend(convict(&mut facility.keep, &lies)?);
    noted.complaints.extend(complaints);
    let (findings, complaints) = noted.settle();
    let lines = receipts(facility, vault)?;
    Ok(ReceiptReport { lines, node, checked, confirmed, findings, complaints })
}
