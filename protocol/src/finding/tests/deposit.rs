//! Kind 6.

use std::collections::BTreeSet;

use karute_consent::id::{CollectionId, RecordId, StatementId};
use karute_consent::party::Identity;
use karute_consent::request::{Request, Selector};
use karute_consent::revocation::{Erasure, ErasureReason, Withdrawal, WithdrawalReason};
use karute_consent::scope::Action;
use karute_consent::statement::sign;

use super::super::*;
use super::cast::*;
use crate::trail::Receipt;
use crate::trail::{Event, ListAnswer, Outcome};
use karute_consent::statement::{Unverified, Verified};

/// The clinic's deposit of record 3 at second 20, as the third event.
fn deposited(change: impl FnOnce(&mut Event)) -> Receipt {
    let mut trail = Diary::of_reads(2);
    let mut event = deposit(3);
    change(&mut event);
    let index = trail.write(VAULT, 20, event);
    trail.receipt(index)
}

fn dropped() -> Finding {
    let (asked, answer, ids) = whole_list(81, vec![header(1), StatementId::NONE, header(2)]);
    Finding::dropped_deposit(node(), deposited(|_| ()), asked, &answer, ids).unwrap()
}

#[test]
fn a_stored_record_that_a_whole_list_lacks_was_dropped() {
    let Facts::NotListed { header: named, listed, .. } = dropped().verify().unwrap().facts else { panic!() };
    assert_eq!((named, listed), (header(3), 3));
    let (asked, answer, ids) = whole_list(81, Vec::new());
    assert!(Finding::dropped_deposit(node(), deposited(|_| ()), asked, &answer, ids).is_ok());
}

#[test]
fn a_record_in_the_list_or_deposited_too_late_was_not() {
    let refused = |secs, ids| {
        let (asked, answer, ids) = whole_list(secs, ids);
        Finding::dropped_deposit(node(), deposited(|_| ()), asked, &answer, ids).unwrap_err()
    };
    assert_eq!(refused(81, vec![header(1), header(3)]), NotAFinding::Listed);
    assert_eq!(refused(80, vec![header(1)]), NotAFinding::NotLater);
    assert_eq!(refused(10, vec![header(1)]), NotAFinding::NotLater);
}

#[test]
fn an_event_that_stored_nothing_drops_nothing() {
    let refused = |change: &dyn Fn(&mut Event)| {
        let (asked, answer, ids) = whole_list(81, vec![header(1)]);
        Finding::dropped_deposit(node(), deposited(change), asked, &answer, ids).unwrap_err()
    };
    assert_eq!(refused(&|e| *e = read(20)), NotAFinding::NotADeposit);
    assert_eq!(refused(&|e| e.outcome = Outcome(12)), NotAFinding::NotADeposit);
    assert_eq!(refused(&|e| e.place = None), NotAFinding::NotADeposit);
    assert_eq!(refused(&|e| e.subject = None), NotAFinding::NotADeposit);
    assert_eq!(refused(&|e| e.subject = Some(StatementId::NONE)), NotAFinding::NotADeposit);
    // The permit to deposit, before anything was stored.
    let opened = |e: &mut Event| *e = Event { records: vec![], count: 0, subject: None, place: None, ..e.clone() };
    assert_eq!(refused(&opened), NotAFinding::NotADeposit);
}

#[test]
fn a_list_under_a_grant_or_of_a_part_says_nothing() {
    let refused = |change: &dyn Fn(&mut Request)| {
        let mut asked = request(&device(), Action::List, Vec::new(), 81);
        change(&mut asked);
        let asked = sign(asked, &device()).unwrap();
        let answer = list_answer(81, asked.id(), &[]);
        let found = Finding::dropped_deposit(node(), deposited(|_| ()), asked.to_unverified(), &answer, vec![]);
        found.unwrap_err()
    };
    assert_eq!(refused(&|r| r.chain = vec![grant().id()]), NotAFinding::NotWhole);
    assert_eq!(refused(&|r| r.action = Action::Read), NotAFinding::NotWhole);
    let records = Some(BTreeSet::from([RecordId::from_bytes([1; 16])]));
    assert_eq!(
        refused(&|r| r.selector = Selector { records: records.clone(), ..Selector::default() }),
        NotAFinding::NotWhole
    );
    let collections = Some(BTreeSet::from([CollectionId::from_bytes([1; 16])]));
    let part = Selector { collections, ..Selector::default() };
    assert_eq!(refused(&|r| r.selector = part.clone()), NotAFinding::NotWhole);
    assert_eq!(refused(&|r| r.vault = OTHER_VAULT), NotAFinding::OtherVault);
}

