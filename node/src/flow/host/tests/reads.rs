//! Reading: list, fetch and audit; every reason to refuse looks alike to the peer and stands in the trail.

use karute_consent::id::{RequestId, StatementId};
use karute_consent::policy::DenyReason;
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_protocol::bao::RangeVerifier;
use karute_protocol::message::{self, ByteRange, FaultCode, Message, RecordAnswer};
use karute_protocol::trail::{Event, EventKind, Leaf, TrailNumber};
use karute_protocol::wire::{ByteCount, Octets};

use super::cast::*;
use super::world::*;

/// A vault with records 1 (short) and 2 (long) of facility 10, and a reader 11 with a grant.
struct Scene {
    world: World,
    device: Client,
    reader: Client,
    patient: Patient,
    grant: StatementId,
    long: Record,
}

async fn scene() -> Scene {
    scene_with(None, 5_000_000).await
}

async fn scene_with(uses: Option<u32>, long_bytes: u64) -> Scene {
    let world = World::new();
    let mut device = world.client(51).await;
    let mut patient = Patient::with_vault(&mut device).await;
    let core = patient.core(10, &[Action::Deposit]);
    let deposit = patient.grant(&mut device, core).await;
    let mut core = patient.core(11, &[Action::List, Action::Read]);
    core.uses = uses;
    let grant = patient.grant(&mut device, core).await;
    let mut facility = world.client(60).await;
    let request = facility.request(patient.vault, Action::Deposit, &[deposit]);
    facility.ask(message::Key { request: signed(request, 10), collection: COLLECTION, month: NOW.month() }).await;
    facility.ask(message::OpenRun { run: signed(run_of(&patient, 10, 1, Some(deposit)), 10) }).await;
    let short = record(&patient, 10, 1, 1, 1000);
    let body = Some(Octets::from(short.body.clone()));
    facility.ask(message::Put { header: short.header.clone(), meta: short.meta.clone(), body }).await;
    let long = record(&patient, 10, 1, 2, long_bytes);
    let begin = message::Body {
        run: karute_consent::id::RunId::from_bytes([1; 16]),
        record: long.id,
        length: ByteCount(long.body.len() as u64),
    };
    let number = facility.send(begin).await;
    facility.answers(number).await;
    for piece in long.body.chunks(1 << 20) {
        facility.outbox.piece(number, piece.to_vec()).await.unwrap();
    }
    let answers = facility.ask(message::Put { header: long.header.clone(), meta: long.meta.clone(), body: None }).await;
    assert!(matches!(answers.last(), Message::Stored(_)), "{answers:?}");
    let reader = world.client(61).await;
    Scene { world, device, reader, patient, grant, long }
}

impl Scene {
    fn request(&mut self, action: Action) -> Request {
        self.reader.request(self.patient.vault, action, &[self.grant])
    }

    async fn fetch(&mut self, request: Request) -> Answers {
        self.reader.ask(message::Fetch { request: signed(request, 11), acting: None, range: None }).await
    }

    /// Events of the vault, as a device audits them.
    async fn events(&mut self) -> Vec<Told> {
        let request = self.device.request(self.patient.vault, Action::Audit, &[]);
        let audit = message::Audit { request: signed(request, 3), from: TrailNumber(1) };
        let answers = self.device.ask(audit).await;
        assert!(matches!(answers.last(), Message::Listed(_)), "{answers:?}");
        let items = answers.messages.into_iter().filter_map(|message| match message {
            Message::TrailItem(item) => Some(Told { leaf: item.leaf, event: item.event.unwrap() }),
            _ => None,
        });
        items.collect()
    }
}

/// An event of an audit.
struct Told {
    leaf: Leaf,
    event: Event,
}

fn records(answers: &Answers) -> Vec<&RecordAnswer> {
    let records = answers.messages.iter().filter_map(|message| match message {
        Message::RecordAnswer(record) => Some(record.as_ref()),
        _ => None,
    });
    records.collect()
}

#[tokio::test]
async fn a_holder_fetches_what_its_grant_reaches_byte_for_byte() {
    let mut scene = scene().await;
    let request = scene.request(Action::Read);
    let answers = scene.fetch(request).await;
    let Message::Permitted(permitted) = &answers.messages[0] else { panic!("{answers:?}") };
    assert_eq!((permitted.count, permitted.receipt.event.kind), (2, EventKind::Read));
    let got = records(&answers);
    assert_eq!(
        got[0].body.as_ref().unwrap().len() as u64,
        got[0].header.clone().verify().unwrap().payload().body().len
    );
    let header = got[1].header.clone().verify().unwrap();
    assert_eq!(answers.pieces.len() as u64, got[1].encoded_len.0);
    let body = header.payload().body();
    let mut verifier = RangeVerifier::new(&body, 0..body.len).unwrap();
    let (mut rest, mut plain) = (&answers.pieces[..], Vec::new());
    while let Some(piece) = verifier.next_piece(&mut rest).unwrap() {
        plain.extend_from_slice(piece.bytes);
    }
    verifier.finish().unwrap();
    assert!(plain == scene.long.body);
    assert!(matches!(answers.last(), Message::End(end) if end.count == 2));
}

