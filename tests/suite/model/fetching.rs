//! Fetching in a history: with the real agent, by hand, and once more with what was sent before; and what happens when a
//! revocation comes in between.

use std::collections::BTreeSet;

use karute_consent::id::RecordId;
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_node::agent::error::{AgentError, Missing};
use karute_node::flow::agent::fetch::Query;
use karute_protocol::message;
use karute_tests::world::{kind, wanted};

use super::play::{FACILITIES, KINDS, PATIENTS, Stage, bytes_of};
use super::probe::{Asker, records_of};
use super::reference::For;

impl Stage {
    /// Fetches with the real agent, and compares every byte.
    pub(super) async fn fetches(&mut self, p: u8, which: u8) -> Result<(), String> {
        match self.chosen_among(p, which, |given| given.what != For::Deposit) {
            Some(place) => self.fetches_under(p, place).await,
            None => Ok(()),
        }
    }

    /// The same under the grant at a place.
    pub(super) async fn fetches_under(&mut self, p: u8, place: usize) -> Result<(), String> {
        let shelf = &self.shelves[usize::from(p)];
        let (grant, now) = (shelf.grants[place].clone(), self.host_now());
        let query = Query { grant: Some(grant.id), purpose: None, ..wanted(&[]) };
        let vault = self.vaults[usize::from(p)];
        let may = grant.what != For::Deposit && shelf.in_force(place, now);
        let expected = may.then(|| self.bytes_under(p, place));
        let fetched = self.world.facility(FACILITIES[usize::from(grant.holder)]).fetches(vault, query).await;
        // Nothing in reach is an answer as well, and costs a use; the agent calls it unknown.
        let fetched = match fetched {
            Err(AgentError::Unknown(Missing::Record)) if may => Ok(Vec::new()),
            other => other,
        };
        match (fetched, expected) {
            (Ok(found), Some(expected)) => {
                self.shelves[usize::from(p)].uses(place);
                self.counts_read(p, grant.holder, 1, 1);
                if found.into_iter().collect::<BTreeSet<_>>() == expected {
                    Ok(())
                } else {
                    Err("other bytes were fetched".to_owned())
                }
            }
            (Err(_), None) => Ok(()),
            (Ok(_), None) => Err("fetched without a right".to_owned()),
            (Err(error), Some(_)) => Err(format!("fetching: {error}")),
        }
    }

    pub(super) fn bytes_under(&self, p: u8, place: usize) -> BTreeSet<(RecordId, Vec<u8>)> {
        let readable = self.shelves[usize::from(p)].readable(place);
        readable.into_iter().map(|held| (held.id, held.bytes.clone())).collect()
    }

    pub(super) fn counts_read(&mut self, p: u8, f: u8, least: u64, most: u64) {
        let reads = &mut self.reads[usize::from(p)][usize::from(f)];
        *reads = (reads.0 + least, reads.1 + most);
    }

    pub(super) async fn fetches_by_hand(&mut self, p: u8, which: u8) -> Result<(), String> {
        let Some(place) = self.chosen_among(p, which, |given| given.what != For::Deposit) else { return Ok(()) };
        let (vault, now) = (self.vaults[usize::from(p)], self.host_now());
        let shelf = &self.shelves[usize::from(p)];
        let may = shelf.grants[place].what != For::Deposit && shelf.in_force(place, now);
        let (expected, holder) = (shelf.readable(place).len(), shelf.grants[place].holder);
        let asker = self.holder(usize::from(p), place);
        let mut wire = asker.wire(&self.world).await;
        let request = asker.request(&mut wire, &self.world, vault, Action::Read);
        let message = message::Message::from(message::Fetch { request, acting: None, range: None }).encode().unwrap();
        let answered = wire.ask_raw(message.clone()).await.ok_or("no answer")?;
        self.kept.push((usize::from(holder), message.clone()));
        let found = records_of(&answered).map(|records| records.len());
        if found != may.then_some(expected) {
            return Err(format!("fetched {found:?} by hand, {expected} expected if {may}"));
        }
        if may {
            self.shelves[usize::from(p)].uses(place);
            self.counts_read(p, holder, 1, 1);
        }
        // C-38: the very same request once more, in its own session.
        let again = wire.ask_raw(message).await.ok_or("no answer")?;
        if again.is_refusal() { Ok(()) } else { Err("a request was answered twice".to_owned()) }
    }

