//! Auditing: the trail has no gap, every receipt stands in it, and a host that drops, changes or shortens it is noticed.

use karute_node::agent::error::{AgentError, Unproven};
use karute_node::agent::trail_file::TrailFile;
use karute_node::frame::{Frame, FrameKind};
use karute_protocol::message::Message;
use karute_protocol::trail::EventKind;
use karute_tests::world::{guards, wanted};

use super::middle::rewriting;
use super::scene::{Scene, lab};

/// A vault in which much has happened, with another vault beside it at the same host.
async fn eventful(seed: u64) -> Scene {
    let mut scene = Scene::new(seed).await;
    let vault = scene.vault;
    let grant = scene.lets_read("B", &[lab()]).await;
    let first = scene.has_lab(b"one").await;
    let other = scene.world.patient("taro").creates_vault(&[lab()]).await.unwrap();
    scene.has_lab(b"two").await;
    scene.world.facility("B").lists(vault, wanted(&[])).await.unwrap();
    scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap();
    scene.world.facility("A").withdraws(vault, &[first]).await.unwrap();
    scene.hanako().revokes(grant).await.unwrap();
    assert_ne!(other, vault);
    scene
}

#[tokio::test]
async fn the_trail_counts_without_a_gap_and_holds_every_receipt() {
    let mut scene = eventful(160).await;
    scene.world.restarts_host().await;
    let trail = scene.hanako().audits().await.unwrap();
    let numbers: Vec<u64> = trail.lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(trail.checks.gapless && trail.checks.proofs && trail.checks.not_shorter);
    assert!(trail.checks.receipts_found > 0 && trail.checks.receipts_missing == 0, "{:?}", trail.checks);
    let kinds = [EventKind::LedgerAppend, EventKind::Deposit, EventKind::List, EventKind::Read, EventKind::Withdrawal];
    for kind in kinds {
        assert!(trail.lines.iter().any(|line| line.kind == kind && line.outcome == 0), "{kind}");
    }
    let again = scene.hanako().audits().await.unwrap();
    assert!(again.lines.len() > trail.lines.len(), "the audit itself stands in it");
    // The receipts that the facility holds are events of this trail.
    for receipt in karute_node::flow::agent::receipts::receipts(&scene.world.facility("A").agent, scene.vault).unwrap()
    {
        let line = &again.lines[receipt.number as usize - 1];
        assert_eq!((line.kind, line.time), (receipt.kind, receipt.time));
    }
}

#[tokio::test]
async fn a_host_that_drops_swaps_or_changes_an_event_is_noticed() {
    let mut scene = eventful(161).await;
    let whole = scene.hanako().audits().await.unwrap().lines.len();
    let transport = scene.hanako().agent.transport();
    let spoils: [(&str, fn(usize, Vec<Message>) -> Vec<Message>); 6] = [
        ("drops the first", |_, mut items| items.split_off(1)),
        ("drops one in the middle", |at, mut items| {
            items.remove(at);
            items
        }),
        ("shows one twice", |at, mut items| {
            items.insert(at, items[at].clone());
            items
        }),
        ("swaps two", |at, mut items| {
            items.swap(at, at + 1);
            items
        }),
        ("changes who acted", |at, mut items| {
            let Message::TrailItem(item) = &mut items[at] else { panic!() };
            item.event.as_mut().unwrap().count += 1;
            items
        }),
        ("changes a time", |at, mut items| {
            let Message::TrailItem(item) = &mut items[at] else { panic!() };
            item.leaf.time = item.leaf.time.plus_secs(1);
            items
        }),
    ];
    for (what, spoil) in spoils {
        let mut held = Vec::new();
        let reach = rewriting(&scene.world, &transport, move |frame| {
            let message = (frame.kind == FrameKind::Message).then(|| Message::decode(&frame.payload).unwrap());
            match message {
                Some(item @ Message::TrailItem(_)) => {
                    held.push(item);
                    Vec::new()
                }
                Some(Message::Listed(_)) => {
                    let items = spoil(held.len() / 2, std::mem::take(&mut held));
                    let as_frame = |item: Message| Frame {
                        kind: FrameKind::Message,
                        number: frame.number,
                        payload: item.encode().unwrap().into(),
                    };
                    items.into_iter().map(as_frame).chain([frame.clone()]).collect()
                }
                _ => vec![frame],
            }
        });
        scene.hanako().reach = reach;
        let refused = scene.hanako().audits().await;
        let noticed = matches!(
            refused,
            Err(AgentError::VerificationFailed { what: Unproven::TrailGap | Unproven::Proof | Unproven::Statement })
        );
        assert!(noticed, "a host that {what}: {:?}", refused.map(|trail| trail.checks));
    }
    let reach = scene.world.reach(&transport);
    scene.hanako().reach = reach;
    assert!(scene.hanako().audits().await.unwrap().lines.len() > whole);
}

#[tokio::test]
async fn a_host_that_leaves_out_the_end_of_the_trail_is_noticed_by_the_receipts() {
    let mut scene = eventful(162).await;
    scene.hanako().audits().await.unwrap();
    scene.hanako().audits().await.unwrap();
    let transport = scene.hanako().agent.transport();
    // It shows the first three events only. Each of them is proven; what is missing is known from receipts.
    let mut shown = 0;
    let reach = rewriting(&scene.world, &transport, move |frame| {
        let item = frame.kind == FrameKind::Message && frame.payload.first() == Some(&36);
        shown += u32::from(item);
        if item && shown > 3 { Vec::new() } else { vec![frame] }
    });
    scene.hanako().reach = reach;
    match scene.hanako().audits().await {
        Err(AgentError::VerificationFailed { .. }) => {}
        Ok(trail) => assert!(trail.checks.receipts_missing > 0, "{:?}", trail.checks),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_trail_file_is_good_and_any_changed_byte_of_it_is_not() {
    let mut scene = eventful(163).await;
    let good = scene.hanako().audits().await.unwrap().evidence;
    let judge = |bytes: &[u8]| TrailFile::from_bytes(bytes).is_ok_and(|file| file.verify().is_ok());
    assert!(judge(&good));
    let step = (good.len() / 200).max(1);
    for at in (0..good.len()).step_by(step) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(!judge(&bad), "byte {at} of {} was changed and nobody noticed", good.len());
    }
    assert!(!judge(&good[..good.len() - 1]));
}

#[tokio::test]
async fn only_who_was_granted_it_audits() {
    let mut scene = eventful(164).await;
    let card = scene.world.facility("guardian").learns(&scene.link);
    let grant = scene.hanako().grants(guards(&card, &[lab()])).await.unwrap();
    for (name, permitted) in [("guardian", true), ("A", false), ("stranger", false)] {
        let (mut wire, identity) = scene.raw(name).await;
        let chain = if name == "A" { vec![scene.deposit] } else { vec![grant] };
        let asked = scene.request(karute_consent::scope::Action::Audit, &chain, 7);
        let purpose = match name {
            "A" => karute_consent::purpose::Purpose::Treatment,
            _ => karute_consent::purpose::Purpose::FamilyRequest,
        };
        let request = wire.request(&identity, asked, |request| request.purpose = purpose);
        let from = karute_protocol::trail::TrailNumber(1);
        let answer = wire.ask(karute_protocol::message::Audit { request, from }).await.unwrap();
        assert_eq!(!answer.is_refusal(), permitted, "{name}");
    }
}