#[tokio::test]
async fn a_range_of_one_record_costs_no_more_than_its_groups() {
    let mut scene = scene().await;
    let mut request = scene.request(Action::Read);
    request.selector.records = Some([scene.long.id].into());
    let range = Some(ByteRange { from: ByteCount(1_000_000), to: ByteCount(1_100_000) });
    let answers = scene.reader.ask(message::Fetch { request: signed(request, 11), acting: None, range }).await;
    assert!(answers.pieces.len() < 140_000, "{}", answers.pieces.len());
    let body = records(&answers)[0].header.clone().verify().unwrap().payload().body();
    let mut verifier = RangeVerifier::new(&body, 1_000_000..1_100_000).unwrap();
    let mut rest = &answers.pieces[..];
    while verifier.next_piece(&mut rest).unwrap().is_some() {}
    verifier.finish().unwrap();
    // A range of several records is no request at all.
    let request = scene.request(Action::Read);
    let answers = scene.reader.ask(message::Fetch { request: signed(request, 11), acting: None, range }).await;
    assert_eq!(answers.fault(), FaultCode::Malformed);
}

#[tokio::test]
async fn a_list_is_signed_and_complete() {
    let mut scene = scene().await;
    let request = scene.request(Action::List);
    let answers = scene.reader.ask(message::List { request: signed(request, 11), acting: None }).await;
    assert_eq!(records(&answers).len(), 2);
    assert!(records(&answers).iter().all(|record| record.body.is_none() && record.encoded_len.0 == 0));
    let Message::Listed(listed) = answers.last() else { panic!("{answers:?}") };
    let said = listed.answer.clone().unwrap().verify_by(key(4)).unwrap();
    assert_eq!(said.payload().counts.iter().map(|place| place.count).sum::<u64>(), 2);
}

#[tokio::test]
async fn every_reason_is_one_refusal_to_the_peer_and_itself_in_the_trail() {
    let mut scene = scene().await;
    type Bend = fn(&mut Request);
    let bends: [(DenyReason, Bend); 8] = [
        (DenyReason::WrongNode, |r| r.node = karute_consent::id::NodeId::from_bytes([9; 32])),
        (DenyReason::WrongPeer, |r| r.peer = vec![1; 38]),
        (DenyReason::WrongChallenge, |r| r.challenge = karute_consent::id::Challenge::from_bytes([9; 32])),
        (DenyReason::Replayed, |r| r.sequence = 0),
        (DenyReason::ClockSkew, |r| r.time = NOW.plus_secs(121)),
        (DenyReason::UnknownGrant, |r| r.chain = vec![StatementId::from_bytes([7; 32])]),
        (DenyReason::PurposeNotGranted, |r| r.purpose = karute_consent::purpose::Purpose::Payment),
        (DenyReason::OutsideScope, |r| {
            r.selector.records = Some([karute_consent::id::RecordId::from_bytes([77; 16])].into())
        }),
    ];
    for (_, bend) in &bends {
        let mut request = scene.request(Action::Read);
        bend(&mut request);
        let answers = scene.fetch(request).await;
        assert_eq!(answers.messages.len(), 1);
        assert!(answers.is_refusal(), "{answers:?}");
    }
    let events = scene.events().await;
    let refusals = events.iter().filter(|item| item.event.kind == EventKind::Refusal);
    let outcomes: Vec<u8> = refusals.map(|item| item.event.outcome.0).collect();
    // A request that names another node stands in no trail (P-39).
    let reasons: Vec<u8> = bends.iter().map(|(reason, _)| reason.number()).collect();
    assert_eq!(outcomes, reasons[1..]);
    for Told { leaf, event } in &events {
        let asked =
            event.check_request(leaf.vault, karute_consent::id::NodeId::from_bytes(*key(4).as_bytes())).unwrap();
        assert!(asked.is_some() || !event.must_carry_request(), "{}", event.kind);
    }
}

#[tokio::test]
async fn a_stranger_with_a_good_looking_request_fills_no_trail() {
    let mut scene = scene().await;
    let before = scene.events().await.len();
    let request = scene.request(Action::Read);
    let answers = scene.reader.ask(message::Fetch { request: signed(request, 12), acting: None, range: None }).await;
    assert!(answers.is_refusal());
    assert_eq!(scene.events().await.len(), before + 1, "only the audit itself");
    assert_eq!(scene.world.host.strangers_refused(), 1);
}

#[tokio::test]
async fn a_message_for_one_action_is_not_opened_by_another() {
    let mut scene = scene().await;
    let request = scene.request(Action::List);
    assert!(scene.fetch(request).await.is_refusal());
}

