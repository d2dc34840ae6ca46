//! The mailbox, re-wraps, packages passed on, erasures.

use karute_consent::ask::{AskAnswer, AskEnvelope, Outcome};
use karute_consent::encoding::to_bytes;
use karute_consent::grant::Grant;
use karute_consent::id::{AskId, Generation, RotationSequence, RunId, StatementId};
use karute_consent::ledger::EntryKind;
use karute_consent::revocation::{Erasure, ErasureReason};
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, sign};
use karute_consent::tree::digest_of;
use karute_protocol::message::{self, FaultCode, Message};
use karute_protocol::run::ReWrap;
use karute_protocol::wire::{LedgerSize, Octets};

use super::cast::*;
use super::world::*;

fn ask(patient: &Patient, by: u8, number: u8) -> message::Ask {
    let sealed = sealed(number);
    let sealed_hash = digest_of(&[&to_bytes(&sealed).unwrap()]);
    let envelope = AskEnvelope { id: AskId::from_bytes([number; 16]), vault: patient.vault, sealed_hash, issued: NOW };
    message::Ask { envelope: signed(envelope, by), sealed }
}

#[tokio::test]
async fn an_ask_waits_for_a_device_and_its_answer_for_who_asked() {
    let world = World::new();
    let mut device = world.client(51).await;
    let patient = Patient::with_vault(&mut device).await;
    let mut facility = world.client(60).await;
    assert!(matches!(facility.ask(ask(&patient, 12, 1)).await.last(), Message::Done(_)));
    let mut changed = ask(&patient, 12, 2);
    changed.sealed = sealed(3);
    assert_eq!(facility.ask(changed).await.fault(), FaultCode::Malformed);

    let request = facility.request(patient.vault, Action::Sync, &[]);
    assert!(facility.ask(message::Asks { request: signed(request, 12) }).await.is_refusal());
    let request = device.request(patient.vault, Action::Sync, &[]);
    let waiting = device.ask(message::Asks { request: signed(request, 3) }).await;
    assert!(matches!(&waiting.messages[..], [Message::WaitingAsk(_), Message::End(_)]), "{waiting:?}");

    let answer = |by| {
        let ask = AskId::from_bytes([1; 16]);
        let answer = AskAnswer { vault: patient.vault, ask, outcome: Outcome::Declined, grant: None, issued: NOW };
        message::Answer { answer: signed(answer, by) }
    };
    assert!(facility.ask(answer(12)).await.is_refusal());
    assert!(matches!(device.ask(answer(3)).await.last(), Message::Done(_)));
    let request = facility.request(patient.vault, Action::Sync, &[]);
    let synced = facility.ask(message::Sync { request: signed(request, 12), from: LedgerSize(0) }).await;
    assert!(synced.messages.iter().any(|message| matches!(message, Message::AskAnswered(_))), "{synced:?}");
}

#[tokio::test]
async fn a_sender_fills_no_mailbox() {
    let world = World::new();
    let mut device = world.client(51).await;
    let patient = Patient::with_vault(&mut device).await;
    let mut facility = world.client(60).await;
    for number in 1..=4 {
        assert!(matches!(facility.ask(ask(&patient, 12, number)).await.last(), Message::Done(_)));
    }
    assert_eq!(facility.ask(ask(&patient, 12, 5)).await.fault(), FaultCode::Limit);
    assert!(matches!(facility.ask(ask(&patient, 13, 6)).await.last(), Message::Done(_)));
}

/// A vault whose device deposited record 1 into run 1.
async fn with_record(world: &World) -> (Client, Patient, Record) {
    let mut device = world.client(51).await;
    let patient = Patient::with_vault(&mut device).await;
    let request = device.request(patient.vault, Action::Deposit, &[]);
    device.ask(message::Key { request: signed(request, 3), collection: COLLECTION, month: NOW.month() }).await;
    device.ask(message::OpenRun { run: signed(run_of(&patient, 3, 1, None), 3) }).await;
    let record = record(&patient, 3, 1, 1, 800);
    let body = Some(Octets::from(record.body.clone()));
    let put = message::Put { header: record.header.clone(), meta: record.meta.clone(), body };
    let answers = device.ask(put).await;
    assert!(matches!(answers.last(), Message::Stored(_)), "{answers:?}");
    (device, patient, record)
}

async fn listed(device: &mut Client, patient: &Patient) -> Vec<String> {
    let request = device.request(patient.vault, Action::List, &[]);
    let answers = device.ask(message::List { request: signed(request, 3), acting: None }).await;
    let lines = answers.messages.iter().filter_map(|message| match message {
        Message::RecordAnswer(record) => Some(format!("{}/{} record", record.generation, record.number)),
        Message::Tombstone(gone) => Some(format!("{}/{} {}", gone.generation, gone.number, gone.reason)),
        _ => None,
    });
    lines.collect()
}

#[tokio::test]
async fn a_re_wrap_moves_records_and_leaves_tombstones() {
    let world = World::new();
    let (mut device, mut patient, _) = with_record(&world).await;
    patient.append_directory(&mut device, 2).await;
    let run = sign(run_of(&patient, 3, 1, None), &identity(3)).unwrap();
    let in_force = world.host.store().run(patient.vault, RunId::from_bytes([1; 16])).unwrap().unwrap().in_force();
    let re_wrap = |generation: u32, replaces: StatementId| ReWrap {
        run: run.payload().run,
        vault: patient.vault,
        collection: COLLECTION,
        generation: Generation(generation),
        epoch: NOW.month(),
        depositor: key(3),
        replaces,
        seal: sealed(7),
    };
    let send = |re_wrap: ReWrap, by: u8| message::ReWraps { re_wraps: vec![signed(re_wrap, by)] };
    assert!(device.ask(send(re_wrap(2, in_force), 12)).await.is_refusal());
    assert_eq!(device.ask(send(re_wrap(1, in_force), 3)).await.fault(), FaultCode::NotInForce);
    let stale = send(re_wrap(2, StatementId::from_bytes([5; 32])), 3);
    assert_eq!(device.ask(stale).await.fault(), FaultCode::NotInForce);
    assert!(matches!(device.ask(send(re_wrap(2, in_force), 3)).await.last(), Message::Done(_)));
    assert_eq!(listed(&mut device, &patient).await, ["1/1 moved", "2/1 record"]);
}

