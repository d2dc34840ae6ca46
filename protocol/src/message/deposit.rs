//! Messages of a deposit: epoch key, run, body, put, and what becomes of records afterwards.

use karute_consent::id::{CollectionId, Generation, RecordId, RunId};
use karute_consent::request::Request;
use karute_consent::revocation::Withdrawal;
use karute_consent::statement::Unverified;
use karute_consent::time::Month;
use karute_consent::wire_enum;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{MessageError, Payload, at_most};
use crate::directory::KeyProof;
use crate::limits;
use crate::record::{Header, RecordNumber, SealedMeta};
use crate::run::{ReWrap, Run};
use crate::trail::{CheckpointText, Receipt};
use crate::wire::{ByteCount, Octets};

/// 13: asks for the epoch key of a collection and month. With action deposit the permit holds for this session.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Key {
    /// A request with action deposit, list or read.
    #[serde(index = 1)]
    pub request: Unverified<Request>,
    /// The collection.
    #[serde(index = 2)]
    pub collection: CollectionId,
    /// The month.
    #[serde(index = 3)]
    pub month: Month,
}

impl Payload for Key {
    const TAG: u8 = 13;
}

/// 20: the key with its proof; neither field when the collection is pending or unknown: then use the inbox.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct KeyFound {
    /// The key, provable from the directory in force.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub proof: Option<KeyProof>,
    /// The host's checkpoint of the ledger.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointText>,
}

impl Payload for KeyFound {
    const TAG: u8 = 20;

    fn check(&self) -> Result<(), MessageError> {
        if self.checkpoint.is_some() && self.proof.is_none() { Err(MessageError::Inconsistent) } else { Ok(()) }
    }
}

/// 15: begins a run.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct OpenRun {
    /// The run.
    #[serde(index = 1)]
    pub run: Unverified<Run>,
}

impl Payload for OpenRun {
    const TAG: u8 = 15;
}

/// 17: begins or resumes a body; pieces follow under the id of this message, from the offset of the answer on.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Body {
    /// A run of this session.
    #[serde(index = 1)]
    pub run: RunId,
    /// The record.
    #[serde(index = 2)]
    pub record: RecordId,
    /// Bytes of the sealed body.
    #[serde(index = 3)]
    pub length: ByteCount,
}

impl Payload for Body {
    const TAG: u8 = 17;
}

/// 22: bytes of the body that the host has; or the old receipt, when the record is already there.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Offset {
    /// Where the next piece starts (P-30).
    #[serde(index = 1)]
    pub offset: ByteCount,
    /// This record is already here.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

impl Payload for Offset {
    const TAG: u8 = 22;
}

/// 19: commits a record, whose body came before in pieces or stands in this message.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Put {
    /// The signed header.
    #[serde(index = 1)]
    pub header: Unverified<Header>,
    /// The sealed meta.
    #[serde(index = 2)]
    pub meta: SealedMeta,
    /// The whole sealed body, when it is short.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub body: Option<Octets>,
}

impl Payload for Put {
    const TAG: u8 = 19;

    fn check(&self) -> Result<(), MessageError> {
        at_most(self.meta.as_bytes().len(), limits::META_SEALED_LEN_MAX)?; // P-17
        at_most(self.body.as_ref().map_or(0, |body| body.len()), limits::INLINE_BODY_LEN_MAX)
    }
}

/// 24: stored with its number; or withdrawn, then without collection, generation and number.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Stored {
    /// The event of this deed.
    #[serde(index = 1)]
    pub receipt: Receipt,
    /// Where the record was filed.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub collection: Option<CollectionId>,
    /// Of that collection.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// Running number in collection and generation.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub number: Option<RecordNumber>,
    /// Whether the record was there before (P-31).
    #[serde(index = 5)]
    pub existing: Existing,
}

impl Payload for Stored {
    const TAG: u8 = 24;

    fn check(&self) -> Result<(), MessageError> {
        let place = [self.collection.is_some(), self.generation.is_some(), self.number.is_some()];
        if place == [true; 3] || place == [false; 3] { Ok(()) } else { Err(MessageError::Inconsistent) }
    }
}

wire_enum! {
    /// Whether a record was stored now or had been before.
    Existing {
        /// Stored now.
        New = 0 "new",
        /// This depositor had stored this record in this vault before.
        Known = 1 "known",
    }
}

/// 25: a depositor withdraws records of its own.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Withdraw {
    /// The withdrawal.
    #[serde(index = 1)]
    pub withdrawal: Unverified<Withdrawal>,
}

impl Payload for Withdraw {
    const TAG: u8 = 25;
}

/// 35: a device re-wraps runs.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ReWraps {
    /// 1 to 64 re-wraps.
    #[serde(index = 1)]
    pub re_wraps: Vec<Unverified<ReWrap>>,
}

impl Payload for ReWraps {
    const TAG: u8 = 35;

    fn check(&self) -> Result<(), MessageError> {
        if self.re_wraps.is_empty() {
            return Err(MessageError::Inconsistent);
        }
        at_most(self.re_wraps.len(), limits::RE_WRAPS_MAX)
    }
}

/// 37: closes the deposit of this session.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Close {}

impl Payload for Close {
    const TAG: u8 = 37;
}
