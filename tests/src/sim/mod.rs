//! Whole histories in a made-up world: one seed decides who does what, how late letters are, whose clock is wrong, who
//! crashes, and which lie the host tells. The same seed is the same history, letter for letter.
//!
//! What decides is the product's own: the ledger and its rules, `decide` and `recheck`, the trees, checkpoints and
//! receipts, the witness's judge, the depositor's judge of freshness, and the makers of findings. Disk, network and time
//! are simulated, so that twenty thousand histories take minutes; the same lies are told over real sessions, stores and
//! sockets elsewhere in the suite.
//!
//! After every letter and at the end of a history the `Oracle`, who knows everything, checks what must hold.

mod book;
mod cast;
mod dice;
mod host;
mod letters;
mod lie;
mod oracle;
mod paper;
mod party;
mod wire;
mod witness;

use std::collections::BTreeSet;

use karute_consent::time::Timestamp;
use karute_protocol::finding::FindingKind;
use sha2::{Digest, Sha256};

use self::book::Book;
use self::cast::{DEPOSITOR, LATE_DEPOSITOR, PARTIES, PATIENT, READER, WITNESSES};
use self::dice::Dice;
use self::host::{Out, SimHost};
use self::letters::{End, Letter};
pub use self::lie::Lie;
use self::oracle::Oracle;
pub use self::oracle::Violation;
pub use self::party::Alarm;
use self::party::{Party, Want};
use self::wire::{Post, Wire};
use self::witness::SimWitness;

/// When every history begins: 2027-01-15T08:00:00Z.
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What a history was like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// SHA-256 over every letter that arrived, in order.
    pub trace: [u8; 32],
    /// Letters that arrived.
    pub letters: u64,
    /// The lie that the host was set on.
    pub lie: Option<Lie>,
    /// Somebody holds, or was told, something that is not so.
    pub harmed: bool,
    /// Lies that were proven with a finding.
    pub findings: BTreeSet<FindingKind>,
    /// What was odd without a finding.
    pub alarms: BTreeSet<Alarm>,
    /// Records that were sealed.
    pub sealed: u64,
    /// Deposits that waited for witnesses in vain.
    pub not_fresh: u64,
}

/// Everything in one history.
struct History {
    now: u64,
    dice: Dice,
    wire: Wire,
    host: SimHost,
    witnesses: Vec<SimWitness>,
    parties: Vec<Party>,
    oracle: Oracle,
    trace: Sha256,
    letters: u64,
    /// The lie that begins at some moment.
    planned: Option<Lie>,
}

/// Plays the history of a seed to its end.
pub fn play(seed: u64) -> Result<Outcome, Violation> {
    let mut history = History::new(seed);
    history.goes_on()?;
    history.ends()
}

