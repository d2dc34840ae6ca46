//! Deposits that go well: once, twice, many, large, and by the patient's own rules.

use karute_consent::id::RecordId;
use karute_node::flow::agent::receipts::receipts;
use karute_protocol::trail::EventKind;

use super::middle::cutting;
use super::scene::{Scene, imaging, lab, noise};

#[tokio::test]
async fn the_same_file_twice_is_one_record_with_the_old_receipt() {
    let mut scene = Scene::new(30).await;
    let vault = scene.vault;
    for (len, salt) in [(900, 1), (300_000, 2)] {
        let file = noise(len, salt);
        let a = scene.world.facility("A");
        let (first, second) = (a.writes(&file, lab()), a.writes(&file, lab()));
        let stored = a.deposits_files(vault, vec![first]).await.unwrap().records.remove(0);
        assert!(!stored.existing);
        scene.world.restarts_host().await;
        let again = scene.world.facility("A").deposits_files(vault, vec![second]).await.unwrap().records.remove(0);
        assert!(again.existing, "{again:?}");
        assert_eq!((again.record, again.receipt), (stored.record, stored.receipt), "{len} bytes");
    }
    assert_eq!(scene.records().await.0.len(), 2);
    let kept = receipts(&scene.world.facility("A").agent, vault).unwrap();
    let stored = |line: &&karute_node::flow::agent::receipts::ReceiptLine| {
        line.kind == EventKind::Deposit && !line.records.is_empty()
    };
    assert_eq!(kept.iter().filter(stored).count(), 2, "one receipt for each record: {kept:?}");
}

#[tokio::test]
async fn two_facilities_with_the_same_file_have_a_record_each() {
    let mut scene = Scene::new(31).await;
    let vault = scene.vault;
    let card = scene.world.facility("C").learns(&scene.link);
    scene.hanako().grants(karute_tests::world::deposits_to(&card, &[lab()])).await.unwrap();
    let of_a = scene.has_lab(b"the same bytes").await;
    let of_c = scene.world.facility("C").deposits(vault, b"the same bytes", lab()).await.unwrap();
    assert_ne!(of_a, of_c, "a record id tells nobody else what the file is");
    assert_eq!(scene.records().await.0.len(), 2);
}

#[tokio::test]
async fn every_size_around_a_border_comes_back_byte_for_byte() {
    let mut scene = Scene::new(32).await;
    let vault = scene.vault;
    let sizes = [0, 1, 255, 256, 257, 16_383, 16_384, 16_385, 65_000, 65_480, 65_536, 65_537, 1_048_575, 1_048_577];
    let mut files = Vec::new();
    for (salt, size) in sizes.into_iter().enumerate() {
        let bytes = noise(size, 100 + salt as u64);
        let file = scene.world.facility("A").writes(&bytes, lab());
        files.push((bytes, file));
    }
    let named = files.iter().map(|(_, file)| file.clone()).collect();
    let stored = scene.world.facility("A").deposits_files(vault, named).await.unwrap();
    for ((bytes, _), line) in files.iter().zip(&stored.records) {
        assert!(scene.hanako().reads(line.record).await.unwrap() == *bytes, "{} bytes", bytes.len());
    }
    let ids: Vec<RecordId> = stored.records.iter().map(|line| line.record).collect();
    let mut seen = scene.records().await.0;
    seen.sort();
    let mut wanted = ids.clone();
    wanted.sort();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_later_record_takes_the_place_of_an_earlier_one_of_the_same_depositor_only() {
    let mut scene = Scene::new(33).await;
    let vault = scene.vault;
    let first = scene.has_lab(b"version 1").await;
    let mut next = scene.world.facility("A").writes(b"version 2", lab());
    next.supersedes = Some(first);
    let second = scene.world.facility("A").deposits_files(vault, vec![next]).await.unwrap().records[0].record;
    let card = scene.world.facility("C").learns(&scene.link);
    scene.hanako().grants(karute_tests::world::deposits_to(&card, &[lab()])).await.unwrap();
    let mut foreign = scene.world.facility("C").writes(b"not mine", lab());
    foreign.supersedes = Some(second);
    scene.world.facility("C").deposits_files(vault, vec![foreign]).await.unwrap();
    let listed = scene.hanako().lists().await.unwrap();
    let replaced = |id: RecordId| listed.records.iter().find(|line| line.record == id).unwrap().superseded_by;
    assert_eq!((replaced(first), replaced(second)), (Some(second), None));
}

#[tokio::test]
async fn a_host_that_takes_nothing_more_stops_the_sender_and_fills_no_memory() {
    let mut scene = Scene::new(34).await;
    let vault = scene.vault;
    let file = noise(16 << 20, 34);
    let new = scene.world.facility("A").writes(&file, imaging());
    let transport = scene.world.facility("A").agent.transport();
    let (reach, passed) = cutting(&scene.world, &transport, Vec::new());
    let a = scene.world.facility("A");
    a.reach = reach;
    // How far sealing is ahead of what went out on the stream: bounded by a few pieces, whatever the size of the file.
    let mut ahead = 0;
    let sent = passed.up.clone();
    let mut watch = |step| {
        if let karute_node::flow::agent::lines::Step::Bytes { done } = step {
            ahead = ahead.max(done.saturating_sub(sent.lock().unwrap().len() as u64));
        }
    };
    let stored =
        karute_node::flow::agent::deposit::deposit(&mut a.agent, &mut a.reach, vault, vec![new], &mut watch).await;
    let record = stored.unwrap().records[0].record;
    assert!(ahead > 0 && ahead < 8 << 20, "{ahead} bytes were sealed and not yet sent");
    assert!(scene.hanako().reads(record).await.unwrap() == file);
}
