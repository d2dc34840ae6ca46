//! Sealing keys: the public keys that something can be sealed to. Here they are bytes; only the protocol uses them.

use std::fmt;

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

crate::wire_enum! {
    /// The suite that a sealing key belongs to.
    Suite {
        /// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
        X25519 = 1 "x25519",
        /// X-Wing (X25519 with ML-KEM-768), HKDF-SHA256, AES-256-GCM.
        XWing = 2 "x-wing",
    }
}

impl Suite {
    /// Length of a public key of this suite, bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Suite::X25519 => 32,
            Suite::XWing => 1216,
        }
    }
}

/// A public key to seal to: its length is that of its suite.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingKey {
    suite: Suite,
    key: Vec<u8>,
}

/// A key that does not have the length of its suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealing key does not have the length of its suite")]
pub struct SealingKeyLength;

impl SealingKey {
    /// Takes a key, which must have the length of its suite (C-09).
    pub fn new(suite: Suite, key: Vec<u8>) -> Result<Self, SealingKeyLength> {
        if key.len() == suite.key_len() { Ok(Self { suite, key }) } else { Err(SealingKeyLength) }
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key in its suite's own encoding.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.suite)
    }
}

#[derive(SerializeIndexed, DeserializeIndexed)]
struct Wire {
    #[serde(index = 1)]
    suite: Suite,
    #[serde(index = 2)]
    key: ByteBuf,
}

impl serde::Serialize for SealingKey {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Wire { suite: self.suite, key: ByteBuf::from(self.key.as_slice()) }.serialize(to)
    }
}

impl<'de> serde::Deserialize<'de> for SealingKey {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(from)?;
        Self::new(wire.suite, wire.key.into_vec()).map_err(|_| crate::encoding::bad_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Fault, from_bytes, to_bytes};

    #[test]
    fn a_key_has_the_length_of_its_suite() {
        let key = SealingKey::new(Suite::XWing, vec![7; 1216]).expect("right length");
        let bytes = to_bytes(&key).expect("encodes");
        assert_eq!(from_bytes(&bytes, bytes.len()), Ok(key));
        assert_eq!(SealingKey::new(Suite::XWing, vec![7; 32]), Err(SealingKeyLength));
        let short = [0xa2, 0x01, 0x01, 0x02, 0x41, 0x07];
        assert_eq!(from_bytes::<SealingKey>(&short, 99).map_err(|e| e.fault), Err(Fault::BadValue));
    }
}
