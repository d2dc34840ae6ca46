//! The opening half of a record's body: whole while it streams, or any range of the file.
//!
//! What a holder has read so far is authentic chunk by chunk; that it is the file that the meta names is known when
//! [`FileOpener::finish`] says so. Ranges are as authentic, but their digest cannot be checked.

use std::ops::Range;

use karute_consent::id::Digest;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::keys::RecordKey;
use super::{BODY_CONTEXT, Header, Meta};
use crate::body::{BodyError, ChunkOpener, ChunkRange, Commitment, PREFIX_LEN, Prefix, SealedLen, open_range};
use crate::padding::{PaddingError, Unpadder};

/// Opens the body of one record while it arrives, prefix first.
pub struct FileOpener {
    /// The 56 bytes that key and header ask for.
    prefix: [u8; PREFIX_LEN],
    /// Bytes of the prefix that came so far.
    prefix_seen: usize,
    chunks: ChunkOpener,
    unpadder: Unpadder,
    file: Sha256,
    expected: Digest,
    /// Plaintext with its padding, before it is cut.
    padded: Zeroizing<Vec<u8>>,
}

impl FileOpener {
    /// Checks that the key is the body's and that the meta's length fits the body's.
    pub fn new(header: &Header, meta: &Meta, key: &RecordKey) -> Result<Self, OpenRecordError> {
        let (len, prefix) = body_of(header, key)?;
        let unpadder = Unpadder::new(meta.length.0, len.plain()).map_err(OpenRecordError::Padding)?; // P-19
        let chunks = ChunkOpener::new(&key.body_key(), BODY_CONTEXT, &prefix, ChunkRange::all(len));
        Ok(Self {
            prefix: prefix.to_bytes(),
            prefix_seen: 0,
            chunks: chunks.map_err(OpenRecordError::Body)?, // P-18
            unpadder,
            file: Sha256::new(),
            expected: meta.digest,
            padded: Zeroizing::new(Vec::new()),
        })
    }

    /// Takes the next sealed bytes and appends the bytes of the file that are authentic now to `out`.
    pub fn push(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), OpenRecordError> {
        let (head, rest) = sealed.split_at(sealed.len().min(PREFIX_LEN - self.prefix_seen));
        if *head != self.prefix[self.prefix_seen..][..head.len()] {
            return Err(OpenRecordError::Body(BodyError::WrongCommitment)); // P-18
        }
        self.prefix_seen += head.len();
        self.padded.clear();
        let opened = self.chunks.open(rest, &mut self.padded).map_err(OpenRecordError::Body); // P-18
        let kept = self.unpadder.cut(&self.padded).map_err(OpenRecordError::Padding)?; // P-19
        self.file.update(kept);
        out.extend_from_slice(kept);
        opened
    }

    /// Refuses if bytes are missing or the file is not the one that the meta names.
    pub fn finish(self) -> Result<(), OpenRecordError> {
        self.chunks.finish().map_err(OpenRecordError::Body)?; // P-18
        self.unpadder.finish().map_err(OpenRecordError::Padding)?;
        let digest = Digest::from_bytes(self.file.finalize().into());
        if digest == self.expected { Ok(()) } else { Err(OpenRecordError::OtherFile) } // P-19
    }
}

/// A range of a file: which sealed bytes it needs, and how they are opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRange {
    file: Range<u64>,
    len: SealedLen,
    chunks: ChunkRange,
}

impl FileRange {
    /// The bytes `file` of the record's file; refuses what is not in it.
    pub fn new(header: &Header, meta: &Meta, file: Range<u64>) -> Result<Self, OpenRecordError> {
        let len = SealedLen::new(header.body_length.0).map_err(OpenRecordError::Body)?;
        Unpadder::new(meta.length.0, len.plain()).map_err(OpenRecordError::Padding)?; // P-19
        if file.end > meta.length.0 {
            return Err(OpenRecordError::Body(BodyError::OutOfRange));
        }
        let chunks = ChunkRange::covering(&file, len).map_err(OpenRecordError::Body)?;
        Ok(Self { file, len, chunks })
    }

    /// Which bytes of the sealed body to ask for; they are verified against the header's root first (P-20).
    pub fn sealed(&self) -> Range<u64> {
        self.chunks.sealed()
    }

    /// The bytes of the file, from the sealed bytes at [`FileRange::sealed`].
    pub fn open(&self, header: &Header, key: &RecordKey, sealed: &[u8]) -> Result<Vec<u8>, OpenRecordError> {
        let (_, prefix) = body_of(header, key)?;
        let file = self.file.clone();
        open_range(&key.body_key(), BODY_CONTEXT, &prefix, self.len, file, sealed).map_err(OpenRecordError::Body) // P-18
    }
}

/// Length and prefix of the body that header and key ask for.
fn body_of(header: &Header, key: &RecordKey) -> Result<(SealedLen, Prefix), OpenRecordError> {
    let len = SealedLen::new(header.body_length.0).map_err(OpenRecordError::Body)?;
    let commitment = Commitment(*header.commitment.as_bytes());
    Ok((len, Prefix { salt: key.body_salt(), commitment }))
}

/// Why a body does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenRecordError {
    /// Another key, or bytes that were altered, are missing or too many (P-18).
    #[error("body does not open")]
    Body(#[source] BodyError),
    /// Length and padding do not fit (P-19).
    #[error("padding of the body is wrong")]
    Padding(#[source] PaddingError),
    /// The file is not the one that the meta names (P-19).
    #[error("file is not the one that the meta names")]
    OtherFile,
}
