//! The public half of a key that something can be sealed to, as cards, charters and device entries carry it.
//!
//! This crate only transports and compares it; whether the bytes are a usable key of their suite is found out in
//! `karute-protocol::hpke`, which alone knows the algorithms. Here the suite number is known and the length fits it.
//! Wire form: `{1: suite, 2: key bytes}`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

/// A public sealing key: a suite number and that suite's public key bytes, of exactly the suite's length.
#[derive(Clone, Debug, PartialEq, Eq, Hash, SerializeIndexed)]
pub struct SealingKey {
    #[serde(index = 1)]
    suite: u8,
    #[serde(index = 2, with = "serde_bytes")]
    key: Vec<u8>,
}

impl SealingKey {
    /// Takes suite number and key bytes; refuses an unknown suite and a length that is not the suite's.
    pub fn new(suite: u8, key: Vec<u8>) -> Result<Self, SealingKeyError> {
        let expected = key_len(suite).ok_or(SealingKeyError::UnknownSuite(suite))?;
        if key.len() != expected {
            return Err(SealingKeyError::WrongLength {
                expected,
                found: key.len(),
            });
        }
        Ok(Self { suite, key })
    }

    /// The suite number as it stands on the wire: 1 (X25519) or 2 (X-Wing).
    pub fn suite(&self) -> u8 {
        self.suite
    }

    /// The suite's public key encoding.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl<'de> Deserialize<'de> for SealingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = SealingKeyWire::deserialize(deserializer)?;
        Self::new(wire.suite, wire.key).map_err(D::Error::custom)
    }
}

/// The map as it arrives, before the length check.
#[derive(DeserializeIndexed)]
struct SealingKeyWire {
    #[serde(index = 1)]
    suite: u8,
    #[serde(index = 2, with = "serde_bytes")]
    key: Vec<u8>,
}

/// Why bytes are not a sealing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeyError {
    /// The suite number is neither 1 nor 2.
    #[error("unknown sealing suite {0}")]
    UnknownSuite(u8),
    /// The key has another length than its suite's public keys.
    #[error("a sealing key of this suite has {expected} bytes, not {found}")]
    WrongLength {
        /// Bytes a public key of the suite has.
        expected: usize,
        /// Bytes that came.
        found: usize,
    },
}

/// Public key length in bytes of a suite, if the suite is known.
fn key_len(suite: u8) -> Option<usize> {
    match suite {
        SUITE_X25519 => Some(X25519_KEY_LEN),
        SUITE_X_WING => Some(X_WING_KEY_LEN),
        _ => None,
    }
}

/// Suite number of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
pub const SUITE_X25519: u8 = 1;
/// Suite number of X-Wing, HKDF-SHA256, AES-256-GCM; the default.
pub const SUITE_X_WING: u8 = 2;
/// Bytes of an X25519 public key.
pub const X25519_KEY_LEN: usize = 32;
/// Bytes of an X-Wing public key: ML-KEM-768 encapsulation key (1184), then X25519 (32).
pub const X_WING_KEY_LEN: usize = 1216;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_suite_are_checked_by_the_maker() {
        assert!(SealingKey::new(1, vec![7; 32]).is_ok());
        assert!(SealingKey::new(2, vec![7; 1216]).is_ok());
        let wrong = SealingKey::new(2, vec![7; 32]);
        let expected = 1216;
        assert_eq!(
            wrong,
            Err(SealingKeyError::WrongLength {
                expected,
                found: 32
            })
        );
        assert_eq!(
            SealingKey::new(3, vec![7; 32]),
            Err(SealingKeyError::UnknownSuite(3))
        );
    }

    #[test]
    fn a_decoded_key_has_passed_the_same_check() {
        let key = SealingKey::new(1, vec![7; 32]).unwrap();
        let bytes = serde_cbor::to_vec(&key).unwrap();
        assert_eq!(bytes[..6], [0xa2, 0x01, 0x01, 0x02, 0x58, 0x20]);
        assert_eq!(serde_cbor::from_slice::<SealingKey>(&bytes).unwrap(), key);
        let mut other_suite = bytes.clone();
        other_suite[2] = 2;
        assert!(serde_cbor::from_slice::<SealingKey>(&other_suite).is_err());
    }
}
