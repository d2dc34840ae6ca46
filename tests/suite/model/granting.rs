//! Granting, passing on and revoking in a history.

use std::collections::BTreeSet;

use karute_consent::id::RecordId;
use karute_consent::purpose::Purpose;
use karute_consent::revocation::{Revocation, RevocationReason};
use karute_consent::scope::Action;
use karute_consent::statement::sign;
use karute_consent::template::Template;
use karute_consent::time::{Month, MonthRange};
use karute_node::flow::agent::grant::NewGrant;
use karute_protocol::message::{self, Message};
use karute_tests::world::{DAY, reads, reads_records};

use super::play::{FACILITIES, PATIENTS, Stage, of};
use super::probe::Asker;
use super::reference::{For, Given, Held};

impl Stage {
    pub(super) fn reading(&self, f: u8, kinds: u8, months: u8, depositor: Option<u8>, days: u8) -> NewGrant {
        let month = self.world.now().month();
        let months = match months {
            0 => None,
            1 => MonthRange::new(month, Month(month.0 + 1)).ok(),
            _ => MonthRange::new(Month(month.0 - 1), Month(month.0 + 3)).ok(),
        };
        let depositors = depositor.map(|f| self.parties[usize::from(f)]).into_iter().collect();
        let days = Some(u32::from(days));
        NewGrant { months, depositors, days, ..reads(&self.cards[usize::from(f)], &of(kinds)) }
    }

    pub(super) async fn grants(
        &mut self,
        p: u8,
        f: u8,
        new: NewGrant,
        what: For,
        kinds: u8,
        days: u64,
    ) -> Result<(), String> {
        let records: BTreeSet<RecordId> = new.records.iter().copied().collect();
        let depositor =
            new.depositors.first().map(|key| self.parties.iter().position(|party| party == key).unwrap() as u8);
        let months = new.months.map(|months| (months.from(), months.to()));
        let uses = if what == For::Once { Some(1) } else { None };
        let now = self.now();
        let id =
            self.world.patient(PATIENTS[usize::from(p)]).grants(new).await.map_err(|e| format!("granting: {e}"))?;
        self.shelves[usize::from(p)].pending.clear();
        self.shelves[usize::from(p)].grants.push(Given {
            id,
            holder: f,
            what,
            kinds: (0..3).filter(|kind| kinds & (1 << kind) != 0).collect(),
            months,
            records: Some(records).filter(|named| !named.is_empty()),
            depositor,
            from: now,
            to: now + days * DAY,
            uses_left: uses,
            parent: None,
            revoked: None,
        });
        let ledger = self.world.host().store().ledger(self.vaults[usize::from(p)]).unwrap().unwrap();
        let core = ledger.grant(id).ok_or("the grant is not in the ledger")?.core();
        let validity = (core.validity.not_before().secs(), core.validity.not_after().secs());
        if validity != (now, now + days * DAY) || core.uses != uses {
            return Err(format!("another grant than was asked for: {core:?}"));
        }
        Ok(())
    }

    pub(super) async fn grants_records(
        &mut self,
        p: u8,
        f: u8,
        which: u8,
        count: usize,
        what: For,
    ) -> Result<(), String> {
        let shelf = &self.shelves[usize::from(p)];
        let filed: Vec<&Held> = shelf.records.iter().filter(|held| !held.gone && !held.in_inbox).collect();
        if filed.is_empty() {
            return Ok(());
        }
        let chosen = (0..count).map(|at| filed[(usize::from(which) + at) % filed.len()]);
        let (mut records, mut kinds) = (BTreeSet::new(), 0);
        for held in chosen {
            records.insert(held.id);
            kinds |= 1 << held.kind;
        }
        let records: Vec<RecordId> = records.into_iter().collect();
        let new = reads_records(&self.cards[usize::from(f)], &records);
        let (new, days) = match what {
            For::Once => (NewGrant { template: Template::Pharmacy, depth: None, ..new }, 7),
            _ => (new, 30),
        };
        self.grants(p, f, new, what, kinds, days).await
    }

    pub(super) fn chosen_grant(&self, p: u8, which: u8) -> Option<usize> {
        self.chosen_among(p, which, |_| true)
    }

