//! What may follow in a ledger, what each entry changes, and who is shown it.

use std::collections::BTreeSet;

use super::*;
use crate::directory::DirectoryError;
use crate::grant::{GrantCore, Widening};
use crate::id::{AuthorityNumber, Generation, PartyKey, RootNumber, Salt, Seq, StatementId};
use crate::purpose::Purpose;
use crate::revocation::{Erasure, ErasureReason, RotatedCollection};
use crate::scope::Action;
use crate::statement::sign;
use crate::testing::book::{Book, SEALED, item, nonce, other_digest};
use crate::testing::{charter, collection, identity, leaf, sealing_key};
use crate::time::Timestamp;
use crate::vault::{Authority, Device, SuccessionError};

fn narrow(core: &mut GrantCore, parent: StatementId) {
    core.parent = Some(parent);
    core.holder = identity(6).key();
    core.depth = 0;
}

/// Appends a grant whose entry a test has spoiled.
fn spoiled(signer: u8, spoil: &dyn Fn(&mut Entry)) -> LedgerError {
    let mut book = Book::new();
    let grant = book.signed_grant(3, |_| ());
    let spoiled = item(Some(&book.state), EntryKind::Grant, &grant, &[SEALED], (signer, spoil));
    let before = book.state.size();
    let error = book.push(spoiled).expect_err("must be refused");
    assert_eq!(book.state.size(), before);
    error
}

#[test]
fn an_item_that_does_not_follow_is_refused() {
    assert_eq!(spoiled(3, &|e| e.vault = crate::id::VaultId::from_bytes([9; 32])), LedgerError::OtherVault);
    assert_eq!(spoiled(3, &|e| e.seq = Seq(9)), LedgerError::Seq);
    assert_eq!(spoiled(3, &|e| e.prev = StatementId::NONE), LedgerError::Prev);
    assert_eq!(spoiled(3, &|e| e.kind = EntryKind::Charter), LedgerError::Item(body_of_other_type()));
    assert_eq!(spoiled(3, &|e| e.body_hash = other_digest()), LedgerError::Item(ItemError::BodyHash));
    assert_eq!(spoiled(3, &|e| e.directory = StatementId::NONE), LedgerError::InForce);
    assert_eq!(spoiled(3, &|e| e.authority = StatementId::NONE), LedgerError::InForce);
    assert_eq!(spoiled(3, &|e| e.time = Timestamp::from_secs(1)), LedgerError::Time);
    assert_eq!(spoiled(4, &|_| ()), LedgerError::EntrySigner);
    assert_eq!(spoiled(1, &|_| ()), LedgerError::EntrySigner);
}

fn body_of_other_type() -> ItemError {
    ItemError::Body(crate::statement::StatementError::Signature)
}

#[test]
fn a_ledger_begins_with_its_charter_and_then_an_authority() {
    let charter = sign(charter(), &identity(1)).expect("well-formed");
    let by_other = item(None, EntryKind::Charter, &charter, &[], (3, &|_| ()));
    assert_eq!(LedgerState::begin(&by_other).err(), Some(LedgerError::EntrySigner));
    let later = item(None, EntryKind::Charter, &charter, &[], (1, &|e| e.seq = Seq(1)));
    assert_eq!(LedgerState::begin(&later).err(), Some(LedgerError::Seq));

    let mut book = Book::chartered();
    assert_eq!(book.grant(3, |_| ()), Err(LedgerError::Kind));
    assert_eq!(book.append(EntryKind::Charter, &charter, &[], 1), Err(LedgerError::Kind));
    let authority = Book::first_authority(book.state.vault());
    assert_eq!(book.append(EntryKind::Authority, &authority, &[SEALED], 3), Err(LedgerError::EntrySigner));
    assert_eq!(book.append(EntryKind::Authority, &authority, &[SEALED], 1), Ok(()));
}

