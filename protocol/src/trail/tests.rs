//! Receipts that are evidence, and those that are none.

use karute_consent::encoding::to_bytes;
use karute_consent::id::{Challenge, CollectionId, Generation, RecordId, RequestId, StatementId};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::{Head, Request, Selector};
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified, sign};
use karute_consent::tree::digest_of;
use std::collections::BTreeSet;

use super::*;
use crate::merkle::{Place, prove_inclusion, root_of};
use crate::message::TrailItem;
use crate::record::RecordNumber;
use crate::wire::Octets;

const VAULT: VaultId = VaultId::from_bytes([1; 32]);

fn host() -> Identity {
    Identity::from_seed(&[2; 32])
}

fn node() -> NodeId {
    NodeId::from_bytes(*host().key().as_bytes())
}

fn event(count: u64) -> Event {
    Event {
        kind: EventKind::Read,
        party: Identity::from_seed(&[3; 32]).key(),
        peer: Some(Octets(vec![4; 38])),
        request: Some(RequestId::from_bytes([5; 16])),
        chain: vec![StatementId::from_bytes([6; 32])],
        action: Some(Action::Read),
        purpose: Some(Purpose::Treatment),
        records: vec![RecordId::from_bytes([7; 16])],
        count,
        outcome: Outcome(0),
        acting: None,
        head: Head { size: 3, root: Digest::from_bytes([8; 32]) },
        subject: None,
        place: None,
        request_statement: None,
    }
}

fn salt(number: u64) -> Salt {
    Salt::from_bytes([number as u8; 32])
}

/// The receipt of event `number` in a trail of five, signed by `host`.
fn receipt(number: u64) -> Receipt {
    let leaf = |number: u64| {
        let time = Timestamp::from_secs(1_795_305_600 + number);
        Leaf::new(VAULT, TrailNumber(number), time, &event(number), &salt(number)).unwrap()
    };
    let hashes: Vec<TreeHash> = (1..=5).map(|number| leaf(number).hash().unwrap()).collect();
    let stored = |place: Place| {
        let (start, len) = ((place.index as usize) << place.level, 1 << place.level);
        hashes.get(start..start + len).map(root_of)
    };
    let head = TreeHead { size: 5, root: root_of(&hashes) };
    Receipt {
        leaf: leaf(number),
        salt: salt(number),
        event: event(number),
        index: TrailIndex(number - 1),
        proof: prove_inclusion(number - 1, 5, stored).unwrap(),
        checkpoint: CheckpointText::sign(Log::Trail, head, &host()),
    }
}

#[test]
fn every_event_of_a_trail_has_a_receipt_that_verifies() {
    for number in 1..=5 {
        assert_eq!(receipt(number).verify(node()).unwrap().size, 5);
    }
}

/// P-24
#[test]
fn a_receipt_with_anything_changed_is_no_evidence() {
    let refused = |change: &dyn Fn(&mut Receipt)| {
        let mut bent = receipt(2);
        change(&mut bent);
        bent.verify(node()).unwrap_err()
    };
    assert_eq!(refused(&|r| r.event.count = 9), ReceiptError::OtherEvent);
    assert_eq!(refused(&|r| r.event.outcome = Outcome(12)), ReceiptError::OtherEvent);
    assert_eq!(refused(&|r| r.salt = salt(9)), ReceiptError::OtherEvent);
    assert!(matches!(refused(&|r| r.leaf.time = Timestamp::from_secs(0)), ReceiptError::Proof(_)));
    assert!(matches!(refused(&|r| r.leaf.number = TrailNumber(3)), ReceiptError::Proof(_)));
    assert!(matches!(refused(&|r| r.index = TrailIndex(2)), ReceiptError::Proof(_)));
    assert!(matches!(refused(&|r| r.proof[0].0[0] ^= 1), ReceiptError::Proof(_)));
    assert!(matches!(refused(&|r| r.proof.truncate(1)), ReceiptError::Proof(_)));
    assert_eq!(refused(&|r| r.leaf.number = TrailNumber(0)), ReceiptError::NoNumber);
    assert_eq!(refused(&|r| r.event.records = vec![RecordId::from_bytes([1; 16]); 65]), ReceiptError::EventLimits);
    assert_eq!(refused(&|r| r.event.peer = Some(Octets(vec![]))), ReceiptError::EventLimits);
}

