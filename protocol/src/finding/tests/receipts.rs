//! Kinds 4, 5, 9 and 11.

use karute_consent::id::{NodeId, RequestId};
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_consent::statement::sign;

use super::super::*;
use karute_consent::statement::{Unverified, Verified};

use super::cast::*;
use crate::trail::{AuditAnswer, Event, EventKind, Outcome, ReceiptError, TrailNumber};
use crate::wire::Octets;

#[test]
fn two_leaves_at_one_index_convict() {
    let (trail, fork) = forked();
    let finding = Finding::rewritten_entry(node(), trail.receipt(4), fork.receipt(4)).unwrap();
    assert!(matches!(finding.verify().unwrap().facts, Facts::TwoLeavesAtIndex { .. }));
    let refused = |a, b| Finding::rewritten_entry(node(), a, b).unwrap_err();
    // The same event under a later checkpoint, and events before the fork.
    assert_eq!(refused(trail.receipt(4), trail.receipt_at(4, 6)), NotAFinding::SameLeaf);
    assert_eq!(refused(trail.receipt(3), fork.receipt(3)), NotAFinding::SameLeaf);
    assert_eq!(refused(trail.receipt(3), fork.receipt(4)), NotAFinding::OtherPlace);
}

#[test]
fn two_leaves_of_one_number_convict() {
    let mut trail = Diary::of_reads(2);
    let doubled = trail.write_as(VAULT, 2, 30, deposit(1));
    let elsewhere = trail.write_as(OTHER_VAULT, 2, 40, plain(EventKind::Ask, &clinic()));
    let finding = Finding::rewritten_entry(node(), trail.receipt(1), trail.receipt(doubled)).unwrap();
    assert!(matches!(finding.verify().unwrap().facts, Facts::TwoLeavesOfNumber { number: TrailNumber(2), .. }));
    let refused = Finding::rewritten_entry(node(), trail.receipt(1), trail.receipt(elsewhere));
    assert_eq!(refused, Err(NotAFinding::OtherPlace));
}

#[test]
fn an_event_above_the_count_is_missing() {
    let (long, short) = (Diary::of_reads(8), Diary::of_reads(5));
    // Event 6 (number 6) is of second 50.
    assert!(Finding::missing_entry(node(), long.receipt(5), &short.audit_answer(111)).is_ok());
    let refused = |index, answer: &Verified<AuditAnswer>| {
        Finding::missing_entry(node(), long.receipt(index), answer).unwrap_err()
    };
    assert_eq!(refused(5, &short.audit_answer(110)), NotAFinding::NotLater);
    assert_eq!(refused(4, &short.audit_answer(500)), NotAFinding::Counted);
    assert_eq!(refused(7, &long.audit_answer(500)), NotAFinding::Counted);
    let elsewhere = AuditAnswer { vault: OTHER_VAULT, ..short.audit_answer(500).into_payload() };
    assert_eq!(refused(5, &sign(elsewhere, &host()).unwrap()), NotAFinding::OtherVault);
    let foreign = sign(short.audit_answer(500).into_payload(), &device()).unwrap();
    assert!(matches!(refused(5, &foreign), NotAFinding::Answer(_)));
}

#[test]
fn an_audit_of_the_same_second_may_lag() {
    let mut trail = Diary::of_reads(3);
    let before = trail.audit_answer(20);
    let next = trail.write(VAULT, 20, read(20));
    assert_eq!(Finding::missing_entry(node(), trail.receipt(next), &before), Err(NotAFinding::NotLater));
}

#[test]
fn a_later_leaf_that_is_older_convicts() {
    let mut trail = Diary::of_reads(3);
    let back = trail.write(VAULT, 19, read(19));
    let elsewhere = trail.write(OTHER_VAULT, 5, plain(EventKind::Ask, &clinic()));
    for index in [back, elsewhere] {
        assert!(Finding::time_runs_back(node(), trail.receipt(2), trail.receipt(index)).is_ok());
    }
    let refused = |a, b| Finding::time_runs_back(node(), trail.receipt(a), trail.receipt(b)).unwrap_err();
    assert_eq!(refused(back, 2), NotAFinding::OtherPlace);
    assert_eq!(refused(2, 2), NotAFinding::OtherPlace);
    assert_eq!(refused(1, back), NotAFinding::InOrder);
    let mut even = Diary::of_reads(3);
    let same = even.write(VAULT, 20, read(21));
    let refused = Finding::time_runs_back(node(), even.receipt(2), even.receipt(same));
    assert_eq!(refused, Err(NotAFinding::InOrder));
}

