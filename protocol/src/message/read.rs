//! Messages of reading: fetch, list, audit.

use karute_consent::id::{CollectionId, Generation, Salt};
use karute_consent::request::Request;
use karute_consent::statement::Unverified;
use karute_consent::wire_enum;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{MessageError, Payload, at_most};
use crate::hpke::Sealed;
use crate::limits;
use crate::record::{Header, RecordNumber, SealedMeta};
use crate::run::{ReWrap, Run};
use crate::trail::{CheckpointText, Event, Leaf, ListAnswer, ProofHashes, Receipt, TrailIndex, TrailNumber};
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

/// 32: a number whose record is no more there.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Tombstone {
    /// Where the record was filed.
    #[serde(index = 1)]
    pub collection: CollectionId,
    /// Of that collection.
    #[serde(index = 2)]
    pub generation: Generation,
    /// Its running number.
    #[serde(index = 3)]
    pub number: RecordNumber,
    /// Why it is gone.
    #[serde(index = 4)]
    pub reason: TombstoneReason,
}

impl Payload for Tombstone {
    const TAG: u8 = 32;
}

wire_enum! {
    /// Why a record is no more in its place.
    TombstoneReason {
        /// Erased by the patient.
        Erased = 1 "erased",
        /// Withdrawn by its depositor.
        Withdrawn = 2 "withdrawn",
        /// Moved to another place by a re-wrap.
        Moved = 3 "moved",
    }
}

/// 34: ends a list, or an audit (then without list-answer).
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Listed {
    /// The host's signed word on what it sent.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Unverified<ListAnswer>>,
    /// The host's checkpoint of the trail.
    #[serde(index = 2)]
    pub checkpoint: CheckpointText,
}

impl Payload for Listed {
    const TAG: u8 = 34;
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
    /// The salt of its event hash.
    #[serde(index = 2)]
    pub salt: Salt,
    /// The event.
    #[serde(index = 3)]
    pub event: Event,
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
        at_most(self.proof.len(), limits::PROOF_LEN_MAX)
    }
}
