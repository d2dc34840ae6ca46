//! Tombstones: what stands where a record was, and the signed statement that took it away (P-42).

use std::collections::BTreeSet;

use karute_consent::id::{CollectionId, Generation, RecordId, VaultId};
use karute_consent::revocation::{Erasure, Withdrawal};
use karute_consent::statement::{Statement, StatementError, Unverified, Verified};
use karute_consent::wire_enum;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{MessageError, Payload};
use crate::record::RecordNumber;
use crate::wire::Octets;

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
    /// The signed erasure or withdrawal that took the record away; none when it was moved.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Octets>,
}

impl Payload for Tombstone {
    const TAG: u8 = 32;

    fn check(&self) -> Result<(), MessageError> {
        let moved = self.reason == TombstoneReason::Moved;
        if moved == self.statement.is_none() { Ok(()) } else { Err(MessageError::Inconsistent) } // P-42
    }
}

/// What took a record away, with a good signature. Whether its signer may is for the ledger and the record to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The patient's erasure; a device has to have signed it.
    Erased(Verified<Erasure>),
    /// A withdrawal; the record's depositor has to have signed it.
    Withdrawn(Verified<Withdrawal>),
    /// The record stands elsewhere.
    Moved,
}

impl Removal {
    /// The records that the statement names.
    pub fn records(&self) -> Option<&BTreeSet<RecordId>> {
        match self {
            Self::Erased(erasure) => Some(&erasure.payload().records),
            Self::Withdrawn(withdrawal) => Some(&withdrawal.payload().records),
            Self::Moved => None,
        }
    }
}

impl Tombstone {
    /// Verifies the statement that took a record of this vault away (P-42).
    pub fn removal(&self, vault: VaultId) -> Result<Removal, TombstoneError> {
        let removal = match (self.reason, &self.statement) {
            (TombstoneReason::Moved, None) => return Ok(Removal::Moved),
            (TombstoneReason::Erased, Some(bytes)) => Removal::Erased(verified(bytes)?),
            (TombstoneReason::Withdrawn, Some(bytes)) => Removal::Withdrawn(verified(bytes)?),
            _ => return Err(TombstoneError::Missing),
        };
        let of = match &removal {
            Removal::Erased(erasure) => erasure.payload().vault,
            Removal::Withdrawn(withdrawal) => withdrawal.payload().vault,
            Removal::Moved => vault,
        };
        let names_one = removal.records().is_some_and(|records| !records.is_empty());
        if of == vault && names_one { Ok(removal) } else { Err(TombstoneError::OtherRecord) }
    }
}

fn verified<T: Statement>(bytes: &Octets) -> Result<Verified<T>, TombstoneError> {
    Unverified::from_bytes(bytes.0.clone()).verify().map_err(TombstoneError::Statement)
}

/// Why a tombstone does not explain where its record went (P-42).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TombstoneError {
    /// There is no statement, or one where none belongs.
    #[error("tombstone has not the statement that its reason asks for")]
    Missing,
    /// The statement does not verify.
    #[error("statement of the tombstone does not verify")]
    Statement(#[source] StatementError),
    /// The statement is about another vault, or names no record.
    #[error("statement of the tombstone is about something else")]
    OtherRecord,
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
