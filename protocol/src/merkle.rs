//! RFC 6962 Merkle trees over SHA-256: the evidence that a log only grew.
//!
//! A log of millions is appended to with its right edge alone ([`RightEdge`], O(log n) hashes), and proven from stored
//! hashes of complete subtrees, which never change once they are complete. Proofs are verified as RFC 9162, section 2.1,
//! writes it, and must have exactly the length that the sizes ask for.

use karute_consent::id::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::TREE_SIZE_MAX;

/// The hash of a leaf, a subtree or a whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TreeHash(#[serde(with = "serde_bytes")] pub [u8; HASH_LEN]);

impl TreeHash {
    /// The hash of a leaf over its bytes: SHA-256(0x00 || bytes).
    pub fn leaf(bytes: &[u8]) -> Self {
        let digest = Sha256::new().chain_update([0x00]).chain_update(bytes);
        Self(digest.finalize().into())
    }

    /// The hash of two neighbours: SHA-256(0x01 || left || right).
    pub fn node(left: &Self, right: &Self) -> Self {
        let digest = Sha256::new().chain_update([0x01]).chain_update(left.0).chain_update(right.0);
        Self(digest.finalize().into())
    }

    /// The root of a tree without leaves: SHA-256 of nothing.
    pub fn of_empty_tree() -> Self {
        Self(Sha256::digest([]).into())
    }
}

impl From<Digest> for TreeHash {
    fn from(digest: Digest) -> Self {
        Self(*digest.as_bytes())
    }
}

impl From<TreeHash> for Digest {
    fn from(hash: TreeHash) -> Self {
        Self::from_bytes(hash.0)
    }
}

/// The place of a complete subtree: it holds the leaves `index << level` up to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// 0 for a leaf; a subtree holds 2^level leaves.
    pub level: u8,
    /// Counted from the left, among the subtrees of this level.
    pub index: u64,
}

/// What is needed to append: the size and the roots of the complete subtrees, largest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightEdge {
    size: u64,
    peaks: Vec<TreeHash>,
}