    pub(super) async fn replays(&mut self, which: u8) -> Result<(), String> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let (holder, message) = self.kept[usize::from(which) % self.kept.len()].clone();
        let name = FACILITIES[holder].to_owned();
        let asker = Asker { name, key: self.parties[holder], chain: vec![], purpose: Purpose::Treatment };
        let answered = asker.wire(&self.world).await.ask_raw(message).await.ok_or("no answer")?;
        if answered.is_refusal() { Ok(()) } else { Err("an old request was answered".to_owned()) }
    }

    pub(super) async fn races_fetch(&mut self, p: u8, which: u8) -> Result<(), String> {
        let Some(place) = self.chosen_among(p, which, |given| given.what != For::Deposit) else { return Ok(()) };
        let shelf = &self.shelves[usize::from(p)];
        let grant = shelf.grants[place].clone();
        if shelf.revoked_at(place).is_some() || grant.what == For::Deposit {
            return Ok(());
        }
        let may = shelf.in_force(place, self.host_now());
        let expected = self.bytes_under(p, place);
        let query = Query { grant: Some(grant.id), purpose: None, ..wanted(&[]) };
        let vault = self.vaults[usize::from(p)];
        let (patient, facility) = self.world.both(PATIENTS[usize::from(p)], FACILITIES[usize::from(grant.holder)]);
        let (fetched, revoked) = tokio::join!(facility.fetches(vault, query), patient.revokes(grant.id));
        revoked.map_err(|error| format!("revoking meanwhile: {error}"))?;
        self.shelves[usize::from(p)].grants[place].revoked = Some(self.step);
        self.shelves[usize::from(p)].pending.clear();
        self.counts_read(p, grant.holder, u64::from(fetched.is_ok()), u64::from(may));
        match fetched {
            Ok(_) if !may => Err("fetched without a right".to_owned()),
            Ok(found) if found.iter().cloned().collect::<BTreeSet<_>>() != expected => Err("other bytes".to_owned()),
            _ => Ok(()),
        }
    }

    pub(super) async fn races_deposit(&mut self, p: u8, f: u8, (of, file): (u8, u8), which: u8) -> Result<(), String> {
        let Some(place) = self.chosen_grant(p, which) else { return Ok(()) };
        let shelf = &self.shelves[usize::from(p)];
        if shelf.revoked_at(place).is_some() {
            return Ok(());
        }
        let now = self.now();
        let before = shelf.may_deposit(f, now) && shelf.may_deposit(f, self.host_now());
        let (id, own) = (shelf.grants[place].id, shelf.grants[place].holder == f);
        let vault = self.vaults[usize::from(p)];
        let (patient, facility) = self.world.both(PATIENTS[usize::from(p)], FACILITIES[usize::from(f)]);
        let files = vec![facility.writes(&bytes_of(file), kind(KINDS[usize::from(of)]))];
        let (deposited, revoked) = tokio::join!(facility.deposits_files(vault, files), patient.revokes(id));
        revoked.map_err(|error| format!("revoking meanwhile: {error}"))?;
        self.shelves[usize::from(p)].grants[place].revoked = Some(self.step);
        self.shelves[usize::from(p)].pending.clear();
        let after = self.shelves[usize::from(p)].may_deposit(f, now);
        match deposited {
            Ok(_) if !before => Err("deposited without a right".to_owned()),
            Ok(done) => {
                self.holds(p, f, of, file, done.records[0].record, done.records[0].inbox);
                Ok(())
            }
            // The grant that it began under ended; the next deposit takes another one.
            Err(AgentError::Refused) if after && own => self.deposits(p, f, of, file).await,
            Err(error) if after => Err(format!("depositing meanwhile: {error}")),
            Err(_) => Ok(()),
        }
    }
}
