//! Fetches that go well: the bytes, the proof beside them, ranges, cuts, and what a use costs.

use karute_consent::id::{RecordId, StatementId};
use karute_consent::policy::DenyReason;
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::template::Template;
use karute_consent::tree::digest_of;
use karute_node::agent::error::AgentError;
use karute_node::flow::agent::grant::NewGrant;
use karute_node::frame::FrameKind;
use karute_protocol::archive::ProofFile;
use karute_protocol::bao::RangeVerifier;
use karute_protocol::message::{ByteRange, Fetch, Message};
use karute_protocol::wire::ByteCount;
use karute_tests::world::{Answered, DAY, Wire, reads_records, wanted};

use super::middle::{Cut, cutting};
use super::scene::{Scene, files_below, lab, noise};

/// A grant for single records that can be used once.
async fn once(scene: &mut Scene, name: &str, records: &[RecordId]) -> StatementId {
    let card = scene.world.facility(name).learns(&scene.link);
    let new = NewGrant { template: Template::Pharmacy, depth: None, ..reads_records(&card, records) };
    scene.hanako().grants(new).await.unwrap()
}

async fn fetch_raw(
    scene: &Scene,
    (wire, identity): (&mut Wire, &karute_consent::party::Identity),
    grant: StatementId,
    id: u8,
    resumes: Option<u8>,
    (records, range): (Option<RecordId>, Option<ByteRange>),
) -> Answered {
    let asked = scene.request(Action::Read, &[grant], id);
    let request = wire.request(identity, asked, |request| {
        request.resumes = resumes.map(|earlier| karute_consent::id::RequestId::from_bytes([earlier; 16]));
        request.selector = Selector { records: records.map(|id| [id].into()), ..Selector::default() };
    });
    wire.ask(Fetch { request, acting: None, range }).await.unwrap()
}

#[tokio::test]
async fn what_is_fetched_is_what_was_deposited_with_its_own_name_and_a_proof() {
    let mut scene = Scene::new(50).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    let names = [Some("検査結果 2027.pdf"), Some("検査結果 2027.pdf"), None, Some(".bashrc")];
    let mut files = Vec::new();
    for (salt, name) in names.into_iter().enumerate() {
        let bytes = noise(70_000 * salt + 10, salt as u64);
        let mut new = scene.world.facility("A").writes(&bytes, lab());
        new.file_name = name.map(str::to_owned);
        let stored = scene.world.facility("A").deposits_files(vault, vec![new]).await.unwrap();
        files.push((stored.records[0].record, bytes));
    }
    let to = scene.world.folder().join("to");
    let fetched = scene.world.facility("B").fetches_to(vault, wanted(&[]), &to).await.unwrap();
    assert_eq!(fetched.len(), 4);
    for (record, bytes) in &files {
        let line = fetched.iter().find(|line| line.record == *record).unwrap();
        assert!(std::fs::read(&line.path).unwrap() == *bytes);
        assert_eq!(line.digest, digest_of(&[bytes]));
        assert_eq!(line.path.parent(), Some(to.as_path()));
        assert!(!line.path.file_name().unwrap().to_string_lossy().starts_with('.'), "no hidden file: {line:?}");
        let proof = ProofFile::from_bytes(&std::fs::read(&line.proof).unwrap()).unwrap().verify().unwrap();
        proof.check_file(ByteCount(bytes.len() as u64), digest_of(&[bytes])).unwrap();
        let mut changed = bytes.clone();
        changed[0] ^= 1;
        assert!(proof.check_file(ByteCount(changed.len() as u64), digest_of(&[&changed])).is_err());
        assert_eq!(proof.request.signer(), scene.world.facility("B").party());
    }
    assert_eq!(files_below(&to).len(), 8, "four files, four proofs, nothing else");
}

#[tokio::test]
async fn a_changed_proof_proves_nothing() {
    let mut scene = Scene::new(51).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    scene.has_lab(b"HbA1c 6.1").await;
    let to = scene.world.folder().join("to");
    let fetched = scene.world.facility("B").fetches_to(vault, wanted(&[]), &to).await.unwrap().remove(0);
    let good = std::fs::read(fetched.proof).unwrap();
    assert!(ProofFile::from_bytes(&good).unwrap().verify().is_ok());
    let step = (good.len() / 150).max(1);
    for at in (0..good.len()).step_by(step).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let judged = ProofFile::from_bytes(&bad).ok().and_then(|proof| proof.verify().ok());
        assert!(judged.is_none(), "byte {at} of {} was changed and nobody noticed", good.len());
    }
    for len in (0..good.len()).step_by(step) {
        assert!(ProofFile::from_bytes(&good[..len]).is_err(), "cut to {len} bytes");
    }
}

