//! A host's signed words on its logs: what an audit covered, and what the newest head of a log is.
//!
//! Both are answers with a time, signed by the node's log key. A later answer that covers less than an earlier one, or
//! than a receipt from before, convicts the host (SPEC section 16).

use karute_consent::byte_id;
use karute_consent::id::{NodeId, PartyKey, StatementId, TrailNumber, VaultId};
use karute_consent::party::Identity;
use karute_consent::statement::{Malformed, Statement, StatementError, Unverified, Verified, sign};
use karute_consent::time::Timestamp;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::Log;
use crate::limits::TREE_SIZE_MAX;
use crate::merkle::{TreeHash, TreeHead};
use crate::note::KeyName;

byte_id!(
    /// Drawn by who asks for a tree head, so that the answer is not an older one.
    HeadNonce, 32
);

/// The host's signed word on what an audit covered.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct AuditAnswer {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Statement id of the request that was answered.
    #[serde(index = 2)]
    pub request: StatementId,
    /// Events of the vault, that of this audit included: also the number of the last one.
    #[serde(index = 3)]
    pub count: TrailNumber,
    /// The host's time.
    #[serde(index = 4)]
    pub time: Timestamp,
    /// Leaves of the host's trail.
    #[serde(index = 5)]
    pub size: u64,
    /// The root over them.
    #[serde(index = 6)]
    pub root: TreeHash,
}

impl AuditAnswer {
    /// Size and root of the trail.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }
}

/// The host's signed word on the newest head of one of its logs.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct SignedTreeHead {
    /// Which log: see [`Log::origin`].
    #[serde(index = 1)]
    pub origin: String,
    /// Its leaves.
    #[serde(index = 2)]
    pub size: u64,
    /// The root over them.
    #[serde(index = 3)]
    pub root: TreeHash,
    /// The host's time.
    #[serde(index = 4)]
    pub time: Timestamp,
    /// As it was asked for.
    #[serde(index = 5)]
    pub nonce: HeadNonce,
}

impl SignedTreeHead {
    /// Signs the newest head of a log with the node's log key.
    pub fn sign(
        log: Log,
        head: TreeHead,
        time: Timestamp,
        nonce: HeadNonce,
        identity: &Identity,
    ) -> Result<Verified<Self>, StatementError> {
        let origin = log.origin(NodeId::from_bytes(*identity.key().as_bytes())).to_string();
        sign(Self { origin, size: head.size, root: head.root, time, nonce }, identity)
    }

    /// The statement, if this node signed it about this log.
    pub fn verify(statement: Unverified<Self>, log: Log, node: NodeId) -> Result<Verified<Self>, TreeHeadRefused> {
        let verified = statement.verify_by(node.key()).map_err(TreeHeadRefused::Statement)?;
        let same = verified.payload().origin == log.origin(node).as_str();
        if same { Ok(verified) } else { Err(TreeHeadRefused::OtherLog) }
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }
}

/// Why a tree head does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeHeadRefused {
    /// Malformed, or not signed by the node.
    #[error("tree head does not verify")]
    Statement(#[source] StatementError),
    /// It is about another log.
    #[error("tree head is of another log")]
    OtherLog,
}

impl Statement for AuditAnswer {
    const TYPE: &'static str = "audit-answer";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        check_head(&self.head())?;
        // An audit is itself an event, and every event has a leaf.
        if (1..=self.size).contains(&self.count.0) { Ok(()) } else { Err(Malformed::Range) }
    }
}

impl Statement for SignedTreeHead {
    const TYPE: &'static str = "tree-head";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        self.origin.parse::<KeyName>().map_err(|_| Malformed::Text)?;
        check_head(&self.head())
    }
}

/// As for a checkpoint (P-23).
fn check_head(head: &TreeHead) -> Result<(), Malformed> {
    let empty = head.size > 0 || head.root == TreeHash::of_empty_tree();
    if empty && head.size <= TREE_SIZE_MAX { Ok(()) } else { Err(Malformed::Range) }
}
