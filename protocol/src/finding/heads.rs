//! Kinds 1 to 3: what two signed heads of one log say against who signed them.

use karute_consent::id::{NodeId, PartyKey, VaultId};
use karute_consent::statement::Unverified;
use karute_consent::time::Timestamp;

use super::{Evidence, Facts, Finding, FindingKind, NotAFinding, must_cover};
use crate::checkpoint::SignedCheckpoint;
use crate::limits::PROOF_LEN_MAX;
use crate::merkle::{TreeHash, TreeHead, verify_consistency};
use crate::note::KeyName;
use crate::trail::{CheckpointRefused, CheckpointText, Log, Receipt, SignedTreeHead};

/// A head of a log as a node signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedHead {
    /// As a note.
    Checkpoint(CheckpointText),
    /// As an answer, with the node's time.
    TreeHead(Unverified<SignedTreeHead>),
}

/// A head whose signature was checked.
struct Head {
    origin: KeyName,
    head: TreeHead,
}

impl Finding {
    /// Kind 1: one log, one size, two roots.
    pub fn equivocation(node: NodeId, a: SignedHead, b: SignedHead) -> Result<Self, NotAFinding> {
        Self::proven(Evidence::of_heads(FindingKind::Equivocation, node, a, b))
    }

    /// Kind 2: the host gave no proof that b extends a, or a wrong one. It may still refute this by a right one.
    pub fn inconsistency(
        node: NodeId,
        a: SignedHead,
        b: SignedHead,
        given: Vec<TreeHash>,
    ) -> Result<Self, NotAFinding> {
        let evidence = Evidence::of_heads(FindingKind::Inconsistency, node, a, b);
        Self::proven(Evidence { proof: Some(given), ..evidence })
    }

    /// Kind 3: a log that was longer at a's time than at b's, which is later.
    pub fn rollback(
        node: NodeId,
        a: Unverified<SignedTreeHead>,
        b: Unverified<SignedTreeHead>,
    ) -> Result<Self, NotAFinding> {
        let evidence = Evidence::new(FindingKind::Rollback, node.key());
        Self::proven(Evidence { tree_head_a: Some(a), tree_head_b: Some(b), ..evidence })
    }

    /// Kind 3: the trail ends before an event that the host gave a receipt for.
    pub fn rollback_of_event(node: NodeId, a: Receipt, b: Unverified<SignedTreeHead>) -> Result<Self, NotAFinding> {
        let evidence = Evidence::new(FindingKind::Rollback, node.key());
        Self::proven(Evidence { receipt_a: Some(a), tree_head_b: Some(b), ..evidence })
    }

    /// Whether this proof refutes a finding of kind 2: it does lead from head a to head b.
    pub fn is_refuted_by_proof(&self, proof: &[TreeHash]) -> bool {
        let evidence = &self.evidence;
        let heads = evidence.head_a().and_then(|a| Ok((a, evidence.head_b()?)));
        evidence.kind == FindingKind::Inconsistency
            && heads.is_ok_and(|(a, b)| a.origin == b.origin && verify_consistency(&a.head, &b.head, proof).is_ok())
    }
}

/// Whether `newer` needs nothing to show that it extends `older`: they are the same, or `older` is empty.
pub fn extends(newer: &TreeHead, older: &TreeHead) -> bool {
    newer == older || (older.size == 0 && older.root == TreeHash::of_empty_tree())
}

pub(super) fn equivocation(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let (a, b) = (evidence.head_a()?, evidence.head_b()?);
    two_roots((a.origin, a.head), (b.origin, b.head))
}

/// One log, one size, two roots: of a host, or of what a witness cosigned.
pub(super) fn two_roots(a: (KeyName, TreeHead), b: (KeyName, TreeHead)) -> Result<Facts, NotAFinding> {
    let ((origin, a), (other, b)) = (a, b);
    if origin != other {
        return Err(NotAFinding::OtherLog);
    }
    if a.size != b.size {
        return Err(NotAFinding::Sizes);
    }
    if a.root == b.root {
        return Err(NotAFinding::SameRoot);
    }
    Ok(Facts::TwoRoots { origin, size: a.size, root_a: a.root, root_b: b.root })
}

