//! The trail: what a host did with a vault, as evidence that it can neither change nor leave out unseen.
//!
//! Every deed of a vault has an [`Event`] with a number that counts from 1 without gap. The host's one log holds salted
//! leaves; a [`Receipt`] proves one event against a checkpoint that the host signed. Trusted for I-7 and I-8 on the
//! reader's side: who keeps receipts and checkpoints notices when history changes.

mod list;
mod log;

use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::{Digest, NodeId, PartyKey, RecordId, RequestId, Salt, StatementId, VaultId};
use karute_consent::limits::{CHAIN_LENGTH_MAX, PEER_BYTES_MAX};
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::time::Timestamp;
use karute_consent::tree::digest_of;
use karute_consent::{number, wire_enum};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::hpke::Sealed;
use crate::limits;
use crate::merkle::{ProofError, TreeHash, TreeHead, verify_inclusion};
use crate::wire::{LedgerSize, Octets};

pub use list::{ListAnswer, ListDigest, PlaceCount, first_gap};
pub use log::{CheckpointRefused, CheckpointText, Log};

number!(
    /// Number of an event in its vault, from 1 without gap.
    TrailNumber, u64
);
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

wire_enum! {
    /// What was done.
    EventKind {
        /// An entry was appended to the ledger.
        LedgerAppend = 1 "ledger-append",
        /// A record was stored.
        Deposit = 2 "deposit",
        /// Records were listed.
        List = 3 "list",
        /// Records were read.
        Read = 4 "read",
        /// The trail was read.
        Audit = 5 "audit",
        /// Something was refused.
        Refusal = 6 "refusal",
        /// A depositor withdrew records.
        Withdrawal = 7 "withdrawal",
        /// The patient erased records.
        Erasure = 8 "erasure",
        /// A device re-wrapped a run.
        ReWrap = 9 "re-wrap",
        /// An ask was put into the mailbox.
        Ask = 10 "ask",
        /// The holder of a grant synced.
        GrantSync = 11 "grant-sync",
        /// Records were exported; reserved.
        Export = 12 "export",
    }
}

/// One event of a vault. The host stores it beside the trail; its salted digest is in the leaf.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Event {
    /// What was done.
    #[serde(index = 1)]
    pub kind: EventKind,
    /// Who acted.
    #[serde(index = 2)]
    pub party: PartyKey,
    /// The transport end that it came from, 1 to 64 bytes.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Octets>,
    /// The request.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The grants that were used, root first.
    #[serde(index = 5)]
    pub chain: Vec<StatementId>,
    /// The action of the request.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The purpose of the request.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The first records of the answer, at most 64, in its order.
    #[serde(index = 8)]
    pub records: Vec<RecordId>,
    /// Records in all.
    #[serde(index = 9)]
    pub count: u64,
    /// Done, or why not.
    #[serde(index = 10)]
    pub outcome: Outcome,
    /// The sealed acting person.
    #[serde(index = 11, skip_serializing_if = "Option::is_none")]
    pub acting: Option<Sealed>,
    /// Entries of the ledger at that moment.
    #[serde(index = 12)]
    pub ledger_size: LedgerSize,
    /// The statement that the event is about: entry, header, withdrawal, re-wrap or ask-envelope.
    #[serde(index = 13, skip_serializing_if = "Option::is_none")]
    pub subject: Option<StatementId>,
}

impl Event {
    /// Refuses lists above their limits.
    pub fn check(&self) -> Result<(), ReceiptError> {
        let peer = self.peer.as_ref().map_or(1, |peer| peer.len());
        let bounded = self.chain.len() <= CHAIN_LENGTH_MAX
            && self.records.len() <= limits::EVENT_RECORDS_MAX
            && (1..=PEER_BYTES_MAX).contains(&peer)
            && self.records.len() as u64 <= self.count;
        if bounded { Ok(()) } else { Err(ReceiptError::EventLimits) }
    }

    /// The salted digest that stands in the leaf.
    pub fn digest(&self, salt: &Salt) -> Result<Digest, EncodingError> {
        Ok(digest_of(&[b"karute-v1/trail-event\0", salt.as_bytes(), &to_bytes(self)?]))
    }

    /// Whether a record is among those of the event, as far as it says: it names the first 64 only.
    pub fn may_be_about(&self, record: &RecordId) -> bool {
        self.records.contains(record) || self.count > self.records.len() as u64
    }
}

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
    /// Event or leaf cannot be encoded.
    #[error("event cannot be encoded")]
    Encoding(#[source] EncodingError),
}

#[cfg(test)]
mod tests;
