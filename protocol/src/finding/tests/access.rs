//! Kinds 7 and 8.

use std::collections::BTreeSet;

use karute_consent::grant::GrantCore;
use karute_consent::id::StatementId;
use karute_consent::ledger::{EntryKind, Item};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::time::Validity;

use super::super::*;
use super::cast::*;
use crate::trail::Receipt;
use crate::trail::{Event, EventKind, Outcome};
use karute_consent::statement::Verified;

/// A trail with a revocation of this grant at second 100 and this event at second 200; both receipts and the item.
fn revoked_and(grant: StatementId, change: impl FnOnce(&mut Event)) -> (Receipt, Receipt, Item) {
    let mut trail = Diary::of_reads(2);
    let (entry, item) = item(VAULT, EntryKind::Revocation, &revocation_of(grant));
    let revoked = trail.write(VAULT, 100, appended(entry));
    let mut event = read(200);
    change(&mut event);
    let served = trail.write(VAULT, 200, event);
    (trail.receipt(revoked), trail.receipt(served), item)
}

#[test]
fn a_deed_under_a_revoked_grant_convicts() {
    for kind in [EventKind::Deposit, EventKind::List, EventKind::Read, EventKind::Audit] {
        let (a, b, item) = revoked_and(grant().id(), |event| event.kind = kind);
        let finding = Finding::served_after_revocation(node(), a, b, item).unwrap();
        let Facts::ServedRevoked { served, party, .. } = finding.verify().unwrap().facts else { panic!() };
        assert_eq!((served, party), (kind, clinic().key()));
    }
    // A grant above the one that was used.
    let (a, b, item) = revoked_and(grant().id(), |event| event.chain = vec![grant().id(), header(6)]);
    assert!(Finding::served_after_revocation(node(), a, b, item).is_ok());
}

#[test]
fn what_is_no_service_or_under_another_grant_does_not() {
    let refused = |of, change: &dyn Fn(&mut Event)| {
        let (a, b, item) = revoked_and(of, change);
        Finding::served_after_revocation(node(), a, b, item).unwrap_err()
    };
    assert_eq!(refused(header(6), &|_| ()), NotAFinding::OtherGrant);
    assert_eq!(refused(grant().id(), &|e| e.chain.clear()), NotAFinding::OtherGrant);
    assert_eq!(refused(grant().id(), &|e| e.outcome = Outcome(12)), NotAFinding::NotServed);
    for kind in [EventKind::Refusal, EventKind::GrantSync, EventKind::Withdrawal, EventKind::LedgerAppend] {
        assert_eq!(refused(grant().id(), &|e| e.kind = kind), NotAFinding::NotServed, "{kind}");
    }
}

#[test]
fn a_deed_before_the_revocation_does_not_convict() {
    let mut trail = Diary::new();
    let before = trail.write(VAULT, 100, read(100));
    let (entry, item) = item(VAULT, EntryKind::Revocation, &revocation_of(grant().id()));
    let revoked = trail.write(VAULT, 100, appended(entry));
    let try_with = |a, b| Finding::served_after_revocation(node(), a, b, item.clone()).unwrap_err();
    assert_eq!(try_with(trail.receipt(revoked), trail.receipt(before)), NotAFinding::ServedBefore);
    assert_eq!(try_with(trail.receipt(revoked), trail.receipt(revoked)), NotAFinding::NotServed);
    assert_eq!(try_with(trail.receipt(before), trail.receipt(before)), NotAFinding::NotRevoked);
}

