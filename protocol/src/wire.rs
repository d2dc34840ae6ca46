//! Plain values that stand in messages: opaque byte strings, lengths, sizes.

use std::fmt;
use std::ops::Deref;

use karute_consent::number;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::label::SECRET_LEN;

number!(
    /// A number of bytes, or a place in a run of bytes.
    ByteCount, u64
);
number!(
    /// A number of entries of a ledger.
    LedgerSize, u64
);

/// A byte string that nothing is known about here but its length.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Octets(pub Vec<u8>);

impl Octets {
    /// The bytes.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Octets {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Octets({} bytes)", self.0.len())
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde_bytes::ByteBuf::deserialize(from).map(|bytes| Self(bytes.into_vec()))
    }
}

/// 32 secret bytes on their way into or out of something sealed or kept.
pub(crate) struct WireSecret(pub(crate) Zeroizing<[u8; SECRET_LEN]>);

impl Serialize for WireSecret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0[..])
    }
}

impl<'de> Deserialize<'de> for WireSecret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = Zeroizing::new(serde_bytes::ByteBuf::deserialize(from)?.into_vec());
        let secret = bytes[..].try_into().map_err(|_| D::Error::custom("a secret has 32 bytes"))?;
        Ok(Self(Zeroizing::new(secret)))
    }
}