#[test]
fn the_whole_ledger_replays_to_the_same_state() {
    let mut book = Book::new();
    let grant = book.grant(3, |_| ()).expect("granted");
    book.revoke(3, grant).expect("revoked");
    let replayed = LedgerState::replay(&book.items, View::Whole).expect("replays");
    assert_eq!(replayed.last(), book.state.last());
    assert!(replayed.is_revoked(grant));
    assert_eq!(replayed.pending().collect::<Vec<_>>(), [collection(1)]);
}

#[test]
fn a_party_that_is_shown_its_part_knows_what_is_in_force() {
    let mut book = Book::new();
    let own = book.grant(3, |core| core.holder = identity(5).key()).expect("granted");
    let other = book.grant(3, |core| core.holder = identity(7).key()).expect("granted");
    book.revoke(3, own).expect("revoked");
    let party = identity(5).key();
    let show = |(seq, item): (usize, &Item)| match book.state.shows(party, Seq(seq as u64)) {
        true => item.clone(),
        false => item.bare(),
    };
    let part: Vec<Item> = book.items.iter().enumerate().map(show).collect();
    let state = LedgerState::replay(&part, View::Part).expect("replays");
    assert!(state.is_revoked(own));
    assert!(state.grant(other).is_none());
    assert_eq!(state.last(), book.state.last());
    assert_eq!(LedgerState::replay(&part, View::Whole).err(), Some(LedgerError::Missing));
}

#[test]
fn attachments_are_those_that_the_body_names() {
    let mut book = Book::new();
    let grant = book.signed_grant(3, |_| ());
    let wrong = book.append(EntryKind::Grant, &grant, &[b"other"], 3);
    assert_eq!(wrong, Err(LedgerError::Item(ItemError::Attachments)));
    let surplus = book.append(EntryKind::Grant, &grant, &[SEALED, SEALED], 3);
    assert_eq!(surplus, Err(LedgerError::Item(ItemError::Attachments)));
    assert_eq!(book.append(EntryKind::Grant, &grant, &[], 3), Err(LedgerError::Missing));
    assert_eq!(book.append(EntryKind::Grant, &grant, &[SEALED], 3), Ok(()));
}

#[test]
fn a_salt_comes_with_its_body() {
    let mut book = Book::new();
    let grant = book.signed_grant(3, |_| ());
    let whole = item(Some(&book.state), EntryKind::Grant, &grant, &[SEALED], (3, &|_| ()));
    let no_salt = Item { salt: None, ..whole.clone() };
    assert_eq!(book.push(no_salt), Err(LedgerError::Item(ItemError::Salt)));
    let other_salt = Item { salt: Some(Salt::from_bytes([1; 32])), ..whole };
    assert_eq!(book.push(other_salt), Err(LedgerError::Item(ItemError::BodyHash)));
}

fn second_authority(book: &Book, signer: u8, change: impl Fn(&mut Authority)) -> Result<LedgerState, LedgerError> {
    let mut next = Book::first_authority(book.state.vault()).into_payload();
    next.number = AuthorityNumber(1);
    change(&mut next);
    next.devices.sort_by_key(|device| device.key);
    let authority = sign(next, &identity(signer)).expect("well-formed");
    let mut state = book.state.clone();
    let follows = item(Some(&state), EntryKind::Authority, &authority, &[SEALED], (signer, &|_| ()));
    state.apply(&follows, View::Append).map(|()| state)
}

fn with_device(authority: &mut Authority, number: u8) {
    let (key, sealing_key) = (identity(number).key(), sealing_key(number));
    authority.devices.push(Device { key, sealing_key, added: Timestamp::from_secs(2_000) });
}

#[test]
fn only_the_identity_key_adds_a_device() {
    let book = Book::new();
    let state = second_authority(&book, 1, |authority| with_device(authority, 8)).expect("added");
    assert!(state.is_device(identity(8).key()));
    let by_device = second_authority(&book, 3, |authority| with_device(authority, 8)).err();
    assert_eq!(by_device, Some(LedgerError::Authority(SuccessionError::Signer)));
}

