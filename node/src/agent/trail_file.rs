//! A vault's trail as a file: everything that is needed to check it again without the node.

use std::collections::HashSet;

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{NodeId, VaultId};
use karute_consent::statement::{Unverified, Verified};
use karute_consent::time::Timestamp;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::TrailItem;
use karute_protocol::trail::{
    AuditAnswer, CheckpointRefused, CheckpointText, EventKind, Log, ReceiptError, TrailIndex, TrailNumber,
};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

/// The events of one vault up to a checkpoint of its node.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct TrailFile {
    /// 1.
    #[serde(index = 1)]
    version: u8,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// The node.
    #[serde(index = 3)]
    pub node: NodeId,
    /// The node's signed checkpoint; all proofs lead to it.
    #[serde(index = 4)]
    pub checkpoint: CheckpointText,
    /// The events by number; an erased one has its leaf only.
    #[serde(index = 5)]
    pub items: Vec<TrailItem>,
    /// The node's signed word on how many there are.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Unverified<AuditAnswer>>,
}

/// What a good trail file shows.
pub struct Whole {
    /// Size and root of the node's trail.
    pub head: TreeHead,
    /// Events whose content is gone; whether the vault's ledger has an erasure that names them is for its reader to say
    /// (P-40).
    pub erased: Vec<TrailNumber>,
    /// The node's word on how many events there are, if the file has it.
    pub answer: Option<Verified<AuditAnswer>>,
}

/// Why a trail file does not hold.
#[derive(Debug, thiserror::Error)]
pub enum TrailFileError {
    /// Not the one spelling of a trail file.
    #[error("this is no trail file")]
    Encoding(#[source] EncodingError),
    /// Written by a later version of the program.
    #[error("a trail file of an unknown version")]
    Version,
    /// The checkpoint is not the node's.
    #[error("the checkpoint does not hold")]
    Checkpoint(#[source] CheckpointRefused),
    /// An event does not lead to the checkpoint.
    #[error("event {number} does not hold")]
    Event {
        /// Its number in the file.
        number: u64,
        /// Why.
        source: ReceiptError,
    },
    /// An event without the request that it must have come of, or with another one (P-39).
    #[error("event {number} does not show that it was asked for")]
    Unasked {
        /// Its number in the file.
        number: u64,
        /// Why.
        source: ReceiptError,
    },
    /// Two readings for one request.
    #[error("event {number} tells of a request that an earlier event told of")]
    Again {
        /// Its number in the file.
        number: u64,
    },
    /// Before the event before it, by time or place (P-38).
    #[error("event {number} is earlier than the one before it")]
    Backwards {
        /// Its number in the file.
        number: u64,
    },
    /// The node's word on the trail is about another one.
    #[error("the node's word on the number of events is not about these")]
    Answer,
    /// An event of another vault.
    #[error("event {number} is of another vault")]
    OtherVault {
        /// Its number in the file.
        number: u64,
    },
    /// A number is missing, doubled or out of order.
    #[error("the number after {after} is not {after} plus one: something was left out")]
    Gap {
        /// The last number in order.
        after: u64,
    },
}

impl TrailFile {
    /// A file of these events.
    pub fn new(
        vault: VaultId,
        node: NodeId,
        checkpoint: CheckpointText,
        items: Vec<TrailItem>,
        answer: Option<Unverified<AuditAnswer>>,
    ) -> Self {
        Self { version: VERSION, vault, node, checkpoint, items, answer }
    }

    /// Reads a file; nothing of it counts before it is verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrailFileError> {
        let file: Self = from_bytes(bytes, BYTES_MAX).map_err(TrailFileError::Encoding)?;
        if file.version == VERSION { Ok(file) } else { Err(TrailFileError::Version) }
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrailFileError> {
        to_bytes(self).map_err(TrailFileError::Encoding)
    }

    /// Checks that the numbers run from 1 without gap, that every event leads to the node's checkpoint, that what was
    /// asked for shows its request, and that the node's word is about these events.
    pub fn verify(&self) -> Result<Whole, TrailFileError> {
        let head = self.checkpoint.verify(Log::Trail, self.node).map_err(TrailFileError::Checkpoint)?;
        let (mut erased, mut before, mut asked) = (Vec::new(), None, HashSet::new());
        for (after, item) in (0u64..).zip(&self.items) {
            let number = item.leaf.number.0;
            if number != after + 1 {
                return Err(TrailFileError::Gap { after });
            }
            if item.leaf.vault != self.vault {
                return Err(TrailFileError::OtherVault { number });
            }
            let place = (item.index, item.leaf.time);
            if !follows(before.replace(place), place) {
                return Err(TrailFileError::Backwards { number });
            }
            match item.verify(&head).map_err(|source| TrailFileError::Event { number, source })? {
                None => erased.push(item.leaf.number),
                Some(event) => {
                    let unasked = |source| TrailFileError::Unasked { number, source };
                    let request = event.check_request(self.vault, self.node).map_err(unasked)?;
                    let answers = event.kind != EventKind::Deposit && event.kind != EventKind::Refusal;
                    if request.is_some_and(|request| answers && !asked.insert(request.id())) {
                        return Err(TrailFileError::Again { number });
                    }
                }
            }
        }
        Ok(Whole { head, erased, answer: self.check_answer(&head)? })
    }

    fn check_answer(&self, head: &TreeHead) -> Result<Option<Verified<AuditAnswer>>, TrailFileError> {
        let Some(answer) = &self.answer else { return Ok(None) };
        let answer = answer.clone().verify_by(self.node.key()).map_err(|_| TrailFileError::Answer)?;
        let said = answer.payload();
        let same = said.vault == self.vault && said.count.0 == self.items.len() as u64 && said.head() == *head;
        if same { Ok(Some(answer)) } else { Err(TrailFileError::Answer) }
    }
}

/// Whether a leaf may stand behind another one of the same vault.
fn follows(before: Option<(TrailIndex, Timestamp)>, (index, time): (TrailIndex, Timestamp)) -> bool {
    before.is_none_or(|(before, earlier)| before < index && earlier <= time) // P-38
}

const VERSION: u8 = 1;
/// Largest trail file, in bytes.
pub const BYTES_MAX: usize = 256 * 1024 * 1024;
