//! Deposits that a host must not take: the body is not the header's, the run is not in force or not the depositor's, or the
//! grant does not reach. Nothing of them is stored.
//!
//! ```text
//!   花子 ── deposit {lab, imaging} ──> A        A's session is raw: it signs and sends what it likes
//! ```

use karute_consent::id::{CollectionId, Digest, Generation, RecordId};
use karute_consent::policy::DenyReason;
use karute_consent::statement::sign;
use karute_consent::time::Month;
use karute_protocol::bao::BodyRoot;
use karute_protocol::message::{Existing, FaultCode, Message};
use karute_protocol::wire::ByteCount;
use karute_tests::world::deposits_to;

use super::depositor::{Depositor, ELSEWHERE, fault};
use super::scene::{Scene, files_below, imaging, lab, noise};

async fn nothing_is_stored(scene: &mut Scene, record: RecordId) {
    assert!(scene.world.host().store().find(scene.vault, record).unwrap().is_none());
    assert_eq!(scene.records().await, (Vec::new(), true));
}

#[tokio::test]
async fn a_body_that_is_not_the_headers_is_refused() {
    let mut scene = Scene::new(40).await;
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let run = a.opens_good(1).await;
    let good = a.seals(&run, 1, b"HbA1c 6.1");
    let record = good.header.record;
    let mut spoiled = Vec::new();
    let mut header = good.header.clone();
    header.body_root = BodyRoot([1; 32]);
    spoiled.push((header, good.body.clone()));
    let mut header = good.header.clone();
    header.commitment = Digest::from_bytes([1; 32]);
    spoiled.push((header, good.body.clone()));
    let mut header = good.header.clone();
    header.body_length = ByteCount(a.seals(&run, 1, &noise(900, 1)).body.len() as u64);
    spoiled.push((header, good.body.clone()));
    let mut header = good.header.clone();
    header.meta_hash = Digest::from_bytes([1; 32]);
    spoiled.push((header, good.body.clone()));
    for at in [0, 24, 56, good.body.len() - 1] {
        let mut body = good.body.clone();
        body[at] ^= 1;
        spoiled.push((good.header.clone(), body));
    }
    let mut longer = good.body.clone();
    longer.push(0);
    spoiled.push((good.header.clone(), longer));
    spoiled.push((good.header.clone(), good.body[..good.body.len() - 1].to_vec()));
    spoiled.push((good.header.clone(), good.body[..20].to_vec()));
    for (number, (header, body)) in spoiled.into_iter().enumerate() {
        let sealed = super::depositor::Sealed { header, meta: good.meta.clone(), body: Vec::new() };
        let answer = a.puts(&sealed, Some(body)).await;
        assert_eq!(fault(&answer), FaultCode::Changed, "case {number}");
    }
    nothing_is_stored(&mut scene, record).await;
    let answer = a.puts(&good, Some(good.body.clone())).await;
    assert!(matches!(answer.first(), Some(Message::Stored(stored)) if stored.existing == Existing::New), "{answer:?}");
}

#[tokio::test]
async fn a_body_whose_bytes_changed_when_it_went_on_is_refused_and_nothing_is_stored() {
    let mut scene = Scene::new(41).await;
    let file = noise(400_000, 41);
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let run = a.opens_good(1).await;
    let good = a.seals(&run, 1, &file);
    let half = good.body.len() / 2;
    a.sends(&good, |_| good.body[..half].to_vec()).await;
    drop(a);

    let mut a = Depositor::new(&mut scene, lab(), 2).await;
    a.opens_good(1).await;
    let mut changed = good.body.clone();
    changed[half + 5000] ^= 1;
    let offset = a.sends(&good, |from| changed[from..].to_vec()).await;
    assert_eq!(offset.offset.0 as usize, half, "it goes on where it was cut");
    assert_eq!(fault(&a.puts(&good, None).await), FaultCode::Changed);
    nothing_is_stored(&mut scene, good.header.record).await;
    let folder = scene.world.home().folder().clone();
    assert!(files_below(&folder.join("bodies")).is_empty());

    // What was changed is thrown away: the same record is deposited from its beginning.
    let offset = a.sends(&good, |from| good.body[from..].to_vec()).await;
    assert_eq!(offset.offset.0, 0);
    let answer = a.puts(&good, None).await;
    assert!(matches!(answer.first(), Some(Message::Stored(_))), "{answer:?}");
}

#[tokio::test]
async fn a_piece_beyond_the_announced_length_and_a_put_before_the_last_byte_are_refused() {
    let mut scene = Scene::new(42).await;
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let run = a.opens_good(1).await;
    let good = a.seals(&run, 1, &noise(200_000, 42));
    a.sends(&good, |_| good.body[..good.body.len() - 1].to_vec()).await;
    assert_eq!(fault(&a.puts(&good, None).await), FaultCode::Changed, "a byte is missing");
    nothing_is_stored(&mut scene, good.header.record).await;
    let mut longer = good.body.clone();
    longer.push(0);
    a.sends(&good, |from| longer[from..].to_vec()).await;
    assert_eq!(fault(&a.puts(&good, None).await), FaultCode::Changed);
    nothing_is_stored(&mut scene, good.header.record).await;
}

