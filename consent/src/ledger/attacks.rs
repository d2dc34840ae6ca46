//! What somebody who means harm tries with a ledger; each test is named like the attack.

use std::collections::BTreeSet;

use super::item::Subject;
use super::*;
use crate::directory::{CollectionLeaf, DirectoryError};
use crate::grant::GrantCore;
use crate::id::{AuthorityNumber, Generation, PartyKey, RootNumber, Seq, StatementId};
use crate::limits::{GRANTS_BELOW_MAX, LEDGER_ENTRIES_MAX, LEDGER_ENTRIES_OF_AUTHORITIES, LEDGER_ENTRIES_OF_ENDINGS};
use crate::scope::Action;
use crate::statement::sign;
use crate::testing::book::{Book, SEALED, nonce};
use crate::testing::{collection, identity, leaf, sealing_key};
use crate::time::Timestamp;
use crate::vault::{Authority, Device, SuccessionError, commit_to_next};

/// The authority after the one in force, signed by the identity key (1) or the next one (2).
fn succeed(book: &mut Book, signer: u8, change: impl Fn(&mut Authority)) -> Result<(), LedgerError> {
    let mut next = book.state.authority().expect("in force").payload().clone();
    next.number = AuthorityNumber(next.number.0 + 1);
    change(&mut next);
    let authority = sign(next, &identity(signer)).expect("well-formed");
    book.append(EntryKind::Authority, &authority, &[SEALED], signer)
}

fn fresh_root(authority: &mut Authority) {
    authority.root_number = RootNumber(authority.root_number.0 + 1);
    (authority.inbox, authority.audit) = (sealing_key(21), sealing_key(22));
}

/// Device 3 is removed, device 8 is the one that stays.
fn replace_the_device(book: &mut Book) {
    let replaced = succeed(book, 1, |authority| {
        let sealing_key = sealing_key(14);
        authority.devices = vec![Device { key: identity(8).key(), sealing_key, added: Timestamp::from_secs(2_000) }];
        fresh_root(authority);
    });
    replaced.expect("device replaced");
}

fn child_of(parent: StatementId, number: u8) -> impl Fn(&mut GrantCore) {
    move |core| {
        core.holder = identity(6).key();
        core.parent = Some(parent);
        core.depth = 0;
        core.nonce = nonce(number);
    }
}

#[test]
fn a_stolen_device_revokes_what_it_granted_after_its_removal() {
    let mut book = Book::new();
    let hospital = book.grant(3, |_| ()).expect("granted");
    replace_the_device(&mut book);
    let refused = Err(LedgerError::Revocation(RevocationError::Signer));
    assert_eq!(book.revoke(3, hospital), refused);
    assert_eq!(
        book.state.clone().refuse(&book.signed_revocation(3, hospital), Timestamp::from_secs(2_500)).err(),
        Some(RevocationError::Signer)
    );
    assert_eq!(book.revoke(8, hospital), Ok(()), "the device that is in force does");
}

#[test]
fn a_stolen_device_reads_on_about_the_grants_it_signed() {
    let mut book = Book::new();
    let hospital = book.grant(3, |core| core.depth = 1).expect("granted");
    replace_the_device(&mut book);
    book.grant(5, child_of(hospital, 2)).expect("delegated");
    book.revoke(8, hospital).expect("revoked");
    let shown = |party: PartyKey| (0..7).filter(|seq| book.state.shows(party, Seq(*seq))).collect::<Vec<_>>();
    assert_eq!(shown(identity(3).key()), [0, 1, 4], "charter and authorities, as a stranger");
    assert_eq!(shown(identity(5).key()), [0, 1, 2, 3, 4, 5, 6], "the holder, who signed the child");
}

#[test]
fn an_old_root_brings_a_collection_back_into_force() {
    let mut book = Book::new();
    replace_the_device(&mut book);
    let rooted =
        |number, generation, root| CollectionLeaf { root_number: RootNumber(root), ..leaf(number, generation) };
    let direct = |book: &mut Book, leaves| book.direct_by(8, 1, leaves);
    let old = direct(&mut book, vec![rooted(1, 2, 0), rooted(2, 2, 1)]);
    assert_eq!(old, Err(LedgerError::Directory(DirectoryError::OldRoot)), "the removed device has root 0");
    let new = direct(&mut book, vec![rooted(1, 2, 1), rooted(2, 2, 1), rooted(3, 1, 0)]);
    assert_eq!(new, Err(LedgerError::Directory(DirectoryError::OldRoot)), "nor may a new collection begin with it");
    assert_eq!(direct(&mut book, vec![rooted(1, 2, 1), rooted(2, 1, 0)]), Ok(()));
    assert_eq!(book.state.generation_in_force(collection(1)), Some(Generation(2)));
    assert_eq!(book.state.generation_in_force(collection(2)), None);
}

