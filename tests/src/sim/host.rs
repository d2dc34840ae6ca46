//! The host of a simulated history: every answer is decided by the crates' own `decide` and ledger; what it keeps is a
//! [`Book`]. An honest one has one book. A lying one may have several, and shows each party one of them.

mod answers;

use std::collections::{BTreeSet, HashMap};

use karute_consent::id::{Challenge, Digest, Salt, Seq, StatementId};
use karute_consent::ledger::Item;
use karute_consent::policy::{Clock, DenyReason, Memory, Permit, Session, decide};
use karute_consent::request::Request;
use karute_consent::statement::{Unverified, Verified};
use karute_consent::time::Timestamp;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::HeadsFound;
use karute_protocol::trail::{CheckpointText, Event, EventKind, HeadNonce, Outcome};
use karute_protocol::witness::AddCheckpoint;

use super::book::Book;
use super::cast::{CAST, PARTIES, WITNESSES};
use super::dice::Dice;
use super::letters::{Ask, End, Letter, Told, Which};
use super::lie::Lie;
use super::witness::joined;

/// What an end does in answer to a letter.
#[derive(Default)]
pub(super) struct Out {
    pub(super) letters: Vec<(End, Letter)>,
    pub(super) reminders: Vec<(u64, Letter)>,
}

pub(super) struct SimHost {
    pub(super) books: Vec<Book>,
    /// Which book each party is shown.
    pub(super) face: [usize; PARTIES],
    pub(super) lie: Option<Lie>,
    /// Seconds that its clock is ahead or behind.
    pub(super) clock: i64,
    /// The book after each deed: what a backup could bring back.
    pub(super) snapshots: Vec<Book>,
    sequences: [Option<u64>; PARTIES],
    streams: Vec<Stream>,
    cosigned: HashMap<(usize, Which), (TreeHead, CheckpointText)>,
    known: HashMap<(Which, usize), u64>,
    acknowledged: BTreeSet<StatementId>,
    /// Frames that left under a grant whose revocation was acknowledged.
    pub(super) frames_after_revocation: u64,
    /// How often a lie was told that waits to be asked.
    pub(super) lies_told: u64,
    /// Answers that were ended early: whose, and which.
    pub(super) shortened: Vec<(usize, u64)>,
}

struct Stream {
    party: usize,
    number: u64,
    grant: StatementId,
    /// Nothing for who is served without one.
    permit: Option<Permit>,
    next: u32,
    frames: u32,
}

/// A no, and the request that it is about, if it was one.
type Denied = (Option<Box<Verified<Request>>>, DenyReason);

/// Every session of these histories has this challenge: what it protects from is tried over the real sessions.
pub(super) const CHALLENGE: Challenge = Challenge::from_bytes([9; 32]);
const SNAPSHOTS_MAX: usize = 24;

impl SimHost {
    pub(super) fn new(book: Book, clock: i64) -> Self {
        Self {
            books: vec![book],
            face: [0; PARTIES],
            lie: None,
            clock,
            snapshots: Vec::new(),
            sequences: [None; PARTIES],
            streams: Vec::new(),
            cosigned: HashMap::new(),
            known: HashMap::new(),
            acknowledged: BTreeSet::new(),
            frames_after_revocation: 0,
            lies_told: 0,
            shortened: Vec::new(),
        }
    }

    /// Loses what is not on disk.
    pub(super) fn crashes(&mut self) {
        self.streams.clear();
        self.cosigned.clear();
        self.known.clear();
    }

    pub(super) fn time(&self, now: u64) -> Timestamp {
        Timestamp::from_secs(now.saturating_add_signed(self.clock))
    }

    pub(super) fn takes(&mut self, now: u64, from: End, letter: Letter, dice: &mut Dice) -> Out {
        let mut out = Out::default();
        match (from, letter) {
            (End::Party(party), Letter::Ask(number, ask)) => {
                let told = self.answers(now, party, number, ask, dice, &mut out);
                out.letters.insert(0, (End::Party(party), Letter::Told(number, told)));
            }
            (End::Witness(witness), Letter::Cosigned(which, book, body, said)) => {
                self.is_cosigned(witness, which, book, (&body, said), &mut out);
            }
            (_, Letter::Pump(stream)) => self.pumps(now, stream, dice, &mut out),
            _ => {}
        }
        out
    }