pub(super) fn inconsistency(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let (a, b) = (evidence.head_a()?, evidence.head_b()?);
    let given = evidence.proof.as_ref().filter(|given| given.len() <= PROOF_LEN_MAX).ok_or(NotAFinding::Fields)?;
    if a.origin != b.origin {
        return Err(NotAFinding::OtherLog);
    }
    if a.head.size >= b.head.size {
        return Err(NotAFinding::Sizes);
    }
    if extends(&b.head, &a.head) || verify_consistency(&a.head, &b.head, given).is_ok() {
        return Err(NotAFinding::Consistent);
    }
    Ok(Facts::NotExtended { origin: a.origin, head_a: a.head, head_b: b.head })
}

pub(super) fn rollback(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let (b, time_b) = evidence.tree_head(evidence.tree_head_b.as_ref())?;
    let (size_a, time_a) = match &evidence.receipt_a {
        Some(_) => {
            let receipt = evidence.receipt_a()?;
            if b.origin != Log::Trail.origin(evidence.node()) {
                return Err(NotAFinding::OtherLog);
            }
            if !must_cover(time_b, receipt.leaf.time) {
                return Err(NotAFinding::NotLater);
            }
            (receipt.index.0.saturating_add(1), receipt.leaf.time)
        }
        None => {
            let (a, time_a) = evidence.tree_head(evidence.tree_head_a.as_ref())?;
            if a.origin != b.origin {
                return Err(NotAFinding::OtherLog);
            }
            if time_b <= time_a {
                return Err(NotAFinding::NotLater);
            }
            (a.head.size, time_a)
        }
    };
    if b.head.size >= size_a {
        return Err(NotAFinding::Sizes);
    }
    Ok(Facts::Shrunk { origin: b.origin, size_a, time_a, size_b: b.head.size, time_b })
}

impl Evidence {
    fn of_heads(kind: FindingKind, node: NodeId, a: SignedHead, b: SignedHead) -> Self {
        let mut evidence = Self::new(kind, node.key());
        match a {
            SignedHead::Checkpoint(checkpoint) => evidence.checkpoint_a = Some(checkpoint),
            SignedHead::TreeHead(head) => evidence.tree_head_a = Some(head),
        }
        match b {
            SignedHead::Checkpoint(checkpoint) => evidence.checkpoint_b = Some(checkpoint),
            SignedHead::TreeHead(head) => evidence.tree_head_b = Some(head),
        }
        evidence
    }

    fn head_a(&self) -> Result<Head, NotAFinding> {
        self.head(self.checkpoint_a.as_ref(), self.tree_head_a.as_ref())
    }

    fn head_b(&self) -> Result<Head, NotAFinding> {
        self.head(self.checkpoint_b.as_ref(), self.tree_head_b.as_ref())
    }

    fn head(
        &self,
        checkpoint: Option<&CheckpointText>,
        tree_head: Option<&Unverified<SignedTreeHead>>,
    ) -> Result<Head, NotAFinding> {
        let Some(checkpoint) = checkpoint else { return Ok(self.tree_head(tree_head)?.0) };
        let signed = SignedCheckpoint::from_bytes(checkpoint.0.as_bytes())
            .map_err(|error| NotAFinding::Checkpoint(CheckpointRefused::Checkpoint(error)))?;
        let origin = signed.unverified_origin().ok_or(NotAFinding::Origin)?;
        let log = log_of(&origin, self.accused).ok_or(NotAFinding::Origin)?;
        let head = checkpoint.verify(log, self.node()).map_err(NotAFinding::Checkpoint)?; // P-23
        Ok(Head { origin, head })
    }

    /// A tree-head that the accused signed, and its time.
    fn tree_head(&self, tree_head: Option<&Unverified<SignedTreeHead>>) -> Result<(Head, Timestamp), NotAFinding> {
        let signed = tree_head.ok_or(NotAFinding::Fields)?.clone();
        let said = signed.verify_by(self.accused).map_err(NotAFinding::TreeHead)?.into_payload();
        let origin: KeyName = said.origin.parse().map_err(|_| NotAFinding::Origin)?;
        log_of(&origin, self.accused).ok_or(NotAFinding::Origin)?;
        Ok((Head { origin, head: said.head() }, said.time))
    }
}

/// The log with this origin, if it is one that the accused signs: its trail, or the ledger of any vault.
fn log_of(origin: &KeyName, accused: PartyKey) -> Option<Log> {
    let node = NodeId::from_bytes(*accused.as_bytes());
    if *origin == Log::Trail.origin(node) {
        return Some(Log::Trail);
    }
    let vault: VaultId = origin.as_str().strip_prefix("karute/ledger/")?.parse().ok()?;
    Some(Log::Ledger(vault))
}