/// A request id is drawn by who asks: the answer names the whole statement, so that nobody puts another one in its place.
#[test]
fn a_wider_request_with_the_same_request_id_does_not_take_the_place_of_a_narrow_one() {
    let narrow = request(&clinic(), Action::List, vec![grant().id()], 81);
    let wide = Request { chain: Vec::new(), ..narrow.clone() };
    let answer = list_answer(81, sign(narrow, &clinic()).unwrap().id(), &[]);
    let wide = sign(wide, &clinic()).unwrap().to_unverified();
    let refused = Finding::dropped_deposit(node(), deposited(|_| ()), wide, &answer, vec![]);
    assert_eq!(refused, Err(NotAFinding::OtherRequest));
}

#[test]
fn answers_to_others_of_others_and_other_ids_are_refused() {
    let (asked, answer, _) = whole_list(81, vec![header(1)]);
    let try_with = |answer: &Verified<ListAnswer>, ids| {
        Finding::dropped_deposit(node(), deposited(|_| ()), asked.clone(), answer, ids).unwrap_err()
    };
    assert_eq!(try_with(&answer, vec![header(2)]), NotAFinding::OtherIds);
    assert_eq!(try_with(&answer, vec![header(1), header(2)]), NotAFinding::OtherIds);
    assert_eq!(try_with(&answer, vec![]), NotAFinding::OtherIds);
    let elsewhere = ListAnswer { vault: OTHER_VAULT, ..answer.payload().clone() };
    assert_eq!(try_with(&sign(elsewhere, &host()).unwrap(), vec![header(1)]), NotAFinding::OtherVault);
    let foreign = sign(answer.payload().clone(), &device()).unwrap();
    assert!(matches!(try_with(&foreign, vec![header(1)]), NotAFinding::Answer(_)));
    let torn = Unverified::from_bytes(vec![0x84]);
    let refused = Finding::dropped_deposit(node(), deposited(|_| ()), torn, &answer, vec![header(1)]);
    assert!(matches!(refused, Err(NotAFinding::Request(_))));
}

#[test]
fn an_erasure_or_withdrawal_of_the_record_refutes() {
    let erasure = |vault, record: u8| {
        let records = BTreeSet::from([RecordId::from_bytes([record; 16])]);
        sign(Erasure { vault, records, reason: ErasureReason::Wish, issued: at(30), events: None }, &device()).unwrap()
    };
    assert!(dropped().is_refuted_by_erasure(&erasure(VAULT, 3)));
    assert!(!dropped().is_refuted_by_erasure(&erasure(VAULT, 4)));
    assert!(!dropped().is_refuted_by_erasure(&erasure(OTHER_VAULT, 3)));
    let withdrawal = |record: u8, by: Identity| {
        let records = BTreeSet::from([RecordId::from_bytes([record; 16])]);
        sign(Withdrawal { vault: VAULT, records, reason: WithdrawalReason::Misfiled, issued: at(30) }, &by).unwrap()
    };
    assert!(dropped().is_refuted_by_withdrawal(&withdrawal(3, clinic())));
    assert!(!dropped().is_refuted_by_withdrawal(&withdrawal(4, clinic())));
    assert!(!dropped().is_refuted_by_withdrawal(&withdrawal(3, device())));
    let other = every_kind().remove(0);
    assert!(!other.is_refuted_by_erasure(&erasure(VAULT, 3)));
}
