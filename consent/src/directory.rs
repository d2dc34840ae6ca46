//! Directories: which keys a depositor may seal to. The statement is a root over collection leaves; a leaf names a
//! collection's generation and the root over its epoch keys. The keys themselves are the protocol's.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::encoding::{EncodingError, from_bytes, to_bytes};
use crate::id::{CollectionId, Digest, DirectoryNumber, Generation, PartyKey, RootNumber, VaultId};
use crate::limits::{ATTACHMENT_BYTES_MAX, COLLECTIONS_MAX, DIRECTORY_MONTHS_MAX};
use crate::statement::{Malformed, Statement};
use crate::time::{Month, Timestamp};
use crate::tree::root_of;

/// The keys in force, as one digest.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Directory {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Which directory of the vault.
    #[serde(index = 2)]
    pub number: DirectoryNumber,
    /// RFC 6962 root over the encodings of the collection leaves.
    #[serde(index = 3)]
    pub root: Digest,
    /// Number of collection leaves.
    #[serde(index = 4)]
    pub count: u8,
    /// When it was made.
    #[serde(index = 5)]
    pub issued: Timestamp,
}

/// What a directory says of one collection.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct CollectionLeaf {
    /// The collection, never the inbox.
    #[serde(index = 1)]
    pub collection: CollectionId,
    /// Its generation, from 1.
    #[serde(index = 2)]
    pub generation: Generation,
    /// First month that there is a key for.
    #[serde(index = 3)]
    pub first_month: Month,
    /// Number of months that there are keys for.
    #[serde(index = 4)]
    pub months: u16,
    /// RFC 6962 root over the key leaves.
    #[serde(index = 5)]
    pub keys_root: Digest,
    /// The root that the keys come from.
    #[serde(index = 6)]
    pub root_number: RootNumber,
}

/// The leaves of one directory, ascending by collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionLeaves(BTreeMap<CollectionId, CollectionLeaf>);

/// Why leaves are not those of a directory, or a directory does not follow the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The leaves are not encoded as they have to be (C-27).
    #[error("directory leaves are not in their one spelling")]
    Encoding(#[source] EncodingError),
    /// A leaf breaks a rule of its own (C-27).
    #[error("a directory leaf has a value outside its range")]
    Leaf,
    /// The leaves are not strictly ascending by collection (C-27).
    #[error("directory leaves are not strictly ascending")]
    Order,
    /// Another number of leaves than the directory says (C-27).
    #[error("directory has another number of leaves")]
    Count,
    /// The leaves do not hash to the directory's root (C-27).
    #[error("directory leaves do not hash to the root")]
    Root,
    /// The number does not rise by one (C-27).
    #[error("directory number does not rise by one")]
    Number,
    /// A collection of the directory before is gone (C-28).
    #[error("a collection of the directory before is gone")]
    Gone,
    /// A new collection or generation whose keys do not come from the root in force (C-28).
    #[error("a new generation does not come from the root in force")]
    OldRoot,
    /// A generation fell, or a root number changed within a generation (C-28).
    #[error("a generation fell or changed its root")]
    Generation,
}

impl CollectionLeaf {
    fn in_range(&self) -> bool {
        self.collection != CollectionId::INBOX
            && self.generation > Generation(0)
            && (1..=DIRECTORY_MONTHS_MAX).contains(&self.months)
            && self.first_month.0.checked_add(self.months).is_some()
    }

    /// The place of a month's key among the keys of this collection, if there is one.
    pub fn key_index(&self, month: Month) -> Option<u16> {
        month.0.checked_sub(self.first_month.0).filter(|index| *index < self.months)
    }
}

impl CollectionLeaves {
    /// Takes the leaves of a directory that is being made.
    pub fn new(leaves: Vec<CollectionLeaf>) -> Result<Self, DirectoryError> {
        if leaves.len() > COLLECTIONS_MAX {
            return Err(DirectoryError::Count);
        }
        if !leaves.iter().is_sorted_by(|before, after| before.collection < after.collection) {
            return Err(DirectoryError::Order);
        }
        if !leaves.iter().all(CollectionLeaf::in_range) {
            return Err(DirectoryError::Leaf);
        }
        Ok(Self(leaves.into_iter().map(|leaf| (leaf.collection, leaf)).collect()))
    }

    /// Reads the leaves that came with a directory: an array of byte strings, each the encoding of a leaf (C-27).
    pub fn from_attachment(attachment: &[u8], directory: &Directory) -> Result<Self, DirectoryError> {
        let encoded: Vec<ByteBuf> = from_bytes(attachment, ATTACHMENT_BYTES_MAX).map_err(DirectoryError::Encoding)?;
        if encoded.len() != usize::from(directory.count) {
            return Err(DirectoryError::Count);
        }
        if root_of(&encoded) != directory.root {
            return Err(DirectoryError::Root);
        }
        let leaves: Result<Vec<CollectionLeaf>, _> = encoded.iter().map(|leaf| from_bytes(leaf, leaf.len())).collect();
        Self::new(leaves.map_err(DirectoryError::Encoding)?)
    }

