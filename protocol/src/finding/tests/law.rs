//! The law: whatever an honest host signed, no two, three or four pieces of it make a finding.

use karute_consent::ledger::{EntryKind, Item};
use karute_consent::scope::Action;
use proptest::prelude::*;

use super::super::*;
use super::cast::*;
use crate::merkle::{Place, TreeHash, TreeHead, prove_consistency, root_of};
use crate::trail::{AuditAnswer, CheckpointText, Event, EventKind, ListAnswer, Log, Outcome};
use crate::trail::{Receipt, SignedTreeHead};
use karute_consent::id::StatementId;
use karute_consent::request::Request;
use karute_consent::statement::{Unverified, Verified};

/// What happens next. The number is the seconds that pass before.
#[derive(Clone, Debug)]
enum Step {
    Deposit(u64),
    Read(u64),
    List(u64),
    Refuse(u64),
    Revoke(u64),
    OtherVault(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..6u8, prop_oneof![Just(0), 1..40u64, 61..200u64]).prop_map(|(kind, wait)| match kind {
        0 => Step::Deposit(wait),
        1 => Step::Read(wait),
        2 => Step::List(wait),
        3 => Step::Refuse(wait),
        4 => Step::Revoke(wait),
        _ => Step::OtherVault(wait),
    });
    prop::collection::vec(step, 1..11)
}

type List = (Unverified<Request>, Verified<ListAnswer>, Vec<StatementId>);

/// An honest host, and everything that it ever signed or that its events rest on.
struct Honest {
    trail: Diary,
    ledger: Vec<TreeHash>,
    now: u64,
    stored: Vec<StatementId>,
    revoked: bool,
    receipts: Vec<Receipt>,
    heads: Vec<(Log, TreeHead, CheckpointText)>,
    tree_heads: Vec<Unverified<SignedTreeHead>>,
    audits: Vec<Verified<AuditAnswer>>,
    lists: Vec<List>,
    revocations: Vec<Item>,
}

impl Honest {
    fn live(steps: &[Step]) -> Self {
        let (trail, ledger) = (Diary::new(), vec![TreeHash([1; 32])]);
        let mut host = Self {
            trail,
            ledger,
            now: 0,
            stored: Vec::new(),
            revoked: false,
            receipts: Vec::new(),
            heads: Vec::new(),
            tree_heads: Vec::new(),
            audits: Vec::new(),
            lists: Vec::new(),
            revocations: Vec::new(),
        };
        for (number, step) in steps.iter().enumerate() {
            host.step(step, number as u8 + 1);
            host.speak();
        }
        for index in 0..host.trail.size() {
            host.receipts.push(host.trail.receipt(index));
        }
        host
    }

    fn step(&mut self, step: &Step, number: u8) {
        let (Step::Deposit(wait)
        | Step::Read(wait)
        | Step::List(wait)
        | Step::Refuse(wait)
        | Step::Revoke(wait)
        | Step::OtherVault(wait)) = step;
        self.now += wait;
        let permitted = !self.revoked && self.now < 1000;
        let asked = |kind, action| answering(kind, request(&clinic(), action, vec![grant().id()], self.now), &clinic());
        let refusal = Event { outcome: Outcome(12), ..asked(EventKind::Refusal, Action::Read) };
        let (vault, event) = match step {
            Step::Deposit(_) if permitted => {
                self.stored.push(header(number));
                (VAULT, deposit(number))
            }
            Step::Read(_) if permitted => (VAULT, asked(EventKind::Read, Action::Read)),
            Step::List(_) => (VAULT, self.list()),
            Step::Revoke(_) => (VAULT, self.revoke()),
            Step::OtherVault(_) => (OTHER_VAULT, plain(EventKind::Ask, &clinic())),
            Step::Deposit(_) | Step::Read(_) | Step::Refuse(_) => (VAULT, refusal),
        };
        let index = self.trail.write(vault, self.now, event);
        self.receipts.push(self.trail.receipt(index));
    }

