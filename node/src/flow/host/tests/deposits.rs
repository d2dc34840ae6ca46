//! Deposits: short and long bodies, retries, resumption, and what is refused.

use karute_consent::id::{Generation, StatementId};
use karute_consent::scope::Action;
use karute_consent::statement::Unverified;
use karute_protocol::message::{self, Existing, FaultCode, Message, Put};
use karute_protocol::wire::{ByteCount, Octets};

use super::cast::*;
use super::world::*;

/// A world with a vault, and a facility (party 10) whose session has opened a deposit.
async fn depositing() -> (World, Client, Patient, StatementId) {
    let world = World::new();
    let mut client = world.client(51).await;
    let mut patient = Patient::with_vault(&mut client).await;
    let core = patient.core(10, &[Action::Deposit]);
    let grant = patient.grant(&mut client, core).await;
    let mut facility = world.client(60).await;
    open(&mut facility, &patient, &[grant]).await;
    (world, facility, patient, grant)
}

async fn open(facility: &mut Client, patient: &Patient, chain: &[StatementId]) {
    let request = facility.request(patient.vault, Action::Deposit, chain);
    let key = message::Key { request: signed(request, 10), collection: COLLECTION, month: NOW.month() };
    let answers = facility.ask(key).await;
    let Message::KeyFound(found) = answers.last() else { panic!("{answers:?}") };
    let proof = found.proof.as_ref().expect("the collection is in force");
    let proven = proof.verify(patient.ledger.directory_id(), COLLECTION, NOW.month()).unwrap();
    assert_eq!(proven.generation, Generation(1));
}

async fn run(facility: &mut Client, patient: &Patient, grant: StatementId, number: u8) {
    let run = signed(run_of(patient, 10, number, Some(grant)), 10);
    let answers = facility.ask(message::OpenRun { run }).await;
    assert!(matches!(answers.last(), Message::Done(_)), "{answers:?}");
}

fn put(record: &Record) -> Put {
    Put { header: record.header.clone(), meta: record.meta.clone(), body: Some(Octets::from(record.body.clone())) }
}

#[tokio::test]
async fn a_record_is_stored_once_however_often_it_is_put() {
    let (_world, mut facility, patient, grant) = depositing().await;
    run(&mut facility, &patient, grant, 1).await;
    let record = record(&patient, 10, 1, 1, 1000);
    let first = facility.ask(put(&record)).await;
    let Message::Stored(stored) = first.last() else { panic!("{first:?}") };
    assert_eq!((stored.existing, stored.number.map(|number| number.0)), (Existing::New, Some(1)));
    assert_eq!(stored.receipt.event.records, [record.id]);
    let again = facility.ask(put(&record)).await;
    let Message::Stored(known) = again.last() else { panic!("{again:?}") };
    assert_eq!((known.existing, known.number), (Existing::Known, stored.number));
    assert_eq!(known.receipt.leaf, stored.receipt.leaf);
}

#[tokio::test]
async fn puts_may_be_pipelined() {
    let (_world, mut facility, patient, grant) = depositing().await;
    run(&mut facility, &patient, grant, 1).await;
    let mut waiting = Vec::new();
    for number in 0..40 {
        waiting.push(facility.send(put(&record(&patient, 10, 1, number, 500))).await);
    }
    let mut stored = std::collections::BTreeSet::new();
    for _ in waiting {
        let (_, _, payload) = facility.frame().await.unwrap();
        let Message::Stored(message) = Message::decode(&payload).unwrap() else { panic!() };
        stored.insert(message.number.unwrap().0);
    }
    assert_eq!(stored, (1..=40).collect());
}

#[tokio::test]
async fn a_long_body_is_resumed_where_it_was_cut() {
    let (world, mut facility, patient, grant) = depositing().await;
    run(&mut facility, &patient, grant, 1).await;
    let record = record(&patient, 10, 1, 1, 3_000_000);
    let begin = || {
        let length = ByteCount(record.body.len() as u64);
        message::Body { run: karute_consent::id::RunId::from_bytes([1; 16]), record: record.id, length }
    };
    let number = facility.send(begin()).await;
    let answers = facility.answers(number).await;
    let Message::Offset(offset) = answers.last() else { panic!("{answers:?}") };
    assert_eq!(offset.offset, ByteCount(0));
    facility.outbox.piece(number, record.body[..1_000_000].to_vec()).await.unwrap();
    // The session is cut; another goes on.
    facility.ask(message::Close {}).await;
    drop(facility);
    let mut facility = world.client(60).await;
    open(&mut facility, &patient, &[grant]).await;
    run(&mut facility, &patient, grant, 1).await;
    let number = facility.send(begin()).await;
    let answers = facility.answers(number).await;
    let Message::Offset(offset) = answers.last() else { panic!("{answers:?}") };
    assert_eq!(offset.offset, ByteCount(1_000_000));
    for piece in record.body[1_000_000..].chunks(1 << 20) {
        facility.outbox.piece(number, piece.to_vec()).await.unwrap();
    }
    let whole = Put { header: record.header.clone(), meta: record.meta.clone(), body: None };
    let answers = facility.ask(whole).await;
    assert!(matches!(answers.last(), Message::Stored(_)), "{answers:?}");
    // Asked again, the host has the receipt already.
    let answers = facility.ask(begin()).await;
    assert!(matches!(answers.last(), Message::Offset(offset) if offset.receipt.is_some()), "{answers:?}");
}

