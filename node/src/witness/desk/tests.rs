use karute_consent::id::VaultId;
use karute_consent::time::Timestamp;
use karute_protocol::merkle::{TreeHash, TreeHead};
use tempfile::TempDir;

use super::super::guard::Guard;
use super::super::store::Store;
use super::*;
use crate::home::Home;

pub(in crate::witness) struct Room {
    pub(in crate::witness) dir: TempDir,
    pub(in crate::witness) keys: WitnessKeys,
    pub(in crate::witness) ambient: Ambient,
}

impl Room {
    pub(in crate::witness) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ambient = Ambient::fixed(Timestamp::from_secs(1_000), 1);
        let home = Home::create(&dir.path().join("witness")).unwrap();
        let name = "witness.example/w1".parse().unwrap();
        let keys = WitnessKeys::draw(name, &ambient);
        Store::create(home.path(), keys.key().party.key()).unwrap();
        Guard::create(&dir.path().join("guard"), keys.key().party.key()).unwrap();
        Self { dir, keys, ambient }
    }

    pub(in crate::witness) fn store(&self, guard: impl FnOnce(Guard) -> Guard) -> Store {
        let key = self.keys.key().party.key();
        let open = Guard::open(&self.dir.path().join("guard"), key).unwrap();
        Store::open(&self.dir.path().join("witness"), key, guard(open)).unwrap()
    }

    pub(in crate::witness) fn desk(&self, origins_max: usize) -> (Desk, DeskEnding) {
        let rules = Rules::new(BTreeSet::new(), Vec::new(), origins_max).unwrap();
        Desk::start(self.store(|guard| guard), &self.keys, rules, self.ambient.clone()).unwrap()
    }
}

/// A first head of a node's trail; every node's is another log.
pub(in crate::witness) fn first(node: u8, size: u64) -> AddCheckpoint {
    let head = TreeHead { size, root: TreeHash([size as u8; 32]) };
    AddCheckpoint::new(0, Vec::new(), &CheckpointText::sign(Log::Trail, head, &Identity::from_seed(&[node; 32])))
        .unwrap()
}

#[tokio::test]
async fn two_roots_of_one_log_are_never_both_signed_however_they_race() {
    let room = Room::new();
    let (desk, _ending) = room.desk(100);
    for node in 1..=40 {
        // All claim to be the first head; they wait together.
        let asked: Vec<_> = (1..=4).map(|size| desk.add(first(node, size))).collect();
        let answers = futures::future::join_all(asked).await;
        let signed: Vec<_> = answers.iter().filter(|answer| answer.is_ok()).collect();
        assert_eq!(signed.len(), 1, "{answers:?}");
        assert!(
            answers
                .iter()
                .all(|answer| { matches!(answer, Ok(_) | Err(Refusal::Judged(WitnessRefusal::Conflict { size: 1 }))) })
        );
    }
}

#[tokio::test]
async fn a_witness_remembers_over_a_restart() {
    let room = Room::new();
    let (desk, ending) = room.desk(100);
    desk.add(first(1, 5)).await.unwrap();
    drop(desk);
    ending.join();
    let (desk, _ending) = room.desk(100);
    for size in [4, 5, 6] {
        let again = desk.add(first(1, size)).await;
        assert_eq!(again, Err(Refusal::Judged(WitnessRefusal::Conflict { size: 5 })));
    }
}

#[tokio::test]
async fn an_equal_head_is_signed_anew_and_nothing_is_stored() {
    let room = Room::new();
    let (desk, _ending) = room.desk(100);
    desk.add(first(1, 5)).await.unwrap();
    let file = room.dir.path().join("witness").join("signed");
    let before = std::fs::metadata(&file).unwrap().len();
    room.ambient.advance(60);
    let log = Identity::from_seed(&[1; 32]);
    let head = TreeHead { size: 5, root: TreeHash([5; 32]) };
    let plain = CheckpointText::sign(Log::Trail, head, &log);
    let line = desk.add(AddCheckpoint::new(5, Vec::new(), &plain).unwrap()).await.unwrap();
    let newest = plain.with_lines(&line, &room.keys.key()).unwrap();
    assert_eq!(newest.cosignature_of(&room.keys.key()), Ok(Some(Timestamp::from_secs(1_060))));
    let origin = Log::Trail.origin(NodeId::from_bytes(*log.key().as_bytes()));
    assert_eq!(desk.newest(OriginHash::of(&origin).0).unwrap(), Some(newest));
    assert_eq!(std::fs::metadata(&file).unwrap().len(), before);
}

