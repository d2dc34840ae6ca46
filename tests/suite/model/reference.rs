//! The reference: plain sets and numbers, from the specifications alone. It knows no key, no signature and no message.

use std::collections::BTreeSet;

use karute_consent::id::{RecordId, StatementId};
use karute_consent::time::Month;

/// What one patient's vault holds.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) records: Vec<Held>,
    pub(super) grants: Vec<Given>,
    /// Kinds whose keys a revoked holder has, until there are new ones: section 9, pending.
    pub(super) pending: BTreeSet<u8>,
    /// Devices taken in and not removed, by number.
    pub(super) devices: Vec<u32>,
    /// Devices ever taken in.
    pub(super) devices_ever: u32,
}

/// A record.
pub(super) struct Held {
    pub(super) id: RecordId,
    pub(super) bytes: Vec<u8>,
    pub(super) kind: u8,
    pub(super) depositor: u8,
    /// Month of deposit: what it stays through every re-wrap.
    pub(super) month: Month,
    /// Waits in the inbox, where only the patient reads.
    pub(super) in_inbox: bool,
    /// The step at which it was last sealed to a collection's key.
    pub(super) filed: usize,
    /// Erased or withdrawn.
    pub(super) gone: bool,
}

/// What a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// Deposits.
    Deposit,
    /// Lists and reads.
    Reading,
    /// Reads, once.
    Once,
}

/// A grant.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) id: StatementId,
    pub(super) holder: u8,
    pub(super) what: For,
    pub(super) kinds: BTreeSet<u8>,
    pub(super) months: Option<(Month, Month)>,
    pub(super) records: Option<BTreeSet<RecordId>>,
    pub(super) depositor: Option<u8>,
    pub(super) from: u64,
    /// Not in it.
    pub(super) to: u64,
    pub(super) uses_left: Option<u32>,
    /// The place of the parent.
    pub(super) parent: Option<usize>,
    /// The step at which it was revoked.
    pub(super) revoked: Option<usize>,
}

impl Shelf {
    /// The grant and all above it.
    fn lineage(&self, place: usize) -> Vec<&Given> {
        let mut lineage = vec![&self.grants[place]];
        while let Some(parent) = lineage[lineage.len() - 1].parent {
            lineage.push(&self.grants[parent]);
        }
        lineage
    }

    /// The places of the chain, root first.
    pub(super) fn chain(&self, place: usize) -> Vec<usize> {
        let mut chain = vec![place];
        while let Some(parent) = self.grants[chain[chain.len() - 1]].parent {
            chain.push(parent);
        }
        chain.reverse();
        chain
    }

    /// C-35: revoked itself or above; the first step at which it was.
    pub(super) fn revoked_at(&self, place: usize) -> Option<usize> {
        self.lineage(place).iter().filter_map(|grant| grant.revoked).min()
    }

    /// C-35, C-46, C-49: whether it can be used now.
    pub(super) fn in_force(&self, place: usize, now: u64) -> bool {
        let lineage = self.lineage(place);
        self.revoked_at(place).is_none()
            && lineage.iter().all(|grant| grant.from <= now && now < grant.to)
            && lineage.iter().all(|grant| grant.uses_left != Some(0))
    }

    /// Section 7: every present axis holds the record.
    pub(super) fn covers(&self, place: usize, record: &Held) -> bool {
        let grant = &self.grants[place];
        !record.in_inbox
            && grant.kinds.contains(&record.kind)
            && grant.months.is_none_or(|(from, to)| from <= record.month && record.month < to)
            && grant.records.as_ref().is_none_or(|named| named.contains(&record.id))
            && grant.depositor.is_none_or(|named| named == record.depositor)
    }

    /// What a grant in force lets its holder read.
    pub(super) fn readable(&self, place: usize) -> Vec<&Held> {
        self.records.iter().filter(|record| !record.gone && self.covers(place, record)).collect()
    }

    /// Whether a key that a holder was ever given may open a record: one of its grants covers the record, or would if the
    /// months were left aside, and was not revoked before the record was sealed to the key it is sealed to now.
    pub(super) fn may_open(&self, holder: u8, record: &Held) -> bool {
        let mut own = (0..self.grants.len()).filter(|place| self.grants[*place].holder == holder);
        own.any(|place| {
            let grant = &self.grants[place];
            let by_key = match &grant.records {
                Some(named) => named.contains(&record.id),
                None => grant.what != For::Deposit && grant.kinds.contains(&record.kind) && !record.in_inbox,
            };
            by_key && self.revoked_at(place).is_none_or(|revoked| revoked >= record.filed)
        })
    }

    /// One use of a grant is a use of every grant of its chain.
    pub(super) fn uses(&mut self, place: usize) {
        for place in self.chain(place) {
            let left = &mut self.grants[place].uses_left;
            *left = left.map(|left| left.saturating_sub(1));
        }
    }

    /// Whether a facility may deposit now.
    pub(super) fn may_deposit(&self, facility: u8, now: u64) -> bool {
        let mut grants = (0..self.grants.len())
            .filter(|place| self.grants[*place].holder == facility && self.grants[*place].what == For::Deposit);
        grants.any(|place| self.in_force(place, now))
    }

    /// Section 9: a revocation touches the kinds of a grant that comes with keys of collections.
    pub(super) fn touches(&mut self, place: usize) {
        let grant = &self.grants[place];
        if grant.what == For::Reading && grant.records.is_none() {
            self.pending.extend(grant.kinds.clone());
        }
    }

    /// A sync makes new keys where they are due, and files what waits in the inbox.
    pub(super) fn files_inbox(&mut self, step: usize) {
        self.pending.clear();
        for record in self.records.iter_mut().filter(|record| record.in_inbox && !record.gone) {
            record.in_inbox = false;
            record.filed = step;
        }
    }
}
