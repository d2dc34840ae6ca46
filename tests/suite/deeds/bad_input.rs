//! Bad input: whatever a peer sends, it learns one uniform refusal or loses its session, the trail keeps the reason, nothing
//! panics, and the node goes on serving.

use karute_consent::id::{Challenge, NodeId, RequestId, StatementId, VaultId};
use karute_consent::party::Identity;
use karute_consent::policy::DenyReason;
use karute_consent::purpose::Purpose;
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_consent::statement::Unverified;
use karute_consent::time::{Month, MonthRange};
use karute_node::frame::FrameReader;
use karute_protocol::message::{Fetch, Hello, List, Message, Sync, Version};
use karute_protocol::wire::LedgerSize;
use karute_tests::vectors::cbor::Cbor;
use karute_tests::vectors::forge;
use karute_tests::world::{Answered, DAY, World, wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::scene::{Scene, imaging, lab};

/// One lab record, B may read lab.
async fn readable(seed: u64) -> (Scene, StatementId) {
    let mut scene = Scene::new(seed).await;
    let grant = scene.lets_read("B", &[lab()]).await;
    scene.has_lab(b"HbA1c 6.1").await;
    (scene, grant)
}

async fn still_serves(scene: &mut Scene) {
    let vault = scene.vault;
    let fetched = scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap();
    assert_eq!(fetched[0].1, b"HbA1c 6.1");
}

fn fetch(request: Unverified<Request>) -> Fetch {
    Fetch { request, acting: None, range: None }
}

/// Each case spoils one thing of a request that is otherwise permitted. All answers are the same bytes.
#[tokio::test]
async fn every_bad_request_gets_the_same_bytes_and_the_trail_keeps_the_reason() {
    let (mut scene, grant) = readable(180).await;
    let elsewhere = scene.collection_of(imaging()).await;
    let deposit = scene.deposit;
    type Spoil = Box<dyn Fn(&mut Request)>;
    let last_month = scene.world.now().month().previous().unwrap();
    let cases: Vec<(DenyReason, Spoil)> = vec![
        (DenyReason::WrongNode, Box::new(|request| request.node = NodeId::from_bytes([1; 32]))),
        (DenyReason::WrongPeer, Box::new(|request| request.peer = vec![0; 38])),
        (DenyReason::WrongPeer, Box::new(|request| *request.peer.last_mut().unwrap() ^= 1)),
        (DenyReason::WrongChallenge, Box::new(|request| request.challenge = Challenge::from_bytes([1; 32]))),
        (DenyReason::Replayed, Box::new(|request| request.sequence -= 1)),
        (DenyReason::Replayed, Box::new(|request| request.sequence = 0)),
        (DenyReason::ClockSkew, Box::new(|request| request.time = request.time.plus_secs(121))),
        (DenyReason::ClockSkew, Box::new(|request| request.time = karute_consent::time::Timestamp::from_secs(0))),
        (DenyReason::NoGrant, Box::new(|request| request.chain = Vec::new())),
        (DenyReason::UnknownGrant, Box::new(|request| request.chain = vec![StatementId::from_bytes([1; 32])])),
        (DenyReason::BrokenChain, Box::new(move |request| request.chain = vec![grant, grant])),
        (DenyReason::NotHolder, Box::new(move |request| request.chain = vec![deposit])),
        (DenyReason::ActionNotGranted, Box::new(|request| request.action = Action::Export)),
        (DenyReason::ActionNotGranted, Box::new(|request| request.action = Action::Audit)),
        (DenyReason::ActionNotGranted, Box::new(|request| request.action = Action::List)),
        (DenyReason::PurposeNotGranted, Box::new(|request| request.purpose = Purpose::Research)),
        (DenyReason::OutsideScope, Box::new(move |request| request.selector.collections = Some([elsewhere].into()))),
        (DenyReason::WrongVault, Box::new(|request| request.vault = VaultId::from_bytes([1; 32]))),
    ];
    let (mut wire, b) = scene.raw("B").await;
    // Two good ones first, so that a sequence number can be an old one.
    for id in [1, 2] {
        let request = wire.request(&b, scene.request(Action::Read, &[grant], id), |_| ());
        assert!(!wire.ask(fetch(request)).await.unwrap().is_refusal());
    }
    let mut answers: Vec<Answered> = Vec::new();
    let mut expected = Vec::new();
    for (number, (reason, spoil)) in cases.iter().enumerate() {
        let asked = scene.request(Action::Read, &[grant], 10 + number as u8);
        let request = wire.request(&b, asked, |request| spoil(request));
        answers.push(wire.ask(fetch(request)).await.unwrap());
        // A vault that is not here has no trail, and no request that names another node stands in one; both are counted.
        if ![DenyReason::WrongVault, DenyReason::WrongNode].contains(reason) {
            expected.push(*reason);
        }
    }
    // Months outside of the grant's: a grant of this month alone, asked for the month before.
    let months = MonthRange::new(last_month, scene.world.now().month()).unwrap();
    let card = scene.world.facility("B").card().to_vec();
    let this = MonthRange::new(scene.world.now().month(), Month(scene.world.now().month().0 + 1)).unwrap();
    let new =
        karute_node::flow::agent::grant::NewGrant { months: Some(this), ..karute_tests::world::reads(&card, &[lab()]) };
    let narrow = scene.hanako().grants(new).await.unwrap();
    let asked = scene.request(Action::Read, &[narrow], 60);
    let request = wire.request(&b, asked, |request| request.selector.months = Some(months));
    answers.push(wire.ask(fetch(request)).await.unwrap());
    expected.push(DenyReason::OutsideScope);

    for (number, answer) in answers.iter().enumerate() {
        assert!(answer.is_refusal(), "case {number}: {answer:?}");
        assert_eq!(answer.frames, answers[0].frames, "case {number} differs on the wire");
    }
    assert_eq!(scene.reasons(b.key()).await, expected);
    assert_eq!(scene.world.host().strangers_refused(), 2);
    still_serves(&mut scene).await;
}

/// ```text
///   B ── request ──> host        the same bytes again: in this session, in the next, from C's peer id, at another node
/// ```
#[tokio::test]
async fn the_same_bytes_again_are_refused_wherever_they_come_from() {
    let (mut scene, grant) = readable(181).await;
    let (mut wire, b) = scene.raw("B").await;
    let request = wire.request(&b, scene.request(Action::Read, &[grant], 1), |_| ());
    let bytes = Message::from(fetch(request)).encode().unwrap();
    assert!(!wire.ask_raw(bytes.clone()).await.unwrap().is_refusal());
    let again = wire.ask_raw(bytes.clone()).await.unwrap();
    let (mut next, _) = scene.raw("B").await;
    let in_another_session = next.ask_raw(bytes.clone()).await.unwrap();
    let (mut of_c, _) = scene.raw("C").await;
    let from_another_peer = of_c.ask_raw(bytes.clone()).await.unwrap();
    scene.world.restarts_host().await;
    let (mut after, _) = scene.raw("B").await;
    let after_a_restart = after.ask_raw(bytes.clone()).await.unwrap();

    let mut elsewhere = World::new(182).await;
    let transport = elsewhere.facility("B").agent.transport();
    let mut other = elsewhere.wire_of(&transport).await;
    let at_another_node = other.ask_raw(bytes).await.unwrap();
    for (what, answer) in [
        ("again", &again),
        ("in another session", &in_another_session),
        ("from another peer", &from_another_peer),
        ("after a restart", &after_a_restart),
        ("at another node", &at_another_node),
    ] {
        assert!(answer.is_refusal(), "{what}: {answer:?}");
        assert_eq!(answer.frames, again.frames, "{what}");
    }
    let reasons = [DenyReason::Replayed, DenyReason::WrongChallenge, DenyReason::WrongPeer, DenyReason::WrongChallenge];
    assert_eq!(scene.reasons(b.key()).await, reasons);
    still_serves(&mut scene).await;
}

#[tokio::test]
async fn a_request_before_and_after_its_time_is_refused_like_any_other() {
    let mut scene = Scene::new(183).await;
    // The patient's clock is a minute ahead of the host's: the grant has not begun yet there.
    scene.hanako().agent.ambient().advance(60);
    let grant = scene.lets_read("B", &[lab()]).await;
    scene.has_lab(b"HbA1c 6.1").await;
    let (mut wire, b) = scene.raw("B").await;
    let mut answers = Vec::new();
    for (id, wait) in [(1, 60), (2, 91 * DAY), (3, 0)] {
        let request = wire.request(&b, scene.request(Action::Read, &[grant], id), |_| ());
        answers.push(wire.ask(fetch(request)).await.unwrap());
        scene.world.passes(wait);
    }
    let refused: Vec<bool> = answers.iter().map(Answered::is_refusal).collect();
    assert_eq!(refused, [true, false, true]);
    assert_eq!(answers[0].frames, answers[2].frames);
    assert_eq!(scene.reasons(b.key()).await, [DenyReason::NotYetValid, DenyReason::Expired]);
}

#[tokio::test]
async fn a_host_whose_clock_went_back_decides_nothing_but_syncs() {
    let (mut scene, grant) = readable(184).await;
    let (mut wire, b) = scene.raw("B").await;
    let now = scene.world.now();
    scene.world.is_now(karute_consent::time::Timestamp::from_secs(now.secs() - 3600));
    let request = wire.request(&b, scene.request(Action::Read, &[grant], 1), |_| ());
    assert!(wire.ask(fetch(request)).await.unwrap().is_refusal());
    let asked = scene.request(Action::Sync, &[], 2);
    let request = wire.request(&b, asked, |_| ());
    let answer = wire.ask(Sync { request, from: LedgerSize(0) }).await.unwrap();
    assert!(matches!(answer.messages().last(), Some(Message::Synced(_))), "{answer:?}");
    scene.world.is_now(now);
    assert_eq!(scene.reasons(b.key()).await, [DenyReason::ClockBehind]);
    still_serves(&mut scene).await;
}

/// A statement that says more than this version knows, or says it in another spelling, is not read.
#[tokio::test]
async fn an_unknown_field_or_another_spelling_in_a_request_is_not_read() {
    let (mut scene, grant) = readable(185).await;
    let (mut wire, b) = scene.raw("B").await;
    let request = wire.request(&b, scene.request(Action::Read, &[grant], 1), |_| ());
    let bytes = request.clone().verify().unwrap().bytes().to_vec();
    let good = forge::payload_of(&bytes);
    let Cbor::Map(fields) = &good else { panic!("a request is a map") };
    let with = |change: &dyn Fn(&mut Vec<(Cbor, Cbor)>)| {
        let mut fields = fields.clone();
        change(&mut fields);
        forge::sign("request", &Cbor::Map(fields), &b)
    };
    let reordered = |fields: &mut Vec<(Cbor, Cbor)>| fields.swap(0, 1);
    let spoiled: Vec<(&str, Vec<u8>)> = vec![
        ("an unknown field", with(&|fields| fields.push((Cbor::Uint(99), Cbor::Uint(1))))),
        ("a field missing", with(&|fields| drop(fields.remove(3)))),
        ("fields in another order", with(&reordered)),
        ("a field twice", with(&|fields| fields.insert(1, fields[0].clone()))),
        ("signed as something else", forge::sign("grant", &good, &b)),
        ("signed by nobody", {
            let mut envelope = forge::Envelope::sign("request", &good, &b);
            envelope.signature[10] ^= 1;
            envelope.join()
        }),
        ("signed for a later version", {
            let mut envelope = forge::Envelope::sign("request", &good, &b);
            let wrong = b.sign(&forge::to_be_signed("request", &envelope.protected, b"other"));
            envelope.signature = wrong.as_bytes().to_vec();
            envelope.join()
        }),
        ("cut off", bytes[..bytes.len() - 1].to_vec()),
        ("with a byte behind it", [bytes.as_slice(), &[0]].concat()),
        ("empty", Vec::new()),
    ];
    let before = scene.world.host().store().trail_count(scene.vault).unwrap();
    let mut answers = Vec::new();
    for (what, bytes) in spoiled {
        let answer = wire.ask(fetch(Unverified::from_bytes(bytes))).await.unwrap();
        assert!(
            matches!(answer.messages().last(), Some(Message::Fault(_) | Message::Refusal(_))),
            "{what}: {answer:?}"
        );
        assert_eq!(answer.frames.len(), 1, "{what}");
        answers.push(answer.frames);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "all of them are answered alike");
    let after = scene.world.host().store().trail_count(scene.vault).unwrap();
    assert_eq!(before, after, "nobody is known to have signed them");
    // The good one still holds: nothing of the session was used up.
    assert!(!wire.ask(fetch(request)).await.unwrap().is_refusal());
}

/// Frames and messages that are none end the session without a word, and only that session.
#[tokio::test]
async fn broken_frames_and_messages_end_their_session_and_no_other() {
    let (mut scene, grant) = readable(186).await;
    let (mut witness, b) = scene.raw("B").await;
    let hello = frame(0, 1, &Message::from(Hello { versions: vec![Version(1)], heads: Vec::new() }).encode().unwrap());
    let list = {
        let request = witness.request(&b, scene.request(Action::List, &[grant], 1), |_| ());
        Message::from(List { request, acting: None }).encode().unwrap()
    };
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing at all", Vec::new()),
        ("noise", vec![0xA5; 300]),
        ("a message before hello", frame(0, 1, &list)),
        ("hello under another number", frame(0, 2, &hello[9..])),
        ("hello as a piece", frame(1, 1, &hello[9..])),
    ];
    let after_hello: Vec<(&str, Vec<u8>)> = vec![
        ("a second hello", frame(0, 2, &hello[9..])),
        ("an unknown type of frame", frame(2, 2, &list)),
        ("an unknown tag", frame(0, 2, &[99, 0xA0])),
        ("a tag for the client", frame(0, 2, &[8, 0xA0])),
        ("an empty message", frame(0, 2, &[])),
        ("an unknown field of a message", frame(0, 2, &[37, 0xA1, 9, 1])),
        ("a map that is none", frame(0, 2, &[37, 0x80])),
        ("a longer spelling", frame(0, 2, &[37, 0xB8, 0])),
        ("bytes behind the map", frame(0, 2, &[37, 0xA0, 0])),
        ("a number that falls", [frame(0, 5, &[37, 0xA0]), frame(0, 4, &[37, 0xA0])].concat()),
        ("a number twice", [frame(0, 5, &[37, 0xA0]), frame(0, 5, &[37, 0xA0])].concat()),
        ("a piece of nothing", frame(1, 7, &[1, 2, 3])),
        ("a frame shorter than its head", [4u32.to_be_bytes().as_slice(), &[0, 0, 0, 2]].concat()),
        ("a message above its limit", [262_150u32.to_be_bytes().as_slice(), &[0, 0, 0, 0, 2], &[0; 4096]].concat()),
        ("a piece above its limit", [1_048_582u32.to_be_bytes().as_slice(), &[1, 0, 0, 0, 1], &[0; 4096]].concat()),
        ("a length of everything", [u32::MAX.to_be_bytes().as_slice(), &[0, 0, 0, 0, 2], &[0; 4096]].concat()),
    ];
    cases.extend(after_hello.iter().map(|(what, bytes)| (*what, [hello.clone(), bytes.clone()].concat())));
    let whole = [hello.clone(), frame(0, 2, &list)].concat();
    cases.extend((1..whole.len()).step_by(23).map(|len| ("cut off", whole[..len].to_vec())));
    let transport = scene.world.facility("B").agent.transport();
    for (what, bytes) in cases {
        let line = scene.world.line_of(&transport).await;
        let (mut from, mut to) = tokio::io::split(line.stream);
        // The host may hang up while it is still being written to.
        let _ = to.write_all(&bytes).await;
        let _ = to.shutdown().await;
        let mut rest = Vec::new();
        let read = tokio::time::timeout(std::time::Duration::from_secs(20), from.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "{what}: the session goes on");
        let answered = frames_in(&rest);
        let allowed = if bytes.starts_with(&hello) { 3 } else { 0 };
        assert!(answered <= allowed, "{what}: {answered} frames came back");
    }
    // A session that was open all the while is as good as before.
    let request = witness.request(&b, scene.request(Action::Read, &[grant], 2), |_| ());
    assert!(!witness.ask(fetch(request)).await.unwrap().is_refusal());
    still_serves(&mut scene).await;
}

