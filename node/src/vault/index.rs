//! The index: sled, made from the journal and never believed over it.
//!
//! Changes are gathered in [`Writes`], which reads through to the store, and then go into all trees together with the
//! mark of the journal in one sled transaction. So after a crash the index stands exactly at some mark. sled's own
//! flush is not enough to survive a power cut; that is no harm here, because nobody is answered on the strength of it
//! and what it loses is applied again, but the data file is synced behind the mark so that this stays short.
//!
//! sled keeps pages above 128 KiB in files it never syncs, so entries are held to [`ENTRY_BYTES_MAX`] and longer values
//! are split into pieces; an index that nevertheless has such files is refused. Each value carries a checksum over its
//! key and itself, because sled does not notice a flipped bit in a value.

mod piece;
#[cfg(test)]
mod tests;
mod writes;

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sled::Transactional;
use sled::transaction::{
    ConflictableTransactionError, TransactionError, TransactionalTree, UnabortableTransactionError,
};

use writes::Pending;
pub use writes::Writes;

use super::journal::{Mark, sync_folder};
use super::schema::{SCHEMA, Tree};

/// Longest key and value together, in bytes.
pub const ENTRY_BYTES_MAX: usize = 4096;
/// Memory that sled may use for pages, in bytes.
const CACHE_BYTES: u64 = 64 << 20;
/// Entries up to which opening reads them all; a larger index can be read with [`Index::is_whole`] when there is time.
const READ_AT_OPEN_MAX: u64 = 200_000;
/// Entries read between two pauses while looking through an index in use.
const LOOK_PAUSE_ENTRIES: u64 = 4096;
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// A wrong number of entries is looked at again after this, so often.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const LOOKS_MAX: u32 = 3;
/// A file that marks an index in which a damaged value was found.
const DISTRUSTED: &str = "distrusted";
const CHECKSUM_LEN: usize = 4;
const KEY_SCHEMA: &[u8] = b"schema";
const KEY_MARK: &[u8] = b"applied";

