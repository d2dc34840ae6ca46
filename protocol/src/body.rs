//! Bodies: large plaintexts, sealed in chunks that can be opened while they stream and from any place.
//!
//! C2SP chunked-encryption with AEAD_AES_256_GCM and SHA-512 (Cobblestone-256): salt and key commitment stand first,
//! then chunks of 16 KiB of plaintext, each with its tag; the last chunk is always shorter and may be empty. A key
//! that does not fit is noticed before any chunk is touched. The sealed length comes from a signed header, so
//! what is too short or too long is noticed as such and not as a chunk that does not open.
//!
//! Sealer and opener are state machines: bytes are pushed in, what is done is appended to the caller's buffer,
//! and at most one chunk is kept back. The salt is an argument, since this crate has no randomness.

mod open;
mod seal;

use std::ops::Range;

use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::aead::{AeadKey, KEY_LEN, NONCE_LEN, Nonce, TAG_LEN};
use crate::limits;

#[cfg(feature = "open")]
pub use open::{BodyOpener, ChunkOpener, open_range, open_whole};
pub use seal::{BodySealer, seal_whole};

/// The input key of one body: uniformly random or derived, zeroised on drop.
pub struct BodyKey(Zeroizing<[u8; KEY_LEN]>);

impl BodyKey {
    /// Takes key bytes over.
    pub fn new(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(bytes)
    }
}

/// 24 bytes that must not repeat under one [`BodyKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub [u8; SALT_LEN]);

/// What ties a sealed body to one key, salt and context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment(pub [u8; COMMITMENT_LEN]);

/// The first 56 bytes of a sealed body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Stands first.
    pub salt: Salt,
    /// Stands behind the salt.
    pub commitment: Commitment,
}

impl Prefix {
    /// Splits the 56 bytes.
    pub fn from_bytes(bytes: &[u8; PREFIX_LEN]) -> Self {
        let mut salt = [0; SALT_LEN];
        let mut commitment = [0; COMMITMENT_LEN];
        salt.copy_from_slice(&bytes[..SALT_LEN]);
        commitment.copy_from_slice(&bytes[SALT_LEN..]);
        Self { salt: Salt(salt), commitment: Commitment(commitment) }
    }

    /// The 56 bytes.
    pub fn to_bytes(&self) -> [u8; PREFIX_LEN] {
        let mut bytes = [0; PREFIX_LEN];
        bytes[..SALT_LEN].copy_from_slice(&self.salt.0);
        bytes[SALT_LEN..].copy_from_slice(&self.commitment.0);
        bytes
    }
}

/// Length in bytes of a sealed body, known to be one that some plaintext has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealedLen(u64);

impl SealedLen {
    /// Refuses a length that no plaintext leads to, and one above the cap (P-15).
    pub fn new(bytes: u64) -> Result<Self, BodyError> {
        if bytes > limits::BODY_SEALED_LEN_MAX {
            return Err(BodyError::TooLong);
        }
        let chunks = bytes.checked_sub(PREFIX_LEN as u64).ok_or(BodyError::Truncated)?;
        if chunks % SEALED_CHUNK_LEN < TAG_LEN as u64 {
            return Err(BodyError::Truncated);
        }
        Ok(Self(bytes))
    }

    /// The sealed length of a plaintext of `bytes` bytes.
    pub fn of_plain(bytes: u64) -> Result<Self, BodyError> {
        if bytes > limits::BODY_SEALED_LEN_MAX {
            return Err(BodyError::TooLong);
        }
        let chunks = bytes / CHUNK_LEN + 1;
        Self::new(PREFIX_LEN as u64 + bytes + chunks * TAG_LEN as u64)
    }

    /// Bytes with prefix and tags.
    pub fn sealed(self) -> u64 {
        self.0
    }

    /// Bytes of plaintext inside.
    pub fn plain(self) -> u64 {
        self.0 - PREFIX_LEN as u64 - self.chunks() * TAG_LEN as u64
    }

    /// Chunks, the short last one included; at least one.
    pub fn chunks(self) -> u64 {
        (self.0 - PREFIX_LEN as u64) / SEALED_CHUNK_LEN + 1
    }
}

/// Consecutive chunks of one body; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRange {
    first: u64,
    end: u64,
    len: SealedLen,
}

impl ChunkRange {
    /// All chunks of a body.
    pub fn all(len: SealedLen) -> Self {
        Self { first: 0, end: len.chunks(), len }
    }