/// P-23
#[test]
fn a_checkpoint_counts_for_its_node_and_its_log_only() {
    let head = TreeHead { size: 1, root: TreeHash([9; 32]) };
    let checkpoint = CheckpointText::sign(Log::Ledger(VAULT), head, &host());
    assert_eq!(checkpoint.verify(Log::Ledger(VAULT), node()), Ok(head));
    let other_vault = VaultId::from_bytes([8; 32]);
    let other_node = NodeId::from_bytes(*Identity::from_seed(&[8; 32]).key().as_bytes());
    assert!(checkpoint.verify(Log::Ledger(other_vault), node()).is_err());
    assert!(checkpoint.verify(Log::Trail, node()).is_err());
    assert!(checkpoint.verify(Log::Ledger(VAULT), other_node).is_err());
    let weak = checkpoint.verify(Log::Ledger(VAULT), NodeId::from_bytes([0; 32]));
    assert_eq!(weak, Err(CheckpointRefused::Node));
}

#[test]
fn an_origin_is_log_and_hex() {
    let origin = Log::Ledger(VAULT).origin(node());
    assert_eq!(origin.as_str(), format!("karute/ledger/{}", "01".repeat(32)));
    assert!(Log::Trail.origin(node()).as_str().starts_with("karute/trail/"));
}

#[test]
fn an_event_digest_is_domain_salt_and_encoding() {
    let encoded = to_bytes(&event(1)).unwrap();
    let expected = digest_of(&[b"karute-v1/trail-event", &[0], &[7; 32], &encoded]);
    assert_eq!(event(1).digest(&salt(7)), Ok(expected));
}

#[test]
fn a_list_answer_has_its_places_in_order() {
    let place = |byte: u8, generation: u32| PlaceCount {
        collection: CollectionId::from_bytes([byte; 16]),
        generation: Generation(generation),
        count: 1,
    };
    let answer = |counts| ListAnswer {
        vault: VAULT,
        request: StatementId::from_bytes([1; 32]),
        counts,
        time: Timestamp::from_secs(0),
        digest: ListDigest::new().finish(),
    };
    assert!(sign(answer(vec![place(1, 1), place(1, 2), place(2, 1)]), &host()).is_ok());
    assert!(sign(answer(vec![place(1, 2), place(1, 1)]), &host()).is_err());
    assert!(sign(answer(vec![place(1, 1), place(1, 1)]), &host()).is_err());
}

/// P-26
#[test]
fn an_omitted_number_is_seen() {
    let seen = |numbers: &[u64]| numbers.iter().map(|number| RecordNumber(*number)).collect::<BTreeSet<_>>();
    assert_eq!(first_gap(3, &seen(&[1, 2, 3])), None);
    assert_eq!(first_gap(3, &seen(&[1, 3])), Some(RecordNumber(2)));
    assert_eq!(first_gap(3, &seen(&[1, 2])), Some(RecordNumber(3)));
    assert_eq!(first_gap(0, &seen(&[])), None);
}

#[test]
fn a_list_digest_is_over_ids_and_zeros_in_order() {
    let mut digest = ListDigest::new();
    digest.record(StatementId::from_bytes([1; 32]));
    digest.tombstone();
    assert_eq!(digest.finish(), digest_of(&[&[1; 32], &[0; 32]]));
}

/// A request that the party of [`event`] signed.
fn request(change: impl Fn(&mut Request)) -> Verified<Request> {
    let mut request = Request {
        id: RequestId::from_bytes([5; 16]),
        vault: VAULT,
        chain: vec![StatementId::from_bytes([6; 32])],
        action: Action::Read,
        selector: Selector::default(),
        purpose: Purpose::Treatment,
        acting_hash: None,
        challenge: Challenge::from_bytes([9; 32]),
        sequence: 1,
        node: node(),
        peer: vec![4; 38],
        head: None,
        time: Timestamp::from_secs(1_795_305_600),
        resumes: None,
    };
    change(&mut request);
    sign(request, &Identity::from_seed(&[3; 32])).unwrap()
}

/// P-39
#[test]
fn an_event_tells_of_the_request_that_it_carries() {
    let carrying = |request: Verified<Request>| Event { request_statement: Some(request.to_unverified()), ..event(1) };
    let good = request(|_| ());
    assert_eq!(carrying(good.clone()).check_request(VAULT, node()), Ok(Some(good.clone())));
    let without_peer = Event { peer: None, ..carrying(good.clone()) };
    assert_eq!(without_peer.check_request(VAULT, node()), Ok(Some(good.clone())));
    let other = Err(ReceiptError::OtherRequest);
    assert_eq!(carrying(good.clone()).check_request(VaultId::from_bytes([2; 32]), node()), other);
    let changes: [&dyn Fn(&mut Request); 7] = [
        &|r| r.node = NodeId::from_bytes([0; 32]),
        &|r| r.id = RequestId::from_bytes([0; 16]),
        &|r| r.vault = VaultId::from_bytes([2; 32]),
        &|r| r.chain.clear(),
        &|r| r.action = Action::List,
        &|r| r.purpose = Purpose::Research,
        &|r| r.peer = vec![5; 38],
    ];
    for change in changes {
        assert_eq!(carrying(request(change)).check_request(VAULT, node()), other);
    }
    let by_another = Event { party: host().key(), ..carrying(good.clone()) };
    assert_eq!(by_another.check_request(VAULT, node()), Err(ReceiptError::Request(StatementError::OtherSigner)));
    let mut bytes = good.bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let bent = Event { request_statement: Some(Unverified::from_bytes(bytes)), ..event(1) };
    assert_eq!(bent.check_request(VAULT, node()), Err(ReceiptError::Request(StatementError::Signature)));
}

