//! A witness's store as a disk gives it back: any bytes, and a good store with bytes changed. It opens only with everything
//! that was signed, as far as the guard can tell (P-45).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use karute_consent::id::{NodeId, PartyKey};
use karute_consent::time::Timestamp;
use karute_node::ambient::Ambient;
use karute_node::witness::{Desk, Guard, Rules, Store, WitnessKeys};
use karute_protocol::merkle::{TreeHash, TreeHead, root_of};
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::witness::AddCheckpoint;

use super::edit::change_bytes;
use super::source::Source;
use super::texts::folder;
use crate::vectors::cast::{NOW, key, party, seed};
use crate::vectors::tree::consistency;

/// A store that is the input, with a guard that vouches for nothing; then a good store and its guard, edited.
pub fn witness_store(data: &[u8]) {
    let place = folder();
    let path = place.path();
    fs::write(path.join(STORE), data).expect("a folder in memory has room");
    let _ = Store::survey(path, &GOOD.keys.key());
    if let Ok(guard) = Guard::create(&path.join(GUARD), GOOD.key()) {
        let opened = Store::open(path, GOOD.key(), guard).is_ok();
        assert!(!opened || Store::survey(path, &GOOD.keys.key()).is_ok(), "what was opened is sound");
    }
    edited(&mut Source::new(data), path);
}

fn edited(source: &mut Source<'_>, path: &Path) {
    let (mut store, mut guard) = (GOOD.store.clone(), GOOD.guard.clone());
    let guard_is_whole = !source.byte().is_multiple_of(4);
    for _ in 0..source.place(3) {
        change_bytes(&mut store, source);
    }
    if !guard_is_whole {
        change_bytes(&mut guard, source);
    }
    fs::write(path.join(STORE), &store).expect("a folder in memory has room");
    fs::write(path.join(GUARD), &guard).expect("a folder in memory has room");
    let Ok(guard) = Guard::open(&path.join(GUARD), GOOD.key()) else {
        assert!(!guard_is_whole, "a guard that nobody touched opens");
        return;
    };
    let opened = Store::open(path, GOOD.key(), guard);
    if guard_is_whole && opened.is_ok() {
        let left = fs::read(path.join(STORE)).expect("it was opened");
        assert!(left.starts_with(&GOOD.store[..]), "nothing that was signed is forgotten"); // P-45
    }
    assert!(opened.is_ok() || store != GOOD.store || !guard_is_whole, "a good store opens");
}

/// The files of a witness that cosigned a growing trail.
struct Good {
    keys: WitnessKeys,
    store: Vec<u8>,
    guard: Vec<u8>,
}

impl Good {
    fn key(&self) -> PartyKey {
        self.keys.key().party.key()
    }
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let place = folder();
    let keys = WitnessKeys::from_seed("witness.example/w0".parse().expect("a name"), &seed("witness"));
    let own = keys.key().party.key();
    assert!(Store::create(place.path(), own).is_ok(), "a folder in memory has room");
    let guard = Guard::create(&place.path().join(GUARD), own).expect("a folder in memory has room");
    let store = Store::open(place.path(), own, guard).expect("it was just made");
    let node = NodeId::from_bytes(key("home"));
    let rules = Rules::new(BTreeSet::from([node]), Vec::new(), 8).expect("no logs of others");
    let ambient = Ambient::fixed(Timestamp::from_secs(NOW), 1);
    let (desk, ending) = Desk::start(store, &keys, rules, ambient).expect("a thread can be started");
    for size in 1..6u64 {
        let line = futures::executor::block_on(desk.add(grown(size)));
        assert!(line.is_ok(), "an honest log is cosigned");
    }
    drop(desk);
    ending.join();
    let read = |name| fs::read(place.path().join(name)).expect("it was written");
    Good { keys, store: read(STORE), guard: read(GUARD) }
});

/// The request to cosign a trail of this size after one that is smaller by one.
fn grown(size: u64) -> AddCheckpoint {
    let leaves: Vec<[u8; 8]> = (0..size).map(u64::to_be_bytes).collect();
    let hashes: Vec<TreeHash> = leaves.iter().map(|leaf| TreeHash::leaf(leaf)).collect();
    let head = TreeHead { size, root: root_of(&hashes) };
    let checkpoint = CheckpointText::sign(Log::Trail, head, &party("home"));
    let proof = if size == 1 { Vec::new() } else { consistency(size as usize - 1, &leaves) };
    AddCheckpoint::new(size - 1, proof.into_iter().map(TreeHash).collect(), &checkpoint).expect("an honest request")
}

/// The bytes of a good store.
pub(super) fn store_seed() -> Vec<u8> {
    GOOD.store.clone()
}

/// The store's file.
const STORE: &str = "signed";
const GUARD: &str = "guard";
