//! What waits for the disk and what does not, with a journal that is held up or broken while it writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use karute_consent::scope::Action;
use karute_protocol::message::{self, Message};
use karute_protocol::wire::Octets;

use super::cast::*;
use super::world::*;
use crate::flow::host::run::{Ending, Node};
use crate::net::TransportSeed;
use crate::vault::journal::StopReason;

/// A disk that takes nothing while it is held.
#[derive(Clone, Default)]
struct Disk(Arc<AtomicBool>);

/// Lets the disk go when dropped.
struct Held(Disk);

impl Disk {
    fn world(&self) -> World {
        let held = self.0.clone();
        World::with_entropy(Arc::new(move |bytes: &mut [u8]| {
            while held.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
            getrandom::fill(bytes).unwrap();
        }))
    }

    fn hold(&self) -> Held {
        self.0.store(true, Ordering::Release);
        Held(self.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

async fn at_once(answers: impl Future<Output = Answers>) -> Answers {
    tokio::time::timeout(Duration::from_secs(10), answers).await.expect("it waits for the disk")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_waits_for_the_disk_no_more_for_who_is_known_than_for_a_stranger() {
    let disk = Disk::default();
    let world = disk.world();
    let mut device = world.client(51).await;
    let mut patient = Patient::with_vault(&mut device).await;
    let core = patient.core(11, &[Action::List]);
    let grant = patient.grant(&mut device, core).await;
    let mut client = world.client(61).await;
    let before = world.host.store().trail_count(patient.vault).unwrap();
    let held = disk.hold();
    for by in [11, 12, 11, 12] {
        let request = client.request(patient.vault, Action::Read, &[grant]);
        let fetch = message::Fetch { request: signed(request, by), acting: None, range: None };
        assert!(at_once(client.ask(fetch)).await.is_refusal());
    }
    assert_eq!(world.host.store().trail_count(patient.vault).unwrap(), before, "nothing is on the disk yet");
    drop(held);
    let request = client.request(patient.vault, Action::List, &[grant]);
    let answers = at_once(client.ask(message::List { request: signed(request, 11), acting: None })).await;
    let Message::Permitted(permitted) = &answers.messages[0] else { panic!("{answers:?}") };
    assert_eq!(permitted.receipt.leaf.number.0, before + 3, "behind the two refusals of who is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deposits_of_one_vault_share_a_sync_and_get_numbers_without_gap() {
    let disk = Disk::default();
    let world = disk.world();
    let mut device = world.client(51).await;
    let patient = Patient::with_vault(&mut device).await;
    let request = device.request(patient.vault, Action::Deposit, &[]);
    device.ask(message::Key { request: signed(request, 3), collection: COLLECTION, month: NOW.month() }).await;
    device.ask(message::OpenRun { run: signed(run_of(&patient, 3, 1, None), 3) }).await;
    let before = world.host.store().group_commits();
    let held = disk.hold();
    for number in 1..=20 {
        let record = record(&patient, 3, 1, number, 500);
        let body = Some(Octets::from(record.body.clone()));
        device.send(message::Put { header: record.header.clone(), meta: record.meta.clone(), body }).await;
    }
    // The first is in the writer's hands, the others wait in its queue; no answer may come before the disk has them.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(held);
    let mut numbers = Vec::new();
    for _ in 0..20 {
        let (_, _, payload) = device.frame().await.unwrap();
        let Message::Stored(stored) = Message::decode(&payload).unwrap() else { panic!() };
        numbers.push((stored.number.unwrap().0, stored.receipt.leaf.number.0));
    }
    numbers.sort_unstable();
    let first = numbers[0].1;
    assert_eq!(numbers, (0..20).map(|at| (at + 1, first + at)).collect::<Vec<_>>());
    let syncs = world.host.store().group_commits() - before;
    assert!(syncs <= 3, "{syncs} syncs for 20 deposits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_behind_a_deposit_shows_it_though_the_disk_was_slow() {
    let disk = Disk::default();
    let world = disk.world();
    let mut device = world.client(51).await;
    let patient = Patient::with_vault(&mut device).await;
    let request = device.request(patient.vault, Action::Deposit, &[]);
    device.ask(message::Key { request: signed(request, 3), collection: COLLECTION, month: NOW.month() }).await;
    device.ask(message::OpenRun { run: signed(run_of(&patient, 3, 1, None), 3) }).await;
    let mut other = world.client(52).await;
    let held = disk.hold();
    let record = record(&patient, 3, 1, 1, 500);
    let body = Some(Octets::from(record.body.clone()));
    let put = || message::Put { header: record.header.clone(), meta: record.meta.clone(), body: body.clone() };
    let (first, second) = (device.send(put()).await, device.send(put()).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let request = other.request(patient.vault, Action::List, &[]);
    let list = other.send(message::List { request: signed(request, 3), acting: None }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(held);
    let listed = other.answers(list).await;
    assert!(matches!(&listed.messages[0], Message::Permitted(permitted) if permitted.count == 1), "{listed:?}");
    let mut existing = Vec::new();
    for _ in [first, second] {
        let (_, _, payload) = device.frame().await.unwrap();
        let Message::Stored(stored) = Message::decode(&payload).unwrap() else { panic!() };
        existing.push((stored.existing.number(), stored.number.unwrap().0));
    }
    existing.sort_unstable();
    assert_eq!(existing, [(0, 1), (1, 1)], "the same record twice at once is stored once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_sent_behind_a_deposit_binds_what_follows_it() {
    let disk = Disk::default();
    let world = disk.world();
    let mut device = world.client(51).await;
    let mut patient = Patient::with_vault(&mut device).await;
    let core = patient.core(11, &[Action::List]);
    let grant = patient.grant(&mut device, core).await;
    let mut reader = world.client(61).await;
    let held = disk.hold();
    let request = reader.request(patient.vault, Action::List, &[grant]);
    let before = reader.send(message::List { request: signed(request, 11), acting: None }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let revocation = patient.revocation(grant, 3);
    let revoked = device.send(message::Revoke { revocation }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let request = reader.request(patient.vault, Action::List, &[grant]);
    reader.send(message::List { request: signed(request, 11), acting: None }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(held);
    let revoked = device.answers(revoked).await;
    assert!(matches!(revoked.last(), Message::Appended(_)), "{revoked:?}");
    let mut told = Vec::new();
    while told.len() < 2 {
        let (_, number, payload) = reader.frame().await.unwrap();
        match Message::decode(&payload).unwrap() {
            Message::Permitted(permitted) => told.push((number == before, Some(permitted.receipt.leaf.number.0))),
            Message::Refusal(_) => told.push((number == before, None)),
            _ => {}
        }
    }
    told.sort_unstable();
    let Message::Appended(appended) = revoked.last() else { panic!() };
    let order = appended.receipt.leaf.number.0;
    assert!(matches!(told[0], (false, None)), "what came behind the revocation is refused: {told:?}");
    match told[1] {
        (true, Some(number)) => assert_eq!(number + 1, order, "what was permitted stands in front of the revocation"),
        // Its first frame is looked at once more when it is durable, which may be behind the revocation (C-52).
        (ours, none) => assert!(ours && none.is_none(), "{told:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_journal_is_gone_ends_and_says_so() {
    let broken = Arc::new(AtomicBool::new(false));
    let breaks = broken.clone();
    let world = World::with_entropy(Arc::new(move |bytes: &mut [u8]| {
        assert!(!breaks.load(Ordering::Relaxed), "the disk is gone");
        getrandom::fill(bytes).unwrap();
    }));
    let mut device = world.client(51).await;
    let patient = Patient::with_vault(&mut device).await;
    let listen = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let node = Node::start(world.host.clone(), &TransportSeed::new([44; 32]), &listen).await.unwrap();
    let running = tokio::spawn(node.run(std::future::pending()));
    broken.store(true, Ordering::Relaxed);
    let request = device.request(patient.vault, Action::Audit, &[]);
    let audit = message::Audit { request: signed(request, 3), from: karute_protocol::trail::TrailNumber(1) };
    assert_eq!(device.ask(audit).await.fault(), message::FaultCode::Storage);
    let ending = tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    assert_eq!(ending, Ending::StoreStopped(StopReason::WriterGone));
}
