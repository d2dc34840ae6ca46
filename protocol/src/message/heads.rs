//! Messages about what is newest: heads of the host's logs, and events as they happen.

use std::collections::BTreeSet;

use karute_consent::id::VaultId;
use karute_consent::request::Request;
use karute_consent::statement::Unverified;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{MessageError, Payload, TrailItem, at_most};
use crate::limits;
use crate::trail::{CheckpointText, HeadNonce, ProofHashes, SignedTreeHead, TrailNumber};

/// 41: asks for the newest heads, and for proofs that the trail only grew.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Heads {
    /// Random; comes back in the signed heads.
    #[serde(index = 1)]
    pub nonce: HeadNonce,
    /// The vault whose ledger is asked about too.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultId>,
    /// Earlier sizes of the trail, at most 64.
    #[serde(index = 3)]
    pub sizes: BTreeSet<u64>,
}

impl Payload for Heads {
    const TAG: u8 = 41;

    fn check(&self) -> Result<(), MessageError> {
        at_most(self.sizes.len(), limits::HEAD_SIZES_MAX)
    }
}

/// 44: the newest heads.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct HeadsFound {
    /// The newest head of the trail.
    #[serde(index = 1)]
    pub trail: Unverified<SignedTreeHead>,
    /// The newest checkpoint of the trail that has cosignatures, else that of `trail`.
    #[serde(index = 2)]
    pub trail_checkpoint: CheckpointText,
    /// For each size that was asked for, in ascending order, the consistency proof from it to `trail`; empty where none
    /// is needed or possible.
    #[serde(index = 3)]
    pub proofs: Vec<ProofHashes>,
    /// The newest head of the ledger that was asked about.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Unverified<SignedTreeHead>>,
    /// The checkpoint of that head, with all cosignatures that there are.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub ledger_checkpoint: Option<CheckpointText>,
}

impl Payload for HeadsFound {
    const TAG: u8 = 44;

    fn check(&self) -> Result<(), MessageError> {
        if self.ledger.is_some() != self.ledger_checkpoint.is_some() {
            return Err(MessageError::Inconsistent);
        }
        at_most(self.proofs.len(), limits::HEAD_SIZES_MAX)?;
        self.proofs.iter().try_for_each(|proof| at_most(proof.len(), limits::PROOF_LEN_MAX))
    }
}

/// 43: reads the trail from a number on and stays open for what follows.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Watch {
    /// A request with action audit.
    #[serde(index = 1)]
    pub request: Unverified<Request>,
    /// First number that is wanted.
    #[serde(index = 2)]
    pub from: TrailNumber,
}

impl Payload for Watch {
    const TAG: u8 = 43;
}

/// 46: an event of the trail, proven to a checkpoint of its own.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct News {
    /// The event.
    #[serde(index = 1)]
    pub item: TrailItem,
    /// What its proof leads to.
    #[serde(index = 2)]
    pub checkpoint: CheckpointText,
}

impl Payload for News {
    const TAG: u8 = 46;

    fn check(&self) -> Result<(), MessageError> {
        self.item.check()
    }
}
