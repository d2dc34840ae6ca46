//! The directory: which epoch key a depositor seals to, provable from one ledger entry (SPEC section 3).
//!
//! A device makes the key leaves of each collection and the trees over them; a host keeps the leaves and proves single
//! keys from them; a depositor verifies such a proof against the directory that its own newest ledger entry names.
//! Trusted for freshness: a host that could show an old key would have new records sealed to somebody who was revoked.

use std::collections::BTreeSet;

use karute_consent::directory::{CollectionLeaf, CollectionLeaves, Directory, DirectoryError};
use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{CollectionId, Digest, Generation, RootNumber, StatementId};
use karute_consent::limits::{ATTACHMENT_BYTES_MAX, DIRECTORY_MONTHS_MAX};
use karute_consent::number;
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::{StatementError, Unverified};
use karute_consent::time::Month;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::keys::{CoverError, TreeNode};
use crate::limits;
use crate::merkle::{self, Place, ProofError, TreeHash, prove_inclusion, verify_inclusion};
use crate::wire::Octets;

number!(
    /// Place of a leaf in one of the directory's trees, from 0.
    LeafIndex, u64
);

/// One epoch key: `{1: month, 2: sealing key}`.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct KeyLeaf {
    /// The month.
    #[serde(index = 1)]
    pub month: Month,
    /// What to seal to in that month; always of suite 2.
    #[serde(index = 2)]
    pub key: SealingKey,
}

/// The epoch keys of one collection in one generation: consecutive months, 1 to 24 of them, keys of suite 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLeaves(Vec<KeyLeaf>);

impl KeyLeaves {
    /// Takes leaves; refuses gaps, a wrong number of them and keys of another suite (P-07).
    pub fn new(leaves: Vec<KeyLeaf>) -> Result<Self, KeyLeavesError> {
        let months = leaves.len();
        if months == 0 || months > usize::from(DIRECTORY_MONTHS_MAX) {
            return Err(KeyLeavesError::Count);
        }
        if leaves.windows(2).any(|pair| pair[0].month.next() != Some(pair[1].month)) {
            return Err(KeyLeavesError::Months); // P-07
        }
        if leaves.iter().any(|leaf| leaf.key.suite() != Suite::XWing) {
            return Err(KeyLeavesError::Suite); // P-07, P-02
        }
        Ok(Self(leaves))
    }

    /// Derives the public keys of `months` months from `first` on. About 0.2 ms each.
    pub fn derive(tree: &TreeNode, first: Month, months: u16) -> Result<Self, KeyLeavesError> {
        let end = first.0.checked_add(months).ok_or(KeyLeavesError::Count)?;
        let leaf = |month| {
            let key = tree.epoch_secret(Month(month)).map_err(KeyLeavesError::NotCovered)?.public();
            Ok(KeyLeaf { month: Month(month), key })
        };
        Self::new((first.0..end).map(leaf).collect::<Result<_, _>>()?)
    }

    /// Reads an attachment: an array of byte strings, each the encoding of a leaf.
    pub fn from_attachment(attachment: &[u8]) -> Result<Self, KeyLeavesError> {
        let encoded: Vec<Octets> = from_bytes(attachment, ATTACHMENT_BYTES_MAX).map_err(KeyLeavesError::Encoding)?;
        let leaves = encoded.iter().map(|leaf| from_bytes(leaf, leaf.len()));
        Self::new(leaves.collect::<Result<_, _>>().map_err(KeyLeavesError::Encoding)?)
    }

    /// The leaves as they go with a directory.
    pub fn to_attachment(&self) -> Result<Vec<u8>, EncodingError> {
        to_bytes(&self.encoded()?)
    }

    /// RFC 6962 root over the leaves.
    pub fn root(&self) -> Result<Digest, EncodingError> {
        Ok(Digest::from_bytes(merkle::root_of(&self.hashes()?).0))
    }

    /// The leaves, ascending by month.
    pub fn leaves(&self) -> &[KeyLeaf] {
        &self.0
    }

    /// What a directory says of a collection that has these keys.
    pub fn collection_leaf(
        &self,
        collection: CollectionId,
        generation: Generation,
        root_number: RootNumber,
    ) -> Result<CollectionLeaf, EncodingError> {
        Ok(CollectionLeaf {
            collection,
            generation,
            first_month: self.0[0].month,
            months: self.0.len() as u16,
            keys_root: self.root()?,
            root_number,
        })
    }

    /// Refuses unless these are the keys that a collection leaf speaks of (P-07).
    pub fn belong_to(&self, collection: &CollectionLeaf) -> Result<(), KeyLeavesError> {
        if self.0[0].month != collection.first_month || self.0.len() != usize::from(collection.months) {
            return Err(KeyLeavesError::Months); // P-07
        }
        let root = self.root().map_err(KeyLeavesError::Encoding)?;
        if root == collection.keys_root { Ok(()) } else { Err(KeyLeavesError::Root) } // P-07
    }

    fn encoded(&self) -> Result<Vec<Octets>, EncodingError> {
        self.0.iter().map(|leaf| to_bytes(leaf).map(Octets)).collect()
    }

