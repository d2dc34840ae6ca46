//! What somebody tries who has seen, kept or guessed what is not theirs to use; each must come to nothing and leave no
//! trace under another's name.

use karute_consent::ask::AskEnvelope;
use karute_consent::encoding::to_bytes;
use karute_consent::id::{AskId, Generation, RecordId, RequestId, RunId, StatementId};
use karute_consent::ledger::EntryKind;
use karute_consent::policy::DenyReason;
use karute_consent::request::Head;
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, sign};
use karute_consent::tree::digest_of;
use karute_protocol::message::{self, FaultCode, Message};
use karute_protocol::run::ReWrap;
use karute_protocol::trail::{EventKind, TrailNumber};
use karute_protocol::wire::{ByteCount, LedgerSize, Octets};

use super::cast::*;
use super::world::*;

/// A vault with a device's session.
async fn vault(world: &World) -> (Client, Patient) {
    let mut device = world.client(51).await;
    let patient = Patient::with_vault(&mut device).await;
    (device, patient)
}

/// Has a sync of this party permitted, so that the session knows it.
async fn sync(client: &mut Client, patient: &Patient, by: u8) -> Answers {
    let request = client.request(patient.vault, Action::Sync, &[]);
    client.ask(message::Sync { request: signed(request, by), from: LedgerSize(0) }).await
}

/// Who did what and how it ended, from number `from` on, as a device audits it.
async fn events(device: &mut Client, patient: &Patient, from: u64) -> Vec<(EventKind, u8)> {
    let request = device.request(patient.vault, Action::Audit, &[]);
    let answers = device.ask(message::Audit { request: signed(request, 3), from: TrailNumber(from) }).await;
    let items = answers.messages.into_iter().filter_map(|message| match message {
        Message::TrailItem(item) => item.event.map(|event| (event.kind, event.outcome.0)),
        _ => None,
    });
    items.filter(|(kind, _)| *kind != EventKind::Audit).collect()
}

/// Everything that happened since `before` events.
async fn since(world: &World, device: &mut Client, patient: &Patient, before: u64) -> Vec<(EventKind, u8)> {
    assert!(world.host.store().trail_count(patient.vault).unwrap() >= before);
    events(device, patient, before + 1).await
}

/// Makes `by` a depositor of record `number` in run `number`, through a session of its own.
async fn deposit(world: &World, patient: &Patient, by: u8, grant: StatementId, number: u8) -> (Client, Record) {
    let mut client = world.client(by + 50).await;
    let request = client.request(patient.vault, Action::Deposit, &[grant]);
    client.ask(message::Key { request: signed(request, by), collection: COLLECTION, month: NOW.month() }).await;
    client.ask(message::OpenRun { run: signed(run_of(patient, by, number, Some(grant)), by) }).await;
    let record = record(patient, by, number, number, 900);
    let body = Some(Octets::from(record.body.clone()));
    let put = message::Put { header: record.header.clone(), meta: record.meta.clone(), body };
    let answers = client.ask(put).await;
    assert!(matches!(answers.last(), Message::Stored(_)), "{answers:?}");
    (client, record)
}

#[tokio::test]
async fn an_item_of_the_ledger_sent_again_by_who_was_shown_it_leaves_no_event() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(11, &[Action::Read]);
    let attached = vec![9; 30];
    let grant = karute_consent::grant::Grant { core, sealed_hash: digest_of(&[&attached]), package_hash: None };
    let body = sign(grant, &identity(3)).unwrap();
    let seen = patient.next_item(EntryKind::Grant, body.bytes(), body.id(), std::slice::from_ref(&attached));
    patient.append(&mut device, EntryKind::Grant, body.bytes(), body.id(), std::slice::from_ref(&attached)).await;
    let before = world.host.store().trail_count(patient.vault).unwrap();
    let mut holder = world.client(61).await;
    sync(&mut holder, &patient, 11).await;
    for entry in [seen.entry.clone(), Unverified::from_bytes(Vec::new())] {
        holder.ask(message::Attach { bytes: attached.clone().into() }).await;
        let items = vec![message::AppendItem { entry, ..seen.clone() }];
        let size = LedgerSize(patient.ledger.size());
        let append = message::Append { vault: patient.vault, size, items, registration: None };
        assert!(holder.ask(append).await.is_refusal());
    }
    assert_eq!(world.host.strangers_refused(), 2);
    assert_eq!(since(&world, &mut device, &patient, before).await, []);
}

