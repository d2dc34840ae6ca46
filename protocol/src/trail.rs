//! The trail: what a host did with a vault, as evidence that it can neither change nor leave out unseen.
//!
//! Every deed of a vault has an [`Event`] with a number that counts from 1 without gap. The host's one log holds salted
//! leaves; a [`Receipt`] proves one event against a checkpoint that the host signed. Trusted for I-7 and I-8 on the
//! reader's side: who keeps receipts and checkpoints notices when history changes.

mod answer;
mod event;
mod list;
mod log;

use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::{Digest, NodeId, Salt, VaultId};
use karute_consent::number;
use karute_consent::statement::StatementError;
use karute_consent::time::Timestamp;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::merkle::{ProofError, TreeHash, TreeHead, verify_inclusion};

pub use karute_consent::id::TrailNumber;

pub use answer::{AuditAnswer, HeadNonce, SignedTreeHead, TreeHeadRefused};
pub use event::{Event, EventKind, EventPlace};
pub use list::{ListAnswer, ListDigest, PlaceCount, first_gap};
pub use log::{CheckpointRefused, CheckpointText, Log};

number!(
    /// Place of a leaf in a host's trail, from 0.
    TrailIndex, u64
);
number!(
    /// 0 for done, else the number of the deny reason.
    Outcome, u8
);

/// The hashes of an inclusion proof, from the leaf up.
pub type ProofHashes = Vec<TreeHash>;

/// What the host's log holds of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Leaf {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Number of the event in that vault.
    #[serde(index = 2)]
    pub number: TrailNumber,
    /// The host's time.
    #[serde(index = 3)]
    pub time: Timestamp,
    /// Salted digest of the event.
    #[serde(index = 4)]
    pub event_hash: Digest,
}

impl Leaf {
    /// The leaf of an event.
    pub fn new(
        vault: VaultId,
        number: TrailNumber,
        time: Timestamp,
        event: &Event,
        salt: &Salt,
    ) -> Result<Self, EncodingError> {
        Ok(Self { vault, number, time, event_hash: event.digest(salt)? })
    }

    /// The hash of this leaf in the host's log.
    pub fn hash(&self) -> Result<TreeHash, EncodingError> {
        Ok(TreeHash::leaf(&to_bytes(self)?))
    }
}

/// Evidence of one event: `{1: leaf, 2: salt, 3: event, 4: index, 5: proof, 6: checkpoint}`.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Receipt {
    /// The leaf.
    #[serde(index = 1)]
    pub leaf: Leaf,
    /// The salt of its event hash.
    #[serde(index = 2)]
    pub salt: Salt,
    /// The event.
    #[serde(index = 3)]
    pub event: Event,
    /// Place of the leaf in the host's trail.
    #[serde(index = 4)]
    pub index: TrailIndex,
    /// Inclusion proof from the leaf to the checkpoint's root.
    #[serde(index = 5)]
    pub proof: ProofHashes,
    /// The checkpoint that the host signed.
    #[serde(index = 6)]
    pub checkpoint: CheckpointText,
}

impl Receipt {
    /// Size and root of the checkpoint, if this node vouches for this event (P-23, P-24).
    pub fn verify(&self, node: NodeId) -> Result<TreeHead, ReceiptError> {
        let head = self.checkpoint.verify(Log::Trail, node).map_err(ReceiptError::Checkpoint)?;
        verify_event(&self.leaf, &self.salt, &self.event, self.index, &self.proof, &head)?;
        Ok(head)
    }
}

/// Refuses unless event and salt are the leaf's, and the proof leads from the leaf to the head (P-24).
pub fn verify_event(
    leaf: &Leaf,
    salt: &Salt,
    event: &Event,
    index: TrailIndex,
    proof: &[TreeHash],
    head: &TreeHead,
) -> Result<(), ReceiptError> {
    event.check()?;
    if event.digest(salt).map_err(ReceiptError::Encoding)? != leaf.event_hash {
        return Err(ReceiptError::OtherEvent); // P-24
    }
    if leaf.number == TrailNumber(0) {
        return Err(ReceiptError::NoNumber);
    }
    let hash = leaf.hash().map_err(ReceiptError::Encoding)?;
    verify_inclusion(&hash, index.0, head.size, proof, &head.root).map_err(ReceiptError::Proof) // P-24
}

/// Why a receipt or an event of an audit is no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The checkpoint is not one of this node's trail (P-23).
    #[error("receipt has no good checkpoint")]
    Checkpoint(#[source] CheckpointRefused),
    /// The event is not the one in the leaf (P-24).
    #[error("event is not the one of the leaf")]
    OtherEvent,
    /// The leaf is not in the tree of the checkpoint (P-24).
    #[error("leaf is not in the trail")]
    Proof(#[source] ProofError),
    /// Numbers count from 1.
    #[error("leaf has no number")]
    NoNumber,
    /// A list of the event is above its limit.
    #[error("event is above its limits")]
    EventLimits,
    /// There is no request where an event must carry the one it answers (P-39).
    #[error("event carries no request")]
    NoRequest,
    /// The request of the event does not verify, or its party did not sign it (P-39).
    #[error("request of the event does not verify")]
    Request(#[source] StatementError),
    /// The request of the event is not the one that the event tells of (P-39).
    #[error("event tells of another request than it carries")]
    OtherRequest,
    /// Event or leaf cannot be encoded.
    #[error("event cannot be encoded")]
    Encoding(#[source] EncodingError),
}

#[cfg(test)]
mod tests;
