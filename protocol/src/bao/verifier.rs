//! The receiving half of verified ranges: encoded bytes in, verified pieces out.

use std::ops::Range;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::{BodyRef, GROUP_LEN, PAIR_LEN, ROOT_LEN};

/// Checks the encoding of one range while it arrives, so that no byte is used before its hash is known (P-20).
pub struct RangeVerifier {
    len: u64,
    range: Range<u64>,
    /// Subtrees that are still to come, the next one last. All of them touch the range.
    awaited: Vec<Subtree>,
    /// The beginning of a pair or a group whose end has not come yet; at most one group.
    partial: Vec<u8>,
    /// `partial` was handed out and is to be emptied.
    partial_used: bool,
}

/// Verified bytes of the body, and where they stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'b> {
    /// Offset in the sealed body, in bytes.
    pub offset: u64,
    /// Bytes from there on, all of them within the range that was asked for.
    pub bytes: &'b [u8],
}

impl RangeVerifier {
    /// Awaits the encoding of `range` of the body that a signed header names.
    pub fn new(body: &BodyRef, range: Range<u64>) -> Result<Self, VerifyError> {
        if !body.admits(&range) {
            return Err(VerifyError::OutOfRange);
        }
        if body.len == 0 && *blake3::hash(&[]).as_bytes() != body.root.0 {
            return Err(VerifyError::Forged { offset: 0 });
        }
        let whole = Subtree { hash: body.root.0, first: 0, groups: groups_of(body.len), is_root: true };
        let awaited = if range.is_empty() { Vec::new() } else { vec![whole] };
        let partial = Vec::with_capacity(GROUP_LEN as usize);
        Ok(Self { len: body.len, range, awaited, partial, partial_used: false })
    }

    /// Takes bytes off the front of `encoded` until a group of the range is verified, and returns that; `None` when
    /// `encoded` is used up. Pieces come in order of their offsets and without gaps.
    pub fn next_piece<'s, 'e: 's>(&'s mut self, encoded: &mut &'e [u8]) -> Result<Option<Piece<'s>>, VerifyError> {
        if self.partial_used {
            self.partial.clear();
            self.partial_used = false;
        }
        while let Some(subtree) = self.awaited.last() {
            let needed = subtree.encoded_len(self.len);
            let whole_in_input = self.partial.is_empty() && encoded.len() >= needed;
            if !whole_in_input {
                let (head, tail) = encoded.split_at(encoded.len().min(needed - self.partial.len()));
                self.partial.extend_from_slice(head);
                *encoded = tail;
                if self.partial.len() < needed {
                    return Ok(None);
                }
            }
            let Some(subtree) = self.awaited.pop() else { break };
            if subtree.groups > 1 {
                if whole_in_input {
                    let (pair, tail) = encoded.split_at(needed);
                    self.descend(&subtree, pair)?;
                    *encoded = tail;
                } else {
                    let pair = std::mem::take(&mut self.partial);
                    self.descend(&subtree, &pair)?;
                    self.partial = pair;
                    self.partial.clear();
                }
                continue;
            }
            let group = if whole_in_input {
                let (group, tail) = encoded.split_at(needed);
                *encoded = tail;
                group
            } else {
                self.partial_used = true;
                &self.partial[..]
            };
            return subtree.piece(group, &self.range).map(Some);
        }
        if encoded.is_empty() { Ok(None) } else { Err(VerifyError::Extended) }
    }

    /// Refuses if a part of the range is still missing.
    pub fn finish(self) -> Result<(), VerifyError> {
        if self.awaited.is_empty() { Ok(()) } else { Err(VerifyError::Truncated) }
    }

    /// Checks a pair and awaits those of its two subtrees that touch the range, the left one first.
    fn descend(&mut self, subtree: &Subtree, pair: &[u8]) -> Result<(), VerifyError> {
        let (left, right) = subtree.split(pair)?;
        for child in [right, left] {
            if child.touches(&self.range) {
                self.awaited.push(child);
            }
        }
        Ok(())
    }
}