#[test]
fn removing_a_device_makes_every_collection_wait_for_new_keys() {
    let book = Book::new();
    let state = second_authority(&book, 1, |authority| {
        authority.devices.clear();
        with_device(authority, 8);
        authority.root_number = RootNumber(1);
        (authority.inbox, authority.audit) = (sealing_key(21), sealing_key(22));
    });
    let state = state.expect("removed");
    assert!(!state.is_device(identity(3).key()));
    assert_eq!(state.pending().collect::<Vec<_>>(), [collection(1), collection(2)]);
    assert_eq!(state.generation_in_force(collection(1)), None);
}

#[test]
fn a_grant_is_signed_by_a_device_and_held_by_none() {
    let mut book = Book::new();
    let grant = |book: &mut Book, signer, change: &dyn Fn(&mut GrantCore)| {
        let signed = book.signed_grant(signer, change);
        book.append(EntryKind::Grant, &signed, &[SEALED], 3)
    };
    assert_eq!(grant(&mut book, 1, &|_| ()), Err(LedgerError::Grant(GrantError::Issuer)));
    let to_device = grant(&mut book, 3, &|core| core.holder = identity(3).key());
    assert_eq!(to_device, Err(LedgerError::Grant(GrantError::HolderIsDevice)));
    assert_eq!(grant(&mut book, 3, &|_| ()), Ok(()));
    assert_eq!(grant(&mut book, 3, &|_| ()), Err(LedgerError::Grant(GrantError::Again)));
    let other_vault = grant(&mut book, 3, &|core| core.vault = crate::id::VaultId::from_bytes([9; 32]));
    assert_eq!(other_vault, Err(LedgerError::OtherVault));
}

#[test]
fn a_child_is_signed_by_the_holder_of_a_parent_that_is_not_revoked() {
    let mut book = Book::new();
    let parent = book.grant(3, |core| core.depth = 1).expect("granted");
    let no_parent = book.grant(5, |core| narrow(core, StatementId::NONE));
    assert_eq!(no_parent, Err(LedgerError::Grant(GrantError::NoParent)));
    let by_device = book.grant(3, |core| narrow(core, parent));
    assert_eq!(by_device, Err(LedgerError::Grant(GrantError::Issuer)));
    let wider = book.grant(5, |core| {
        narrow(core, parent);
        core.purposes.extend([Purpose::Research]);
    });
    assert_eq!(wider, Err(LedgerError::Grant(GrantError::Exceeds(Widening::Purposes))));
    let child = book.grant(5, |core| narrow(core, parent)).expect("delegated");
    book.revoke(3, parent).expect("revoked");
    assert!(book.state.is_revoked(child), "revoking holds for every grant below");
    let late = book.grant(5, |core| {
        narrow(core, parent);
        core.nonce = nonce(2);
    });
    assert_eq!(late, Err(LedgerError::Grant(GrantError::ParentRevoked)));
}

/// ```text
/// device 3 ── guardian 7 (revoke, collection 1)
///          └─ hospital 5 (collection 1) ── clinic 6
/// ```
fn family() -> (Book, [StatementId; 3]) {
    let mut book = Book::new();
    let guardian = book.grant(3, |core| {
        core.holder = identity(7).key();
        core.scope.actions = BTreeSet::from([Action::Revoke, Action::Audit]);
        core.purposes = BTreeSet::from([Purpose::FamilyRequest]);
    });
    let hospital = book.grant(3, |core| core.depth = 1).expect("granted");
    let clinic = book.grant(5, |core| narrow(core, hospital)).expect("delegated");
    (book, [guardian.expect("granted"), hospital, clinic])
}