#[tokio::test]
async fn an_erasure_takes_the_sealed_bytes_and_leaves_a_tombstone() {
    let world = World::new();
    let (mut device, mut patient, record) = with_record(&world).await;
    let (records, reason) = ([record.id].into(), ErasureReason::Wish);
    let erasure = Erasure { vault: patient.vault, records, reason, issued: NOW, events: None };
    let body = sign(erasure, &identity(3)).unwrap();
    patient.append(&mut device, EntryKind::Erasure, body.bytes(), body.id(), &[]).await;
    assert_eq!(listed(&mut device, &patient).await, ["1/1 erased"]);
    let mut request = device.request(patient.vault, Action::Read, &[]);
    request.selector.records = Some([record.id].into());
    let answers = device.ask(message::Fetch { request: signed(request, 3), acting: None, range: None }).await;
    assert!(matches!(answers.messages[1], Message::Tombstone(_)), "{answers:?}");
}

#[tokio::test]
async fn an_issuer_passes_a_package_on_to_the_holder_of_its_child_grant() {
    let world = World::new();
    let mut device = world.client(51).await;
    let mut patient = Patient::with_vault(&mut device).await;
    let mut core = patient.core(11, &[Action::List, Action::Read]);
    core.depth = 1;
    let parent = patient.grant(&mut device, core.clone()).await;
    (core.holder, core.parent, core.depth, core.nonce) = (key(13), Some(parent), 0, nonce(13));
    let package = sealed(8);
    let attached = [vec![9; 30], to_bytes(&package).unwrap()];
    let grant = Grant { core, sealed_hash: digest_of(&[&attached[0]]), package_hash: Some(digest_of(&[&attached[1]])) };
    let body = sign(grant, &identity(11)).unwrap();
    let mut issuer = world.client(61).await;
    for bytes in &attached {
        issuer.ask(message::Attach { bytes: Octets::from(bytes.clone()) }).await;
    }
    let item = message::AppendItem {
        entry: Unverified::from_bytes(Vec::new()),
        salt: salt(),
        body: Octets::from(body.bytes().to_vec()),
        attachments: attached.iter().map(|bytes| digest_of(&[bytes])).collect(),
    };
    let append = message::Append { vault: patient.vault, size: LedgerSize(0), items: vec![item], registration: None };
    assert!(matches!(issuer.ask(append).await.last(), Message::Appended(_)));

    let pass = || message::PassOn { grant: body.id(), rotation: RotationSequence(0), package: sealed(9) };
    assert!(issuer.ask(pass()).await.is_refusal(), "before a sync the host does not know who speaks");
    let request = issuer.request(patient.vault, Action::Sync, &[]);
    issuer.ask(message::Sync { request: signed(request, 11), from: LedgerSize(0) }).await;
    let unknown = message::PassOn { rotation: RotationSequence(5), ..pass() };
    assert_eq!(issuer.ask(unknown).await.fault(), FaultCode::NotInForce);

    let mut holder = world.client(63).await;
    let request = holder.request(patient.vault, Action::Sync, &[]);
    let synced = holder.ask(message::Sync { request: signed(request, 13), from: LedgerSize(0) }).await;
    let packages: Vec<_> = synced
        .messages
        .iter()
        .filter_map(|message| match message {
            Message::GrantPackage(package) => Some((package.grant, package.rotation)),
            _ => None,
        })
        .collect();
    assert_eq!(packages, [(body.id(), RotationSequence(0))]);
}

#[tokio::test]
async fn a_refusal_of_somebody_known_is_recorded_for_statements_too() {
    use karute_consent::revocation::{Withdrawal, WithdrawalReason};
    let world = World::new();
    let (mut device, patient, record) = with_record(&world).await;
    let records = [record.id].into();
    let withdrawal = Withdrawal { vault: patient.vault, records, reason: WithdrawalReason::Other, issued: NOW };
    let mut patient = patient;
    let core = patient.core(12, &[Action::Deposit]);
    patient.grant(&mut device, core).await;
    let mut facility = world.client(60).await;
    let withdraw = || message::Withdraw { withdrawal: signed(withdrawal.clone(), 12) };
    assert!(facility.ask(withdraw()).await.is_refusal(), "nobody has shown that it is the signer's session");
    let request = facility.request(patient.vault, Action::Sync, &[]);
    facility.ask(message::Sync { request: signed(request, 12), from: LedgerSize(0) }).await;
    assert!(facility.ask(withdraw()).await.is_refusal());
    let request = device.request(patient.vault, Action::Audit, &[]);
    let audit = message::Audit { request: signed(request, 3), from: karute_protocol::trail::TrailNumber(1) };
    let refusals = device.ask(audit).await.messages.into_iter().filter(|message| {
        matches!(message, Message::TrailItem(item) if item.event.as_ref().unwrap().kind == karute_protocol::trail::EventKind::Refusal)
    });
    assert_eq!(refusals.count(), 1);
}