/// P-39
#[test]
fn only_some_events_may_do_without_a_request() {
    let none = Err(ReceiptError::NoRequest);
    for kind in [EventKind::List, EventKind::Read, EventKind::Audit, EventKind::GrantSync, EventKind::Refusal] {
        assert_eq!(Event { kind, ..event(1) }.check_request(VAULT, node()), none, "{kind}");
    }
    let sync =
        Event { kind: EventKind::GrantSync, request_statement: Some(request(|_| ()).to_unverified()), ..event(1) };
    assert_eq!(sync.check_request(VAULT, node()), Err(ReceiptError::OtherRequest), "a read is no sync");
    for kind in [EventKind::LedgerAppend, EventKind::Deposit, EventKind::Withdrawal, EventKind::Ask] {
        assert_eq!(Event { kind, ..event(1) }.check_request(VAULT, node()), Ok(None), "{kind}");
    }
    let of_a_statement = Event { kind: EventKind::Refusal, request: None, ..event(1) };
    assert_eq!(of_a_statement.check_request(VAULT, node()), Ok(None));
}

/// P-24, P-40
#[test]
fn an_erased_event_keeps_its_leaf_and_its_proof() {
    let Receipt { leaf, salt, event, index, proof, checkpoint } = receipt(2);
    let head = checkpoint.verify(Log::Trail, node()).unwrap();
    let whole = TrailItem { leaf, salt: Some(salt), event: Some(event.clone()), index, proof };
    assert_eq!(whole.verify(&head), Ok(Some(&event)));
    let erased = TrailItem { salt: None, event: None, ..whole.clone() };
    assert_eq!(erased.verify(&head), Ok(None));
    let half = TrailItem { salt: None, ..whole };
    assert_eq!(half.verify(&head), Err(ReceiptError::OtherEvent));
    let moved = TrailItem { index: TrailIndex(2), ..erased };
    assert!(matches!(moved.verify(&head), Err(ReceiptError::Proof(_))));
}

#[test]
fn an_audit_answer_has_a_count_within_its_trail() {
    let answer = |count, size| AuditAnswer {
        vault: VAULT,
        request: StatementId::from_bytes([1; 32]),
        count: TrailNumber(count),
        time: Timestamp::from_secs(0),
        size,
        root: TreeHash([9; 32]),
    };
    assert!(sign(answer(5, 5), &host()).is_ok());
    assert!(sign(answer(0, 5), &host()).is_err());
    assert!(sign(answer(6, 5), &host()).is_err());
    assert!(sign(answer(1, (1 << 48) + 1), &host()).is_err());
}

#[test]
fn a_tree_head_counts_for_its_node_and_its_log_only() {
    let (nonce, time) = (HeadNonce::from_bytes([1; 32]), Timestamp::from_secs(7));
    let head = TreeHead { size: 3, root: TreeHash([9; 32]) };
    let signed = SignedTreeHead::sign(Log::Ledger(VAULT), head, time, nonce, &host()).unwrap();
    let verify =
        |log, node| SignedTreeHead::verify(signed.to_unverified(), log, node).map(|signed| signed.payload().head());
    assert_eq!(verify(Log::Ledger(VAULT), node()), Ok(head));
    assert_eq!(verify(Log::Trail, node()), Err(TreeHeadRefused::OtherLog));
    let other = NodeId::from_bytes(*Identity::from_seed(&[8; 32]).key().as_bytes());
    assert_eq!(verify(Log::Ledger(VAULT), other), Err(TreeHeadRefused::Statement(StatementError::OtherSigner)));
    let empty = TreeHead { size: 0, root: TreeHash([9; 32]) };
    assert!(SignedTreeHead::sign(Log::Trail, empty, time, nonce, &host()).is_err());
    let empty = TreeHead { size: 0, root: TreeHash::of_empty_tree() };
    assert!(SignedTreeHead::sign(Log::Trail, empty, time, nonce, &host()).is_ok());
}
