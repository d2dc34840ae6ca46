//! Streams that break: what was begun goes on where the host stands, and nothing is stored or fetched twice.

use karute_consent::template::Template;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};
use tokio::sync::mpsc;

use super::cast::*;
use crate::agent::connect::{Connect, MemoryConnect, MemoryInbound};
use crate::agent::error::{AgentError, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::create::{CreateVault, create_vault, fresh_recovery_code};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::recover::recover;

/// A way to the host whose first streams are cut after so many bytes, in one direction or the other.
fn cutting(world: &World, transport: &crate::net::TransportSeed, cuts: Vec<(Direction, usize)>) -> Reach {
    let (accept, mut inbound) = mpsc::channel::<MemoryInbound>(16);
    let onward = world.memory(transport);
    let mut cuts = cuts.into_iter();
    tokio::spawn(async move {
        while let Some(MemoryInbound { stream, .. }) = inbound.recv().await {
            let line = Connect::Memory(onward.clone()).open(&[ADDRESS.to_owned()]).await.ok().unwrap();
            let cut = cuts.next();
            let up = cut.filter(|cut| cut.0 == Direction::Up).map_or(usize::MAX, |cut| cut.1);
            let down = cut.filter(|cut| cut.0 == Direction::Down).map_or(usize::MAX, |cut| cut.1);
            tokio::spawn(relay(stream, line.stream, up, down));
        }
    });
    let peer = transport.peer_key().to_bytes();
    Reach::new(Connect::Memory(MemoryConnect::new(peer).with_host(ADDRESS, accept)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Copies both ways until one way has passed its number of bytes; then both ends are dropped.
async fn relay(agent: DuplexStream, host: Box<dyn crate::agent::connect::Stream>, up: usize, down: usize) {
    let (from_agent, to_agent) = split(agent);
    let (from_host, to_host) = split(host);
    tokio::select! {
        () = copy(from_agent, to_host, up) => {}
        () = copy(from_host, to_agent, down) => {}
    }
}

async fn copy(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, mut left: usize) {
    let mut buffer = vec![0; 8192];
    while left > 0 {
        let Ok(got @ 1..) = from.read(&mut buffer).await else { return };
        let sent = got.min(left);
        left -= sent;
        if to.write_all(&buffer[..sent]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_deposit_that_is_cut_goes_on_where_the_host_stands() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, _) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let file = world.file("large", 6_000_000, 1);
    let cuts = [3_000, 2_500_000, 40_000, 1_500_000, 20_000].map(|bytes| (Direction::Up, bytes));
    let mut from_a = cutting(&world, &a.transport(), cuts.to_vec());
    let stored = put(&mut a, &mut from_a, vault, vec![record(&file, IMAGING)]).await.unwrap();
    assert_eq!(stored.records.len(), 1);
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    let fetched = get(&mut b, &mut from_b, vault, &world.folder("b")).await.unwrap();
    assert_eq!(std::fs::read(&fetched[0].path).unwrap(), std::fs::read(&file).unwrap());
}

#[tokio::test]
async fn a_fetch_that_is_cut_goes_on_by_range_and_costs_one_use() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let files = [world.file("one", 5_000_000, 1), world.file("two", 700, 2), world.file("three", 2_000_000, 3)];
    let stored = put(&mut a, &mut from_a, vault, files.iter().map(|f| record(f, IMAGING)).collect()).await.unwrap();
    let (mut b, _) = world.facility("Pharmacy B", &patient);
    let records = stored.records.iter().map(|line| line.record).collect();
    let new = crate::flow::agent::grant::NewGrant { records, ..terms(&b, Template::Pharmacy, &[]) };
    crate::flow::agent::grant::grant(&mut patient, &mut home, new).await.unwrap();
    let cuts = [2_000_000, 1_200_000, 30_000, 2_500_000].map(|bytes| (Direction::Down, bytes));
    let mut from_b = cutting(&world, &b.transport(), cuts.to_vec());
    let to = world.folder("b");
    assert_eq!(get(&mut b, &mut from_b, vault, &to).await.unwrap().len(), 3);
    for file in &files {
        assert_eq!(std::fs::read(to.join(file.file_name().unwrap())).unwrap(), std::fs::read(file).unwrap());
    }
    let left: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 6, "three files, three proofs and nothing else: {left:?}");
}

#[tokio::test]
async fn a_vault_whose_making_or_recovery_lost_its_answer_is_there_all_the_same() {
    let world = World::new();
    let mut patient = Patient::in_memory(&world.ambient, "Hanako");
    let code = fresh_recovery_code(&world.ambient);
    let wanted = || CreateVault {
        host: ADDRESS.into(),
        registration: None,
        kinds: vec![IMAGING],
        witnesses: Default::default(),
    };
    // The hello comes through, the answers to attachments too; the one to the append is cut.
    let mut line = cutting(&world, &patient.transport(), vec![(Direction::Down, 300)]);
    let created = create_vault(&mut patient, &mut line, wanted(), &code).await.unwrap();
    assert_eq!(created.size, 3);
    let again = create_vault(&mut patient, &mut line, wanted(), &code).await;
    assert!(matches!(again, Err(AgentError::Impossible(Obstacle::VaultExists))));

    let (link, vault) = (patient.link().unwrap().clone(), patient.vault().unwrap());
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let mut home = world.reach(&patient.transport());
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let file = world.file("one", 100, 1);
    put(&mut a, &mut from_a, vault, vec![record(&file, IMAGING)]).await.unwrap();
    for lost in [100, 30_000, 31_000] {
        let mut fresh = Patient::in_memory(&world.ambient, "Hanako");
        let new = fresh_recovery_code(&world.ambient);
        let mut line = cutting(&world, &fresh.transport(), vec![(Direction::Up, lost)]);
        if recover(&mut fresh, &mut line, &link, &code, &new).await.is_ok() {
            let seen = crate::flow::agent::records::records(&mut fresh, &mut line, Default::default()).await.unwrap();
            assert_eq!((seen.records.len(), seen.closed), (1, 0));
            return;
        }
        assert_eq!(fresh.vault(), None, "a recovery that certainly failed leaves nothing");
    }
}

#[tokio::test]
async fn many_small_files_are_stored_with_many_on_their_way() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, _) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING, LAB]).await;
    let files: Vec<_> = (0..150).map(|n| world.file(&format!("f{n}"), 50 + n, n as u64)).collect();
    let kinds = [IMAGING, LAB];
    let new: Vec<_> = files.iter().enumerate().map(|(n, file)| record(file, kinds[n % 2])).collect();
    let mut from_a = cutting(&world, &a.transport(), vec![(Direction::Up, 150_000), (Direction::Down, 60_000)]);
    let stored = put(&mut a, &mut from_a, vault, new).await.unwrap();
    assert_eq!(stored.records.len(), 150);
    let seen = crate::flow::agent::records::records(&mut patient, &mut home, Default::default()).await.unwrap();
    assert_eq!((seen.records.len(), seen.complete, seen.closed), (150, true, 0));
}