fn later(book: &Book, signer: u8, grant: StatementId, secs: u64) -> Result<(), LedgerError> {
    let revocation = book.signed_revocation(signer, grant);
    let spoil = |entry: &mut Entry| entry.time = Timestamp::from_secs(secs);
    let revoking = item(Some(&book.state), EntryKind::Revocation, &revocation, &[], (4, &spoil));
    book.state.clone().apply(&revoking, View::Append)
}

#[test]
fn device_issuer_and_guardian_revoke_and_others_do_not() {
    let (book, [_, hospital, clinic]) = family();
    let refused = Err(LedgerError::Revocation(RevocationError::Signer));
    assert_eq!(later(&book, 3, hospital, 2_500), Ok(()));
    assert_eq!(later(&book, 5, clinic, 2_500), Ok(()), "the issuer of the child");
    assert_eq!(later(&book, 7, hospital, 2_500), Ok(()), "the guardian");
    assert_eq!(later(&book, 7, hospital, 3_000), refused, "the guardian after the end of its grant");
    assert_eq!(later(&book, 7, hospital, 1_999), refused, "the guardian before its grant begins");
    assert_eq!(later(&book, 6, hospital, 2_500), refused, "the holder below");
    assert_eq!(later(&book, 5, hospital, 2_500), refused, "the holder itself");
    assert_eq!(later(&book, 1, hospital, 2_500), refused, "the identity key");
    let unknown = later(&book, 3, StatementId::NONE, 2_500);
    assert_eq!(unknown, Err(LedgerError::Revocation(RevocationError::NoSuchGrant)));
}

#[test]
fn a_revoked_guardian_revokes_no_more() {
    let (mut book, [guardian, hospital, _]) = family();
    book.revoke(3, guardian).expect("revoked");
    assert_eq!(later(&book, 7, hospital, 2_500), Err(LedgerError::Revocation(RevocationError::Signer)));
}

#[test]
fn a_guardian_revokes_only_what_lies_in_its_collections() {
    let (mut book, _) = family();
    let wider = book.grant(3, |core| {
        core.holder = identity(8).key();
        core.scope.collections = BTreeSet::from([collection(1), collection(2)]);
    });
    let refused = later(&book, 7, wider.expect("granted"), 2_500);
    assert_eq!(refused, Err(LedgerError::Revocation(RevocationError::Signer)));
}

#[test]
fn a_revocation_counts_before_it_is_in_the_ledger() {
    let (mut book, [_, hospital, clinic]) = family();
    let revocation = book.signed_revocation(3, hospital);
    let now = Timestamp::from_secs(2_500);
    assert_eq!(book.state.refuse(&revocation, now), Ok(()));
    assert!(book.state.is_revoked(hospital) && book.state.is_revoked(clinic));
    assert!(book.state.is_pending(collection(1)));
    assert_eq!(book.append(EntryKind::Revocation, &revocation, &[], 4), Ok(()));
    let by_holder = book.signed_revocation(6, hospital);
    assert_eq!(book.state.refuse(&by_holder, now), Err(RevocationError::Signer));
}

#[test]
fn a_touched_collection_waits_until_its_generation_rises() {
    let (mut book, [_, hospital, _]) = family();
    assert_eq!(book.state.generation_in_force(collection(1)), Some(Generation(1)));
    book.revoke(3, hospital).expect("revoked");
    assert_eq!(book.state.generation_in_force(collection(1)), None);
    assert_eq!(book.state.generation_in_force(collection(2)), Some(Generation(1)));
    book.direct(1, vec![leaf(1, 1), leaf(2, 2)]).expect("another generation");
    assert_eq!(book.state.generation_in_force(collection(1)), None);
    book.direct(2, vec![leaf(1, 2), leaf(2, 2)]).expect("another generation");
    assert_eq!(book.state.generation_in_force(collection(1)), Some(Generation(2)));
    book.revoke(3, hospital).expect("revoked again");
    assert_eq!(book.state.generation_in_force(collection(1)), Some(Generation(2)), "the second touches nothing");
}

