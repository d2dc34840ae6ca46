//! Heads: what the host says its logs are now, against everything that was seen before (P-48), and whether a depositor
//! may seal (P-47).

use karute_consent::category::Sensitivity;
use karute_consent::ledger::LedgerState;
use karute_protocol::finding::{Finding, NotAFinding, SignedHead};
use karute_protocol::freshness::{HostWord, Question, Stale, judge};
use karute_protocol::merkle::{TreeHash, TreeHead, verify_consistency};
use karute_protocol::message::HeadsFound;
use karute_protocol::trail::{CheckpointText, HeadNonce, Log, SignedTreeHead};

use super::super::cast::CAST;
use super::super::dice::Dice;
use super::super::host::Out;
use super::super::letters::{Ask, Which};
use super::{Alarm, Party, Stage, Want};

/// Kind 1.
pub(super) fn two_checkpoints(a: &CheckpointText, b: &CheckpointText) -> Result<Finding, NotAFinding> {
    Finding::equivocation(CAST.node(), SignedHead::Checkpoint(a.clone()), SignedHead::Checkpoint(b.clone()))
}

/// Kind 2, with no proof given: `a` is the smaller one.
pub(super) fn not_one_log(a: &CheckpointText, b: &CheckpointText) -> Result<Finding, NotAFinding> {
    let (a, b) = (SignedHead::Checkpoint(a.clone()), SignedHead::Checkpoint(b.clone()));
    Finding::inconsistency(CAST.node(), a, b, Vec::new())
}

/// Most earlier sizes in one question.
const SIZES_MAX: usize = 64;
/// Times that witnesses are waited for.
const TRIES_MAX: u32 = 12;

impl Party {
    /// Asks for the newest heads, and for proofs from everything that is held.
    pub(super) fn asks_heads(&mut self, vault: bool, dice: &mut Dice, out: &mut Out) {
        self.stage = Stage::Heads;
        self.nonce = HeadNonce::from_bytes(dice.bytes());
        let held = self.trail.iter().chain(&self.doubts).cloned();
        let of_receipts = self.receipts.iter().zip(&self.receipt_heads).rev();
        let of_receipts = of_receipts.map(|(receipt, head)| (receipt.checkpoint.clone(), *head));
        let mut asked: Vec<_> = held.chain(of_receipts).collect();
        asked.truncate(SIZES_MAX);
        asked.sort_by_key(|(_, head)| head.size);
        asked.dedup_by(|one, other| one.1 == other.1);
        let mut sizes: Vec<u64> = asked.iter().map(|(_, head)| head.size).collect();
        sizes.dedup();
        self.asked = asked;
        self.ask(Ask::Heads { nonce: self.nonce, vault, sizes }, out);
    }

    pub(super) fn sees_heads(&mut self, now: u64, found: HeadsFound, dice: &mut Dice, out: &mut Out) {
        let Ok(word) = SignedTreeHead::verify(found.trail.clone(), Log::Trail, CAST.node()) else {
            self.alarm(Alarm::BadHeads);
            self.stage = Stage::Idle;
            return;
        };
        if word.payload().nonce != self.nonce {
            return; // the answer to an earlier question
        }
        if word.payload().time.abs_diff(self.now(now)) > 120 {
            self.alarm(Alarm::HostClock);
        }
        let newest = word.payload().head();
        let grew = self.compares(&found, newest);
        if grew && found.trail_checkpoint.verify(Log::Trail, CAST.node()) == Ok(newest) {
            self.trail = Some((found.trail_checkpoint.clone(), newest));
            self.doubts.clear();
        }
        self.words.insert(Which::Trail, found.trail.clone());
        match self.want {
            Want::Deposit => self.sees_ledger(now, &found, dice, out),
            _ => self.stage = Stage::Idle,
        }
    }

