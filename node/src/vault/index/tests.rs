//! The index alone: limits, pieces, marks, and what happens to a damaged one.

use super::*;
use crate::vault::journal::{ChainHash, Position};

const TREE: Tree = Tree::Records;

fn mark(seq: u64) -> Mark {
    Mark { last: Position { seq, segment: 0, offset: seq * 100 }, chain: ChainHash([seq as u8; 32]) }
}

fn filled(folder: &Path) -> [u8; 32] {
    let opened = Index::open(folder).unwrap();
    assert_eq!((opened.mark, opened.wiped), (None, false));
    let mut writes = opened.index.writes();
    for number in 0..500_u32 {
        writes.put(TREE, &number.to_be_bytes(), &[number as u8; 900]).unwrap();
    }
    writes.apply(&mark(7)).unwrap();
    opened.index.fingerprint().unwrap()
}

#[test]
fn writes_are_seen_before_they_are_applied_and_gone_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap().index;
    let mut writes = index.writes();
    writes.put(TREE, b"a1", b"x").unwrap();
    writes.put(TREE, b"a2", b"y").unwrap();
    writes.remove(TREE, b"a1");
    assert_eq!(writes.scan(TREE, b"a").unwrap(), [(b"a2".to_vec(), b"y".to_vec())]);
    assert_eq!(index.read(TREE, b"a2").unwrap(), None);
    drop(writes);
    assert_eq!((index.read(TREE, b"a2").unwrap(), index.mark().unwrap()), (None, None));
}

#[test]
fn values_of_every_length_come_back_from_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap().index;
    for length in
        [0, 1, piece::PIECE_BYTES - 1, piece::PIECE_BYTES, piece::PIECE_BYTES + 1, 65536, 3 * piece::PIECE_BYTES]
    {
        let value: Vec<u8> = (0..length).map(|number| number as u8).collect();
        let mut writes = index.writes();
        writes.put_pieces(TREE, b"key", &value).unwrap();
        assert_eq!(writes.read_pieces(TREE, b"key").unwrap(), Some(value.clone()));
        writes.apply(&mark(1)).unwrap();
        assert_eq!(index.read_pieces(TREE, b"key").unwrap(), Some(value.clone()));
        assert_eq!(index.range(TREE, b"key", b"").count(), length.div_ceil(piece::PIECE_BYTES).max(1));
    }
    let mut writes = index.writes();
    writes.remove_pieces(TREE, b"key").unwrap();
    writes.apply(&mark(2)).unwrap();
    assert_eq!(index.range(TREE, b"key", b"").count(), 0);
}

#[test]
fn an_entry_above_the_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap().index;
    let mut writes = index.writes();
    writes.put(TREE, b"k", &vec![0; ENTRY_BYTES_MAX - 5]).unwrap();
    assert!(matches!(writes.put(TREE, b"k", &vec![0; ENTRY_BYTES_MAX - 4]), Err(IndexError::EntryTooLarge)));
}

#[test]
fn content_and_mark_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let print = filled(folder.path());
    let opened = Index::open(folder.path()).unwrap();
    assert_eq!((opened.mark, opened.wiped), (Some(mark(7)), false));
    assert_eq!(opened.index.fingerprint().unwrap(), print);
}

#[test]
fn garbage_in_the_data_file_gives_an_empty_index() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    fs::write(folder.path().join("conf"), b"garbage").unwrap();
    fs::write(folder.path().join("db"), vec![0xA5; 700_000]).unwrap();
    // sled may refuse to open or begin anew by itself: both give no mark, so everything is replayed.
    assert_eq!(Index::open(folder.path()).unwrap().mark, None);
}

#[test]
fn an_index_of_another_schema_or_with_stray_values_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let db = sled::Config::new().path(folder.path()).open().unwrap();
    db.open_tree("meta-v0").unwrap().insert(b"a", b"b").unwrap();
    drop(db);
    assert!(Index::open(folder.path()).unwrap().wiped);
    fs::create_dir_all(folder.path().join("blobs")).unwrap();
    fs::write(folder.path().join("blobs/17"), b"x").unwrap();
    assert!(Index::open(folder.path()).unwrap().wiped);
}

#[test]
fn a_changed_value_is_noticed_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let index = Index::open(folder.path()).unwrap().index;
    let key = 3_u32.to_be_bytes();
    let mut stored = index.tree(TREE).get(key).unwrap().unwrap().to_vec();
    stored[10] ^= 1;
    index.tree(TREE).insert(key, stored).unwrap();
    assert!(!index.is_whole().unwrap());
    assert!(matches!(index.read(TREE, &key), Err(IndexError::Damaged)));
    drop(index);
    assert!(Index::open(folder.path()).unwrap().wiped);
}

#[test]
fn a_lost_key_is_noticed_at_the_next_opening() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let index = Index::open(folder.path()).unwrap().index;
    assert!(index.is_whole().unwrap());
    assert_eq!(index.entries().unwrap(), 500);
    let mut writes = index.writes();
    writes.remove(TREE, &3_u32.to_be_bytes());
    writes.remove(TREE, b"never there");
    writes.put(TREE, &4_u32.to_be_bytes(), b"again").unwrap();
    writes.apply(&mark(8)).unwrap();
    assert_eq!(index.entries().unwrap(), 499);
    index.tree(TREE).remove(7_u32.to_be_bytes()).unwrap();
    drop(index);
    assert!(Index::open(folder.path()).unwrap().wiped);
}

#[test]
fn an_index_in_use_is_looked_through_and_a_lost_key_makes_it_anew() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let index = Index::open(folder.path()).unwrap().index;
    assert_eq!(index.look_through(&|| true).unwrap(), Some(true));
    assert!(!Index::is_distrusted(folder.path()));
    index.tree(TREE).remove(7_u32.to_be_bytes()).unwrap();
    assert_eq!(index.look_through(&|| false).unwrap(), None, "asked to end before it was sure");
    assert_eq!(index.look_through(&|| true).unwrap(), Some(false));
    assert!(Index::is_distrusted(folder.path()));
    drop(index);
    assert!(Index::open(folder.path()).unwrap().wiped);
    assert!(!Index::is_distrusted(folder.path()));
}
