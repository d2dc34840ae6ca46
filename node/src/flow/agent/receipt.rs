//! Receipts: accepted only when the event is under a checkpoint of this host's trail, and about this vault.

use karute_consent::encoding::to_bytes;
use karute_consent::id::NodeId;
use karute_consent::tree::digest_of;
use karute_protocol::merkle::TreeHead;
use karute_protocol::trail::Receipt;

use crate::agent::error::{AgentError, Unproven};
use crate::agent::keep::Keep;
use crate::agent::view::VaultView;

/// Checks a receipt: event, leaf, proof and checkpoint belong together, and the vault is the right one (P-24).
pub(super) fn accept_receipt(view: &VaultView, receipt: &Receipt, node: NodeId) -> Result<TreeHead, AgentError> {
    if receipt.leaf.vault != view.vault() {
        return Err(AgentError::unproven(Unproven::Receipt));
    }
    receipt.verify(node).map_err(|_| AgentError::unproven(Unproven::Receipt))
}

/// Keeps an accepted receipt under the digest of its leaf, which it answers.
pub(super) fn keep_receipt(keep: &mut Keep, receipt: &Receipt) -> Result<[u8; 32], AgentError> {
    let name = receipt_name(receipt)?;
    let bytes = to_bytes(receipt).map_err(|_| AgentError::Malformed("receipt"))?;
    keep.put_receipt(&name, &bytes)?;
    Ok(name)
}

/// Under which name a receipt is kept: the digest of its leaf.
pub(super) fn receipt_name(receipt: &Receipt) -> Result<[u8; 32], AgentError> {
    let leaf = to_bytes(&receipt.leaf).map_err(|_| AgentError::Malformed("receipt"))?;
    Ok(*digest_of(&[&leaf]).as_bytes())
}
