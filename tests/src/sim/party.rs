//! The parties of a simulated history: each does one thing at a time, believes nothing that is not proven, keeps what
//! convicts a liar, and remembers what was odd.

mod audit;
mod deeds;
mod heads;

use std::collections::{BTreeSet, HashMap, HashSet};

use karute_consent::id::{Digest, Generation, RecordId, RequestId, StatementId, TrailNumber, VaultId};
use karute_consent::ledger::{Item, LedgerState, View};
use karute_consent::purpose::Purpose;
use karute_consent::request::{Head, Request, Selector};
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified, sign};
use karute_consent::time::Timestamp;
use karute_protocol::finding::Finding;
use karute_protocol::merkle::{TreeHash, TreeHead, root_of};
use karute_protocol::trail::{CheckpointText, HeadNonce, Receipt, SignedTreeHead};

use super::cast::{CAST, PATIENT};
use super::dice::Dice;
use super::host::{CHALLENGE, Out};
use super::letters::{Ask, End, Letter, Which};

/// What a party sets out to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Seal a record to the key in force and deposit it.
    Deposit,
    /// Read everything; under a grant that is known to be revoked, if told so.
    Fetch { stubborn: bool },
    /// Revoke the reader's grant, then make new keys.
    Revoke,
    /// Make new keys for what is pending.
    Rotate,
    /// Grant the reader anew.
    Grant,
    /// Pull and check the trail.
    Audit,
    /// List everything.
    List,
    /// Check every receipt against the host's log as it is now.
    Check,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    Sync,
    Heads,
    Act,
}

/// Something that an honest host does not do, without a finding that others could check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Alarm {
    /// The ledger is shorter than it was.
    OlderLedger,
    /// Entries break a rule of the ledger, or are not what the checkpoint says.
    BadLedger,
    /// Signed heads are missing, of another log, or answer another question.
    BadHeads,
    /// The host's clock is not ours.
    HostClock,
    /// The trail is shorter than it was.
    Shrunk,
    /// A receipt proves nothing.
    BadReceipt,
    /// An audit has a gap, or ends before an event that we hold a receipt for.
    Gap,
    /// One request stands in the trail twice.
    Repeated,
    /// An answer ended before all of it was there.
    Short,
    /// A list leaves a record out.
    Omission,
}

/// A record that was sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct SealedTo {
    /// When, by the true time.
    pub(super) at: u64,
    /// 0 for the inbox.
    pub(super) generation: Generation,
    /// The ledger as the depositor knew it.
    pub(super) ledger: TreeHead,
}

pub(super) struct Party {
    me: usize,
    vault: VaultId,
    /// Seconds that its clock is ahead or behind.
    skew: i64,
    pub(super) items: Vec<Item>,
    entries: Vec<TreeHash>,
    pub(super) state: Option<LedgerState>,
    /// The host's word on the ledger as it is known here.
    pub(super) checkpoint: Option<CheckpointText>,
    /// The greatest head of the trail that was proven to extend all before it.
    pub(super) trail: Option<(CheckpointText, TreeHead)>,
    words: HashMap<Which, Unverified<SignedTreeHead>>,
    /// Heads that others showed, which the host has to prove.
    doubts: Vec<(CheckpointText, TreeHead)>,
    pub(super) receipts: Vec<Receipt>,
    /// Of the checkpoint of each receipt.
    receipt_heads: Vec<TreeHead>,
    /// Revocations that are known here: the entry, the place of its item, the grant that it ends.
    pub(super) revocations: Vec<(StatementId, usize, StatementId)>,
    /// Generations of the collection, and the place of the entry that began each.
    generations: Vec<usize>,
    pub(super) findings: Vec<Finding>,
    pub(super) alarms: BTreeSet<Alarm>,
    pub(super) sealed: Vec<SealedTo>,
    /// Deposits that waited for witnesses in vain.
    pub(super) not_fresh: u64,
    sequence: u64,
    number: u64,
    pub(super) stage: Stage,
    want: Want,
    tries: u32,
    nonce: HeadNonce,
    /// What the sizes that were asked about belong to.
    asked: Vec<(CheckpointText, TreeHead)>,
    sealing: Option<(RecordId, StatementId)>,
    request: Option<Verified<Request>>,
    frames: (u32, u32),
    /// Answers that were taken for whole.
    pub(super) whole: HashSet<u64>,
    /// Deposits that the last audit saw.
    deposits: Vec<Receipt>,
    /// Events whose requests an audit has verified.
    audited: HashSet<(TrailNumber, Digest)>,
}

/// Longest time that one deed takes, in seconds.
const PATIENCE: u64 = 400;

impl Party {
    pub(super) fn new(me: usize, vault: VaultId, skew: i64) -> Self {
        Self {
            me,
            vault,
            skew,
            items: Vec::new(),
            entries: Vec::new(),
            state: None,
            checkpoint: None,
            trail: None,
            words: HashMap::new(),
            doubts: Vec::new(),
            receipts: Vec::new(),
            receipt_heads: Vec::new(),
            revocations: Vec::new(),
            generations: Vec::new(),
            findings: Vec::new(),
            alarms: BTreeSet::new(),
            sealed: Vec::new(),
            not_fresh: 0,
            sequence: 0,
            number: 0,
            stage: Stage::Idle,
            want: Want::Check,
            tries: 0,
            nonce: HeadNonce::from_bytes([0; 32]),
            asked: Vec::new(),
            sealing: None,
            request: None,
            frames: (0, 0),
            whole: HashSet::new(),
            deposits: Vec::new(),
            audited: HashSet::new(),
        }
    }

