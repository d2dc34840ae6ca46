//! What ends rights and records: revocations, rotations, erasures, withdrawals.
//!
//! Revoking is final and holds for every grant below. Who may sign what stands in `ledger::rules`.

use std::collections::BTreeSet;

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::id::{
    CollectionId, Digest, Generation, PartyKey, RecordId, RootNumber, RotationSequence, StatementId, TrailNumber,
    VaultId,
};
use crate::limits::{
    COLLECTIONS_MAX, EVENTS_PER_ERASURE_MAX, RECORDS_PER_ERASURE_MAX, REVOCATION_BYTES_MAX, ROTATION_PACKAGES_MAX,
};
use crate::statement::{Malformed, Statement};
use crate::time::Timestamp;
use crate::vault::check_ascending;

/// The end of a grant, and of every grant below it.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Revocation {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// The grant.
    #[serde(index = 2)]
    pub grant: StatementId,
    /// Why.
    #[serde(index = 3)]
    pub reason: RevocationReason,
    /// When it was signed.
    #[serde(index = 4)]
    pub issued: Timestamp,
}

crate::wire_enum! {
    /// Why a grant is revoked.
    RevocationReason {
        /// The patient wants it.
        Wish = 1 "wish",
        /// The care has ended.
        CareEnded = 2 "care-ended",
        /// A key may be in wrong hands.
        KeyExposed = 3 "key-exposed",
        /// It was granted by mistake.
        Mistake = 4 "mistake",
        /// Something else.
        Other = 5 "other",
    }
}

/// New keys for who remains, after a revocation or the removal of a device.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Rotation {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// The revocation or authority that causes it.
    #[serde(index = 2)]
    pub cause: StatementId,
    /// Which rotation of the vault.
    #[serde(index = 3)]
    pub sequence: RotationSequence,
    /// The collections that have new keys, ascending.
    #[serde(index = 4)]
    pub collections: Vec<RotatedCollection>,
    /// The packages for the grants that remain, ascending by grant.
    #[serde(index = 5)]
    pub packages: Vec<RotationPackage>,
}

/// A collection and the generation that it has now.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RotatedCollection {
    /// The collection.
    #[serde(index = 1)]
    pub collection: CollectionId,
    /// Its generation in the directory in force.
    #[serde(index = 2)]
    pub generation: Generation,
    /// The root that its keys come from.
    #[serde(index = 3)]
    pub root_number: RootNumber,
}

/// A package for one grant.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RotationPackage {
    /// The grant.
    #[serde(index = 1)]
    pub grant: StatementId,
    /// Digest of the package.
    #[serde(index = 2)]
    pub package_hash: Digest,
}

/// The patient's order to erase records, or events of the trail.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Erasure {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// The records; may be none when there are events.
    #[serde(index = 2)]
    pub records: BTreeSet<RecordId>,
    /// Why.
    #[serde(index = 3)]
    pub reason: ErasureReason,
    /// When it was signed.
    #[serde(index = 4)]
    pub issued: Timestamp,
    /// Numbers of the events whose salt and content go; their leaves and proofs stay.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub events: Option<BTreeSet<TrailNumber>>,
}

crate::wire_enum! {
    /// Why something is erased.
    ErasureReason {
        /// The patient wants it.
        Wish = 1 "wish",
        /// The depositor withdrew them.
        Withdrawn = 2 "withdrawn",
        /// They are here by mistake.
        Mistake = 3 "mistake",
    }
}

/// A depositor's word that its own records must go. It does not stand in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Withdrawal {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// The records, all of them the signer's.
    #[serde(index = 2)]
    pub records: BTreeSet<RecordId>,
    /// Why.
    #[serde(index = 3)]
    pub reason: WithdrawalReason,
    /// When it was signed.
    #[serde(index = 4)]
    pub issued: Timestamp,
}

crate::wire_enum! {
    /// Why a depositor withdraws records.
    WithdrawalReason {
        /// They belong to somebody else, or elsewhere.
        Misfiled = 1 "misfiled",
        /// The participant left the study.
        StudyLeft = 2 "study-left",
        /// Something else.
        Other = 3 "other",
    }
}

/// A withdrawal that names a record of somebody else, or none that there is (C-37).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("withdrawal names a record that is not its signer's")]
pub struct NotOwnRecord;

impl Withdrawal {
    /// Checks that every record is the signer's, where `depositor_of` knows who deposited a record (C-37).
    pub fn concerns_only(
        &self,
        signer: PartyKey,
        depositor_of: impl Fn(RecordId) -> Option<PartyKey>,
    ) -> Result<(), NotOwnRecord> {
        let own = self.records.iter().all(|record| depositor_of(*record) == Some(signer));
        if own { Ok(()) } else { Err(NotOwnRecord) }
    }
}

