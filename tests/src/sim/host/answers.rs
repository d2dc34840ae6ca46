//! The deeds of the host of a simulated history that write into its book.

use karute_consent::id::{CollectionId, Generation, StatementId};
use karute_consent::ledger::EntryKind;
use karute_consent::policy::{Permit, recheck};
use karute_consent::request::Request;
use karute_consent::revocation::Revocation;
use karute_consent::statement::{Unverified, Verified, sign};
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::{
    AuditAnswer, Event, EventKind, EventPlace, ListAnswer, ListDigest, PlaceCount, TrailNumber,
};

use super::super::cast::{CAST, collection};
use super::super::dice::Dice;
use super::super::letters::{End, Letter, Told, Which};
use super::super::lie::Lie;
use super::super::paper;
use super::{Out, SimHost, Stream};

impl SimHost {
    pub(super) fn stores(
        &mut self,
        now: u64,
        face: usize,
        event: Event,
        generation: Generation,
        dice: &mut Dice,
    ) -> Told {
        let book = &self.books[face];
        if let Some(place) =
            book.trail.iter().position(|old| old.event.records == event.records && old.event.subject == event.subject)
        {
            return Told::Stored { receipt: Box::new(book.receipt(place)) };
        }
        let inbox = generation == Generation(0);
        if !inbox && book.state.generation_in_force(collection()) != Some(generation) {
            return Told::Refused; // P-13
        }
        let before = book.clone();
        let of = if inbox { CollectionId::INBOX } else { collection() };
        let here = |place: &EventPlace| (place.collection, place.generation) == (of, generation);
        let number = book.records.iter().filter(|(place, _)| here(place)).count() as u64 + 1;
        let place = EventPlace { collection: of, generation, number: RecordNumber(number) };
        let header = event.subject.unwrap_or(StatementId::NONE);
        let index = self.writes(now, face, Event { place: Some(place), ..event }, dice);
        self.books[face].records.push((place, header));
        let receipt = Box::new(self.books[face].receipt(index));
        if self.lie == Some(Lie::DropDeposit) {
            self.books[face] = before;
        }
        Told::Stored { receipt }
    }

    pub(super) fn serves(
        &mut self,
        now: u64,
        (party, number): (usize, u64),
        request: &Verified<Request>,
        permit: Option<Permit>,
        dice: &mut Dice,
        out: &mut Out,
    ) -> Told {
        let face = self.face[party];
        let event = Event {
            count: self.books[face].records.len() as u64,
            ..self.books[face].event_of(EventKind::Read, request)
        };
        match self.lie {
            Some(Lie::ForgeRead) => {
                let forged = Event { request_statement: None, ..event.clone() };
                self.writes(now, face, forged, dice);
                self.lies_told += 1;
            }
            Some(Lie::RepeatRead) => {
                self.writes(now, face, event.clone(), dice);
                self.lies_told += 1;
            }
            _ => {}
        }
        let place = self.writes(now, face, event, dice);
        let frames = 1 + dice.below(6) as u32;
        let grant = request.payload().chain.last().copied().unwrap_or(StatementId::NONE);
        self.streams.push(Stream { party, number, grant, permit, next: 0, frames });
        out.reminders.push((now + dice.below(3), Letter::Pump(self.streams.len() - 1)));
        Told::Permitted { receipt: Box::new(self.books[face].receipt(place)), frames }
    }

    /// Sends the next frame of an answer, if it may still go (C-52).
    pub(super) fn pumps(&mut self, now: u64, place: usize, dice: &mut Dice, out: &mut Out) {
        let time = self.time(now);
        let Some(stream) = self.streams.get_mut(place) else { return };
        let to = End::Party(stream.party);
        let book = &self.books[self.face[stream.party]];
        let lapsed = |permit: &Permit| recheck(permit, &book.state, time.max(book.last_time())).is_err();
        if stream.permit.as_ref().is_some_and(lapsed) {
            out.letters.push((to, Letter::Told(stream.number, Told::Refused)));
            return;
        }
        let short = self.lie == Some(Lie::ShortStream) && stream.next + 1 == stream.frames;
        if stream.next == stream.frames || short {
            if short {
                self.shortened.push((stream.party, stream.number));
            }
            out.letters.push((to, Letter::Told(stream.number, Told::End)));
            return;
        }
        if self.acknowledged.contains(&stream.grant) {
            self.frames_after_revocation += 1;
        }
        out.letters.push((to, Letter::Told(stream.number, Told::Frame(stream.next))));
        stream.next += 1;
        out.reminders.push((now + dice.below(4), Letter::Pump(place)));
    }