    /// The chunks that hold the plaintext bytes `plain`; an empty range takes the chunk it stands in.
    pub fn covering(plain: &Range<u64>, len: SealedLen) -> Result<Self, BodyError> {
        if plain.start > plain.end || plain.end > len.plain() {
            return Err(BodyError::OutOfRange);
        }
        let first = plain.start / CHUNK_LEN;
        let end = plain.end.div_ceil(CHUNK_LEN).max(first + 1);
        Ok(Self { first, end, len })
    }

    /// Where these chunks lie in the sealed body, prefix counted.
    pub fn sealed(&self) -> Range<u64> {
        let start = PREFIX_LEN as u64 + self.first * SEALED_CHUNK_LEN;
        let end = PREFIX_LEN as u64 + self.end * SEALED_CHUNK_LEN;
        start..end.min(self.len.sealed())
    }

    /// Which plaintext bytes these chunks hold.
    pub fn plain(&self) -> Range<u64> {
        self.first * CHUNK_LEN..(self.end * CHUNK_LEN).min(self.len.plain())
    }
}

/// What key, salt and context lead to.
struct Schedule {
    key: AeadKey,
    base_nonce: [u8; NONCE_LEN],
    commitment: Commitment,
}

impl Schedule {
    fn new(key: &BodyKey, salt: &Salt, context: &[u8]) -> Self {
        // The crate wants a PRK of a whole SHA-512 output. HMAC fills a shorter key with zeros anyway, so these
        // zeros change nothing in the result.
        let mut prk = Zeroizing::new([0; SHA512_LEN]);
        prk[..KEY_LEN].copy_from_slice(&key.0[..]);
        let mut okm = Zeroizing::new([0; KEY_LEN + NONCE_LEN + COMMITMENT_LEN]);
        Hkdf::<Sha512>::from_prk(&prk[..])
            .expect("the PRK has the length of a SHA-512 output")
            .expand_multi_info(&[INFO, &salt.0, context], &mut okm[..])
            .expect("76 bytes are fewer than 255 blocks of SHA-512");
        let mut aead_key = Zeroizing::new([0; KEY_LEN]);
        let mut base_nonce = [0; NONCE_LEN];
        let mut commitment = [0; COMMITMENT_LEN];
        aead_key.copy_from_slice(&okm[..KEY_LEN]);
        base_nonce.copy_from_slice(&okm[KEY_LEN..KEY_LEN + NONCE_LEN]);
        commitment.copy_from_slice(&okm[KEY_LEN + NONCE_LEN..]);
        Self { key: AeadKey::new(aead_key), base_nonce, commitment: Commitment(commitment) }
    }

    /// Base nonce XOR chunk number, big-endian.
    fn nonce(&self, index: u64) -> Nonce {
        let mut nonce = self.base_nonce;
        for (byte, counter) in nonce[NONCE_LEN - 8..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= counter;
        }
        Nonce(nonce)
    }
}

/// Why a body was not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than a body may have.
    #[error("body is above the size cap")]
    TooLong,
    /// The length is none that a plaintext leads to, or the bytes ended before the stated length.
    #[error("sealed body is truncated")]
    Truncated,
    /// Bytes follow the last chunk.
    #[error("bytes follow the sealed body")]
    Extended,
    /// Key, salt or context is not the one the body was sealed under.
    #[error("key commitment does not fit")]
    WrongCommitment,
    /// This chunk was altered, or another stands in its place.
    #[error("chunk {0} is not authentic")]
    ForgedChunk(u64),
    /// The range begins behind its end or ends behind the body.
    #[error("range lies outside of the body")]
    OutOfRange,
}

/// Bytes of plaintext in every chunk but the last.
pub const CHUNK_LEN: u64 = 16 * 1024;
/// Bytes of such a chunk with its tag.
pub const SEALED_CHUNK_LEN: u64 = CHUNK_LEN + TAG_LEN as u64;
/// Bytes of a salt.
pub const SALT_LEN: usize = 24;
/// Bytes of a key commitment.
pub const COMMITMENT_LEN: usize = 32;
/// Bytes before the first chunk.
pub const PREFIX_LEN: usize = SALT_LEN + COMMITMENT_LEN;

const SHA512_LEN: usize = 64;
const INFO: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

#[cfg(test)]
#[cfg(feature = "open")]
mod tests;