impl Statement for Revocation {
    const TYPE: &'static str = "revocation";
    const BYTES_MAX: usize = REVOCATION_BYTES_MAX;

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        Ok(())
    }
}

impl Statement for Rotation {
    const TYPE: &'static str = "rotation";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        if self.collections.len() > COLLECTIONS_MAX || self.packages.len() > ROTATION_PACKAGES_MAX {
            return Err(Malformed::Count);
        }
        let counted = self.collections.iter().all(|rotated| rotated.generation > Generation(0));
        if !counted || self.sequence == RotationSequence(0) {
            return Err(Malformed::Range);
        }
        check_ascending(self.collections.iter().map(|rotated| rotated.collection))?;
        check_ascending(self.packages.iter().map(|package| package.grant))
    }
}

impl Statement for Erasure {
    const TYPE: &'static str = "erasure";

    /// C-59
    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        match &self.events {
            None => check_records(&self.records),
            Some(events) if !(1..=EVENTS_PER_ERASURE_MAX).contains(&events.len()) => Err(Malformed::Count),
            Some(events) if events.contains(&TrailNumber(0)) => Err(Malformed::Range),
            Some(_) if self.records.len() > RECORDS_PER_ERASURE_MAX => Err(Malformed::Count),
            Some(_) => Ok(()),
        }
    }
}

impl Statement for Withdrawal {
    const TYPE: &'static str = "withdrawal";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        check_records(&self.records)
    }
}

fn check_records(records: &BTreeSet<RecordId>) -> Result<(), Malformed> {
    if (1..=RECORDS_PER_ERASURE_MAX).contains(&records.len()) { Ok(()) } else { Err(Malformed::Count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depositor_withdraws_only_its_own_records() {
        let (own, other) = (PartyKey::from_bytes([1; 32]), PartyKey::from_bytes([2; 32]));
        let records = BTreeSet::from([RecordId::from_bytes([1; 16]), RecordId::from_bytes([2; 16])]);
        let withdrawal = Withdrawal {
            vault: VaultId::from_bytes([0; 32]),
            records,
            reason: WithdrawalReason::Misfiled,
            issued: Timestamp::from_secs(0),
        };
        assert_eq!(withdrawal.concerns_only(own, |_| Some(own)), Ok(()));
        let mixed = |record: RecordId| Some(if record.as_bytes()[0] == 1 { own } else { other });
        assert_eq!(withdrawal.concerns_only(own, mixed), Err(NotOwnRecord));
        assert_eq!(withdrawal.concerns_only(own, |_| None), Err(NotOwnRecord));
    }

    #[test]
    fn rotations_and_generations_count_from_one() {
        let rotated = |generation| RotatedCollection {
            collection: CollectionId::from_bytes([1; 16]),
            generation: Generation(generation),
            root_number: RootNumber(0),
        };
        let check = |sequence, collections| {
            let (vault, cause) = (VaultId::from_bytes([0; 32]), StatementId::NONE);
            let sequence = RotationSequence(sequence);
            Rotation { vault, cause, sequence, collections, packages: Vec::new() }.check(PartyKey::from_bytes([1; 32]))
        };
        assert_eq!(check(1, vec![rotated(1)]), Ok(()));
        assert_eq!(check(0, vec![rotated(1)]), Err(Malformed::Range));
        assert_eq!(check(1, vec![rotated(0)]), Err(Malformed::Range));
        assert_eq!(check(1, vec![rotated(1), rotated(2)]), Err(Malformed::Order));
    }

    #[test]
    fn an_erasure_names_at_least_one_record_or_event() {
        let check = |records: usize, events: Option<&[u64]>| {
            let records = (0..records).map(|number| RecordId::from_bytes([number as u8; 16])).collect();
            let events = events.map(|numbers| numbers.iter().copied().map(TrailNumber).collect());
            let (vault, reason) = (VaultId::from_bytes([0; 32]), ErasureReason::Wish);
            let issued = Timestamp::from_secs(0);
            Erasure { vault, records, reason, issued, events }.check(PartyKey::from_bytes([1; 32]))
        };
        assert_eq!(check(0, None), Err(Malformed::Count));
        assert_eq!(check(0, Some(&[])), Err(Malformed::Count));
        assert_eq!(check(1, Some(&[])), Err(Malformed::Count));
        assert_eq!(check(0, Some(&[0, 1])), Err(Malformed::Range));
        assert_eq!(check(1, None), Ok(()));
        assert_eq!(check(0, Some(&[1])), Ok(()));
        assert_eq!(check(1, Some(&[7, 9])), Ok(()));
    }
}