    /// The leaves as they go with their directory.
    pub fn to_attachment(&self) -> Result<Vec<u8>, EncodingError> {
        to_bytes(&self.encoded()?)
    }

    /// RFC 6962 root over the leaves.
    pub fn root(&self) -> Result<Digest, EncodingError> {
        Ok(root_of(&self.encoded()?))
    }

    /// The encoding of each leaf, in order: the leaf data of the directory's tree.
    pub fn encoded(&self) -> Result<Vec<ByteBuf>, EncodingError> {
        self.0.values().map(|leaf| to_bytes(leaf).map(ByteBuf::from)).collect()
    }

    /// What is said of a collection.
    pub fn leaf(&self, collection: CollectionId) -> Option<&CollectionLeaf> {
        self.0.get(&collection)
    }

    /// All leaves, ascending by collection.
    pub fn iter(&self) -> impl Iterator<Item = &CollectionLeaf> {
        self.0.values()
    }

    /// Number of collections.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no collection.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that these leaves can follow those of the directory before (C-28).
    pub fn follow(&self, before: &CollectionLeaves) -> Result<(), DirectoryError> {
        for old in before.iter() {
            let new = self.leaf(old.collection).ok_or(DirectoryError::Gone)?;
            let root_stays = new.root_number == old.root_number;
            if new.generation < old.generation || (new.generation == old.generation && !root_stays) {
                return Err(DirectoryError::Generation);
            }
        }
        Ok(())
    }
}

impl CollectionLeaves {
    /// Checks that the keys of every collection and generation that `before` did not have come from the root in force
    /// (C-28): a removed device has the roots before.
    pub fn check_roots(&self, before: &CollectionLeaves, in_force: RootNumber) -> Result<(), DirectoryError> {
        let stays =
            |leaf: &CollectionLeaf| before.leaf(leaf.collection).is_some_and(|b| b.generation == leaf.generation);
        let fits = |leaf: &CollectionLeaf| stays(leaf) || leaf.root_number == in_force;
        if self.iter().all(fits) { Ok(()) } else { Err(DirectoryError::OldRoot) }
    }
}

impl Statement for Directory {
    const TYPE: &'static str = "directory";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        if usize::from(self.count) <= COLLECTIONS_MAX { Ok(()) } else { Err(Malformed::Count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::leaf;

    fn directory(leaves: &CollectionLeaves) -> Directory {
        Directory {
            vault: VaultId::from_bytes([1; 32]),
            number: DirectoryNumber(0),
            root: leaves.root().expect("encodes"),
            count: leaves.len() as u8,
            issued: Timestamp::from_secs(0),
        }
    }

    #[test]
    fn leaves_are_read_back_against_their_root() {
        let leaves = CollectionLeaves::new(vec![leaf(1, 1), leaf(2, 3)]).expect("ascending");
        let attachment = leaves.to_attachment().expect("encodes");
        assert_eq!(CollectionLeaves::from_attachment(&attachment, &directory(&leaves)), Ok(leaves.clone()));
        let other = CollectionLeaves::new(vec![leaf(1, 1), leaf(2, 4)]).expect("ascending");
        let read = CollectionLeaves::from_attachment(&attachment, &directory(&other));
        assert_eq!(read, Err(DirectoryError::Root));
        let fewer = Directory { count: 1, ..directory(&leaves) };
        assert_eq!(CollectionLeaves::from_attachment(&attachment, &fewer), Err(DirectoryError::Count));
    }

    #[test]
    fn leaves_are_ascending_and_never_the_inbox() {
        assert_eq!(CollectionLeaves::new(vec![leaf(2, 1), leaf(1, 1)]), Err(DirectoryError::Order));
        assert_eq!(CollectionLeaves::new(vec![leaf(1, 1), leaf(1, 1)]), Err(DirectoryError::Order));
        assert_eq!(CollectionLeaves::new(vec![leaf(0, 1)]), Err(DirectoryError::Leaf));
        assert_eq!(CollectionLeaves::new(vec![leaf(1, 0)]), Err(DirectoryError::Leaf));
    }

    #[test]
    fn a_collection_stays_and_its_generation_does_not_fall() {
        let before = CollectionLeaves::new(vec![leaf(1, 2)]).expect("ascending");
        let follow = |leaves| CollectionLeaves::new(leaves).expect("ascending").follow(&before);
        assert_eq!(follow(vec![leaf(1, 2), leaf(2, 1)]), Ok(()));
        assert_eq!(follow(vec![leaf(2, 1)]), Err(DirectoryError::Gone));
        assert_eq!(follow(vec![leaf(1, 1)]), Err(DirectoryError::Generation));
        let rooted = |generation| CollectionLeaf { root_number: RootNumber(1), ..leaf(1, generation) };
        assert_eq!(follow(vec![rooted(2)]), Err(DirectoryError::Generation));
        assert_eq!(follow(vec![rooted(3)]), Ok(()));
    }
}