#[tokio::test]
async fn uses_run_out_and_a_resume_costs_none() {
    let mut scene = scene_with(Some(1), 100_000).await;
    let first = scene.request(Action::Read);
    let id: RequestId = first.id;
    assert!(!scene.fetch(first).await.is_refusal());
    let second = scene.request(Action::Read);
    assert!(scene.fetch(second).await.is_refusal());
    let mut resumed = scene.request(Action::Read);
    resumed.resumes = Some(id);
    assert!(!scene.fetch(resumed).await.is_refusal());
    let Scene { world, patient, grant, device, reader, .. } = scene;
    drop((device, reader));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let world = world.restarted();
    let mut reader = world.client(61).await;
    let third = reader.request(patient.vault, Action::Read, &[grant]);
    let answers = reader.ask(message::Fetch { request: signed(third, 11), acting: None, range: None }).await;
    assert!(answers.is_refusal(), "uses outlive a restart");
}

#[tokio::test]
async fn many_requests_at_once_do_not_outrun_a_single_use() {
    let mut scene = scene_with(Some(1), 100_000).await;
    for _ in 0..8 {
        let request = scene.request(Action::List);
        scene.reader.send(message::List { request: signed(request, 11), acting: None }).await;
    }
    let (mut permitted, mut refused) = (0, 0);
    while refused + permitted < 8 {
        let (_, _, payload) = scene.reader.frame().await.unwrap();
        match Message::decode(&payload).unwrap() {
            Message::Permitted(_) => permitted += 1,
            Message::Refusal(_) => refused += 1,
            _ => {}
        }
    }
    assert_eq!((permitted, refused), (1, 7));
}

#[tokio::test]
async fn a_grant_ends_with_its_time_and_with_its_revocation() {
    let mut scene = scene().await;
    let revocation = scene.patient.revocation(scene.grant, 3);
    scene.device.ask(message::Revoke { revocation }).await;
    let request = scene.request(Action::Read);
    assert!(scene.fetch(request).await.is_refusal());
    let refusal = scene.events().await.into_iter().find(|item| item.event.kind == EventKind::Refusal).unwrap();
    assert_eq!(refusal.event.outcome.0, DenyReason::Revoked.number());
}

#[tokio::test]
async fn a_revocation_in_the_middle_of_a_body_ends_it_there() {
    let mut scene = scene_with(None, 20_000_000).await;
    let mut request = scene.request(Action::Read);
    request.selector.records = Some([scene.long.id].into());
    let number = scene.reader.send(message::Fetch { request: signed(request, 11), acting: None, range: None }).await;
    // Nothing is read meanwhile: the answer stands in front of the small pipe, and the acknowledgement waits for it.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let revocation = scene.patient.revocation(scene.grant, 3);
    let revoking = scene.device.send(message::Revoke { revocation }).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let answers = scene.reader.answers(number).await;
    assert!(answers.is_refusal(), "{:?}", answers.last());
    assert!(matches!(scene.device.answers(revoking).await.last(), Message::Appended(_)));
    assert!((answers.pieces.len() as u64) < records(&answers)[0].encoded_len.0);
    let refusal = scene.events().await.into_iter().find(|item| item.event.kind == EventKind::Refusal).unwrap();
    assert_eq!((refusal.event.party, refusal.event.outcome.0), (key(11), DenyReason::Revoked.number()));
    assert_eq!(refusal.event.chain, [scene.grant]);
}

#[tokio::test]
async fn a_reader_who_does_not_read_is_cut_off_and_holds_up_no_revocation() {
    let mut scene = scene_with(None, 20_000_000).await;
    let mut request = scene.request(Action::Read);
    request.selector.records = Some([scene.long.id].into());
    let number = scene.reader.send(message::Fetch { request: signed(request, 11), acting: None, range: None }).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let revocation = scene.patient.revocation(scene.grant, 3);
    let begun = std::time::Instant::now();
    scene.device.ask(message::Revoke { revocation }).await;
    assert!(begun.elapsed() < 2 * crate::net::limits::HANDOVER_TIME, "{:?}", begun.elapsed());
    while let Some((_, of, _)) = scene.reader.frame().await {
        assert_eq!(of, number, "whole frames of this answer only, then the end");
    }
    let refusal = scene.events().await.into_iter().find(|item| item.event.kind == EventKind::Refusal).unwrap();
    assert_eq!((refusal.event.party, refusal.event.outcome.0), (key(11), DenyReason::Revoked.number()));
}

#[tokio::test]
async fn the_trail_has_no_gap_and_every_event_is_proven() {
    let mut scene = scene().await;
    let request = scene.request(Action::Read);
    scene.fetch(request).await;
    let events = scene.events().await;
    let numbers: Vec<u64> = events.iter().map(|item| item.leaf.number.0).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap().event.kind, EventKind::Audit);
    assert!(events.iter().any(|item| item.event.kind == EventKind::Read && item.event.count == 2));
}

#[tokio::test]
async fn a_party_without_audit_sees_no_trail() {
    let mut scene = scene().await;
    let request = scene.request(Action::Audit);
    let answers = scene.reader.ask(message::Audit { request: signed(request, 11), from: TrailNumber(1) }).await;
    assert!(answers.is_refusal());
}