impl RightEdge {
    /// Of a tree without leaves.
    pub fn of_empty_tree() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// Of a stored tree of `size` leaves; `stored` gives the hashes of complete subtrees.
    pub fn load(size: u64, mut stored: impl FnMut(Place) -> Option<TreeHash>) -> Result<Self, ProofError> {
        check_size(size)?;
        let mut peaks = Vec::new();
        let mut start = 0;
        while start < size {
            let level = (size - start).ilog2() as u8;
            let index = start >> level;
            let place = Place { level, index };
            peaks.push(stored(place).ok_or(ProofError::NotStored(place))?);
            start += 1 << level;
        }
        Ok(Self { size, peaks })
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash and names every subtree that this completes, the leaf itself first: these are to be stored.
    pub fn append(&mut self, leaf: TreeHash, mut completed: impl FnMut(Place, TreeHash)) -> Result<(), ProofError> {
        check_size(self.size + 1)?;
        let mut hash = leaf;
        let mut place = Place { level: 0, index: self.size };
        completed(place, hash);
        while place.index % 2 == 1 {
            let left = self.peaks.pop().expect("an odd index has a left neighbour");
            hash = TreeHash::node(&left, &hash);
            place = Place { level: place.level + 1, index: place.index / 2 };
            completed(place, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(())
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> TreeHash {
        let mut from_right = self.peaks.iter().rev();
        let Some(last) = from_right.next() else {
            return TreeHash::of_empty_tree();
        };
        from_right.fold(*last, |right, left| TreeHash::node(left, &right))
    }
}

/// The root over leaf hashes that are all at hand.
pub fn root_of(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::of_empty_tree(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
            TreeHash::node(&root_of(left), &root_of(right))
        }
    }
}

/// The path from leaf `index` up to the root of the tree of `size` leaves, nearest neighbour first.
pub fn prove_inclusion(
    index: u64,
    size: u64,
    mut stored: impl FnMut(Place) -> Option<TreeHash>,
) -> Result<Vec<TreeHash>, ProofError> {
    check_size(size)?;
    if index >= size {
        return Err(ProofError::OutOfTree);
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(subtree(middle, end, &mut stored)?);
            end = middle;
        } else {
            path.push(subtree(start, middle, &mut stored)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `older` leaves is the beginning of the tree of `newer` leaves.
///
/// Empty where the sizes are equal; the tree without leaves is the beginning of every tree and has no proof.
pub fn prove_consistency(
    older: u64,
    newer: u64,
    mut stored: impl FnMut(Place) -> Option<TreeHash>,
) -> Result<Vec<TreeHash>, ProofError> {
    check_size(newer)?;
    if older == 0 || older > newer {
        return Err(ProofError::OutOfTree);
    }
    let (mut start, mut end) = (0, newer);
    let mut path = Vec::new();
    while older != end {
        let middle = start + split(end - start);
        if older <= middle {
            path.push(subtree(middle, end, &mut stored)?);
            end = middle;
        } else {
            path.push(subtree(start, middle, &mut stored)?);
            start = middle;
        }
    }
    if start > 0 {
        path.push(subtree(start, end, &mut stored)?);
    }
    path.reverse();
    Ok(path)
}

/// Refuses unless `proof` leads from `leaf` at `index` to `root` over `size` leaves (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    proof: &[TreeHash],
    root: &TreeHash,
) -> Result<(), ProofError> {
    check_size(size)?;
    if index >= size {
        return Err(ProofError::OutOfTree);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for neighbour in proof {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if at % 2 == 1 || at == last {
            hash = TreeHash::node(neighbour, &hash);
            skip_missing(&mut at, &mut last);
        } else {
            hash = TreeHash::node(&hash, neighbour);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if hash != *root {
        return Err(ProofError::WrongRoot);
    }
    Ok(())
}

/// A tree that somebody claims, or has proven: how many leaves, and their root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Leaves.
    pub size: u64,
    /// The root over them.
    pub root: TreeHash,
}

/// Refuses unless `proof` shows that `older` is the beginning of `newer` (P-25; RFC 9162, 2.1.4.2).
pub fn verify_consistency(older: &TreeHead, newer: &TreeHead, proof: &[TreeHash]) -> Result<(), ProofError> {
    check_size(newer.size)?;
    if older.size > newer.size {
        return Err(ProofError::OutOfTree);
    }
    if older.size == 0 || older.size == newer.size {
        let same = if older.size == 0 { TreeHash::of_empty_tree() } else { newer.root };
        return match (proof.is_empty(), older.root == same) {
            (false, _) => Err(ProofError::WrongLength),
            (true, false) => Err(ProofError::WrongRoot),
            (true, true) => Ok(()),
        };
    }
    verify_growth(older, newer, proof)
}

/// The same for `0 < older.size < newer.size`.
fn verify_growth(older: &TreeHead, newer: &TreeHead, proof: &[TreeHash]) -> Result<(), ProofError> {
    // A complete older tree is its own first hash, which the proof leaves out.
    let (first, rest) = if older.size.is_power_of_two() {
        (&older.root, proof)
    } else {
        proof.split_first().ok_or(ProofError::WrongLength)?
    };
    let (mut at, mut last) = (older.size - 1, newer.size - 1);
    let complete = at.trailing_ones();
    at >>= complete;
    last >>= complete;
    let (mut old_hash, mut new_hash) = (*first, *first);
    for neighbour in rest {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if at % 2 == 1 || at == last {
            old_hash = TreeHash::node(neighbour, &old_hash);
            new_hash = TreeHash::node(neighbour, &new_hash);
            skip_missing(&mut at, &mut last);
        } else {
            new_hash = TreeHash::node(&new_hash, neighbour);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if old_hash != older.root || new_hash != newer.root {
        return Err(ProofError::WrongRoot);
    }
    Ok(())
}

/// On the right edge, levels at which the node has no neighbour are passed over: up to where it is a right child.
fn skip_missing(at: &mut u64, last: &mut u64) {
    while at.is_multiple_of(2) && *at != 0 {
        *at >>= 1;
        *last >>= 1;
    }
}

/// The hash over the leaves `start..end`, where `start` is a multiple of the least power of two not below the count.
fn subtree(start: u64, end: u64, stored: &mut impl FnMut(Place) -> Option<TreeHash>) -> Result<TreeHash, ProofError> {
    let count = end - start;
    if count.is_power_of_two() {
        let level = count.ilog2() as u8;
        let index = start >> level;
        let place = Place { level, index };
        return stored(place).ok_or(ProofError::NotStored(place));
    }
    let middle = start + split(count);
    let left = subtree(start, middle, stored)?;
    let right = subtree(middle, end, stored)?;
    Ok(TreeHash::node(&left, &right))
}

/// The largest power of two below `count`; `count` is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

fn check_size(size: u64) -> Result<(), ProofError> {
    if size > TREE_SIZE_MAX {
        return Err(ProofError::TooLarge);
    }
    Ok(())
}

/// Why a proof was not made or not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index or the older size lies outside of the tree.
    #[error("no such place in a tree of this size")]
    OutOfTree,
    /// The tree is above the cap.
    #[error("tree is above the size cap")]
    TooLarge,
    /// The store has no hash where a complete subtree must be.
    #[error("no hash is stored at level {} index {}", .0.level, .0.index)]
    NotStored(Place),
    /// The proof has more or fewer hashes than the sizes ask for.
    #[error("proof has the wrong length")]
    WrongLength,
    /// The proof leads to another root.
    #[error("proof leads to another root")]
    WrongRoot,
}

/// Bytes of a hash.
pub const HASH_LEN: usize = 32;

#[cfg(test)]
mod tests;