#[test]
fn a_revocation_counts_by_the_receipt_of_its_entry_in_its_vault() {
    let (a, b, right) = revoked_and(grant().id(), |_| ());
    let refused = |a: Receipt, items: Vec<Item>| {
        let mut evidence = Evidence::of_receipts(FindingKind::ServedAfterRevocation, node(), a, b.clone());
        evidence.items = Some(items);
        Finding { evidence }.verify().unwrap_err()
    };
    let (_, grant_item) = item(VAULT, EntryKind::Grant, &grant());
    assert_eq!(refused(a.clone(), vec![grant_item]), NotAFinding::OtherItems);
    assert_eq!(refused(a.clone(), vec![]), NotAFinding::OtherItems);
    assert_eq!(refused(a.clone(), vec![right.clone(), right.clone()]), NotAFinding::OtherItems);
    assert_eq!(refused(a.clone(), vec![right.bare()]), NotAFinding::Fields);
    let with_attachments = Item { attachments: Some(vec![]), ..right.clone() };
    assert_eq!(refused(a.clone(), vec![with_attachments]), NotAFinding::Fields);
    let (_, elsewhere) = item(OTHER_VAULT, EntryKind::Revocation, &revocation_of(grant().id()));
    assert_eq!(refused(a.clone(), vec![elsewhere]), NotAFinding::OtherVault);
    // Another entry about the same revocation, which the trail does not have.
    let (_, mut twin) = item(VAULT, EntryKind::Revocation, &revocation_of(header(6)));
    twin.body = right.body.clone();
    assert!(matches!(refused(a.clone(), vec![twin]), NotAFinding::Item(_)));
    let (_, other) = item(VAULT, EntryKind::Revocation, &revocation_of(header(6)));
    assert_eq!(refused(a, vec![other]), NotAFinding::NotRevoked);
    let mut failed = Diary::new();
    let (entry, _) = item(VAULT, EntryKind::Revocation, &revocation_of(grant().id()));
    let index = failed.write(VAULT, 100, Event { outcome: Outcome(5), ..appended(entry) });
    assert_eq!(refused(failed.receipt(index), vec![right.clone()]), NotAFinding::NotRevoked);
    let mut foreign = Diary::new();
    let index = foreign.write(OTHER_VAULT, 100, appended(entry));
    assert_eq!(refused(foreign.receipt(index), vec![right]), NotAFinding::OtherVault);
}

/// What a chain of grants says to the clinic's reading at this second.
fn judged(
    secs: u64,
    grants: &[Verified<karute_consent::grant::Grant>],
    change: impl FnOnce(&mut Event),
) -> Result<Overstep, NotAFinding> {
    let mut trail = Diary::of_reads(1);
    let mut event = Event { chain: grants.iter().map(Verified::id).collect(), ..read(secs) };
    change(&mut event);
    let index = trail.write(VAULT, secs, event);
    let items = grants.iter().map(|grant| item(VAULT, EntryKind::Grant, grant).1).collect();
    let finding = Finding::beyond_grant(node(), trail.receipt(index), items)?;
    let Facts::Overstepped { overstep, .. } = finding.verify()?.facts else { panic!() };
    Ok(overstep)
}

#[test]
fn a_deed_beyond_its_grant_convicts() {
    let one = |secs, change: &dyn Fn(&mut Event)| judged(secs, &[grant()], change);
    assert_eq!(one(500, &|e| e.party = device().key()), Ok(Overstep::Holder));
    assert_eq!(one(1060, &|_| ()), Ok(Overstep::Expired));
    assert_eq!(one(500, &|e| e.action = Some(Action::Export)), Ok(Overstep::Action));
    assert_eq!(one(500, &|e| e.purpose = Some(Purpose::Research)), Ok(Overstep::Purpose));
    assert_eq!(one(500, &|e| *e = Event { kind: EventKind::Audit, action: None, ..e.clone() }), Ok(Overstep::Action));
    let validity = Validity::new(at(300), at(1000)).unwrap();
    let later = signed_grant(GrantCore { validity, ..grant_core() }, &device());
    assert_eq!(judged(239, &[later], |_| ()), Ok(Overstep::NotYetValid));
}

