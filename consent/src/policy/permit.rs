//! Permits: what was decided, for whoever acts on it. The fields are private, so that only the decision makes one.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::id::{CollectionId, PartyKey, RecordId, RequestId, StatementId, VaultId};
use crate::purpose::Purpose;
use crate::request::{Request, Selector};
use crate::scope::{Action, Place};
use crate::statement::Verified;
use crate::time::{MonthRange, Timestamp};

/// Permission to answer one request. Made by [`decide`](super::decide) alone (C-51).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// What was asked, as its signer signed it.
    pub(super) request: Arc<Verified<Request>>,
    pub(super) right: Right,
    pub(super) reach: Reach,
    /// No time limit for a device or a sync.
    pub(super) not_after: Option<Timestamp>,
    pub(super) cost: Cost,
}

/// Where a permit comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// The party is a device of the vault.
    Device,
    /// The party holds the last of these grants, root first.
    Chain(Vec<StatementId>),
    /// The party reads its own part of the ledger, and nothing else.
    OwnPart,
}

/// What a permit costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// One use of each grant of the chain.
    Use,
    /// Nothing: a device, a sync, a resumed request.
    Nothing,
}

/// What a permit reaches: the last grant's scope narrowed by the request. What is absent is without limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Collections.
    pub collections: Option<BTreeSet<CollectionId>>,
    /// Months of deposit.
    pub months: Option<MonthRange>,
    /// Single records.
    pub records: Option<BTreeSet<RecordId>>,
    /// Who deposited.
    pub depositors: Option<BTreeSet<PartyKey>>,
}

impl Reach {
    /// Narrows to what the selector names; what it names was found to lie within.
    pub(super) fn narrowed(self, selector: &Selector) -> Self {
        Self {
            collections: selector.collections.clone().or(self.collections),
            months: selector.months.or(self.months),
            records: selector.records.clone().or(self.records),
            depositors: self.depositors,
        }
    }

    /// Whether a record is reached.
    pub fn covers(&self, place: &Place) -> bool {
        self.collections.as_ref().is_none_or(|named| named.contains(&place.collection))
            && self.months.as_ref().is_none_or(|months| months.contains(place.month))
            && self.records.as_ref().is_none_or(|named| named.contains(&place.record))
            && self.depositors.as_ref().is_none_or(|named| named.contains(&place.depositor))
    }
}

impl Permit {
    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.request.payload().vault
    }

    /// Who is permitted.
    pub fn party(&self) -> PartyKey {
        self.request.signer()
    }

    /// What is permitted.
    pub fn action(&self) -> Action {
        self.request.payload().action
    }

    /// What for.
    pub fn purpose(&self) -> Purpose {
        self.request.payload().purpose
    }

    /// The request that is answered.
    pub fn request(&self) -> RequestId {
        self.request.payload().id
    }

    /// The signed request that is answered.
    pub fn statement(&self) -> &Verified<Request> {
        &self.request
    }

    /// Where the permit comes from.
    pub fn right(&self) -> &Right {
        &self.right
    }

    /// The grants that the permit rests on, root first; none for a device or a sync.
    pub fn chain(&self) -> &[StatementId] {
        match &self.right {
            Right::Chain(chain) => chain,
            Right::Device | Right::OwnPart => &[],
        }
    }

    /// What the permit reaches.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// When the permit ends, if time ends it.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// What it costs.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Whether a record may be listed or read under this permit.
    pub fn covers(&self, place: &Place) -> bool {
        matches!(self.action(), Action::List | Action::Read | Action::Export) && self.reach.covers(place)
    }

    /// Whether a record may be put there under this permit. The inbox is open to whoever may deposit.
    pub fn covers_deposit(&self, place: &Place) -> bool {
        let reach = match place.collection {
            CollectionId::INBOX => &Reach { collections: None, ..self.reach.clone() },
            _ => &self.reach,
        };
        self.action() == Action::Deposit && reach.covers(place)
    }
}