    fn answers(&mut self, now: u64, party: usize, number: u64, ask: Ask, dice: &mut Dice, out: &mut Out) -> Told {
        let face = self.face[party];
        match ask {
            Ask::Sync { from } => self.syncs(party, from),
            Ask::Heads { nonce, vault, sizes } => self.heads(now, face, nonce, vault, &sizes, out),
            Ask::Deposit { record, header, generation, head } => {
                let event = self.books[face].event(EventKind::Deposit, CAST.key(party));
                let event = Event { subject: Some(header), records: vec![record], count: 1, ..event };
                let seen = self.books[face].root_at(Which::Ledger, head.size).map(Digest::from);
                if seen != Some(head.root) { Told::Refused } else { self.stores(now, face, event, generation, dice) }
            }
            Ask::Fetch { request } => match self.decided(now, party, request) {
                Ok((request, permit)) => self.serves(now, (party, number), &request, Some(permit), dice, out),
                Err((Some(request), DenyReason::Revoked)) if self.lie == Some(Lie::ServeRevoked) => {
                    self.lies_told += 1;
                    self.serves(now, (party, number), &request, None, dice, out)
                }
                Err((request, reason)) => self.refuses(now, face, request, reason, dice),
            },
            Ask::Audit { request } => match self.decided(now, party, request) {
                Ok((request, _)) => self.audits(now, face, &request, dice),
                Err((request, reason)) => self.refuses(now, face, request, reason, dice),
            },
            Ask::List { request } => match self.decided(now, party, request) {
                Ok((request, _)) => self.lists(now, face, &request, dice),
                Err((request, reason)) => self.refuses(now, face, request, reason, dice),
            },
            Ask::Revoke { revocation } => self.revokes(now, face, revocation, dice, out),
            Ask::Append { size, items } => {
                if size != self.books[face].state.size() || self.books[face].append(&items).is_err() {
                    return Told::Conflict;
                }
                let entry = items.last().and_then(|item| item.entry.clone().verify().ok()).map(|entry| entry.id());
                let event = self.books[face].event(EventKind::LedgerAppend, CAST.key(party));
                let place = self.writes(now, face, Event { subject: entry, ..event }, dice);
                self.appended(face, place, out)
            }
        }
    }

    fn syncs(&self, party: usize, from: u64) -> Told {
        let book = &self.books[self.face[party]];
        let shown = book.state.shown_to(CAST.key(party));
        let items = book.items.iter().enumerate().skip(usize::try_from(from).unwrap_or(usize::MAX));
        let show = |(seq, item): (usize, &Item)| {
            if shown.shows(Seq(seq as u64)) { item.clone() } else { item.bare() }
        };
        Told::Synced {
            from,
            items: items.map(show).collect(),
            checkpoint: self.shown_checkpoint(self.face[party], Which::Ledger),
        }
    }

    /// The checkpoint of the newest head, with the cosignatures that it has.
    fn shown_checkpoint(&self, face: usize, which: Which) -> CheckpointText {
        let head = self.books[face].head(which);
        match self.cosigned.get(&(face, which)) {
            Some((of, text)) if *of == head => text.clone(),
            _ => self.books[face].checkpoint(which),
        }
    }

    fn heads(&mut self, now: u64, face: usize, nonce: HeadNonce, vault: bool, sizes: &[u64], out: &mut Out) -> Told {
        let (book, time) = (&self.books[face], self.time(now));
        let found = HeadsFound {
            trail: book.tree_head(Which::Trail, time, nonce).to_unverified(),
            trail_checkpoint: self.shown_checkpoint(face, Which::Trail),
            proofs: sizes.iter().map(|size| book.consistency(Which::Trail, *size)).collect(),
            ledger: vault.then(|| book.tree_head(Which::Ledger, time, nonce).to_unverified()),
            ledger_checkpoint: vault.then(|| self.shown_checkpoint(face, Which::Ledger)),
        };
        if vault {
            self.asks_witnesses(face, Which::Ledger, out);
        }
        Told::Heads(Box::new(found))
    }