    /// The device lists everything; its answer is signed when the event is committed.
    fn list(&mut self) -> Event {
        let list = whole_list(self.now, self.stored.clone());
        self.lists.push(list);
        answering(EventKind::List, request(&device(), Action::List, Vec::new(), self.now), &device())
    }

    fn revoke(&mut self) -> Event {
        let (entry, item) = item(VAULT, EntryKind::Revocation, &revocation_of(grant().id()));
        self.ledger.push(TreeHash::leaf(entry.as_bytes()));
        self.revocations.push(item);
        self.revoked = true;
        appended(entry)
    }

    /// Signs all that it may be asked to sign now.
    fn speak(&mut self) {
        let ledger = TreeHead { size: self.ledger.len() as u64, root: root_of(&self.ledger) };
        let trail = self.trail.head_at(self.trail.size());
        for (log, head) in [(Log::Trail, trail), (Log::Ledger(VAULT), ledger)] {
            self.heads.push((log, head, CheckpointText::sign(log, head, &host())));
            self.tree_heads.push(tree_head_of(log, head, self.now));
        }
        if self.trail.count(VAULT) > 0 {
            self.audits.push(self.trail.audit_answer(self.now));
        }
    }

    /// The proof that an honest host answers with.
    fn proof(&self, (log, a): (Log, &TreeHead), (of, b): (Log, &TreeHead)) -> Vec<TreeHash> {
        match log {
            _ if log != of => Vec::new(),
            Log::Trail if a.size <= b.size => self.trail.consistency(a.size as usize, b.size as usize),
            Log::Ledger(_) if a.size <= b.size => {
                let stored = |place: Place| {
                    let (start, len) = ((place.index as usize) << place.level, 1 << place.level);
                    self.ledger.get(start..start + len).map(root_of)
                };
                prove_consistency(a.size, b.size, stored).unwrap()
            }
            _ => Vec::new(),
        }
    }

    fn findings_of_heads(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (log, a, signed_a) in &self.heads {
            for (of, b, signed_b) in &self.heads {
                let (one, two) = (checkpoint(signed_a.clone()), checkpoint(signed_b.clone()));
                found.extend(Finding::equivocation(node(), one.clone(), two.clone()));
                found.extend(Finding::inconsistency(node(), one, two, self.proof((*log, a), (*of, b))));
            }
        }
        for a in &self.tree_heads {
            for b in &self.tree_heads {
                found.extend(Finding::rollback(node(), a.clone(), b.clone()));
                let (one, two) = (SignedHead::TreeHead(a.clone()), SignedHead::TreeHead(b.clone()));
                found.extend(Finding::equivocation(node(), one, two));
            }
        }
        found
    }

    fn findings_of_receipts(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let grants = || vec![item(VAULT, EntryKind::Grant, &grant()).1];
        for a in &self.receipts {
            found.extend(Finding::forged_entry(node(), a.clone()));
            found.extend(Finding::beyond_grant(node(), a.clone(), grants()));
            for b in &self.receipts {
                found.extend(Finding::rewritten_entry(node(), a.clone(), b.clone()));
                found.extend(Finding::time_runs_back(node(), a.clone(), b.clone()));
                for revocation in self.revocations.iter().take(1) {
                    let (a, b) = (a.clone(), b.clone());
                    found.extend(Finding::served_after_revocation(node(), a, b, revocation.clone()));
                }
            }
            for head in &self.tree_heads {
                found.extend(Finding::rollback_of_event(node(), a.clone(), head.clone()));
            }
            for audit in &self.audits {
                found.extend(Finding::missing_entry(node(), a.clone(), audit));
            }
            for (asked, answer, ids) in &self.lists {
                found.extend(Finding::dropped_deposit(node(), a.clone(), asked.clone(), answer, ids.clone()));
            }
        }
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn an_honest_host_is_never_convicted(steps in steps()) {
        let host = Honest::live(&steps);
        prop_assert_eq!(host.findings_of_heads(), vec![]);
        prop_assert_eq!(host.findings_of_receipts(), vec![]);
    }
}