#[tokio::test]
async fn a_full_witness_goes_on_with_the_logs_it_has() {
    let room = Room::new();
    let (desk, _ending) = room.desk(2);
    desk.add(first(1, 5)).await.unwrap();
    desk.add(first(2, 5)).await.unwrap();
    assert_eq!(desk.add(first(3, 5)).await, Err(Refusal::Full));
    let admitted = Admitted {
        vault: VaultId::from_bytes([1; 32]),
        home: NodeId::from_bytes([2; 32]),
        authorities: vec![karute_consent::id::StatementId::from_bytes([3; 32])],
    };
    assert_eq!(desk.admit(admitted).await, Err(Refusal::Full));
    let plain = CheckpointText::sign(Log::Trail, first(1, 5).unverified_head(), &Identity::from_seed(&[1; 32]));
    assert!(desk.add(AddCheckpoint::new(5, Vec::new(), &plain).unwrap()).await.is_ok());
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_signed_any_more() {
    let room = Room::new();
    let key = room.keys.key().party.key();
    // The guard's file cannot be written: the store is synced, the signature must not leave.
    let store = room.store(|_| Guard::read_only(&room.dir.path().join("guard"), key));
    let rules = Rules::new(BTreeSet::new(), Vec::new(), 100).unwrap();
    let (desk, _ending) = Desk::start(store, &room.keys, rules, room.ambient.clone()).unwrap();
    assert_eq!(desk.add(first(1, 5)).await, Err(Refusal::Stopped));
    desk.until_stopped().await;
    assert_eq!(desk.add(first(2, 5)).await, Err(Refusal::Stopped));
    assert!(desk.is_stopped());
}

#[tokio::test]
async fn a_vault_is_admitted_and_another_history_of_it_is_not() {
    let room = Room::new();
    let (desk, _ending) = room.desk(100);
    let id = |number: u8| karute_consent::id::StatementId::from_bytes([number; 32]);
    let home = Identity::from_seed(&[9; 32]);
    let admitted = |authorities: Vec<u8>| Admitted {
        vault: VaultId::from_bytes([1; 32]),
        home: NodeId::from_bytes(*home.key().as_bytes()),
        authorities: authorities.into_iter().map(id).collect(),
    };
    let ledger = Log::Ledger(VaultId::from_bytes([1; 32]));
    let head = TreeHead { size: 2, root: TreeHash([2; 32]) };
    let ask = || AddCheckpoint::new(0, Vec::new(), &CheckpointText::sign(ledger, head, &home)).unwrap();
    assert_eq!(desk.add(ask()).await, Err(Refusal::Judged(WitnessRefusal::UnknownOrigin)));
    desk.admit(admitted(vec![0, 1])).await.unwrap();
    desk.admit(admitted(vec![0])).await.unwrap();
    desk.admit(admitted(vec![0, 1])).await.unwrap();
    assert_eq!(desk.admit(admitted(vec![0, 7])).await, Err(Refusal::Contradiction));
    assert_eq!(desk.admit(admitted(vec![0, 7, 8])).await, Err(Refusal::Contradiction));
    desk.admit(admitted(vec![0, 1, 8])).await.unwrap();
    assert!(desk.add(ask()).await.is_ok());
}

#[tokio::test]
async fn only_nodes_that_are_named_are_taken_on() {
    let room = Room::new();
    let node = NodeId::from_bytes(*Identity::from_seed(&[1; 32]).key().as_bytes());
    let rules = Rules::new(BTreeSet::from([node]), Vec::new(), 100).unwrap();
    let (desk, _ending) = Desk::start(room.store(|guard| guard), &room.keys, rules, room.ambient.clone()).unwrap();
    assert!(desk.add(first(1, 5)).await.is_ok());
    assert_eq!(desk.add(first(2, 5)).await, Err(Refusal::Judged(WitnessRefusal::UnknownOrigin)));
}
