//! The sealing half of a body: prefix first, then chunk after chunk.

use zeroize::Zeroizing;

use super::{BodyError, BodyKey, CHUNK_LEN, Commitment, PREFIX_LEN, Prefix, Salt, Schedule, SealedLen};
use crate::aead::TAG_LEN;
use crate::limits;

/// Seals one body while its plaintext arrives. The caller writes [`BodySealer::prefix`] first.
pub struct BodySealer {
    schedule: Schedule,
    salt: Salt,
    next: u64,
    /// Plaintext of an unfinished chunk; shorter than a chunk.
    pending: Zeroizing<Vec<u8>>,
}

impl BodySealer {
    /// `salt` must not have been used with this key before; `context` is what the opener must name again.
    pub fn new(key: &BodyKey, salt: Salt, context: &[u8]) -> Self {
        Self {
            schedule: Schedule::new(key, &salt, context),
            salt,
            next: 0,
            pending: Zeroizing::new(Vec::with_capacity(CHUNK)),
        }
    }

    /// The bytes before the first chunk.
    pub fn prefix(&self) -> Prefix {
        Prefix { salt: self.salt, commitment: self.schedule.commitment }
    }

    /// The commitment that also stands in the record's header.
    pub fn commitment(&self) -> Commitment {
        self.schedule.commitment
    }

    /// Takes the next plaintext and appends every chunk that is full to `out`.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
        let mut rest = plaintext;
        if !self.pending.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(CHUNK - self.pending.len()));
            self.pending.extend_from_slice(head);
            rest = tail;
            if self.pending.len() < CHUNK {
                return Ok(());
            }
            let full = std::mem::replace(&mut self.pending, Zeroizing::new(Vec::new()));
            self.seal_chunk(&full, out)?;
            self.pending = full;
            self.pending.clear();
        }
        let mut chunks = rest.chunks_exact(CHUNK);
        out.reserve(chunks.len() * (CHUNK + TAG_LEN));
        for chunk in &mut chunks {
            self.seal_chunk(chunk, out)?;
        }
        self.pending.extend_from_slice(chunks.remainder());
        Ok(())
    }

    /// Appends the short last chunk, which may be empty but never is missing.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BodyError> {
        let last = std::mem::replace(&mut self.pending, Zeroizing::new(Vec::new()));
        self.seal_chunk(&last, out)
    }

    fn seal_chunk(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
        if self.next > CHUNK_INDEX_MAX {
            return Err(BodyError::TooLong);
        }
        let start = out.len();
        out.extend_from_slice(chunk);
        let tag = self
            .schedule
            .key
            .seal_in_place(&self.schedule.nonce(self.next), b"", &mut out[start..])
            .map_err(|_| BodyError::TooLong)?;
        out.extend_from_slice(&tag.0);
        self.next += 1;
        Ok(())
    }
}

/// A whole small body at once: prefix and chunks.
pub fn seal_whole(key: &BodyKey, salt: Salt, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, BodyError> {
    let len = SealedLen::of_plain(plaintext.len() as u64)?;
    let mut sealer = BodySealer::new(key, salt, context);
    let mut out = Vec::with_capacity(len.sealed() as usize);
    out.extend_from_slice(&sealer.prefix().to_bytes());
    sealer.seal(plaintext, &mut out)?;
    sealer.finish(&mut out)?;
    Ok(out)
}

const CHUNK: usize = CHUNK_LEN as usize;
const CHUNK_INDEX_MAX: u64 = (limits::BODY_SEALED_LEN_MAX - PREFIX_LEN as u64) / super::SEALED_CHUNK_LEN;