    /// One of the grants that are as wished; any when none is.
    pub(super) fn chosen_among(&self, p: u8, which: u8, wished: impl Fn(&Given) -> bool) -> Option<usize> {
        let grants = &self.shelves[usize::from(p)].grants;
        let mut places: Vec<usize> = (0..grants.len()).filter(|place| wished(&grants[*place])).collect();
        if places.is_empty() || which.is_multiple_of(8) {
            places = (0..grants.len()).collect();
        }
        (!places.is_empty()).then(|| places[usize::from(which) % places.len()])
    }

    pub(super) async fn delegates(&mut self, p: u8, which: u8, t: u8) -> Result<(), String> {
        let one_of = |given: &Given| given.records.is_some() && given.what == For::Reading && given.parent.is_none();
        let Some(place) = self.chosen_among(p, which, one_of) else { return Ok(()) };
        let now = self.now();
        let shelf = &self.shelves[usize::from(p)];
        let (parent, in_force) = (shelf.grants[place].clone(), shelf.in_force(place, now));
        if t == parent.holder {
            return Ok(());
        }
        let may = in_force && parent.records.is_some() && parent.what == For::Reading && parent.parent.is_none();
        let (vault, card) = (self.vaults[usize::from(p)], self.cards[usize::from(t)].clone());
        let from = self.world.facility(FACILITIES[usize::from(parent.holder)]);
        let passed = from.passes_on(vault, parent.id, &card, &[Action::List, Action::Read], &[]).await;
        match (passed, may) {
            (Ok(id), true) => {
                let to = parent.to.min(now + 7 * DAY);
                let from = parent.from.max(now);
                let child = Given { id, holder: t, from, to, parent: Some(place), revoked: None, ..parent };
                self.shelves[usize::from(p)].grants.push(child);
                Ok(())
            }
            (Err(_), false) => Ok(()),
            (Ok(_), false) => Err("a grant was passed on that cannot be".to_owned()),
            (Err(error), true) => Err(format!("passing on: {error}")),
        }
    }

    pub(super) async fn revokes(&mut self, p: u8, which: u8) -> Result<(), String> {
        let Some(place) = self.chosen_grant(p, which) else { return Ok(()) };
        let shelf = &mut self.shelves[usize::from(p)];
        let id = shelf.grants[place].id;
        let before = shelf.revoked_at(place);
        let revoked = self.world.patient(PATIENTS[usize::from(p)]).revokes(id).await;
        match (revoked, before) {
            (Ok(done), None) => {
                self.shelves[usize::from(p)].grants[place].revoked = Some(self.step);
                self.shelves[usize::from(p)].pending.clear();
                let whole = done.levels.refused && done.levels.appended && done.levels.rotated && done.levels.resealed;
                if whole { Ok(()) } else { Err(format!("revoked in part: {done:?}")) }
            }
            (Err(_), Some(_)) => Ok(()),
            (Ok(_), Some(_)) => Err("revoked twice".to_owned()),
            (Err(error), None) => Err(format!("revoking: {error}")),
        }
    }

    /// The host is told, and nothing more.
    pub(super) async fn revokes_only(&mut self, p: u8, which: u8) -> Result<(), String> {
        let Some(place) = self.chosen_grant(p, which) else { return Ok(()) };
        let patient = usize::from(p);
        if self.shelves[patient].revoked_at(place).is_some() {
            return Ok(());
        }
        let (name, key) = (PATIENTS[patient].to_owned(), self.devices[patient]);
        let revocation = Revocation {
            vault: self.vaults[patient],
            grant: self.shelves[patient].grants[place].id,
            reason: RevocationReason::KeyExposed,
            issued: self.world.now(),
        };
        let revocation =
            sign(revocation, &self.world.stolen_key(&name, key)).expect("a good revocation").to_unverified();
        let asker = Asker { name, key, chain: Vec::new(), purpose: Purpose::PatientRequest };
        let answered = asker.wire(&self.world).await.ask(message::Revoke { revocation }).await.ok_or("no answer")?;
        if !matches!(answered.first(), Some(Message::Appended(_))) {
            return Err(format!("revoking by hand: {answered:?}"));
        }
        self.shelves[patient].grants[place].revoked = Some(self.step);
        self.shelves[patient].touches(place);
        Ok(())
    }
}
