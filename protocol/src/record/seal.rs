//! The sealing half of a record's body: file bytes in, sealed bytes out, and what the header says of them.

use karute_consent::id::Digest;
use sha2::{Digest as _, Sha256};

use super::keys::RecordKey;
use super::{BODY_CONTEXT, BodyFacts, BodyObserver};
use crate::body::{BodyError, BodySealer, SealedLen};
use crate::limits::BODY_LEN_MAX;
use crate::padding::{padded_len, padding_of};
use crate::wire::ByteCount;

/// Seals one file while it is read for the second time: the first time found its digest, which names the record and so
/// is in its keys. A file that changed in between is refused at the end; what was sealed of it lies under the keys and
/// nonces of the file it was, so nothing more may then be sealed in this run (P-36).
pub struct RecordSealer {
    sealer: BodySealer,
    observer: BodyObserver,
    file: Sha256,
    expected: Digest,
    length: u64,
    taken: u64,
    /// Whether the bytes before the first chunk were given out.
    begun: bool,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedBody {
    /// Length, root and commitment of the sealed bytes, for the header.
    pub facts: BodyFacts,
    /// Bytes of the file, for the meta.
    pub length: ByteCount,
    /// SHA-256 of the file, for the meta.
    pub digest: Digest,
}

impl RecordSealer {
    /// For a file of `length` bytes with the SHA-256 `digest`.
    pub fn new(key: &RecordKey, length: ByteCount, digest: Digest) -> Result<Self, SealRecordError> {
        if length.0 > BODY_LEN_MAX {
            return Err(SealRecordError::TooLong);
        }
        Ok(Self {
            sealer: BodySealer::new(&key.body_key(), key.body_salt(), BODY_CONTEXT),
            observer: BodyObserver::new(),
            file: Sha256::new(),
            expected: digest,
            length: length.0,
            taken: 0,
            begun: false,
        })
    }

    /// Bytes that the sealed body of a file of `length` bytes has.
    pub fn sealed_len(length: ByteCount) -> Result<ByteCount, SealRecordError> {
        if length.0 > BODY_LEN_MAX {
            return Err(SealRecordError::TooLong);
        }
        let sealed = SealedLen::of_plain(padded_len(length.0)).map_err(SealRecordError::Body)?;
        Ok(ByteCount(sealed.sealed()))
    }

    /// Takes the next bytes of the file and appends what is sealed to `out`.
    pub fn push(&mut self, file: &[u8], out: &mut Vec<u8>) -> Result<(), SealRecordError> {
        self.taken += file.len() as u64;
        if self.taken > self.length {
            return Err(SealRecordError::FileChanged);
        }
        self.file.update(file);
        self.seal(file, out)
    }

    /// Pads, appends the rest to `out`, and says what the header needs.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<SealedBody, SealRecordError> {
        let digest = Digest::from_bytes(std::mem::take(&mut self.file).finalize().into());
        if self.taken != self.length || digest != self.expected {
            return Err(SealRecordError::FileChanged);
        }
        for zeros in padding_of(self.length) {
            self.seal(zeros, out)?;
        }
        let start = out.len();
        self.sealer.finish(out).map_err(SealRecordError::Body)?;
        self.observer.update(&out[start..]);
        let facts = self.observer.finish().ok_or(SealRecordError::FileChanged)?;
        Ok(SealedBody { facts, length: ByteCount(self.length), digest })
    }

    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealRecordError> {
        let start = out.len();
        if !self.begun {
            out.extend_from_slice(&self.sealer.prefix().to_bytes());
            self.begun = true;
        }
        self.sealer.seal(plain, out).map_err(SealRecordError::Body)?;
        self.observer.update(&out[start..]);
        Ok(())
    }
}

/// Why a file was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealRecordError {
    /// Above the limit of a body.
    #[error("file is above the size cap")]
    TooLong,
    /// Another length or digest than when it was read first.
    #[error("file changed while it was sealed")]
    FileChanged,
    /// The body was not sealed.
    #[error("body not sealed")]
    Body(#[source] BodyError),
}