    /// Sets out, if it is not doing something else.
    pub(super) fn begins(&mut self, now: u64, want: Want, out: &mut Out) {
        if self.stage != Stage::Idle {
            return;
        }
        self.number += 1;
        (self.want, self.stage, self.tries) = (want, Stage::Sync, 0);
        self.ask(Ask::Sync { from: self.entries.len() as u64 }, out);
        out.reminders.push((now + PATIENCE, Letter::Late(self.number)));
    }

    pub(super) fn takes(&mut self, now: u64, letter: Letter, dice: &mut Dice) -> Out {
        let mut out = Out::default();
        match letter {
            Letter::Told(number, told) if number == self.number => self.is_told(now, told, dice, &mut out),
            // The connection broke, or nobody answered in time: what it held so far stays.
            Letter::Late(number) | Letter::Cut(number) if number == self.number => self.stage = Stage::Idle,
            _ => {}
        }
        out
    }

    pub(super) fn now(&self, now: u64) -> Timestamp {
        Timestamp::from_secs(now.saturating_add_signed(self.skew))
    }

    fn ask(&self, ask: Ask, out: &mut Out) {
        out.letters.push((End::Host, Letter::Ask(self.number, ask)));
    }

    fn alarm(&mut self, alarm: Alarm) {
        self.alarms.insert(alarm);
    }

    /// Keeps a finding; where the evidence does not convict, the alarm stays.
    fn finds(&mut self, finding: Result<Finding, karute_protocol::finding::NotAFinding>, else_alarm: Alarm) {
        match finding {
            Ok(finding) => self.findings.push(finding),
            Err(_) => self.alarm(else_alarm),
        }
    }

    /// Keeps a receipt that proves its event.
    fn keeps(&mut self, receipt: Receipt) {
        match receipt.verify(CAST.node()) {
            Ok(head) if receipt.leaf.vault == self.vault => {
                self.receipts.push(receipt);
                self.receipt_heads.push(head);
            }
            _ => self.alarm(Alarm::BadReceipt),
        }
    }

    /// The ledger as it is known here.
    pub(super) fn ledger(&self) -> TreeHead {
        TreeHead { size: self.entries.len() as u64, root: root_of(&self.entries) }
    }

    /// The root that the known ledger had at an earlier size.
    pub(super) fn ledger_root_at(&self, size: u64) -> Option<TreeHash> {
        usize::try_from(size).ok().and_then(|size| self.entries.get(..size)).map(root_of)
    }

    /// The generation of the collection before the entry at a place was appended.
    pub(super) fn generation_before(&self, place: usize) -> Generation {
        let before = self.generations.iter().filter(|began| **began < place);
        Generation(u32::try_from(before.count()).unwrap_or(u32::MAX))
    }

    fn view(&self) -> View {
        if self.me == PATIENT { View::Whole } else { View::Part }
    }

    /// Signs a request of this party.
    fn signs(&mut self, now: u64, action: Action, chain: Vec<StatementId>, dice: &mut Dice) -> Unverified<Request> {
        self.sequence += 1;
        let ledger = self.ledger();
        let purpose = if chain.is_empty() { Purpose::PatientRequest } else { Purpose::Treatment };
        let request = Request {
            id: RequestId::from_bytes(dice.bytes()),
            vault: self.vault,
            chain,
            action,
            selector: Selector::default(),
            purpose,
            acting_hash: None,
            challenge: CHALLENGE,
            sequence: self.sequence,
            node: CAST.node(),
            peer: vec![self.me as u8],
            head: Some(Head { size: ledger.size, root: Digest::from_bytes(ledger.root.0) }),
            time: self.now(now),
            resumes: None,
        };
        let signed = sign(request, &CAST.parties[self.me]).expect("a well-formed request");
        let travels = signed.to_unverified();
        self.request = Some(signed);
        travels
    }

    /// Two parties meet and show each other their heads.
    pub(super) fn meets(&mut self, other: &Party) {
        if let Some((text, head)) = &other.trail {
            self.doubts.push((text.clone(), *head));
            if let Some((own, kept)) = &self.trail
                && kept.size == head.size
                && kept.root != head.root
            {
                self.finds(heads::two_checkpoints(own, text), Alarm::BadHeads);
            }
        }
        let (Some(own), Some(theirs)) = (&self.checkpoint, &other.checkpoint) else { return };
        let ledger = other.ledger();
        match self.ledger_root_at(ledger.size) {
            Some(root) if root != ledger.root && ledger.size == self.ledger().size => {
                self.finds(heads::two_checkpoints(own, theirs), Alarm::BadLedger);
            }
            // Whoever has every entry needs no proof of the host to know that there is none.
            Some(root) if root != ledger.root => {
                self.finds(heads::not_one_log(theirs, own), Alarm::BadLedger);
            }
            _ => {}
        }
    }
}