#[tokio::test]
async fn what_does_not_match_its_header_is_refused_and_leaves_nothing() {
    let (world, mut facility, patient, grant) = depositing().await;
    run(&mut facility, &patient, grant, 1).await;
    let good = record(&patient, 10, 1, 1, 1000);
    let mut flipped = put(&good);
    let body: Vec<u8> = good.body.iter().enumerate().map(|(at, b)| if at == 900 { b ^ 1 } else { *b }).collect();
    flipped.body = Some(Octets::from(body));
    assert_eq!(facility.ask(flipped).await.fault(), FaultCode::Changed);
    let mut other_meta = put(&good);
    other_meta.meta = karute_protocol::record::SealedMeta(Octets::from(vec![1; 199]));
    assert_eq!(facility.ask(other_meta).await.fault(), FaultCode::Changed);
    let mut no_body = put(&good);
    no_body.body = None;
    assert_eq!(facility.ask(no_body).await.fault(), FaultCode::Changed);
    let foreign = record(&patient, 12, 1, 1, 1000);
    assert_eq!(facility.ask(put(&foreign)).await.fault(), FaultCode::Changed, "signed by another party");
    let mut forged = put(&good);
    forged.header = Unverified::from_bytes(vec![0x84, 0x40]);
    assert_eq!(facility.ask(forged).await.fault(), FaultCode::Malformed);
    assert!(world.host.store().find(patient.vault, good.id).unwrap().is_none());
}

#[tokio::test]
async fn a_run_needs_a_deposit_that_was_permitted_and_a_generation_in_force() {
    let (world, mut facility, patient, grant) = depositing().await;
    let mut client = world.client(51).await;
    let unopened = signed(run_of(&patient, 10, 1, Some(grant)), 10);
    assert!(client.ask(message::OpenRun { run: unopened }).await.is_refusal());
    let foreign = signed(run_of(&patient, 12, 1, Some(grant)), 12);
    assert!(facility.ask(message::OpenRun { run: foreign }).await.is_refusal());
    let mut old = run_of(&patient, 10, 1, Some(grant));
    old.generation = Generation(2);
    assert_eq!(facility.ask(message::OpenRun { run: signed(old, 10) }).await.fault(), FaultCode::NotInForce);
    let mut late = run_of(&patient, 10, 1, Some(grant));
    late.epoch = karute_consent::time::Month(late.epoch.0 - 2);
    assert_eq!(facility.ask(message::OpenRun { run: signed(late, 10) }).await.fault(), FaultCode::NotInForce);
}

#[tokio::test]
async fn a_deposit_grant_does_not_outlive_its_revocation() {
    let (world, mut facility, patient, grant) = depositing().await;
    run(&mut facility, &patient, grant, 1).await;
    let mut client = world.client(51).await;
    client.ask(message::Revoke { revocation: patient.revocation(grant, 3) }).await;
    assert!(facility.ask(put(&record(&patient, 10, 1, 1, 1000))).await.is_refusal());
    let next = signed(run_of(&patient, 10, 2, Some(grant)), 10);
    assert!(facility.ask(message::OpenRun { run: next }).await.is_refusal());
}

#[tokio::test]
async fn a_depositor_withdraws_its_own_records_only() {
    use karute_consent::revocation::{Withdrawal, WithdrawalReason};
    let (world, mut facility, patient, grant) = depositing().await;
    run(&mut facility, &patient, grant, 1).await;
    let record = record(&patient, 10, 1, 1, 1000);
    facility.ask(put(&record)).await;
    let withdrawal = |by: u8| {
        let records = [record.id].into();
        let reason = WithdrawalReason::Misfiled;
        let withdrawal = signed(Withdrawal { vault: patient.vault, records, reason, issued: NOW }, by);
        message::Withdraw { withdrawal }
    };
    assert!(facility.ask(withdrawal(12)).await.is_refusal());
    let answers = facility.ask(withdrawal(10)).await;
    assert!(matches!(answers.last(), Message::Stored(_)), "{answers:?}");
    let row = world.host.store().find(patient.vault, record.id).unwrap().unwrap();
    assert_eq!(row.removed().unwrap().reason, crate::vault::TombstoneReason::Withdrawn);
}