#[tokio::test]
async fn any_range_of_a_body_is_verified_by_itself() {
    let mut scene = Scene::new(52).await;
    let grant = scene.lets_read("B", &[lab()]).await;
    let record = scene.has_lab(&noise(1_500_000, 52)).await;
    let (mut wire, identity) = scene.raw("B").await;
    let folder = scene.world.home().folder().join("bodies");
    let sealed = files_below(&folder).into_iter().find(|path| path.extension().is_none()).unwrap();
    let sealed = std::fs::read(sealed).unwrap();
    let whole = sealed.len() as u64;
    let ranges = [(0, 1), (0, whole), (16_383, 16_385), (100_000, 300_000), (whole - 1, whole), (700_001, 700_002)];
    for (number, (from, to)) in ranges.into_iter().enumerate() {
        let range = Some(ByteRange { from: ByteCount(from), to: ByteCount(to) });
        let answer = fetch_raw(&scene, (&mut wire, &identity), grant, number as u8, None, (Some(record), range)).await;
        let Some(Message::RecordAnswer(told)) = answer.messages().nth(1) else { panic!("{from} to {to}") };
        let body = told.header.clone().verify().unwrap().payload().body();
        let mut verifier = RangeVerifier::new(&body, from..to).unwrap();
        let (mut got, mut sent) = (Vec::new(), 0);
        for (_, piece) in answer.frames.iter().filter(|(kind, _)| *kind == FrameKind::Piece) {
            sent += piece.len() as u64;
            let mut rest = piece.as_slice();
            while let Some(piece) = verifier.next_piece(&mut rest).unwrap() {
                got.extend_from_slice(piece.bytes);
            }
        }
        verifier.finish().unwrap();
        assert!(got == sealed[from as usize..to as usize], "{from} to {to}");
        assert_eq!(sent, told.encoded_len.0);
    }
    for (number, (from, to)) in [(whole, whole + 1), (0, whole + 1), (whole + 5, whole + 9)].into_iter().enumerate() {
        let range = Some(ByteRange { from: ByteCount(from), to: ByteCount(to) });
        let answer =
            fetch_raw(&scene, (&mut wire, &identity), grant, 100 + number as u8, None, (Some(record), range)).await;
        let last = answer.messages().last();
        assert!(matches!(last, Some(Message::Fault(_))), "{from} to {to}: {last:?}");
        assert!(answer.frames.iter().all(|(kind, _)| *kind == FrameKind::Message));
    }
}

#[tokio::test]
async fn a_fetch_that_is_cut_goes_on_by_range_and_costs_one_use() {
    let mut scene = Scene::new(53).await;
    let vault = scene.vault;
    let file = noise(2_300_000, 53);
    let record = scene.has_lab(&file).await;
    once(&mut scene, "B", &[record]).await;
    let transport = scene.world.facility("B").agent.transport();
    let cuts = [1_500_000, 30, 700_000, 2_000, 60_000].map(Cut::Down).to_vec();
    let (reach, passed) = cutting(&scene.world, &transport, cuts);
    scene.world.facility("B").reach = reach;
    let fetched = scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap();
    assert!(fetched == [(record, file.clone())]);
    assert!(passed.down.lock().unwrap().len() < file.len() * 2, "what had come was not sent again");
    let again = scene.world.facility("B").fetches(vault, wanted(&[])).await;
    assert!(matches!(again, Err(AgentError::Refused)), "{again:?}");
}

#[tokio::test]
async fn a_use_is_counted_and_only_a_resume_of_the_same_request_costs_none() {
    let mut scene = Scene::new(54).await;
    let record = scene.has_lab(b"once").await;
    let grant = once(&mut scene, "B", &[record]).await;
    let all = (None, None);
    let (mut wire, identity) = scene.raw("B").await;
    let end = (&mut wire, &identity);
    let before = fetch_raw(&scene, end, grant, 1, Some(9), all).await;
    assert!(!before.is_refusal(), "resuming what never was is a use like any other");
    assert!(fetch_raw(&scene, (&mut wire, &identity), grant, 2, None, all).await.is_refusal());
    assert!(fetch_raw(&scene, (&mut wire, &identity), grant, 3, Some(9), all).await.is_refusal());
    assert!(!fetch_raw(&scene, (&mut wire, &identity), grant, 4, Some(1), all).await.is_refusal());
    // A resume is a request of its own: it does not make itself resumable.
    assert!(fetch_raw(&scene, (&mut wire, &identity), grant, 5, Some(4), all).await.is_refusal());
    scene.world.restarts_host().await;
    scene.world.passes(DAY - 60);
    let (mut wire, identity) = scene.raw("B").await;
    assert!(!fetch_raw(&scene, (&mut wire, &identity), grant, 6, Some(1), all).await.is_refusal());
    scene.world.passes(120);
    assert!(fetch_raw(&scene, (&mut wire, &identity), grant, 7, Some(1), all).await.is_refusal(), "after 24 hours");
    let party = scene.world.facility("B").party();
    assert_eq!(scene.reasons(party).await, [DenyReason::UsesExhausted; 4]);
}