    fn hashes(&self) -> Result<Vec<TreeHash>, EncodingError> {
        self.0.iter().map(|leaf| Ok(TreeHash::leaf(&to_bytes(leaf)?))).collect()
    }
}

/// Why key leaves are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyLeavesError {
    /// Not the one spelling of an array of leaves.
    #[error("key leaves are not in their one spelling")]
    Encoding(#[source] EncodingError),
    /// No leaf, or more than 24.
    #[error("wrong number of key leaves")]
    Count,
    /// The months are not those of the collection, one after the other (P-07).
    #[error("key leaves are not of consecutive months from the first on")]
    Months,
    /// A key that is not of suite 2 (P-07).
    #[error("epoch key is not of the vault's suite")]
    Suite,
    /// The leaves do not hash to the keys root (P-07).
    #[error("key leaves do not hash to the keys root")]
    Root,
    /// The tree node that the keys are derived from does not hold these months.
    #[error("tree node does not hold these months")]
    NotCovered(#[source] CoverError),
}

/// The attachments of a directory item: the collection leaves, then the key leaves of every new keys root.
pub fn attachments(
    leaves: &CollectionLeaves,
    before: Option<&CollectionLeaves>,
    mut keys_of: impl FnMut(&CollectionLeaf) -> Option<KeyLeaves>,
) -> Result<Vec<Vec<u8>>, AttachmentsError> {
    let mut attachments = vec![leaves.to_attachment().map_err(AttachmentsError::Encoding)?];
    for leaf in new_keys(leaves, before) {
        let keys = keys_of(leaf).ok_or(AttachmentsError::Count)?;
        keys.belong_to(leaf).map_err(AttachmentsError::Keys)?;
        attachments.push(keys.to_attachment().map_err(AttachmentsError::Encoding)?);
    }
    Ok(attachments)
}

/// What came with a directory, found to belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryParts {
    /// All collection leaves.
    pub leaves: CollectionLeaves,
    /// Key leaves of the keys roots that the directory before did not have, by keys root.
    pub new_keys: Vec<(Digest, KeyLeaves)>,
}

/// Checks the attachments of a directory item against its statement and the leaves before (C-27, P-07).
pub fn verify_attachments<A: AsRef<[u8]>>(
    directory: &Directory,
    before: Option<&CollectionLeaves>,
    attachments: &[A],
) -> Result<DirectoryParts, AttachmentsError> {
    let (first, rest) = attachments.split_first().ok_or(AttachmentsError::Count)?;
    let leaves = CollectionLeaves::from_attachment(first.as_ref(), directory).map_err(AttachmentsError::Leaves)?;
    let wanted = new_keys(&leaves, before);
    if wanted.len() != rest.len() {
        return Err(AttachmentsError::Count);
    }
    let mut keys = Vec::with_capacity(rest.len());
    for (leaf, attachment) in wanted.into_iter().zip(rest) {
        let found = KeyLeaves::from_attachment(attachment.as_ref()).map_err(AttachmentsError::Keys)?;
        found.belong_to(leaf).map_err(AttachmentsError::Keys)?; // P-07
        keys.push((leaf.keys_root, found));
    }
    Ok(DirectoryParts { leaves, new_keys: keys })
}

/// The collections whose keys root the directory before did not have, in their order.
fn new_keys<'l>(leaves: &'l CollectionLeaves, before: Option<&CollectionLeaves>) -> Vec<&'l CollectionLeaf> {
    let known: BTreeSet<Digest> =
        before.into_iter().flat_map(CollectionLeaves::iter).map(|leaf| leaf.keys_root).collect();
    leaves.iter().filter(|leaf| !known.contains(&leaf.keys_root)).collect()
}