#[tokio::test]
async fn a_revocation_sent_again_by_who_was_shown_it_is_no_deed_of_its_signer() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(11, &[Action::Read]);
    let grant = patient.grant(&mut device, core).await;
    let revocation = patient.revocation(grant, 3);
    device.ask(message::Revoke { revocation: revocation.clone() }).await;
    let before = world.host.store().trail_count(patient.vault).unwrap();
    let mut holder = world.client(61).await;
    sync(&mut holder, &patient, 11).await;
    for _ in 0..3 {
        assert!(holder.ask(message::Revoke { revocation: revocation.clone() }).await.is_refusal());
    }
    assert_eq!(since(&world, &mut device, &patient, before).await, []);
    sync(&mut device, &patient, 3).await;
    let again = device.ask(message::Revoke { revocation }).await;
    assert!(matches!(again.last(), Message::Appended(_)), "its signer is answered: {again:?}");
}

#[tokio::test]
async fn an_ask_under_the_id_of_anothers_puts_nothing_out_of_its_place() {
    let world = World::new();
    let (mut device, patient) = vault(&world).await;
    let ask = |by: u8, number: u8| {
        let sealed = sealed(number);
        let sealed_hash = digest_of(&[&to_bytes(&sealed).unwrap()]);
        let envelope = AskEnvelope { id: AskId::from_bytes([1; 16]), vault: patient.vault, sealed_hash, issued: NOW };
        message::Ask { envelope: signed(envelope, by), sealed }
    };
    let mut facility = world.client(60).await;
    assert!(matches!(facility.ask(ask(12, 1)).await.last(), Message::Done(_)));
    let mut thief = world.client(62).await;
    assert_eq!(thief.ask(ask(13, 2)).await.fault(), FaultCode::Conflict);
    assert!(matches!(facility.ask(ask(12, 3)).await.last(), Message::Done(_)), "one's own may be put anew");
    let request = device.request(patient.vault, Action::Sync, &[]);
    let waiting = device.ask(message::Asks { request: signed(request, 3) }).await;
    let [Message::WaitingAsk(waits), Message::End(_)] = &waiting.messages[..] else { panic!("{waiting:?}") };
    assert_eq!(waits.envelope.clone().verify().unwrap().signer(), key(12));
    assert!(waits.sealed == sealed(3));
}

#[tokio::test]
async fn a_range_without_a_named_record_tells_nothing_of_the_vault() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(10, &[Action::Deposit]);
    let deposits = patient.grant(&mut device, core).await;
    let core = patient.core(11, &[Action::Read]);
    let reads = patient.grant(&mut device, core).await;
    let mut reader = world.client(61).await;
    let range = Some(message::ByteRange { from: ByteCount(0), to: ByteCount(10) });
    for number in 0..3 {
        let before = world.host.store().trail_count(patient.vault).unwrap();
        let request = reader.request(patient.vault, Action::Read, &[reads]);
        let answers = reader.ask(message::Fetch { request: signed(request, 11), acting: None, range }).await;
        assert_eq!(answers.fault(), FaultCode::Malformed, "with {number} records");
        assert_eq!(world.host.store().trail_count(patient.vault).unwrap(), before);
        deposit(&world, &patient, 10, deposits, number + 1).await;
    }
}

#[tokio::test]
async fn a_named_record_that_went_elsewhere_does_not_close_the_others() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(10, &[Action::Deposit]);
    let deposits = patient.grant(&mut device, core).await;
    let (_, first) = deposit(&world, &patient, 10, deposits, 1).await;
    let gone = RecordId::from_bytes([77; 16]);
    let mut core = patient.core(11, &[Action::Read]);
    core.scope.records = Some([first.id, gone].into());
    let reads = patient.grant(&mut device, core).await;
    let mut reader = world.client(61).await;
    let mut request = reader.request(patient.vault, Action::Read, &[reads]);
    let answers = reader.ask(message::Fetch { request: signed(request.clone(), 11), acting: None, range: None }).await;
    assert!(matches!(answers.last(), Message::End(end) if end.count == 1), "{answers:?}");
    request = reader.request(patient.vault, Action::Read, &[reads]);
    request.selector.records = Some([first.id, gone].into());
    let answers = reader.ask(message::Fetch { request: signed(request, 11), acting: None, range: None }).await;
    assert!(answers.is_refusal(), "who names what is not there is refused (C-50)");
}