    fn asks_witnesses(&self, face: usize, which: Which, out: &mut Out) {
        (0..WITNESSES).for_each(|witness| self.asks_witness(face, which, witness, out));
    }

    fn asks_witness(&self, face: usize, which: Which, witness: usize, out: &mut Out) {
        let book = &self.books[face];
        if book.state.witness_set().quorum == 0 {
            return;
        }
        let old = self.known.get(&(which, witness)).copied().unwrap_or(0);
        if let Ok(asked) = AddCheckpoint::new(old, book.consistency(which, old), &book.checkpoint(which)) {
            out.letters.push((End::Witness(witness), Letter::Cosign(which, face, asked.to_bytes())));
        }
    }

    fn is_cosigned(
        &mut self,
        witness: usize,
        which: Which,
        face: usize,
        (body, said): (&[u8], Result<String, Option<u64>>),
        out: &mut Out,
    ) {
        let Ok(asked) = AddCheckpoint::from_bytes(body) else { return };
        let (of, newest) = (asked.unverified_head(), self.books[face].head(which));
        match said {
            Ok(lines) => {
                let known = self.known.entry((which, witness)).or_default();
                *known = of.size.max(*known);
                if of == newest {
                    let text = self.shown_checkpoint(face, which);
                    if let Some(text) = joined(&text, &lines, witness) {
                        self.cosigned.insert((face, which), (newest, text));
                    }
                }
            }
            Err(Some(size)) => {
                let before = self.known.insert((which, witness), size);
                if size <= newest.size && before != Some(size) {
                    self.asks_witness(face, which, witness, out);
                }
            }
            Err(None) => {}
        }
    }

    /// Verifies and decides; the request comes back with a no, if it was one.
    fn decided(
        &mut self,
        now: u64,
        party: usize,
        request: Unverified<Request>,
    ) -> Result<(Verified<Request>, Permit), Denied> {
        let request = request.verify().map_err(|_| (None, DenyReason::NoGrant))?;
        let book = &self.books[self.face[party]];
        let before = self.sequences[party];
        let here = Session { node: CAST.node(), peer: vec![party as u8], challenge: CHALLENGE, sequence: before };
        let (time, committed) = (self.time(now), book.last_time());
        let clock = match self.lie {
            Some(Lie::ClockBack) => Clock { now: request.payload().time, committed: request.payload().time },
            _ => Clock { now: time.max(committed), committed },
        };
        let decision = decide(&request, &book.state, &here, &Memory::default(), clock);
        self.sequences[party] = before.max(Some(request.payload().sequence));
        match decision {
            Ok(permit) => Ok((request, permit)),
            Err(reason) => Err((Some(Box::new(request)), reason)),
        }
    }

    fn refuses(
        &mut self,
        now: u64,
        face: usize,
        request: Option<Box<Verified<Request>>>,
        reason: DenyReason,
        dice: &mut Dice,
    ) -> Told {
        if let Some(request) = request {
            let event = self.books[face].event_of(EventKind::Refusal, &request);
            self.writes(now, face, Event { outcome: Outcome(reason.number()), ..event }, dice);
        }
        Told::Refused
    }

    /// Writes an event down, and keeps a copy of the book as it is now.
    fn writes(&mut self, now: u64, face: usize, event: Event, dice: &mut Dice) -> usize {
        let (time, salt) = (self.time(now), Salt::from_bytes(dice.bytes()));
        let honest = time.max(self.books[face].last_time());
        let time = if self.lie == Some(Lie::ClockBack) { time } else { honest };
        let place = self.books[face].note(event, salt, time);
        if self.snapshots.len() < SNAPSHOTS_MAX && self.lie.is_none() {
            self.snapshots.push(self.books[face].clone());
        }
        place
    }
}
