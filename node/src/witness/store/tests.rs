use karute_consent::id::NodeId;
use karute_consent::party::Identity;
use karute_protocol::cosignature::cosign;
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::trail::Log;
use tempfile::TempDir;

use super::super::record::VaultRecord;
use super::*;

fn identity() -> Identity {
    Identity::from_seed(&[6; 32])
}

fn key() -> WitnessKey {
    WitnessKey { name: "witness.example/w1".parse().unwrap(), party: identity().party() }
}

/// What is signed for the trail of a node.
fn head(node: u8, size: u64) -> Record {
    let log = Identity::from_seed(&[node; 32]);
    let head = TreeHead { size, root: TreeHash([size as u8; 32]) };
    let plain = CheckpointText::sign(Log::Trail, head, &log);
    let line = cosign(&plain.body().unwrap(), &key().name, &identity(), Timestamp::from_secs(1_000 + size));
    let text = plain.with_lines(&line, &key()).unwrap();
    Record::Head(HeadRecord { origin: Log::Trail.origin(NodeId::from_bytes(*log.key().as_bytes())), head, text })
}

fn vault(number: u32) -> Record {
    Record::Vault(VaultRecord {
        vault: VaultId::from_bytes([1; 32]),
        home: NodeId::from_bytes([number as u8; 32]),
        number: karute_consent::id::AuthorityNumber(number),
        authority: karute_consent::id::StatementId::from_bytes([number as u8; 32]),
    })
}

fn origin(of: &Record) -> OriginHash {
    let Record::Head(head) = of else { panic!("a head") };
    OriginHash::of(&head.origin)
}

/// A witness's folder and its guard, which can be put back to what they were.
struct Spot {
    dir: TempDir,
}

impl Spot {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(place.home()).unwrap();
        Store::create(&place.home(), key().party.key()).unwrap();
        Guard::create(&place.guard(), key().party.key()).unwrap();
        place
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("witness")
    }

    fn guard(&self) -> PathBuf {
        self.dir.path().join("witness.guard")
    }

    fn open(&self) -> Result<Store, OpenError> {
        let guard = Guard::open(&self.guard(), key().party.key()).map_err(OpenError::Guard)?;
        Store::open(&self.home(), key().party.key(), guard)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.home().join(FILE_NAME)).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(self.home().join(FILE_NAME), bytes).unwrap();
    }
}

fn keep(store: &mut Store, records: &[Record]) {
    let places = store.append(records).unwrap();
    let book = store.book();
    records.iter().zip(places).for_each(|(record, at)| lock(&book).keep(record, at));
}