#[tokio::test]
async fn a_list_pays_for_no_read_and_one_record_for_no_other() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let mut core = patient.core(11, &[Action::List, Action::Read]);
    core.uses = Some(1);
    let grant = patient.grant(&mut device, core).await;
    let mut reader = world.client(61).await;
    let first = reader.request(patient.vault, Action::List, &[grant]);
    let id = first.id;
    let answers = reader.ask(message::List { request: signed(first, 11), acting: None }).await;
    assert!(matches!(answers.last(), Message::Listed(_)), "{answers:?}");
    let mut read = reader.request(patient.vault, Action::Read, &[grant]);
    read.resumes = Some(id);
    let answers = reader.ask(message::Fetch { request: signed(read, 11), acting: None, range: None }).await;
    assert!(answers.is_refusal(), "{answers:?}");
    let mut list = reader.request(patient.vault, Action::List, &[grant]);
    list.resumes = Some(id);
    let answers = reader.ask(message::List { request: signed(list, 11), acting: None }).await;
    assert!(matches!(answers.last(), Message::Listed(_)), "{answers:?}");
}

#[tokio::test]
async fn the_id_of_anothers_request_takes_nothing_from_it() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let mut readers = Vec::new();
    for by in [11, 12] {
        let mut core = patient.core(by, &[Action::List]);
        core.uses = Some(1);
        let grant = patient.grant(&mut device, core).await;
        readers.push((by, grant, world.client(by + 50).await));
    }
    let id = RequestId::from_bytes([42; 16]);
    for (by, grant, client) in &mut readers {
        let mut request = client.request(patient.vault, Action::List, &[*grant]);
        request.id = id;
        let answers = client.ask(message::List { request: signed(request, *by), acting: None }).await;
        assert!(matches!(answers.last(), Message::Listed(_)), "{answers:?}");
    }
    for (by, grant, client) in &mut readers {
        let mut request = client.request(patient.vault, Action::List, &[*grant]);
        request.resumes = Some(id);
        let answers = client.ask(message::List { request: signed(request, *by), acting: None }).await;
        assert!(matches!(answers.last(), Message::Listed(_)), "party {by} goes on: {answers:?}");
    }
}

#[tokio::test]
async fn a_run_is_re_wrapped_once_in_a_message() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(10, &[Action::Deposit]);
    let deposits = patient.grant(&mut device, core).await;
    deposit(&world, &patient, 10, deposits, 1).await;
    patient.append_directory(&mut device, 2).await;
    sync(&mut device, &patient, 3).await;
    let run = RunId::from_bytes([1; 16]);
    let replaces = world.host.store().run(patient.vault, run).unwrap().unwrap().in_force();
    let re_wrap = |seal: u8| ReWrap {
        run,
        vault: patient.vault,
        collection: COLLECTION,
        generation: Generation(2),
        epoch: NOW.month(),
        depositor: key(10),
        replaces,
        seal: sealed(seal),
    };
    let twice = vec![signed(re_wrap(1), 3), signed(re_wrap(2), 3)];
    assert_eq!(device.ask(message::ReWraps { re_wraps: twice }).await.fault(), FaultCode::Malformed);
    let once = vec![signed(re_wrap(1), 3)];
    assert!(matches!(device.ask(message::ReWraps { re_wraps: once }).await.last(), Message::Done(_)));
}