    /// Whether the newest head extends everything that was asked about.
    fn compares(&mut self, found: &HeadsFound, newest: TreeHead) -> bool {
        let mut good = true;
        let mut proofs = found.proofs.iter();
        let (mut last, mut proof): (Option<u64>, &[TreeHash]) = (None, &[]);
        for (text, head) in std::mem::take(&mut self.asked) {
            if last != Some(head.size) {
                proof = proofs.next().map_or(&[], Vec::as_slice);
                last = Some(head.size);
            }
            if head.size > newest.size {
                self.is_shorter(found, newest);
                good = false;
            } else if verify_consistency(&head, &newest, proof).is_err() {
                let (a, b) = (SignedHead::Checkpoint(text), SignedHead::TreeHead(found.trail.clone()));
                let finding = if head.size == newest.size {
                    Finding::equivocation(CAST.node(), a, b)
                } else {
                    Finding::inconsistency(CAST.node(), a, b, proof.to_vec())
                };
                self.finds(finding, Alarm::BadHeads);
                good = false;
            }
        }
        good
    }

    fn is_shorter(&mut self, found: &HeadsFound, newest: TreeHead) {
        self.alarm(Alarm::Shrunk);
        if let Some(before) = self.words.get(&Which::Trail)
            && let Ok(finding) = Finding::rollback(CAST.node(), before.clone(), found.trail.clone())
        {
            self.findings.push(finding);
        }
        let lost = self.receipts.iter().find(|receipt| receipt.index.0 >= newest.size).cloned();
        if let Some(finding) =
            lost.and_then(|lost| Finding::rollback_of_event(CAST.node(), lost, found.trail.clone()).ok())
        {
            self.findings.push(finding);
        }
    }

    /// Whether the ledger that is known here may name the key to seal to.
    fn sees_ledger(&mut self, now: u64, found: &HeadsFound, dice: &mut Dice, out: &mut Out) {
        let log = Log::Ledger(self.vault);
        let word = found.ledger.clone().and_then(|word| SignedTreeHead::verify(word, log, CAST.node()).ok());
        let word = word.filter(|word| word.payload().nonce == self.nonce);
        let (Some(word), Some(checkpoint)) = (word, found.ledger_checkpoint.clone()) else {
            self.alarm(Alarm::BadHeads);
            self.stage = Stage::Idle;
            return;
        };
        let (said, own) = (word.payload().head(), self.ledger());
        self.tries += 1;
        if said.size > own.size && self.tries < TRIES_MAX {
            self.stage = Stage::Sync;
            self.ask(Ask::Sync { from: own.size }, out);
            return;
        }
        if said != own {
            self.sees_other_ledger(said, word.to_unverified());
            self.stage = Stage::Idle;
            return;
        }
        self.words.insert(Which::Ledger, word.to_unverified());
        let set = self.state.as_ref().map(LedgerState::witness_set);
        let Some(set) = set else { return };
        let question = Question {
            accepted: own,
            checkpoint: &checkpoint,
            log,
            node: CAST.node(),
            set: &set,
            sensitivity: Sensitivity::Normal,
            now: self.now(now),
        };
        match judge(&question, Some(HostWord { head: said, time: word.payload().time })) {
            Ok(_) => {
                self.checkpoint = Some(checkpoint);
                self.seals(now, dice, out);
            }
            Err(Stale::NotWitnessed { .. }) if self.tries < TRIES_MAX => self.asks_heads(true, dice, out),
            Err(Stale::NotWitnessed { .. }) => {
                self.not_fresh += 1;
                self.stage = Stage::Idle;
            }
            Err(Stale::HostClock { .. }) => {
                self.alarm(Alarm::HostClock);
                self.stage = Stage::Idle;
            }
            Err(_) => {
                self.alarm(Alarm::BadHeads);
                self.stage = Stage::Idle;
            }
        }
    }

    fn sees_other_ledger(&mut self, said: TreeHead, word: karute_consent::statement::Unverified<SignedTreeHead>) {
        if said.size < self.ledger().size {
            self.alarm(Alarm::OlderLedger);
            if let Some(before) = self.words.get(&Which::Ledger)
                && let Ok(finding) = Finding::rollback(CAST.node(), before.clone(), word)
            {
                self.findings.push(finding);
            }
        } else if let Some(own) = self.checkpoint.clone().filter(|_| said.size == self.ledger().size) {
            let finding = Finding::equivocation(CAST.node(), SignedHead::Checkpoint(own), SignedHead::TreeHead(word));
            self.finds(finding, Alarm::BadLedger);
        }
    }
}