/// Why the index refuses to read or write.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The store failed.
    #[error("the index store failed")]
    Store(#[from] sled::Error),
    /// A value does not match its checksum: the index must be rebuilt.
    #[error("a value of the index is damaged: start the node again to rebuild it")]
    Damaged,
    /// Key and value together are above the limit.
    #[error("an index entry is above {ENTRY_BYTES_MAX} bytes")]
    EntryTooLarge,
    /// The data file could not be synced.
    #[error("the index could not be synced")]
    Disk(#[from] io::Error),
}

/// Key and value of an entry.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// The open index.
pub struct Index {
    db: sled::Db,
    trees: Vec<sled::Tree>,
    data: File,
    folder: PathBuf,
    /// Something was written since the last sync.
    dirty: AtomicBool,
}

/// What opening found.
pub struct Opened {
    /// The index.
    pub index: Index,
    /// Up to where the journal is applied; `None`: nothing is, everything must be replayed.
    pub mark: Option<Mark>,
    /// Whether an unusable index was thrown away.
    pub wiped: bool,
}

impl Index {
    /// Opens the folder; an index that does not open, or is of another schema, is thrown away.
    pub fn open(folder: &Path) -> Result<Opened, IndexError> {
        match try_open(folder) {
            Ok((index, mark)) => Ok(Opened { index, mark, wiped: false }),
            Err(_) => Index::wipe_and_open(folder),
        }
    }

    /// Whether the index in a folder was found damaged and waits to be thrown away.
    pub fn is_distrusted(folder: &Path) -> bool {
        folder.join(DISTRUSTED).exists()
    }

    /// Throws the index away and begins an empty one.
    pub fn wipe_and_open(folder: &Path) -> Result<Opened, IndexError> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let (index, mark) = try_open(folder)?;
        Ok(Opened { index, mark, wiped: true })
    }

    /// The value under a key.
    pub fn read(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.tree(tree).get(key)?.map(|stored| self.unwrap_or_distrust(key, &stored)).transpose()
    }

    /// Entries whose keys begin with `prefix`, ascending, from `from` on (a whole key, or shorter).
    pub fn range(&self, tree: Tree, prefix: &[u8], from: &[u8]) -> impl Iterator<Item = Result<KeyValue, IndexError>> {
        let start = if from > prefix { from } else { prefix };
        let prefix = prefix.to_vec();
        self.tree(tree)
            .range(start.to_vec()..)
            .take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
            .map(|entry| {
                let (key, stored) = entry?;
                let value = self.unwrap_or_distrust(&key, &stored)?;
                Ok((key.to_vec(), value))
            })
    }

    /// A damaged value makes the next opening throw the index away.
    fn unwrap_or_distrust(&self, key: &[u8], stored: &[u8]) -> Result<Vec<u8>, IndexError> {
        unwrap_value(key, stored).inspect_err(|_| {
            if let Err(cause) = File::create(self.folder.join(DISTRUSTED)) {
                tracing::error!(%cause, "a damaged index could not be marked for rebuilding");
            }
        })
    }

    /// Reads a value that was written in pieces.
    pub fn read_pieces(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        piece::join(key, |piece_key| self.read(tree, piece_key))
    }

    /// Begins a set of writes.
    pub fn writes(&self) -> Writes<'_> {
        Writes::new(self)
    }

    /// Up to where the journal is applied.
    pub fn mark(&self) -> Result<Option<Mark>, IndexError> {
        let bytes = self.read(Tree::Meta, KEY_MARK)?;
        bytes
            .map(|bytes| bytes.as_slice().try_into().map(Mark::from_bytes).map_err(|_| IndexError::Damaged))
            .transpose()
    }

    /// Makes durable what was applied. False if there was nothing to do.
    pub fn sync(&self) -> Result<bool, IndexError> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(false);
        }
        self.db.flush()?;
        self.data.sync_data()?;
        Ok(true)
    }

    /// SHA-256 over every entry of every tree: equal for equal content.
    pub fn fingerprint(&self) -> Result<[u8; 32], IndexError> {
        let mut hash = Sha256::new();
        for tree in Tree::ALL {
            hash.update(tree.name());
            for entry in self.range(*tree, b"", b"") {
                let (key, value) = entry?;
                hash.update((key.len() as u32).to_be_bytes());
                hash.update(&key);
                hash.update((value.len() as u32).to_be_bytes());
                hash.update(&value);
            }
        }
        Ok(hash.finalize().into())
    }

    /// Whether sled keeps values outside of its log, where it never syncs them.
    fn has_stray_values(&self) -> io::Result<bool> {
        let folder = self.folder.join("blobs");
        Ok(folder.exists() && fs::read_dir(folder)?.next().is_some())
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.trees[tree as usize]
    }

    /// Whether every tree has as many entries as it must have, each undamaged: sled can lose keys without a word.
    pub fn is_whole(&self) -> Result<bool, IndexError> {
        for tree in counted() {
            let mut there: u64 = 0;
            for entry in self.tree(tree).iter() {
                let (key, stored) = entry?;
                if unwrap_value(&key, &stored).is_err() {
                    return Ok(false);
                }
                there += 1;
            }
            if there != self.count(tree)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether it is whole, looked at while it is written to; `None` if that could not be told, or `go_on` said no. What
    /// is not whole is thrown away at the next opening.
    pub fn look_through(&self, go_on: &dyn Fn() -> bool) -> Result<Option<bool>, IndexError> {
        let mut sure = true;
        for tree in counted() {
            match self.look_at(tree, go_on)? {
                Some(true) => {}
                Some(false) => {
                    File::create(self.folder.join(DISTRUSTED))?;
                    return Ok(Some(false));
                }
                None => sure = false,
            }
        }
        Ok(sure.then_some(true))
    }

    /// One tree. A wrong number of entries counts only if it is found again and again while nothing was written.
    fn look_at(&self, tree: Tree, go_on: &dyn Fn() -> bool) -> Result<Option<bool>, IndexError> {
        for _ in 0..LOOKS_MAX {
            let mark = self.mark()?;
            let mut there: u64 = 0;
            for entry in self.tree(tree).iter() {
                let (key, stored) = entry?;
                if unwrap_value(&key, &stored).is_err() {
                    return Ok(Some(false));
                }
                there += 1;
                if there.is_multiple_of(LOOK_PAUSE_ENTRIES) {
                    if !go_on() {
                        return Ok(None);
                    }
                    std::thread::sleep(LOOK_PAUSE);
                }
            }
            if there == self.count(tree)? {
                return Ok(Some(true));
            }
            std::thread::sleep(LOOK_AGAIN);
            if self.mark()? != mark || !go_on() {
                return Ok(None);
            }
        }
        Ok(Some(false))
    }

    /// How many entries there must be in all.
    pub fn entries(&self) -> Result<u64, IndexError> {
        counted().map(|tree| self.count(tree)).sum()
    }

    fn count(&self, tree: Tree) -> Result<u64, IndexError> {
        let stored = self.read(Tree::Meta, &count_key(tree))?;
        stored.map_or(Ok(0), |count| count.try_into().map(u64::from_be_bytes).map_err(|_| IndexError::Damaged))
    }

    /// Applies the writes and the mark, all or nothing.
    fn apply(&self, mut writes: Vec<Pending>, mark: &Mark) -> Result<(), IndexError> {
        writes[Tree::Meta as usize].insert(KEY_MARK.to_vec(), Some(mark.to_bytes().to_vec()));
        self.dirty.store(true, Ordering::Release);
        let applied = self.trees[..].transaction(|views| {
            let meta = &views[Tree::Meta as usize];
            for tree in Tree::ALL {
                let added = write_all(&views[*tree as usize], &writes[*tree as usize])?;
                if *tree != Tree::Meta && added != 0 {
                    add_to_count(meta, &count_key(*tree), added)?;
                }
            }
            Ok::<(), ConflictableTransactionError<()>>(())
        });
        match applied {
            Ok(()) => Ok(()),
            Err(TransactionError::Storage(error)) => Err(IndexError::Store(error)),
            Err(TransactionError::Abort(())) => Err(IndexError::Damaged),
        }
    }
}

/// Writes into one tree. Returns by how many entries it grew.
fn write_all(view: &TransactionalTree, writes: &Pending) -> Result<i64, UnabortableTransactionError> {
    let mut added = 0;
    for (key, written) in writes {
        match written {
            Some(value) => added += i64::from(view.insert(key.as_slice(), wrap_value(key, value))?.is_none()),
            None => added -= i64::from(view.remove(key.as_slice())?.is_some()),
        }
    }
    Ok(added)
}

fn add_to_count(meta: &TransactionalTree, key: &[u8], added: i64) -> Result<(), ConflictableTransactionError<()>> {
    let stored = meta.get(key)?;
    let old = stored.map_or(Some([0; 8]), |stored| unwrap_value(key, &stored).ok()?.try_into().ok());
    let Some(old) = old.map(u64::from_be_bytes) else { return Err(ConflictableTransactionError::Abort(())) };
    match old.saturating_add_signed(added) {
        // A tree that is empty again is like one that never had an entry.
        0 => meta.remove(key)?,
        count => meta.insert(key, wrap_value(key, &count.to_be_bytes()))?,
    };
    Ok(())
}

/// Trees whose entries are counted: all but the one with the counts.
fn counted() -> impl Iterator<Item = Tree> {
    Tree::ALL.iter().copied().filter(|tree| *tree != Tree::Meta)
}

fn count_key(tree: Tree) -> Vec<u8> {
    [b"count/", tree.name().as_bytes()].concat()
}

impl Drop for Index {
    fn drop(&mut self) {
        // What is lost here is applied again from the journal.
        let _ = self.sync();
    }
}

/// sled can fail by error or by panic; both are one thing here.
fn try_open(folder: &Path) -> Result<(Index, Option<Mark>), IndexError> {
    fs::create_dir_all(folder)?;
    catch_unwind(AssertUnwindSafe(|| open_trees(folder))).unwrap_or(Err(IndexError::Damaged))
}

fn open_trees(folder: &Path) -> Result<(Index, Option<Mark>), IndexError> {
    if folder.join(DISTRUSTED).exists() {
        return Err(IndexError::Damaged);
    }
    let db = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(Some(500)).open()?;
    let known: Vec<&[u8]> = Tree::ALL.iter().map(|tree| tree.name().as_bytes()).collect();
    let foreign = db.tree_names().into_iter().any(|name| name != b"__sled__default" && !known.contains(&name.as_ref()));
    let trees = Tree::ALL.iter().map(|tree| db.open_tree(tree.name())).collect::<Result<Vec<_>, _>>()?;
    let data = File::open(folder.join("db"))?;
    sync_folder(folder)?;
    let index = Index { db, trees, data, folder: folder.to_owned(), dirty: AtomicBool::new(true) };
    if foreign || index.has_stray_values()? {
        return Err(IndexError::Damaged);
    }
    match index.read(Tree::Meta, KEY_SCHEMA)? {
        Some(schema) if schema == SCHEMA.as_bytes() => {}
        None if index.trees.iter().all(sled::Tree::is_empty) => {
            let value = wrap_value(KEY_SCHEMA, SCHEMA.as_bytes());
            index.tree(Tree::Meta).insert(KEY_SCHEMA, value)?;
        }
        _ => return Err(IndexError::Damaged),
    }
    if index.entries()? <= READ_AT_OPEN_MAX && !index.is_whole()? {
        return Err(IndexError::Damaged);
    }
    let mark = index.mark()?;
    Ok((index, mark))
}

/// Value with a checksum over key and value behind it.
fn wrap_value(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(value.len() + CHECKSUM_LEN);
    stored.extend_from_slice(value);
    stored.extend_from_slice(&checksum(key, value).to_be_bytes());
    stored
}

fn unwrap_value(key: &[u8], stored: &[u8]) -> Result<Vec<u8>, IndexError> {
    let (value, sum) = stored.split_last_chunk::<CHECKSUM_LEN>().ok_or(IndexError::Damaged)?;
    if checksum(key, value).to_be_bytes() != *sum {
        return Err(IndexError::Damaged);
    }
    Ok(value.to_vec())
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}
