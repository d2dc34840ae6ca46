//! Receipts held here, compared with one another and with the host's log as it is now (P-48).
//!
//! Each receipt carries a checkpoint that the host signed: its newest head must extend every one of them. What
//! contradicts becomes a finding, as both sides of the contradiction are under the host's signature.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use karute_consent::id::{NodeId, VaultId};
use karute_consent::statement::Unverified;
use karute_protocol::finding::{Finding, NotAFinding, SignedHead};
use karute_protocol::limits::HEAD_SIZES_MAX;
use karute_protocol::merkle::{TreeHash, TreeHead, verify_consistency};
use karute_protocol::message::{Heads, Message};
use karute_protocol::trail::{HeadNonce, Log, ProofHashes, Receipt, SignedTreeHead, TrailIndex, TrailNumber};

use crate::agent::error::{AgentError, Unproven};
use crate::ambient::Ambient;
use crate::flow::agent::convict::Complaint;
use crate::flow::agent::session::Session;

/// What came of a comparison.
#[derive(Default)]
pub(super) struct Compared {
    /// Proven lies.
    pub(super) lies: Vec<Finding>,
    /// What is wrong without a proof.
    pub(super) complaints: Vec<Complaint>,
    /// Sizes of checkpoints that the newest head extends.
    pub(super) extended: BTreeSet<u64>,
}

/// Two leaves in one place (kind 4), an older entry behind a younger one (kind 9). `receipts` verify against this node.
pub(super) fn compare(node: NodeId, receipts: &[&Receipt]) -> Vec<Finding> {
    let mut lies = Vec::new();
    let mut by_index: HashMap<TrailIndex, &Receipt> = HashMap::new();
    let mut by_number: HashMap<(VaultId, TrailNumber), &Receipt> = HashMap::new();
    for receipt in receipts {
        let leaf = &receipt.leaf;
        let at_index = *by_index.entry(receipt.index).or_insert(receipt);
        let of_number = *by_number.entry((leaf.vault, leaf.number)).or_insert(receipt);
        for other in [at_index, of_number] {
            if other.leaf != *leaf {
                lies.extend(Finding::rewritten_entry(node, other.clone(), (*receipt).clone()));
            }
        }
    }
    let mut in_order: Vec<&Receipt> = by_index.into_values().collect();
    in_order.sort_by_key(|receipt| receipt.index);
    let mut youngest: Option<&Receipt> = None;
    for receipt in in_order {
        match youngest {
            Some(before) if before.leaf.time > receipt.leaf.time => {
                lies.extend(Finding::time_runs_back(node, before.clone(), receipt.clone())); // P-38
            }
            _ => youngest = Some(receipt),
        }
    }
    lies
}

/// Asks the host for its newest head and for proofs that it extends the checkpoint of each receipt.
pub(super) async fn compare_with_log(
    session: &mut Session,
    ambient: &Ambient,
    receipts: &[&Receipt],
) -> Result<Compared, AgentError> {
    let node = session.node();
    let mut compared = Compared::default();
    let mut held: BTreeMap<u64, (TreeHead, &Receipt)> = BTreeMap::new();
    for receipt in receipts {
        let head = receipt.checkpoint.verify(Log::Trail, node).map_err(|_| Unproven::Checkpoint)?;
        let (other, of) = *held.entry(head.size).or_insert((head, receipt));
        if other.root != head.root {
            let (a, b) = (checkpoint(of), checkpoint(receipt));
            compared.lies.extend(Finding::equivocation(node, a, b));
        }
    }
    let sizes: Vec<u64> = held.keys().copied().collect();
    for batch in sizes.chunks(HEAD_SIZES_MAX) {
        let newest = newest_head(session, ambient, batch).await?;
        for (size, proof) in batch.iter().zip(&newest.proofs) {
            let (head, receipt) = held[size];
            judge_growth(node, (head, receipt), &newest, proof, &mut compared);
        }
        compare_with_end(node, receipts, &newest, &mut compared);
    }
    Ok(compared)
}

/// The host's word on its trail, and proofs to it in the order of the sizes asked for.
struct Newest {
    head: TreeHead,
    signed: Unverified<SignedTreeHead>,
    proofs: Vec<ProofHashes>,
}

/// Message 41, with at most as many sizes as fit one.
async fn newest_head(session: &mut Session, ambient: &Ambient, sizes: &[u64]) -> Result<Newest, AgentError> {
    let nonce = HeadNonce::from_bytes(ambient.entropy());
    let asked = Heads { nonce, vault: None, sizes: sizes.iter().copied().collect() };
    let Message::HeadsFound(found) = session.ask(asked).await? else {
        return Err(AgentError::Malformed("answer to heads"));
    };
    let said = SignedTreeHead::verify(found.trail.clone(), Log::Trail, session.node());
    let said = said.map_err(|_| AgentError::unproven(Unproven::TreeHead))?.into_payload();
    if said.nonce != nonce || found.proofs.len() != sizes.len() {
        return Err(AgentError::unproven(Unproven::TreeHead));
    }
    Ok(Newest { head: said.head(), signed: found.trail, proofs: found.proofs })
}

/// Whether the newest head extends one that the host signed for a receipt.
fn judge_growth(
    node: NodeId,
    (held, receipt): (TreeHead, &Receipt),
    newest: &Newest,
    proof: &[TreeHash],
    compared: &mut Compared,
) {
    let now = || SignedHead::TreeHead(newest.signed.clone());
    if held.size > newest.head.size {
        // Only a receipt from behind the end proves it: see compare_with_end.
        compared.complaints.push(Complaint::Shorter { node, signed: held.size, now: newest.head.size });
    } else if verify_consistency(&held, &newest.head, proof).is_ok() {
        compared.extended.insert(held.size);
    } else if held.size == newest.head.size {
        compared.lies.extend(Finding::equivocation(node, checkpoint(receipt), now()));
    } else {
        compared.lies.extend(Finding::inconsistency(node, checkpoint(receipt), now(), proof.to_vec()));
    }
}

/// A receipt from behind the end of the log shows that it was rolled back (kind 3).
fn compare_with_end(node: NodeId, receipts: &[&Receipt], newest: &Newest, compared: &mut Compared) {
    let Some(beyond) = receipts.iter().filter(|receipt| receipt.index.0 >= newest.head.size).max_by_key(|r| r.index)
    else {
        return;
    };
    match Finding::rollback_of_event(node, (*beyond).clone(), newest.signed.clone()) {
        Ok(lie) => {
            compared.complaints.retain(|complaint| !matches!(complaint, Complaint::Shorter { .. }));
            compared.lies.push(lie);
        }
        Err(NotAFinding::NotLater) => {
            compared.complaints.push(Complaint::NotThereYet { number: beyond.leaf.number });
        }
        Err(_) => {}
    }
}

fn checkpoint(receipt: &Receipt) -> SignedHead {
    SignedHead::Checkpoint(receipt.checkpoint.clone())
}
