//! The opening half of a body: whole while it streams, or any range of it.
#![cfg(feature = "open")]

use std::ops::Range;

use subtle::ConstantTimeEq;

use super::{BodyError, BodyKey, ChunkRange, PREFIX_LEN, Prefix, SEALED_CHUNK_LEN, Schedule, SealedLen};
use crate::aead::{TAG_LEN, Tag};

/// Opens consecutive chunks of one body. What it appends is authentic, chunk by chunk (P-18).
pub struct ChunkOpener {
    schedule: Schedule,
    chunks: ChunkRange,
    next: u64,
    /// Ciphertext of an unfinished chunk; shorter than a sealed chunk.
    pending: Vec<u8>,
}

impl ChunkOpener {
    /// Checks the commitment before anything else. `len` inside `chunks` must come from a signed header.
    pub fn new(key: &BodyKey, context: &[u8], prefix: &Prefix, chunks: ChunkRange) -> Result<Self, BodyError> {
        let schedule = Schedule::new(key, &prefix.salt, context);
        if !bool::from(schedule.commitment.0.ct_eq(&prefix.commitment.0)) {
            return Err(BodyError::WrongCommitment);
        }
        Ok(Self { schedule, chunks, next: chunks.first, pending: Vec::with_capacity(SEALED_CHUNK_LEN as usize) })
    }

    /// Takes the next sealed bytes, beginning at [`ChunkRange::sealed`], and appends what they hold to `out`.
    pub fn open(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
        let mut rest = sealed;
        while !rest.is_empty() {
            if self.next == self.chunks.end {
                return Err(BodyError::Extended);
            }
            let needed = sealed_chunk(self.chunks.len, self.next);
            if self.pending.is_empty() && rest.len() >= needed {
                let (chunk, tail) = rest.split_at(needed);
                rest = tail;
                self.open_chunk(chunk, out)?;
                continue;
            }
            let (head, tail) = rest.split_at(rest.len().min(needed - self.pending.len()));
            rest = tail;
            self.pending.extend_from_slice(head);
            if self.pending.len() == needed {
                let mut chunk = std::mem::take(&mut self.pending);
                self.open_chunk(&chunk, out)?;
                chunk.clear();
                self.pending = chunk;
            }
        }
        Ok(())
    }

    /// Refuses if a chunk is still missing.
    pub fn finish(self) -> Result<(), BodyError> {
        if self.next < self.chunks.end {
            return Err(BodyError::Truncated);
        }
        Ok(())
    }

    fn open_chunk(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
        let (chunk, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(BodyError::Truncated)?;
        let start = out.len();
        out.extend_from_slice(chunk);
        let nonce = self.schedule.nonce(self.next);
        let opened = self.schedule.key.open_in_place(&nonce, b"", &mut out[start..], &Tag(*tag));
        if opened.is_err() {
            out.truncate(start);
            return Err(BodyError::ForgedChunk(self.next));
        }
        self.next += 1;
        Ok(())
    }
}

/// Bytes of the sealed chunk `index` of a body that has it.
fn sealed_chunk(len: SealedLen, index: u64) -> usize {
    let start = PREFIX_LEN as u64 + index * SEALED_CHUNK_LEN;
    (len.sealed() - start).min(SEALED_CHUNK_LEN) as usize
}

/// Opens one whole body while it arrives, prefix included.
pub struct BodyOpener<'k> {
    key: &'k BodyKey,
    context: Vec<u8>,
    len: SealedLen,
    prefix: Vec<u8>,
    chunks: Option<ChunkOpener>,
}

impl<'k> BodyOpener<'k> {
    /// `len` must come from a signed header: the stream alone does not say how long it ought to be.
    pub fn new(key: &'k BodyKey, context: &[u8], len: SealedLen) -> Self {
        Self { key, context: context.to_vec(), len, prefix: Vec::with_capacity(PREFIX_LEN), chunks: None }
    }

    /// Takes the next sealed bytes and appends the plaintext of every chunk that is complete to `out`.
    pub fn open(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
        let (head, rest) = sealed.split_at(sealed.len().min(PREFIX_LEN - self.prefix.len()));
        self.prefix.extend_from_slice(head);
        if self.chunks.is_none() {
            let Some(prefix) = self.prefix.first_chunk() else {
                return Ok(());
            };
            let prefix = Prefix::from_bytes(prefix);
            let all = ChunkRange::all(self.len);
            self.chunks = Some(ChunkOpener::new(self.key, &self.context, &prefix, all)?);
        }
        match &mut self.chunks {
            Some(chunks) => chunks.open(rest, out),
            None => Ok(()),
        }
    }

    /// Refuses if bytes are still missing.
    pub fn finish(self) -> Result<(), BodyError> {
        self.chunks.ok_or(BodyError::Truncated)?.finish()
    }
}

/// The plaintext bytes `plain` of a body, from the sealed bytes at `ChunkRange::covering(plain, len)?.sealed()`.
pub fn open_range(
    key: &BodyKey,
    context: &[u8],
    prefix: &Prefix,
    len: SealedLen,
    plain: Range<u64>,
    sealed: &[u8],
) -> Result<Vec<u8>, BodyError> {
    let chunks = ChunkRange::covering(&plain, len)?;
    let mut opener = ChunkOpener::new(key, context, prefix, chunks)?;
    let mut out = Vec::with_capacity(sealed.len());
    opener.open(sealed, &mut out)?;
    opener.finish()?;
    let start = chunks.plain().start;
    out.truncate((plain.end - start) as usize);
    out.drain(..(plain.start - start) as usize);
    Ok(out)
}

/// The plaintext of a whole small body.
pub fn open_whole(key: &BodyKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, BodyError> {
    let len = SealedLen::new(sealed.len() as u64)?;
    let mut opener = BodyOpener::new(key, context, len);
    let mut out = Vec::with_capacity(len.plain() as usize);
    opener.open(sealed, &mut out)?;
    opener.finish()?;
    Ok(out)
}