fn size_of(store: &Store, record: &Record) -> Option<u64> {
    lock(&store.book).head(origin(record)).map(|head| head.size)
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let place = Spot::new();
    let mut store = place.open().unwrap();
    keep(&mut store, &[head(1, 3), head(2, 5), vault(0)]);
    keep(&mut store, &[head(1, 4), vault(1)]);
    drop(store);
    let store = place.open().unwrap();
    assert_eq!((size_of(&store, &head(1, 0)), size_of(&store, &head(2, 0))), (Some(4), Some(5)));
    let book = lock(&store.book);
    assert_eq!(book.vault(VaultId::from_bytes([1; 32])).unwrap().number.0, 1);
    let (file, at, line) = book.newest(origin(&head(1, 4))).unwrap();
    let Record::Head(expected) = head(1, 4) else { panic!("a head") };
    assert_eq!((read_checkpoint(&file, at).unwrap(), line), (expected.text, None));
    let survey = Store::survey(&place.home(), &key()).unwrap();
    assert_eq!(survey, Survey { origins: 2, vaults: 1, last: Some(Timestamp::from_secs(1_004)) });
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_when_nothing_in_it_was_signed() {
    let place = Spot::new();
    let mut store = place.open().unwrap();
    keep(&mut store, &[head(1, 3)]);
    let (short, guard) = (place.bytes(), fs::read(place.guard()).unwrap());
    keep(&mut store, &[head(1, 4), head(2, 7)]);
    drop(store);
    let long = place.bytes();
    for cut in short.len()..long.len() {
        let zeroed = [&long[..cut], &vec![0; long.len() - cut]].concat();
        for torn in [&long[..cut], &zeroed[..]] {
            place.put(torn);
            fs::write(place.guard(), &guard).unwrap();
            let mut store = place.open().unwrap();
            let size = size_of(&store, &head(1, 0)).unwrap();
            assert!(size == 3 || size == 4, "{cut}");
            if cut % 16 != 0 {
                continue;
            }
            // What comes next stands behind what is whole.
            keep(&mut store, &[head(3, 9)]);
            drop(store);
            let store = place.open().unwrap();
            assert_eq!((size_of(&store, &head(1, 0)), size_of(&store, &head(3, 0))), (Some(size), Some(9)), "{cut}");
        }
    }
}

#[test]
fn a_store_that_lacks_any_byte_of_what_was_signed_does_not_open() {
    let place = Spot::new();
    let mut store = place.open().unwrap();
    keep(&mut store, &[head(1, 3)]);
    keep(&mut store, &[head(1, 4)]);
    drop(store);
    let whole = place.bytes();
    for cut in MARK_LEN..whole.len() {
        place.put(&whole[..cut]);
        let refused = place.open().err().unwrap();
        assert!(matches!(refused, OpenError::Behind { guard: 2, .. } | OpenError::Damaged { guard: 2, .. }), "{cut}");
    }
    for bent in MARK_LEN..whole.len() {
        let mut bytes = whole.clone();
        bytes[bent] ^= 0x10;
        place.put(&bytes);
        let refused = place.open().err().unwrap();
        assert!(matches!(refused, OpenError::Damaged { guard: 2, .. }), "{bent}: {refused}");
    }
    for bent in [0, MARK_LEN - 1] {
        let mut bytes = whole.clone();
        bytes[bent] ^= 1;
        place.put(&bytes);
        assert!(matches!(place.open(), Err(OpenError::NotOurs)));
    }
    fs::remove_file(place.home().join(FILE_NAME)).unwrap();
    assert!(matches!(place.open(), Err(OpenError::Absent)));
    place.put(&whole);
    assert_eq!(size_of(&place.open().unwrap(), &head(1, 0)), Some(4));
}

#[test]
fn an_older_copy_of_the_folder_does_not_open() {
    let place = Spot::new();
    let mut store = place.open().unwrap();
    keep(&mut store, &[head(1, 3)]);
    let old = place.bytes();
    keep(&mut store, &[head(1, 4)]);
    drop(store);
    place.put(&old);
    assert!(matches!(place.open(), Err(OpenError::Behind { store: 1, guard: 2 })));
    fs::remove_file(place.guard()).unwrap();
    assert!(matches!(place.open(), Err(OpenError::Guard(GuardError::Absent))));
}

#[test]
fn a_store_is_ahead_of_its_guard_after_a_crash_between_the_two() {
    let place = Spot::new();
    let mut store = place.open().unwrap();
    keep(&mut store, &[head(1, 3)]);
    let guard = fs::read(place.guard()).unwrap();
    keep(&mut store, &[head(1, 4)]);
    drop(store);
    fs::write(place.guard(), guard).unwrap();
    let mut store = place.open().unwrap();
    assert_eq!(size_of(&store, &head(1, 0)), Some(4));
    keep(&mut store, &[head(1, 5)]);
    drop(store);
    assert_eq!(Guard::open(&place.guard(), key().party.key()).unwrap().number(), 3);
}

#[test]
fn a_store_written_anew_holds_what_is_in_force_and_its_number() {
    let place = Spot::new();
    let mut store = place.open().unwrap();
    for size in 1..50 {
        keep(&mut store, &[head(1, size), head(2, 2 * size), vault(size as u32)]);
    }
    let before = place.bytes().len();
    store.compact().unwrap();
    assert!(place.bytes().len() < before / 20);
    keep(&mut store, &[head(1, 60)]);
    store.compact().unwrap();
    let (file, at, _) = lock(&store.book).newest(origin(&head(2, 0))).unwrap();
    let Record::Head(expected) = head(2, 98) else { panic!("a head") };
    assert_eq!(read_checkpoint(&file, at).unwrap(), expected.text);
    drop(store);
    let store = place.open().unwrap();
    assert_eq!((size_of(&store, &head(1, 0)), size_of(&store, &head(2, 0))), (Some(60), Some(98)));
    assert_eq!(store.number, 49 * 3 + 1);
    let live = lock(&store.book).live_bytes;
    assert_eq!(live + MARK_LEN as u64, store.len);
}
