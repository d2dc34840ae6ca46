//! Verified ranges: any part of a sealed body is checked against its BLAKE3 root while it arrives.
//!
//! The root of a body is plain BLAKE3 of its sealed bytes. BLAKE3 is a tree; with the hash pairs of its nodes down to
//! groups of 16 KiB (the *pairs*, 64 bytes each, in pre-order, about 0.4 % of the body) a host proves any range of
//! groups. The encoding is the pre-order walk of the tree: for each node above the wanted groups its pair of hashes,
//! for each wanted group its bytes. No lengths are in it: root and length come from the signed header, since a
//! range from the middle proves nothing about the length.
//!
//! Hashing and encoding come from `bao-tree`; what reads bytes of a stranger, [`RangeVerifier`], is our own state machine,
//! tested against that crate. It keeps back at most one group, and passes whole groups on without copying.

mod verifier;

use std::io::{Read, Write};
use std::ops::Range;

use bao_tree::io::outboard::PreOrderOutboard;
use bao_tree::io::{EncodeError, sync};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges};
use serde::{Deserialize, Serialize};

pub use bao_tree::io::sync::{ReadAt, WriteAt};
pub use verifier::{Piece, RangeVerifier, VerifyError};

/// BLAKE3 of all sealed bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BodyRoot(#[serde(with = "serde_bytes")] pub [u8; ROOT_LEN]);

/// What a signed header says of a body: its root and, as no range proves it, its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyRef {
    /// BLAKE3 of the sealed bytes.
    pub root: BodyRoot,
    /// Sealed bytes.
    pub len: u64,
}

impl BodyRef {
    fn tree(&self) -> BaoTree {
        BaoTree::new(self.len, GROUPS)
    }

    fn admits(&self, range: &Range<u64>) -> bool {
        range.start <= range.end && range.end <= self.len
    }
}

/// Finds root and length of a body while it is sealed.
#[derive(Default)]
pub struct BodyHasher(blake3::Hasher);

impl BodyHasher {
    /// Of no bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next sealed bytes.
    pub fn update(&mut self, sealed: &[u8]) {
        self.0.update(sealed);
    }

    /// Root and length of all bytes taken.
    pub fn finish(self) -> BodyRef {
        BodyRef { root: BodyRoot(self.0.finalize().into()), len: self.0.count() }
    }
}

/// Bytes of the pairs of a body of `len` sealed bytes.
pub fn pairs_len(len: u64) -> u64 {
    BaoTree::new(len, GROUPS).outboard_size()
}

/// Reads `len` bytes, writes their pairs (exactly [`pairs_len`] bytes from offset 0) and returns the root.
///
/// Keeps one group in memory, so a body of any size may be read from a file and its pairs written to another.
pub fn write_pairs(sealed: impl Read, len: u64, pairs: impl WriteAt) -> std::io::Result<BodyRef> {
    let tree = BaoTree::new(len, GROUPS);
    let unused_root = blake3::Hash::from_bytes([0; ROOT_LEN]);
    let mut outboard = PreOrderOutboard { root: unused_root, tree, data: pairs };
    let root = sync::outboard(sealed, tree, &mut outboard)?;
    Ok(BodyRef { root: BodyRoot(root.into()), len })
}

/// Root and pairs of a body that lies in memory.
pub fn pairs_of(sealed: &[u8]) -> std::io::Result<(BodyRef, Vec<u8>)> {
    let len = sealed.len() as u64;
    let mut pairs = vec![0; pairs_len(len) as usize];
    let body = write_pairs(sealed, len, &mut pairs)?;
    Ok((body, pairs))
}

/// Writes the encoding of `range`: its groups, and the pairs that lead to them from the root (P-32).
///
/// Checks every hash on the way, so that a host finds its own damage instead of sending it. Keeps one group in memory.
pub fn encode_range(
    body: &BodyRef,
    sealed: impl ReadAt,
    pairs: impl ReadAt,
    range: &Range<u64>,
    encoded: impl Write,
) -> Result<(), ServeError> {
    if !body.admits(range) {
        return Err(ServeError::OutOfRange);
    }
    if range.is_empty() {
        return Ok(());
    }
    let chunks_of = |group: u64| ChunkNum(group * CHUNKS_IN_GROUP);
    let first = chunks_of(range.start / GROUP_LEN);
    let end = chunks_of(range.end.div_ceil(GROUP_LEN));
    let root = blake3::Hash::from_bytes(body.root.0);
    let outboard = PreOrderOutboard { root, tree: body.tree(), data: pairs };
    let ranges = ChunkRanges::from(first..end);
    sync::encode_ranges_validated(sealed, outboard, &ranges, encoded).map_err(ServeError::from)
}

/// Bytes that [`encode_range`] writes for `range`: the wanted groups, and one pair for each node above any of them.
pub fn encoded_len(body: &BodyRef, range: &Range<u64>) -> Result<u64, ServeError> {
    if !body.admits(range) {
        return Err(ServeError::OutOfRange);
    }
    Ok(verifier::encoded_len(body, range))
}

/// Why a range was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The range begins behind its end or ends behind the body.
    #[error("range lies outside of the body")]
    OutOfRange,
    /// Stored bytes or pairs are not those of the root.
    #[error("stored body does not match its root")]
    Damaged,
    /// Reading or writing failed.
    #[error("reading the body or writing its encoding failed")]
    Io(#[source] std::io::Error),
}

impl From<EncodeError> for ServeError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::ParentHashMismatch(_) | EncodeError::LeafHashMismatch(_) | EncodeError::SizeMismatch => {
                Self::Damaged
            }
            EncodeError::ParentWrite(_) | EncodeError::LeafWrite(_) => {
                Self::Io(std::io::ErrorKind::ConnectionReset.into())
            }
            EncodeError::Io(source) => Self::Io(source),
        }
    }
}

/// Bytes of a group.
pub const GROUP_LEN: u64 = 16 * 1024;
/// Bytes of a root.
pub const ROOT_LEN: usize = 32;
/// Bytes of the two hashes of a node.
pub const PAIR_LEN: usize = 64;

/// BLAKE3 chunks of 1 KiB in a group.
const CHUNKS_IN_GROUP: u64 = 16;
const GROUPS: BlockSize = BlockSize::from_chunk_log(4);
const _: () = assert!(CHUNKS_IN_GROUP * 1024 == GROUP_LEN && CHUNKS_IN_GROUP == 1 << 4);

#[cfg(test)]
mod tests;