/// Why the attachments of a directory item are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentsError {
    /// An attachment is missing or there is one too many.
    #[error("wrong number of attachments")]
    Count,
    /// The collection leaves are not those of the directory.
    #[error("collection leaves refused")]
    Leaves(#[source] DirectoryError),
    /// Key leaves are not those of their collection.
    #[error("key leaves refused")]
    Keys(#[source] KeyLeavesError),
    /// Something that cannot be encoded.
    #[error("leaves cannot be encoded")]
    Encoding(#[source] EncodingError),
}

/// One epoch key with the way from it to the directory statement.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct KeyProof {
    /// The directory in force.
    #[serde(index = 1)]
    pub directory: Unverified<Directory>,
    /// The collection.
    #[serde(index = 2)]
    pub collection: CollectionLeaf,
    /// Its place among the collections.
    #[serde(index = 3)]
    pub collection_index: LeafIndex,
    /// From the collection leaf to the directory's root.
    #[serde(index = 4)]
    pub collection_proof: Vec<TreeHash>,
    /// The epoch key.
    #[serde(index = 5)]
    pub key: KeyLeaf,
    /// From the key leaf to the collection's keys root.
    #[serde(index = 6)]
    pub key_proof: Vec<TreeHash>,
}

/// Proves the key of a month, from the leaves that a host keeps.
pub fn prove(
    directory: Unverified<Directory>,
    leaves: &CollectionLeaves,
    keys: &KeyLeaves,
    collection: CollectionId,
    month: Month,
) -> Result<KeyProof, KeyProofError> {
    let leaf = leaves.leaf(collection).ok_or(KeyProofError::NotThere)?;
    let key_index = usize::from(leaf.key_index(month).ok_or(KeyProofError::NotThere)?);
    let key = keys.leaves().get(key_index).filter(|key| key.month == month).ok_or(KeyProofError::NotThere)?;
    let index = leaves.iter().take_while(|other| other.collection < collection).count();
    let encoded = leaves.encoded().map_err(KeyProofError::Encoding)?;
    let hashes: Vec<TreeHash> = encoded.iter().map(|leaf| TreeHash::leaf(leaf)).collect();
    Ok(KeyProof {
        directory,
        collection: leaf.clone(),
        collection_index: LeafIndex(index as u64),
        collection_proof: path(&hashes, index).map_err(KeyProofError::Collection)?,
        key: key.clone(),
        key_proof: path(&keys.hashes().map_err(KeyProofError::Encoding)?, key_index).map_err(KeyProofError::Key)?,
    })
}

/// The audit path of a leaf in a tree whose leaf hashes are all at hand.
fn path(hashes: &[TreeHash], index: usize) -> Result<Vec<TreeHash>, ProofError> {
    let complete = |place: Place| {
        let (start, len) = ((place.index as usize) << place.level, 1 << place.level);
        hashes.get(start..start + len).map(merkle::root_of)
    };
    prove_inclusion(index as u64, hashes.len() as u64, complete)
}

/// An epoch key that the directory in force names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochKey {
    /// The collection.
    pub collection: CollectionId,
    /// Its generation.
    pub generation: Generation,
    /// The month.
    pub month: Month,
    /// The key.
    pub key: SealingKey,
}

impl KeyProof {
    /// The proven key, if the directory is the one that the newest known ledger entry names (P-05).
    pub fn verify(
        &self,
        in_force: StatementId,
        collection: CollectionId,
        month: Month,
    ) -> Result<EpochKey, KeyProofError> {
        let directory = self.directory.clone().verify().map_err(KeyProofError::Directory)?;
        if directory.id() != in_force {
            return Err(KeyProofError::NotInForce); // P-05
        }
        if self.collection.collection != collection || self.key.month != month {
            return Err(KeyProofError::NotAskedFor); // P-05
        }
        if self.collection_proof.len().max(self.key_proof.len()) > limits::PROOF_LEN_MAX {
            return Err(KeyProofError::NotThere);
        }
        let Directory { root, count, .. } = directory.payload();
        let leaf = TreeHash::leaf(&to_bytes(&self.collection).map_err(KeyProofError::Encoding)?);
        let root = TreeHash(*root.as_bytes());
        verify_inclusion(&leaf, self.collection_index.0, u64::from(*count), &self.collection_proof, &root)
            .map_err(KeyProofError::Collection)?; // P-05
        let key_index = self.collection.key_index(month).ok_or(KeyProofError::NotThere)?;
        let leaf = TreeHash::leaf(&to_bytes(&self.key).map_err(KeyProofError::Encoding)?);
        let root = TreeHash(*self.collection.keys_root.as_bytes());
        let months = u64::from(self.collection.months);
        verify_inclusion(&leaf, u64::from(key_index), months, &self.key_proof, &root).map_err(KeyProofError::Key)?; // P-05
        if self.key.key.suite() != Suite::XWing {
            return Err(KeyProofError::Suite); // P-02
        }
        let (generation, key) = (self.collection.generation, self.key.key.clone());
        Ok(EpochKey { collection, generation, month, key })
    }
}

impl KeyProof {
    /// Whether the key comes from the root in force (P-35). One that does not is known to a device that was removed, even
    /// though the directory that names it is the newest; then the inbox is used.
    pub fn is_of_root(&self, in_force: RootNumber) -> bool {
        self.collection.root_number == in_force
    }
}

/// Why a key is not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProofError {
    /// The directory statement does not verify.
    #[error("directory statement refused")]
    Directory(#[source] StatementError),
    /// Another directory than the newest entry names (P-05).
    #[error("directory is not the one in force")]
    NotInForce,
    /// The proof is about another collection or month (P-05).
    #[error("proof is about another collection or month")]
    NotAskedFor,
    /// The directory has no such collection or month.
    #[error("directory has no key for this collection and month")]
    NotThere,
    /// The collection leaf is not in the directory (P-05).
    #[error("collection leaf is not in the directory")]
    Collection(#[source] ProofError),
    /// The key leaf is not among the collection's keys (P-05).
    #[error("key leaf is not among the collection's keys")]
    Key(#[source] ProofError),
    /// The key is not of suite 2 (P-02).
    #[error("epoch key is not of the vault's suite")]
    Suite,
    /// A leaf that cannot be encoded.
    #[error("leaf cannot be encoded")]
    Encoding(#[source] EncodingError),
}

#[cfg(test)]
mod tests;