/// A subtree of whole groups, and the hash that it must have.
struct Subtree {
    hash: [u8; ROOT_LEN],
    first: u64,
    groups: u64,
    is_root: bool,
}

impl Subtree {
    fn start(&self) -> u64 {
        self.first * GROUP_LEN
    }

    fn touches(&self, range: &Range<u64>) -> bool {
        self.start() < range.end && range.start < (self.first + self.groups) * GROUP_LEN
    }

    /// Bytes of what comes next for it: a group, or a pair.
    fn encoded_len(&self, body_len: u64) -> usize {
        if self.groups > 1 {
            return PAIR_LEN;
        }
        (body_len - self.start()).min(GROUP_LEN) as usize
    }

    fn split(&self, pair: &[u8]) -> Result<(Self, Self), VerifyError> {
        let forged = VerifyError::Forged { offset: self.start() };
        let (left, right) = pair.split_first_chunk::<ROOT_LEN>().ok_or(forged)?;
        let right: &[u8; ROOT_LEN] = right.try_into().map_err(|_| forged)?;
        let found = if self.is_root {
            merge_subtrees_root(left, right, Mode::Hash).into()
        } else {
            merge_subtrees_non_root(left, right, Mode::Hash)
        };
        if found != self.hash {
            return Err(forged);
        }
        let left_groups = left_of(self.groups);
        let middle = self.first + left_groups;
        let child = |hash: &[u8; ROOT_LEN], first, groups| Self { hash: *hash, first, groups, is_root: false };
        Ok((child(left, self.first, left_groups), child(right, middle, self.groups - left_groups)))
    }

    /// Checks a group and cuts it to the range.
    fn piece<'b>(&self, group: &'b [u8], range: &Range<u64>) -> Result<Piece<'b>, VerifyError> {
        let start = self.start();
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(start).update(group);
        let found = if self.is_root { hasher.finalize().into() } else { hasher.finalize_non_root() };
        if found != self.hash {
            return Err(VerifyError::Forged { offset: start });
        }
        let from = range.start.saturating_sub(start) as usize;
        let to = (range.end - start).min(group.len() as u64) as usize;
        Ok(Piece { offset: start + from as u64, bytes: &group[from..to] })
    }
}

/// Length of the encoding of a range that lies within the body.
pub(super) fn encoded_len(body: &BodyRef, range: &Range<u64>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let wanted = range.start / GROUP_LEN..range.end.div_ceil(GROUP_LEN);
    let bytes = (wanted.end * GROUP_LEN).min(body.len) - wanted.start * GROUP_LEN;
    bytes + PAIR_LEN as u64 * nodes_above(0, groups_of(body.len), &wanted)
}

/// How many nodes of the subtree of `groups` groups from `first` on lie above a wanted group.
fn nodes_above(first: u64, groups: u64, wanted: &Range<u64>) -> u64 {
    let end = first + groups;
    if groups < 2 || end <= wanted.start || wanted.end <= first {
        return 0;
    }
    if wanted.start <= first && end <= wanted.end {
        return groups - 1;
    }
    let left = left_of(groups);
    1 + nodes_above(first, left, wanted) + nodes_above(first + left, groups - left, wanted)
}

fn groups_of(len: u64) -> u64 {
    len.div_ceil(GROUP_LEN).max(1)
}

/// Groups in the left subtree of a node over `groups`, at least two: the largest power of two below.
fn left_of(groups: u64) -> u64 {
    1 << (groups - 1).ilog2()
}

/// Why encoded bytes are not those of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The range begins behind its end or ends behind the body.
    #[error("range lies outside of the body")]
    OutOfRange,
    /// A hash pair or a group is not the one that the root covers.
    #[error("bytes for offset {offset} do not match the body's root")]
    Forged {
        /// Where the subtree in question begins in the body, in bytes.
        offset: u64,
    },
    /// Bytes follow the end of the range.
    #[error("bytes follow the encoded range")]
    Extended,
    /// The encoding ended before the range did.
    #[error("encoded range is truncated")]
    Truncated,
}
