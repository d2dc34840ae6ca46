//! Messages of reading: fetch, list, audit.

use karute_consent::id::{CollectionId, Generation, Salt};
use karute_consent::request::Request;
use karute_consent::statement::Unverified;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{MessageError, Payload, at_most};
use crate::hpke::Sealed;
use crate::limits;
use crate::merkle::{TreeHead, verify_inclusion};
use crate::record::{Header, RecordNumber, SealedMeta};
use crate::run::{ReWrap, Run};
use crate::trail::{
    AuditAnswer, CheckpointText, Event, Leaf, ListAnswer, ProofHashes, Receipt, ReceiptError, TrailIndex, TrailNumber,
    verify_event,
};
use crate::wire::{ByteCount, Octets};

/// 21: reads records.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Fetch {
    /// A request with action read (or export).
    #[serde(index = 1)]
    pub request: Unverified<Request>,
    /// The sealed acting person.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub acting: Option<Sealed>,
    /// Part of the sealed body, for one record.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub range: Option<ByteRange>,
}

impl Payload for Fetch {
    const TAG: u8 = 21;

    fn check(&self) -> Result<(), MessageError> {
        match &self.range {
            Some(range) if range.from >= range.to => Err(MessageError::Inconsistent),
            _ => Ok(()),
        }
    }
}

/// Bytes of a sealed body, `to` not in it; not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ByteRange {
    /// First byte.
    #[serde(index = 1)]
    pub from: ByteCount,
    /// Behind the last byte.
    #[serde(index = 2)]
    pub to: ByteCount,
}

/// 23: lists records.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct List {
    /// A request with action list.
    #[serde(index = 1)]
    pub request: Unverified<Request>,
    /// The sealed acting person.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub acting: Option<Sealed>,
}

impl Payload for List {
    const TAG: u8 = 23;
}

/// 26: permitted; the event is durable already.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Permitted {
    /// The event of this reading.
    #[serde(index = 1)]
    pub receipt: Receipt,
    /// Records that will come.
    #[serde(index = 2)]
    pub count: u64,
}

impl Payload for Permitted {
    const TAG: u8 = 26;
}

/// 28: a record of a list or a fetch.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RecordAnswer {
    /// The signed header.
    #[serde(index = 1)]
    pub header: Unverified<Header>,
    /// The sealed meta.
    #[serde(index = 2)]
    pub meta: SealedMeta,
    /// The run of the record.
    #[serde(index = 3)]
    pub run: Unverified<Run>,
    /// The re-wrap in force for that run, if there is one.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub re_wrap: Option<Unverified<ReWrap>>,
    /// Where the record is filed now.
    #[serde(index = 5)]
    pub collection: CollectionId,
    /// Of that collection.
    #[serde(index = 6)]
    pub generation: Generation,
    /// Running number in collection and generation.
    #[serde(index = 7)]
    pub number: RecordNumber,
    /// Bytes of bao encoding that follow as pieces; 0 when the body is inline or not asked for.
    #[serde(index = 8)]
    pub encoded_len: ByteCount,
    /// The whole sealed body, when it is short.
    #[serde(index = 9, skip_serializing_if = "Option::is_none")]
    pub body: Option<Octets>,
}

impl Payload for RecordAnswer {
    const TAG: u8 = 28;

    fn check(&self) -> Result<(), MessageError> {
        at_most(self.meta.as_bytes().len(), limits::META_SEALED_LEN_MAX)?; // P-17
        match &self.body {
            Some(_) if self.encoded_len.0 > 0 => Err(MessageError::Inconsistent),
            Some(body) => at_most(body.len(), limits::INLINE_BODY_LEN_MAX),
            None => Ok(()),
        }
    }
}

/// 30: the last of an answer.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct End {
    /// How many came.
    #[serde(index = 1)]
    pub count: u64,
}

impl Payload for End {
    const TAG: u8 = 30;
}

/// 34: ends a list, with its list-answer, or an audit, with its audit-answer.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Listed {
    /// The host's signed word on what it sent of a list.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Unverified<ListAnswer>>,
    /// The host's checkpoint of the trail.
    #[serde(index = 2)]
    pub checkpoint: CheckpointText,
    /// The host's signed word on what an audit covered.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Unverified<AuditAnswer>>,
}

impl Payload for Listed {
    const TAG: u8 = 34;

    fn check(&self) -> Result<(), MessageError> {
        match (&self.answer, &self.audit) {
            (Some(_), Some(_)) => Err(MessageError::Inconsistent),
            _ => Ok(()),
        }
    }
}

/// 27: reads the trail from a number on.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Audit {
    /// A request with action audit.
    #[serde(index = 1)]
    pub request: Unverified<Request>,
    /// First number that is wanted.
    #[serde(index = 2)]
    pub from: TrailNumber,
}

impl Payload for Audit {
    const TAG: u8 = 27;
}

/// 36: an event of the trail; its proof leads to the checkpoint of the [`Listed`] that follows.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct TrailItem {
    /// The leaf.
    #[serde(index = 1)]
    pub leaf: Leaf,
    /// The salt of its event hash; gone with the event when that is erased.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Salt>,
    /// The event.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// Place of the leaf in the host's trail.
    #[serde(index = 4)]
    pub index: TrailIndex,
    /// Inclusion proof.
    #[serde(index = 5)]
    pub proof: ProofHashes,
}

impl Payload for TrailItem {
    const TAG: u8 = 36;

    fn check(&self) -> Result<(), MessageError> {
        if self.salt.is_some() != self.event.is_some() {
            return Err(MessageError::Inconsistent);
        }
        at_most(self.proof.len(), limits::PROOF_LEN_MAX)
    }
}

impl TrailItem {
    /// The event, if it is there, proven to a head of the trail together with its leaf (P-24). An erased event has none:
    /// then the leaf alone is proven, and whether an erasure names it is for the ledger to say (P-40).
    pub fn verify(&self, head: &TreeHead) -> Result<Option<&Event>, ReceiptError> {
        if let (Some(salt), Some(event)) = (&self.salt, &self.event) {
            verify_event(&self.leaf, salt, event, self.index, &self.proof, head)?;
            return Ok(Some(event));
        }
        if self.salt.is_some() || self.event.is_some() {
            return Err(ReceiptError::OtherEvent);
        }
        if self.leaf.number == TrailNumber(0) {
            return Err(ReceiptError::NoNumber);
        }
        let hash = self.leaf.hash().map_err(ReceiptError::Encoding)?;
        verify_inclusion(&hash, self.index.0, head.size, &self.proof, &head.root).map_err(ReceiptError::Proof)?;
        Ok(None)
    }
}
