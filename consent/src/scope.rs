//! Scopes: what a grant is about. `within` is a partial order, and a child grant lies within its parent by it.

use std::collections::BTreeSet;

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::id::{CollectionId, PartyKey, RecordId};
use crate::limits::{COLLECTIONS_MAX, DEPOSITORS_PER_SCOPE_MAX, RECORDS_PER_SCOPE_MAX};
use crate::statement::Malformed;
use crate::time::{Month, MonthRange};

crate::wire_enum! {
    /// What a holder may do, and a request asks to do.
    Action {
        /// Put records into collections.
        Deposit = 1 "deposit",
        /// See which records there are.
        List = 2 "list",
        /// Fetch records.
        Read = 3 "read",
        /// See the trail.
        Audit = 4 "audit",
        /// Revoke grants about the same collections.
        Revoke = 5 "revoke",
        /// Fetch records to hand them on, as for a study.
        Export = 6 "export",
        /// Read one's own part of the ledger. Never granted: it belongs to being a party to the vault.
        Sync = 7 "sync",
    }
}

/// What a grant is about. An absent axis is without limit.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Scope {
    /// What may be done.
    #[serde(index = 1)]
    pub actions: BTreeSet<Action>,
    /// The collections; for audit and revoke there may be none.
    #[serde(index = 2)]
    pub collections: BTreeSet<CollectionId>,
    /// Months of deposit.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub months: Option<MonthRange>,
    /// Single records.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub records: Option<BTreeSet<RecordId>>,
    /// Who deposited.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub depositors: Option<BTreeSet<PartyKey>>,
}

/// Where a record stands: what a scope is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The collection that it is in.
    pub collection: CollectionId,
    /// The month of its epoch.
    pub month: Month,
    /// The record.
    pub record: RecordId,
    /// Who deposited it.
    pub depositor: PartyKey,
}

impl Scope {
    /// Whether everything in this scope is in `outer`.
    pub fn within(&self, outer: &Scope) -> bool {
        self.actions.is_subset(&outer.actions)
            && self.collections.is_subset(&outer.collections)
            && inside(&self.months, &outer.months, MonthRange::within)
            && inside(&self.records, &outer.records, BTreeSet::is_subset)
            && inside(&self.depositors, &outer.depositors, BTreeSet::is_subset)
    }

    /// Whether a record is in this scope, whatever is to be done with it.
    pub fn covers(&self, place: &Place) -> bool {
        self.collections.contains(&place.collection)
            && self.months.as_ref().is_none_or(|months| months.contains(place.month))
            && self.records.as_ref().is_none_or(|records| records.contains(&place.record))
            && self.depositors.as_ref().is_none_or(|depositors| depositors.contains(&place.depositor))
    }

    /// Whether a holder of this scope has the keys of its collections, and not only those of single records.
    pub fn holds_collection_keys(&self) -> bool {
        let reads = [Action::List, Action::Read, Action::Export];
        self.records.is_none() && reads.iter().any(|action| self.actions.contains(action))
    }

    /// Checks counts and rule C-29.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.actions.is_empty() || self.actions.contains(&Action::Sync) {
            return Err(Malformed::Actions);
        }
        let about_records = [Action::Deposit, Action::List, Action::Read, Action::Export];
        if self.collections.is_empty() && about_records.iter().any(|action| self.actions.contains(action)) {
            return Err(Malformed::NoCollection);
        }
        if self.collections.contains(&CollectionId::INBOX) {
            return Err(Malformed::Inbox);
        }
        if self.collections.len() > COLLECTIONS_MAX {
            return Err(Malformed::Count);
        }
        check_count(&self.records, RECORDS_PER_SCOPE_MAX)?;
        check_count(&self.depositors, DEPOSITORS_PER_SCOPE_MAX)
    }
}

/// Whether an axis lies inside another one, where absent is without limit.
pub(crate) fn inside<T>(inner: &Option<T>, outer: &Option<T>, within: impl Fn(&T, &T) -> bool) -> bool {
    match (inner, outer) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => within(inner, outer),
    }
}

/// Checks that an axis that is there names something, and not too much.
pub(crate) fn check_count<T>(axis: &Option<BTreeSet<T>>, max: usize) -> Result<(), Malformed> {
    match axis {
        Some(items) if items.is_empty() || items.len() > max => Err(Malformed::Count),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{places, scopes};

    proptest! {
        #[test]
        fn within_is_reflexive(a in scopes()) {
            prop_assert!(a.within(&a));
        }

        #[test]
        fn within_is_antisymmetric(a in scopes(), b in scopes()) {
            prop_assert_eq!(a.within(&b) && b.within(&a), a == b);
        }

        #[test]
        fn within_is_transitive(a in scopes(), b in scopes(), c in scopes()) {
            prop_assert!(!(a.within(&b) && b.within(&c)) || a.within(&c));
        }

        #[test]
        fn what_a_scope_covers_every_wider_scope_covers(a in scopes(), b in scopes(), place in places()) {
            prop_assert!(!(a.within(&b) && a.covers(&place)) || b.covers(&place));
        }

        #[test]
        fn taking_away_narrows(a in scopes(), b in scopes()) {
            let both = Scope {
                actions: &a.actions & &b.actions,
                collections: &a.collections & &b.collections,
                months: a.months,
                records: a.records.clone(),
                depositors: a.depositors.clone(),
            };
            prop_assert!(both.within(&a));
        }
    }

    fn read_one() -> Scope {
        Scope {
            actions: BTreeSet::from([Action::Read]),
            collections: BTreeSet::from([CollectionId::from_bytes([1; 16])]),
            months: None,
            records: None,
            depositors: None,
        }
    }

    #[test]
    fn an_absent_axis_is_wider_than_any_limit() {
        let limited = Scope { records: Some(BTreeSet::from([RecordId::from_bytes([1; 16])])), ..read_one() };
        assert!(limited.within(&read_one()));
        assert!(!read_one().within(&limited));
    }

    #[test]
    fn a_scope_names_what_its_actions_need() {
        assert_eq!(read_one().check(), Ok(()));
        let no_action = Scope { actions: BTreeSet::new(), ..read_one() };
        assert_eq!(no_action.check(), Err(Malformed::Actions));
        let sync = Scope { actions: BTreeSet::from([Action::Sync]), ..read_one() };
        assert_eq!(sync.check(), Err(Malformed::Actions));
        let nothing = Scope { collections: BTreeSet::new(), ..read_one() };
        assert_eq!(nothing.check(), Err(Malformed::NoCollection));
        let audit = Scope { actions: BTreeSet::from([Action::Audit]), ..nothing };
        assert_eq!(audit.check(), Ok(()));
        let inbox = Scope { collections: BTreeSet::from([CollectionId::INBOX]), ..read_one() };
        assert_eq!(inbox.check(), Err(Malformed::Inbox));
        let no_record = Scope { records: Some(BTreeSet::new()), ..read_one() };
        assert_eq!(no_record.check(), Err(Malformed::Count));
    }
}
