//! Writes that are not in the store yet, and reads that see them.

use std::collections::BTreeMap;

use super::{CHECKSUM_LEN, ENTRY_BYTES_MAX, Index, IndexError, KeyValue, piece};
use crate::vault::journal::Mark;
use crate::vault::schema::Tree;

/// What is to be written into one tree; `None` removes.
pub(super) type Pending = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Changes on their way into the index. Dropping them changes nothing.
pub struct Writes<'a> {
    index: &'a Index,
    trees: Vec<Pending>,
    bytes: usize,
}

impl<'a> Writes<'a> {
    pub(super) fn new(index: &'a Index) -> Writes<'a> {
        Writes { index, trees: vec![Pending::new(); Tree::ALL.len()], bytes: 0 }
    }

    /// The value under a key, written here or in the store.
    pub fn read(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        match self.trees[tree as usize].get(key) {
            Some(written) => Ok(written.clone()),
            None => self.index.read(tree, key),
        }
    }

    /// Reads a value that was written in pieces.
    pub fn read_pieces(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        piece::join(key, |piece_key| self.read(tree, piece_key))
    }

    /// Puts a value under a key.
    pub fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        if key.len() + value.len() + CHECKSUM_LEN > ENTRY_BYTES_MAX {
            return Err(IndexError::EntryTooLarge);
        }
        self.bytes += key.len() + value.len();
        self.trees[tree as usize].insert(key.to_vec(), Some(value.to_vec()));
        Ok(())
    }

    /// Removes a key.
    pub fn remove(&mut self, tree: Tree, key: &[u8]) {
        self.bytes += key.len();
        self.trees[tree as usize].insert(key.to_vec(), None);
    }

    /// Puts a value of any length under a key, in pieces.
    pub fn put_pieces(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        self.remove_pieces(tree, key)?;
        for (piece_key, piece) in piece::split(key, value)? {
            self.put(tree, &piece_key, &piece)?;
        }
        Ok(())
    }

    /// Removes a value that was written in pieces.
    pub fn remove_pieces(&mut self, tree: Tree, key: &[u8]) -> Result<(), IndexError> {
        for number in 0..=u16::MAX {
            let piece_key = piece::piece_key(key, number);
            if self.read(tree, &piece_key)?.is_none() {
                break;
            }
            self.remove(tree, &piece_key);
        }
        Ok(())
    }

    /// Entries whose keys begin with `prefix`, ascending, those written here included.
    pub fn scan(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<KeyValue>, IndexError> {
        let mut found = self.index.range(tree, prefix, b"").collect::<Result<BTreeMap<_, _>, _>>()?;
        for (key, written) in self.trees[tree as usize].range(prefix.to_vec()..) {
            if !key.starts_with(prefix) {
                break;
            }
            match written {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found.into_iter().collect())
    }

    /// Bytes gathered so far, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts everything and the mark into the store, all or nothing.
    pub fn apply(self, mark: &Mark) -> Result<(), IndexError> {
        self.index.apply(self.trees, mark)
    }
}