impl History {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let quorum = if dice.percent(75) { 2 } else { 0 };
        let book = Book::begun(quorum);
        let vault = book.vault();
        let mut skew = |most: u64| dice.below(2 * most + 1) as i64 - most as i64;
        let host = SimHost::new(book, skew(20));
        let witnesses = (0..WITNESSES).map(|number| SimWitness::new(number, skew(30))).collect();
        let parties = (0..PARTIES).map(|me| Party::new(me, vault, skew(30))).collect();
        let planned = dice.percent(50).then(|| dice.pick(&Lie::ALL));
        let wire = Wire::new(&mut dice);
        let oracle = Oracle::new(quorum);
        Self {
            now: START.secs(),
            dice,
            wire,
            host,
            witnesses,
            parties,
            oracle,
            trace: Sha256::new(),
            letters: 0,
            planned,
        }
    }

    /// The part in which anything may happen.
    fn goes_on(&mut self) -> Result<(), Violation> {
        let commands = 12 + self.dice.below(22);
        let lie_at = self.dice.below(commands);
        for command in 0..commands {
            let pause = match self.dice.below(100) {
                0..60 => 5 + self.dice.below(120),
                60..85 => 120 + self.dice.below(3_600),
                _ => 4 * 3_600 + self.dice.below(26 * 3_600),
            };
            self.passes(pause)?;
            if let Some(lie) = self.planned.filter(|_| command == lie_at) {
                self.host.begins_to_lie(lie, &mut self.dice);
            }
            self.commands();
        }
        Ok(())
    }

    /// The part in which everything works again, and everybody checks what they hold.
    fn ends(mut self) -> Result<Outcome, Violation> {
        self.wire.clears_up();
        self.witnesses.iter_mut().for_each(|witness| witness.is_up = true);
        self.passes(1_000)?;
        let sealed = self.sealed();
        for round in 0..2 {
            let patient = [(PATIENT, Want::Rotate), (PATIENT, Want::Audit), (PATIENT, Want::List)];
            let others = [
                (DEPOSITOR, Want::Deposit),
                (LATE_DEPOSITOR, Want::Deposit),
                (READER, Want::Fetch { stubborn: round == 0 }),
            ];
            let checks = (0..PARTIES).map(|party| (party, Want::Check));
            let wants: Vec<_> = others.into_iter().chain(patient).chain(checks).collect();
            for (party, want) in wants {
                self.sets_out(party, want);
                self.passes(450)?;
            }
            for (one, other) in (0..PARTIES).flat_map(|one| (0..PARTIES).map(move |other| (one, other))) {
                self.meet(one, other);
            }
        }
        let stored = self.sealed() - sealed;
        self.oracle.judges(&self.host, &self.parties, stored)?;
        self.host.books.iter().for_each(|book| self.trace.update(book.head(letters::Which::Trail).root.0));
        Ok(Outcome {
            trace: self.trace.finalize().into(),
            letters: self.letters,
            lie: self.host.lie,
            harmed: self.oracle.was_harmed(),
            findings: self.parties.iter().flat_map(|party| &party.findings).map(|finding| finding.kind()).collect(),
            alarms: self.parties.iter().flat_map(|party| party.alarms.iter().copied()).collect(),
            sealed: self.parties.iter().map(|party| party.sealed.len() as u64).sum(),
            not_fresh: self.parties.iter().map(|party| party.not_fresh).sum(),
        })
    }

    fn sealed(&self) -> u64 {
        self.parties.iter().map(|party| party.sealed.len() as u64).sum()
    }

    fn commands(&mut self) {
        let depositor = self.dice.pick(&[DEPOSITOR, DEPOSITOR, LATE_DEPOSITOR]);
        match self.dice.below(100) {
            0..24 => self.sets_out(depositor, Want::Deposit),
            24..44 => {
                let stubborn = self.dice.percent(25);
                self.sets_out(READER, Want::Fetch { stubborn });
            }
            44..53 => self.sets_out(PATIENT, Want::Revoke),
            53..59 => self.sets_out(PATIENT, Want::Grant),
            59..63 => self.sets_out(PATIENT, Want::Rotate),
            63..72 => {
                let party = self.dice.below(PARTIES as u64) as usize;
                self.sets_out(party, Want::Check);
            }
            72..79 => self.sets_out(PATIENT, Want::Audit),
            79..84 => self.sets_out(PATIENT, Want::List),
            84..91 => {
                let (one, other) = (self.dice.below(PARTIES as u64), self.dice.below(PARTIES as u64));
                self.meet(one as usize, other as usize);
            }
            91..95 => {
                self.host.crashes();
                self.wire.cut(self.now, End::Host);
            }
            _ => {
                let place = self.dice.below(WITNESSES as u64) as usize;
                self.witnesses[place].is_up = !self.witnesses[place].is_up;
            }
        }
    }

    fn sets_out(&mut self, party: usize, want: Want) {
        let mut out = Out::default();
        self.parties[party].begins(self.now, want, &mut out);
        self.sends(End::Party(party), out);
    }

    fn meet(&mut self, one: usize, other: usize) {
        let (low, high) = (one.min(other), one.max(other));
        if low == high {
            return;
        }
        let (before, after) = self.parties.split_at_mut(high);
        before[low].meets(&after[0]);
        after[0].meets(&before[low]);
    }

    /// Lets so many seconds pass, and with them every letter that arrives.
    fn passes(&mut self, secs: u64) -> Result<(), Violation> {
        let until = self.now + secs;
        while let Some((at, post)) = self.wire.next_before(until) {
            self.now = at.max(self.now);
            self.arrives(post);
            self.oracle.watches(self.now, &self.host, &self.witnesses, &self.parties)?;
        }
        self.now = until;
        Ok(())
    }

    fn arrives(&mut self, post: Post) {
        self.letters += 1;
        self.trace.update(self.now.to_be_bytes());
        self.trace.update(format!("{:?}", post.to));
        self.trace.update(post.letter.trace());
        let out = match (post.to, post.letter) {
            (End::Host, letter) => self.host.takes(self.now, post.from, letter, &mut self.dice),
            (End::Party(party), letter) => self.parties[party].takes(self.now, letter, &mut self.dice),
            (End::Witness(place), Letter::Cosign(which, face, body)) => {
                let log = (which, self.host.books[face].log(which));
                let witness = &mut self.witnesses[place];
                let mut out = Out::default();
                if witness.is_up {
                    let said = witness.answer((which, log.1), &body, self.now);
                    out.letters.push((End::Host, Letter::Cosigned(which, face, body, said)));
                }
                out
            }
            (End::Witness(_), _) => Out::default(),
        };
        self.sends(post.to, out);
    }

    fn sends(&mut self, from: End, out: Out) {
        for (to, letter) in out.letters {
            self.wire.send(&mut self.dice, self.now, from, to, letter);
        }
        for (at, letter) in out.reminders {
            self.wire.remind(at, from, letter);
        }
    }
}