#[test]
fn a_first_authority_that_skips_root_0() {
    let book = Book::chartered();
    let by = |signer: u8| {
        let mut first = Book::first_authority(book.state.vault()).into_payload();
        fresh_root(&mut first);
        if signer == 2 {
            first.identity = identity(2).key();
            first.next = commit_to_next(identity(9).key());
            first.recovery = sealing_key(23);
        }
        let mut book = Book { state: book.state.clone(), items: Vec::new() };
        book.append(EntryKind::Authority, &sign(first, &identity(signer)).expect("well-formed"), &[SEALED], 1)
    };
    let refused = Err(LedgerError::Authority(SuccessionError::RootNumber));
    assert_eq!(by(1), refused);
    assert_eq!(by(2), refused, "nor by the next identity key, before there is anything to recover");
}

#[test]
fn a_device_gets_another_sealing_key_under_the_same_root() {
    let mut book = Book::new();
    let swapped = |authority: &mut Authority| authority.devices[0].sealing_key = sealing_key(15);
    let refused = Err(LedgerError::Authority(SuccessionError::RootNumber));
    assert_eq!(succeed(&mut book, 1, swapped), refused);
    let with_root = succeed(&mut book, 1, |authority| {
        swapped(authority);
        fresh_root(authority);
    });
    assert_eq!(with_root, Ok(()));
}

#[test]
fn the_keys_of_every_root_are_known() {
    let mut book = Book::new();
    replace_the_device(&mut book);
    let keys = |number| book.state.root_keys(RootNumber(number)).map(|keys| (keys.inbox.clone(), keys.audit.clone()));
    assert_eq!(keys(0), Some((sealing_key(1), sealing_key(2))));
    assert_eq!(keys(1), Some((sealing_key(21), sealing_key(22))));
    assert_eq!(keys(2), None);
}

#[test]
fn a_revoked_guardian_lets_its_children_go_one_by_one_to_stop_deposits() {
    let mut book = Book::new();
    let guardian = book.grant(3, |core| core.depth = 1).expect("granted");
    let child = book.grant(5, child_of(guardian, 2)).expect("delegated");
    book.revoke(3, guardian).expect("revoked");
    book.direct(1, vec![leaf(1, 2), leaf(2, 1)]).expect("new generation");
    book.revoke(5, child).expect("its issuer may");
    assert_eq!(book.state.generation_in_force(collection(1)), Some(Generation(2)), "nothing is touched twice");
}

#[test]
fn a_holder_who_may_delegate_fills_the_ledger() {
    let mut book = Book::new();
    let parent = book.grant(3, |core| core.depth = 1).expect("granted");
    let other = book.grant(3, |core| (core.depth, core.nonce) = (1, nonce(9))).expect("granted");
    for number in 0..GRANTS_BELOW_MAX {
        let numbered = |core: &mut GrantCore| {
            child_of(parent, 0)(core);
            core.holder = identity(6).key();
            core.uses = Some(number as u32 + 1);
        };
        book.grant(5, numbered).expect("below the limit");
    }
    let one_more = book.grant(5, child_of(parent, 7));
    assert_eq!(one_more, Err(LedgerError::Grant(GrantError::TooMany)));
    assert!(book.grant(5, child_of(other, 8)).is_ok(), "each grant without parent has its own room");
}

#[test]
fn a_full_ledger_keeps_a_grant_from_being_revoked_or_a_device_from_being_removed() {
    let mut book = Book::new();
    let hospital = book.grant(3, |_| ()).expect("granted");
    let fill = |book: &mut Book, left: u64| {
        book.state.subjects.resize((LEDGER_ENTRIES_MAX - left) as usize, Subject::Erasure);
    };
    fill(&mut book, LEDGER_ENTRIES_OF_AUTHORITIES + LEDGER_ENTRIES_OF_ENDINGS);
    assert_eq!(book.grant(3, |core| core.nonce = nonce(2)), Err(LedgerError::Full));
    assert_eq!(book.revoke(3, hospital), Ok(()));
    fill(&mut book, LEDGER_ENTRIES_OF_AUTHORITIES);
    assert_eq!(book.revoke(3, hospital), Err(LedgerError::Full));
    replace_the_device(&mut book);
    fill(&mut book, 0);
    assert_eq!(succeed(&mut book, 1, |_| ()), Err(LedgerError::Full));
}

#[test]
fn a_lying_host_shows_a_body_under_the_entry_of_another_kind() {
    let mut book = Book::new();
    let grant = book.signed_grant(3, |core| core.scope.actions = BTreeSet::from([Action::Read]));
    let as_erasure = book.append(EntryKind::Erasure, &grant, &[SEALED], 3);
    assert!(matches!(as_erasure, Err(LedgerError::Item(ItemError::Body(_)))));
}

#[test]
fn a_guardian_of_one_collection_ends_the_oversight_of_the_whole_vault() {
    let mut book = Book::new();
    let narrow = |core: &mut GrantCore| {
        core.scope.actions = BTreeSet::from([Action::Revoke]);
        core.nonce = nonce(2);
    };
    book.grant(3, narrow).expect("granted");
    let whole = book.grant(3, |core| {
        core.holder = identity(7).key();
        core.scope.actions = BTreeSet::from([Action::Audit, Action::Revoke]);
        core.scope.collections.clear();
    });
    let revocation = book.signed_revocation(5, whole.expect("granted"));
    let refused = book.state.refuse(&revocation, Timestamp::from_secs(2_500));
    assert_eq!(refused, Err(RevocationError::Signer), "no collection is not fewer collections");
}