#[tokio::test]
async fn a_refused_run_stands_in_the_trail_and_a_copied_one_does_not() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(10, &[Action::Deposit]);
    let grant = patient.grant(&mut device, core).await;
    let (mut facility, _) = deposit(&world, &patient, 10, grant, 1).await;
    let before = world.host.store().trail_count(patient.vault).unwrap();
    let of_another = signed(run_of(&patient, 12, 2, Some(grant)), 12);
    assert!(facility.ask(message::OpenRun { run: of_another }).await.is_refusal());
    let without_grant = signed(run_of(&patient, 10, 3, None), 10);
    assert!(facility.ask(message::OpenRun { run: without_grant }).await.is_refusal());
    facility.ask(message::Close {}).await;
    let run = || signed(run_of(&patient, 10, 4, Some(grant)), 10);
    assert!(facility.ask(message::OpenRun { run: run() }).await.is_refusal(), "nothing is open any more");
    let mut thief = world.client(62).await;
    assert!(thief.ask(message::OpenRun { run: run() }).await.is_refusal());
    let refused = [DenyReason::NotHolder, DenyReason::NoGrant, DenyReason::NoGrant];
    let refused = refused.map(|reason| (EventKind::Refusal, reason.number()));
    assert_eq!(since(&world, &mut device, &patient, before).await, refused);
}

#[tokio::test]
async fn a_run_whose_grant_was_revoked_stands_in_the_trail() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(10, &[Action::Deposit]);
    let grant = patient.grant(&mut device, core).await;
    let (mut facility, _) = deposit(&world, &patient, 10, grant, 1).await;
    let revocation = patient.revocation(grant, 3);
    device.ask(message::Revoke { revocation }).await;
    let before = world.host.store().trail_count(patient.vault).unwrap();
    let run = signed(run_of(&patient, 10, 2, Some(grant)), 10);
    assert!(facility.ask(message::OpenRun { run }).await.is_refusal());
    let put = record(&patient, 10, 1, 2, 900);
    let body = Some(Octets::from(put.body.clone()));
    let put = message::Put { header: put.header.clone(), meta: put.meta.clone(), body };
    assert!(facility.ask(put).await.is_refusal());
    let refused = (EventKind::Refusal, DenyReason::Revoked.number());
    assert_eq!(since(&world, &mut device, &patient, before).await, [refused, refused]);
}

#[tokio::test]
async fn a_run_with_a_head_that_the_ledger_never_had_is_not_taken() {
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(10, &[Action::Deposit]);
    let grant = patient.grant(&mut device, core).await;
    let (mut facility, _) = deposit(&world, &patient, 10, grant, 1).await;
    let head = world.host.store().ledger_head(patient.vault).unwrap();
    let root = karute_consent::id::Digest::from_bytes(head.root.0);
    let earlier = world.host.store().ledger_head_at(patient.vault, 2).unwrap().unwrap();
    let earlier_root = karute_consent::id::Digest::from_bytes(earlier.root.0);
    let mut open = async |number: u8, head: Head| {
        let mut run = run_of(&patient, 10, number, Some(grant));
        run.head = head;
        facility.ask(message::OpenRun { run: signed(run, 10) }).await
    };
    for (number, size, root) in [(2, head.size + 1, root), (3, head.size, earlier_root), (4, 2, root)] {
        assert_eq!(open(number, Head { size, root }).await.fault(), FaultCode::NotInForce);
    }
    for (number, size, root) in [(5, head.size, root), (6, 2, earlier_root)] {
        let answers = open(number, Head { size, root }).await;
        assert!(matches!(answers.last(), Message::Done(_)), "{answers:?}");
    }
}

#[tokio::test]
async fn a_package_for_anothers_child_grant_is_refused_in_the_trail() {
    use karute_consent::id::RotationSequence;
    let world = World::new();
    let (mut device, mut patient) = vault(&world).await;
    let core = patient.core(11, &[Action::Read]);
    let grant = patient.grant(&mut device, core).await;
    let mut holder = world.client(61).await;
    sync(&mut holder, &patient, 11).await;
    let before = world.host.store().trail_count(patient.vault).unwrap();
    for grant in [grant, StatementId::from_bytes([5; 32])] {
        let pass = message::PassOn { grant, rotation: RotationSequence(0), package: sealed(9) };
        assert!(holder.ask(pass).await.is_refusal());
    }
    let refused = [DenyReason::NotHolder, DenyReason::UnknownGrant];
    let refused = refused.map(|reason| (EventKind::Refusal, reason.number()));
    assert_eq!(since(&world, &mut device, &patient, before).await, refused);
}