#[test]
fn a_deed_within_its_grant_or_as_good_as_does_not() {
    let one = |secs, change: &dyn Fn(&mut Event)| judged(secs, &[grant()], change);
    for secs in [0, 500, 999, 1000, 1059] {
        assert_eq!(one(secs, &|_| ()), Err(NotAFinding::Permitted), "{secs}");
    }
    let deposit_of = |e: &mut Event| *e = Event { chain: e.chain.clone(), ..deposit(3) };
    assert_eq!(one(500, &deposit_of), Err(NotAFinding::Permitted));
    let validity = Validity::new(at(300), at(1000)).unwrap();
    let later = signed_grant(GrantCore { validity, ..grant_core() }, &device());
    assert_eq!(judged(240, &[later], |_| ()), Err(NotAFinding::Permitted));
    assert_eq!(one(5000, &|e| e.outcome = Outcome(14)), Err(NotAFinding::NotServed));
    assert_eq!(one(5000, &|e| e.kind = EventKind::GrantSync), Err(NotAFinding::NotServed));
}

#[test]
fn grants_that_are_not_those_of_the_chain_say_nothing() {
    let one = |change: &dyn Fn(&mut Event)| judged(5000, &[grant()], change);
    assert_eq!(one(&|e| e.chain.clear()), Err(NotAFinding::OtherItems));
    assert_eq!(one(&|e| e.chain = vec![header(1)]), Err(NotAFinding::OtherItems));
    assert_eq!(one(&|e| e.chain.push(header(1))), Err(NotAFinding::OtherItems));
    assert_eq!(judged(5000, &[], |_| ()), Err(NotAFinding::OtherGrant));
    let foreign = signed_grant(GrantCore { vault: OTHER_VAULT, ..grant_core() }, &device());
    assert_eq!(judged(5000, &[foreign], |_| ()), Err(NotAFinding::OtherVault));
    let mut trail = Diary::new();
    let index = trail.write(VAULT, 5000, read(5000));
    let (_, revocation) = item(VAULT, EntryKind::Revocation, &revocation_of(header(1)));
    let refused = Finding::beyond_grant(node(), trail.receipt(index), vec![revocation]);
    assert_eq!(refused, Err(NotAFinding::OtherItems));
    let (_, bare) = item(VAULT, EntryKind::Grant, &grant());
    let refused = Finding::beyond_grant(node(), trail.receipt(index), vec![bare.bare()]);
    assert_eq!(refused, Err(NotAFinding::Fields));
}

/// The clinic handed its grant on to a second clinic, which reads.
fn handed_on(change: impl FnOnce(&mut GrantCore), by: &Identity) -> Result<Overstep, NotAFinding> {
    let second = Identity::from_seed(&[14; 32]);
    let mut core = GrantCore { holder: second.key(), depth: 0, parent: Some(grant().id()), ..grant_core() };
    change(&mut core);
    let child = signed_grant(core, by);
    judged(500, &[grant(), child], |event| event.party = second.key())
}

#[test]
fn a_child_beyond_its_parent_or_of_another_one_convicts() {
    assert_eq!(handed_on(|_| (), &clinic()), Err(NotAFinding::Permitted));
    assert_eq!(handed_on(|core| core.depth = 1, &clinic()), Ok(Overstep::Chain));
    let more = BTreeSet::from([Action::Read, Action::Export]);
    assert_eq!(handed_on(|core| core.scope.actions = more, &clinic()), Ok(Overstep::Chain));
    let longer = Validity::new(at(0), at(1001)).unwrap();
    assert_eq!(handed_on(|core| core.validity = longer, &clinic()), Ok(Overstep::Chain));
    assert_eq!(handed_on(|core| core.parent = Some(header(1)), &clinic()), Ok(Overstep::Chain));
    assert_eq!(handed_on(|core| core.parent = None, &clinic()), Ok(Overstep::Chain));
    assert_eq!(handed_on(|_| (), &device()), Ok(Overstep::Chain));
    // A child alone is no chain.
    let child = signed_grant(GrantCore { parent: Some(grant().id()), ..grant_core() }, &clinic());
    assert_eq!(judged(500, &[child], |_| ()), Ok(Overstep::Chain));
}