#[test]
fn a_holder_of_single_records_touches_no_collection() {
    let mut book = Book::new();
    let records = Some(BTreeSet::from([crate::id::RecordId::from_bytes([1; 16])]));
    let grant = book.grant(3, |core| core.scope.records = records.clone()).expect("granted");
    book.revoke(3, grant).expect("revoked");
    assert_eq!(book.state.pending().count(), 0);
}

#[test]
fn a_directory_rises_by_one_and_loses_nothing() {
    let mut book = Book::new();
    let refused = |error| Err(LedgerError::Directory(error));
    assert_eq!(book.direct(0, vec![leaf(1, 1), leaf(2, 1)]), refused(DirectoryError::Number));
    assert_eq!(book.direct(2, vec![leaf(1, 1), leaf(2, 1)]), refused(DirectoryError::Number));
    assert_eq!(book.direct(1, vec![leaf(1, 1)]), refused(DirectoryError::Gone));
    assert_eq!(book.direct(1, vec![leaf(1, 1), leaf(2, 1), leaf(3, 1)]), Ok(()));
    assert_eq!(book.direct(2, vec![leaf(1, 1), leaf(2, 1), leaf(3, 0)].split_off(3)), refused(DirectoryError::Gone));
}

#[test]
fn a_rotation_fits_what_is_in_force() {
    let mut book = Book::new();
    let rotated = |generation| {
        let root_number = RootNumber(0);
        vec![RotatedCollection { collection: collection(1), generation: Generation(generation), root_number }]
    };
    let refused = |error| Err(LedgerError::Rotation(error));
    assert_eq!(book.rotate(2, rotated(1)), refused(RotationError::Sequence));
    assert_eq!(book.rotate(1, rotated(2)), refused(RotationError::Collection));
    assert_eq!(book.rotate(1, rotated(1)), Ok(()));
    assert_eq!(book.rotate(1, rotated(1)), refused(RotationError::Sequence));
}

#[test]
fn an_erasure_is_signed_by_a_device() {
    let mut book = Book::new();
    let erasure = Erasure {
        vault: book.state.vault(),
        records: BTreeSet::from([crate::id::RecordId::from_bytes([1; 16])]),
        reason: ErasureReason::Wish,
        issued: Timestamp::from_secs(1_000),
        events: None,
    };
    let by_identity = sign(erasure.clone(), &identity(1)).expect("well-formed");
    assert_eq!(book.append(EntryKind::Erasure, &by_identity, &[], 3), Err(LedgerError::BodySigner));
    let by_device = sign(erasure, &identity(3)).expect("well-formed");
    assert_eq!(book.append(EntryKind::Erasure, &by_device, &[], 3), Ok(()));
}

#[test]
fn bodies_are_shown_to_whom_they_concern() {
    let (mut book, [_, hospital, _]) = family();
    book.revoke(3, hospital).expect("revoked");
    // 0 charter, 1 authority, 2 directory, 3 guardian's grant, 4 hospital's, 5 clinic's, 6 revocation of 4
    let shown = |party: PartyKey| (0..7).filter(|seq| book.state.shows(party, Seq(*seq))).collect::<Vec<_>>();
    assert_eq!(shown(identity(3).key()), [0, 1, 2, 3, 4, 5, 6], "device");
    assert_eq!(shown(identity(5).key()), [0, 1, 2, 4, 5, 6], "hospital");
    assert_eq!(shown(identity(6).key()), [0, 1, 2, 4, 5, 6], "clinic below the hospital");
    assert_eq!(shown(identity(7).key()), [0, 1, 2, 3], "guardian");
    assert_eq!(shown(identity(9).key()), [0, 1], "stranger");
    assert!(book.state.shows_roots(identity(2).key()) && !book.state.shows_roots(identity(5).key()));
}