#[tokio::test]
async fn a_header_of_a_run_that_was_not_opened_here_is_refused() {
    let mut scene = Scene::new(43).await;
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let run = a.opens_good(1).await;
    let other = a.run(2, |_| ());
    let stray = a.seals(&other, 1, b"of another run");
    assert_eq!(fault(&a.puts(&stray, Some(stray.body.clone())).await), FaultCode::NotInForce);
    // The header of one run over the body of another: the commitment is not its own.
    let first = a.seals(&run, 1, b"of this run");
    let mut mixed = a.seals(&run, 1, b"of this run");
    mixed.header = stray.header.clone();
    mixed.header.run = first.header.run;
    assert_eq!(fault(&a.puts(&mixed, Some(first.body.clone())).await), FaultCode::Changed);
    nothing_is_stored(&mut scene, first.header.record).await;
}

#[tokio::test]
async fn a_run_of_another_depositor_is_refused() {
    let mut scene = Scene::new(44).await;
    let card = scene.world.facility("C").learns(&scene.link);
    scene.hanako().grants(deposits_to(&card, &[lab()])).await.unwrap();
    let of_c = {
        let party = scene.world.facility("C").party();
        scene.world.stolen_key("C", party)
    };
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let own = a.run(1, |_| ());
    // C's signature under A's facts does not verify as C's run (P-12); C's own run is not this session's.
    let facts = karute_protocol::run::Run { depositor: of_c.key(), ..own.payload().clone() };
    let foreign = sign(facts, &of_c).unwrap().to_unverified();
    let answer = a.opens(foreign).await;
    assert!(answer.is_refusal(), "{answer:?}");
    let mixed = sign(own.payload().clone(), &of_c);
    assert!(mixed.is_err(), "a run is signed by its depositor");
    let no_grant = a.run(3, |facts| facts.grant = None).to_unverified();
    assert!(a.opens(no_grant).await.is_refusal(), "only a device deposits without a grant");
    let reasons = scene.reasons(of_c.key()).await;
    assert!(reasons.is_empty(), "C did nothing: {reasons:?}");
}

#[tokio::test]
async fn a_run_of_a_generation_or_month_that_is_not_in_force_is_refused() {
    let mut scene = Scene::new(45).await;
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let month = scene.world.now().month();
    for (number, generation) in [0, 2, u32::MAX].into_iter().enumerate() {
        let run = a.run(number as u8, |facts| facts.generation = Generation(generation)).to_unverified();
        assert_eq!(fault(&a.opens(run).await), FaultCode::NotInForce, "generation {generation}");
    }
    for (number, epoch) in [month.0 - 1, month.0 + 1, 0, u16::MAX].into_iter().enumerate() {
        let run = a.run(number as u8, |facts| facts.epoch = Month(epoch)).to_unverified();
        assert_eq!(fault(&a.opens(run).await), FaultCode::NotInForce, "month {epoch}");
    }
    let unknown = a.run(9, |facts| facts.collection = ELSEWHERE).to_unverified();
    assert_eq!(fault(&a.opens(unknown).await), FaultCode::NotInForce, "a collection that no directory names");
    let inbox = a.run(10, |facts| (facts.collection, facts.generation) = (CollectionId::INBOX, Generation(1)));
    assert_eq!(fault(&a.opens(inbox.to_unverified()).await), FaultCode::NotInForce, "another root's inbox");
}

#[tokio::test]
async fn a_collection_outside_the_grant_is_refused_and_the_trail_says_why() {
    let mut scene = Scene::new(46).await;
    let card = scene.world.facility("A").card().to_vec();
    let narrow = scene.hanako().grants(deposits_to(&card, &[lab()])).await.unwrap();
    scene.deposit = narrow;
    let elsewhere = scene.collection_of(imaging()).await;
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let run = a.run(1, |facts| facts.collection = elsewhere);
    let opened = a.opens(run.to_unverified()).await;
    let sealed = a.seals(&run, 1, b"an image");
    let answer = if opened.is_refusal() { opened } else { a.puts(&sealed, Some(sealed.body.clone())).await };
    assert!(answer.is_refusal(), "{answer:?}");
    nothing_is_stored(&mut scene, sealed.header.record).await;
    assert_eq!(scene.reasons(a.identity.key()).await, [DenyReason::OutsideScope]);
}

#[tokio::test]
async fn a_record_id_of_another_depositor_is_refused_like_anything_else() {
    let mut scene = Scene::new(47).await;
    let mut a = Depositor::new(&mut scene, lab(), 1).await;
    let run = a.opens_good(1).await;
    let own = a.seals(&run, 1, b"mine");
    assert!(matches!(a.puts(&own, Some(own.body.clone())).await.first(), Some(Message::Stored(_))));
    let card = scene.world.facility("C").learns(&scene.link);
    scene.deposit = scene.hanako().grants(deposits_to(&card, &[lab()])).await.unwrap();
    let mut c = Depositor::of(&mut scene, "C", lab(), 2).await;
    let run = c.opens_good(5).await;
    let same_id = c.seals(&run, 1, b"of somebody else");
    let answer = c.puts(&same_id, Some(same_id.body.clone())).await;
    assert!(answer.is_refusal(), "{answer:?}"); // P-37
    assert_eq!(scene.records().await.0, [own.header.record]);
}