/// P-39
#[test]
fn an_event_without_its_request_is_forged() {
    let forged = |change: &dyn Fn(&mut Event)| {
        let mut trail = Diary::of_reads(1);
        let mut event = read(20);
        change(&mut event);
        let index = trail.write(VAULT, 20, event);
        let finding = Finding::forged_entry(node(), trail.receipt(index)).unwrap();
        let Facts::Unasked { why, .. } = finding.verify().unwrap().facts else { panic!() };
        why
    };
    let asked = || request(&clinic(), Action::Read, vec![grant().id()], 20);
    let by_another = sign(asked(), &device()).unwrap().to_unverified();
    assert_eq!(forged(&|event| event.request_statement = None), ReceiptError::NoRequest);
    assert!(matches!(forged(&|e| e.request_statement = Some(by_another.clone())), ReceiptError::Request(_)));
    let torn = Unverified::from_bytes(vec![0x84]);
    assert!(matches!(forged(&|e| e.request_statement = Some(torn.clone())), ReceiptError::Request(_)));
    assert_eq!(forged(&|e| e.request = Some(RequestId::from_bytes([9; 16]))), ReceiptError::OtherRequest);
    assert_eq!(forged(&|e| e.chain.clear()), ReceiptError::OtherRequest);
    assert_eq!(forged(&|e| e.action = Some(Action::Export)), ReceiptError::OtherRequest);
    assert_eq!(forged(&|e| e.purpose = None), ReceiptError::OtherRequest);
    assert_eq!(forged(&|e| e.peer = Some(Octets(vec![1; 38]))), ReceiptError::OtherRequest);
    for kind in [EventKind::List, EventKind::Audit, EventKind::GrantSync] {
        let unasked = forged(&|e| *e = Event { kind, request_statement: None, ..e.clone() });
        assert_eq!(unasked, ReceiptError::NoRequest, "{kind}");
    }
    let refusal = |e: &mut Event| {
        *e = Event { kind: EventKind::Refusal, outcome: Outcome(12), request_statement: None, ..e.clone() }
    };
    assert_eq!(forged(&refusal), ReceiptError::NoRequest);
}

#[test]
fn an_event_with_its_request_or_that_needs_none_is_not_forged() {
    let mut trail = Diary::of_reads(1);
    trail.write(VAULT, 20, deposit(1));
    trail.write(VAULT, 20, appended(header(1)));
    trail.write(VAULT, 20, Event { kind: EventKind::Refusal, outcome: Outcome(12), ..read(20) });
    trail.write(VAULT, 20, Event { outcome: Outcome(12), ..plain(EventKind::Refusal, &clinic()) });
    trail.write(VAULT, 20, Event { peer: None, ..read(20) });
    for index in 0..trail.size() {
        assert_eq!(Finding::forged_entry(node(), trail.receipt(index)), Err(NotAFinding::Asked), "{index}");
    }
    // A request that was meant for another node is refused, and the refusal shows it.
    let elsewhere = NodeId::from_bytes([8; 32]);
    let asked = Request { node: elsewhere, ..request(&clinic(), Action::Read, vec![grant().id()], 20) };
    let refused = Event { outcome: Outcome(2), ..answering(EventKind::Refusal, asked.clone(), &clinic()) };
    let refused = trail.write(VAULT, 20, refused);
    assert_eq!(Finding::forged_entry(node(), trail.receipt(refused)), Err(NotAFinding::Asked));
    let served = trail.write(VAULT, 20, answering(EventKind::Read, asked, &clinic()));
    assert!(Finding::forged_entry(node(), trail.receipt(served)).is_ok());
    let elsewhere = trail.write(OTHER_VAULT, 30, read(30));
    assert!(Finding::forged_entry(node(), trail.receipt(elsewhere)).is_ok());
}