#[tokio::test]
async fn a_version_that_nobody_speaks_is_told_so_and_the_session_ends() {
    let (mut scene, _) = readable(187).await;
    let transport = scene.world.facility("B").agent.transport();
    for versions in [vec![], vec![Version(0)], vec![Version(2)], vec![Version(2), Version(3)]] {
        let line = scene.world.line_of(&transport).await;
        let (from, mut to) = tokio::io::split(line.stream);
        let hello = Message::from(Hello { versions: versions.clone(), heads: Vec::new() }).encode().unwrap();
        to.write_all(&frame(0, 1, &hello)).await.unwrap();
        let mut reader = FrameReader::new(from);
        let wait = std::time::Duration::from_secs(20);
        let answer = reader.next(wait).await.unwrap().expect("a fault");
        assert!(matches!(Message::decode(&answer.payload), Ok(Message::Fault(_))), "{versions:?}");
        assert!(reader.next(wait).await.unwrap().is_none(), "{versions:?}: the session ends");
    }
    still_serves(&mut scene).await;
}

#[tokio::test]
async fn who_is_refused_again_and_again_loses_the_session_and_fills_no_trail_as_a_stranger() {
    let (mut scene, grant) = readable(188).await;
    let before = scene.world.host().store().trail_count(scene.vault).unwrap();
    let (mut wire, _) = scene.raw("C").await;
    let stranger = Identity::from_seed(&[201; 32]);
    let mut refused = 0;
    for number in 0..200u8 {
        let asked = scene.request(Action::Read, &[grant], number);
        let request = wire.request(&stranger, asked, |request| request.id = RequestId::from_bytes([number; 16]));
        match wire.ask(fetch(request)).await {
            Some(answer) => refused += u32::from(answer.is_refusal()),
            None => break,
        }
    }
    assert!((1..=100).contains(&refused), "{refused} refusals in one session");
    assert_eq!(scene.world.host().store().trail_count(scene.vault).unwrap(), before);
    assert_eq!(scene.world.host().strangers_refused(), u64::from(refused));
    still_serves(&mut scene).await;
}

/// A frame, laid out as SPEC section 10 has it.
fn frame(kind: u8, number: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32 + 5).to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn frames_in(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        at += 4 + u32::from_be_bytes(*head) as usize;
        count += 1;
    }
    count
}