    pub(super) fn revokes(
        &mut self,
        now: u64,
        face: usize,
        revocation: Unverified<Revocation>,
        dice: &mut Dice,
        out: &mut Out,
    ) -> Told {
        let Ok(revocation) = revocation.verify() else { return Told::Refused };
        self.hides_revocation();
        let (time, state) = (self.time(now), &self.books[face].state);
        if state.may_refuse(&revocation, time).is_err() {
            return Told::Refused;
        }
        let grant = revocation.payload().grant;
        let mut subject = revocation.id();
        if !state.is_revoked(grant) {
            let item = paper::item(Some(state), EntryKind::Revocation, &revocation, &[], (&CAST.host, time));
            subject = item.entry.clone().verify().expect("signed just now").id();
            self.books[face].append(&[item]).expect("a revocation that may refuse may follow");
        }
        let event = self.books[face].event(EventKind::LedgerAppend, revocation.signer());
        let place = self.writes(now, face, Event { subject: Some(subject), ..event }, dice);
        self.acknowledged.insert(grant);
        self.appended(face, place, out)
    }

    pub(super) fn appended(&self, face: usize, place: usize, out: &mut Out) -> Told {
        self.asks_witnesses(face, Which::Ledger, out);
        let receipt = Box::new(self.books[face].receipt(place));
        Told::Appended { checkpoint: self.shown_checkpoint(face, Which::Ledger), receipt }
    }

    pub(super) fn audits(&mut self, now: u64, face: usize, request: &Verified<Request>, dice: &mut Dice) -> Told {
        let event = self.books[face].event_of(EventKind::Audit, request);
        let place = self.writes(now, face, event, dice);
        let book = &self.books[face];
        let omitted = if self.lie == Some(Lie::OmitEvents) { 3.min(book.trail.len() - 1) } else { 0 };
        let count = book.trail.len() - omitted;
        let head = book.head(Which::Trail);
        let answer = AuditAnswer {
            vault: book.vault(),
            request: request.id(),
            count: TrailNumber(count as u64),
            time: self.time(now).max(book.last_time()),
            size: head.size,
            root: head.root,
        };
        let answer = sign(answer, &CAST.host).expect("a well-formed answer");
        let items = (0..count).map(|place| book.item(place)).collect();
        let receipt = Box::new(book.receipt(place));
        Told::Audited { items, answer, checkpoint: book.checkpoint(Which::Trail), receipt }
    }

    pub(super) fn lists(&mut self, now: u64, face: usize, request: &Verified<Request>, dice: &mut Dice) -> Told {
        let event = self.books[face].event_of(EventKind::List, request);
        let place = self.writes(now, face, event, dice);
        let book = &self.books[face];
        let mut records = book.records.clone();
        records.sort_by_key(|(place, _)| (place.collection, place.generation, place.number));
        let (mut digest, mut counts) = (ListDigest::new(), Vec::<PlaceCount>::new());
        for (place, header) in &records {
            digest.record(*header);
            let (collection, generation, count) = (place.collection, place.generation, place.number.0);
            counts.retain(|other| (other.collection, other.generation) != (collection, generation));
            counts.push(PlaceCount { collection, generation, count });
        }
        let time = self.time(now).max(book.last_time());
        let answer = ListAnswer { vault: book.vault(), request: request.id(), counts, time, digest: digest.finish() };
        let answer = sign(answer, &CAST.host).expect("a well-formed answer");
        let ids = records.into_iter().map(|(_, header)| header).collect();
        Told::Listed { ids, answer, receipt: Box::new(book.receipt(place)) }
    }
}
