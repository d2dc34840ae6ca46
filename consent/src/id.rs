//! Names of things: byte strings and numbers, each a type of its own.
//!
//! A name carries no right and is not secret. On the wire a byte name is a byte string of its exact length; in text
//! it is lower-case hex, which is its only spelling. Party keys are also read and shown as `did:key`.

use std::fmt;

#[doc(hidden)]
pub use serde as serde_of_consent;

/// Why a text is not a name of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has another number of hex digits than the name has.
    #[error("expected {expected} hex digits")]
    WrongLength {
        /// Digits that this kind of name has.
        expected: usize,
    },
    /// A character that is not a lower-case hex digit.
    #[error("expected lower-case hex digits")]
    NotHex,
    /// A text that starts with `did:` but is not the `did:key` of an Ed25519 key.
    #[error("expected the did:key of an Ed25519 key")]
    NotDidKey,
}

/// Writes bytes as lower-case hex.
pub fn write_hex(bytes: &[u8], to: &mut impl fmt::Write) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(to, "{byte:02x}"))
}

/// Reads exactly `N` bytes of lower-case hex.
pub fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    if text.len() != 2 * N {
        return Err(IdError::WrongLength { expected: 2 * N });
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

fn digit(character: u8) -> Result<u8, IdError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(IdError::NotHex),
    }
}

/// Makes a type for a byte string of fixed length, without its text forms (see [`byte_id!`](crate::byte_id)).
#[macro_export]
macro_rules! byte_id_without_text {
    ($(#[$meta:meta])* $name:ident, $len:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Takes the bytes as they are.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Takes the bytes if there are exactly [`Self::LEN`] of them.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The bytes as lower-case hex.
            pub fn to_hex(&self) -> String {
                let mut text = String::with_capacity(2 * $len);
                $crate::id::write_hex(&self.0, &mut text).expect("a String takes all that is written to it");
                text
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.to_hex())
            }
        }

        impl $crate::id::serde_of_consent::Serialize for $name {
            fn serialize<S: $crate::id::serde_of_consent::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_bytes(&self.0)
            }
        }

        impl<'de> $crate::id::serde_of_consent::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::serde_of_consent::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_bytes($crate::id::FixedBytes::<$len>).map(Self)
            }
        }
    };
}

/// Makes a type for a byte string of fixed length: `byte_id!(/// What it names. Name, 16);`
#[macro_export]
macro_rules! byte_id {
    ($(#[$meta:meta])* $name:ident, $len:expr) => {
        $crate::byte_id_without_text!($(#[$meta])* $name, $len);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::id::write_hex(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::parse_hex(text).map(Self)
            }
        }
    };
}

/// Makes a type for a counting number: `number!(/// What it counts. Name, u32);`
#[macro_export]
macro_rules! number {
    ($(#[$meta:meta])* $name:ident, $of:ty) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $of);

        impl $name {
            /// The first of its kind.
            pub const FIRST: Self = Self(0);

            /// The one after this; nothing at the end of the type's range.
            pub fn next(self) -> Option<Self> {
                self.0.checked_add(1).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl $crate::id::serde_of_consent::Serialize for $name {
            fn serialize<S: $crate::id::serde_of_consent::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_u64(u64::from(self.0))
            }
        }

        impl<'de> $crate::id::serde_of_consent::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::serde_of_consent::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                <$of as $crate::id::serde_of_consent::Deserialize>::deserialize(from).map(Self)
            }
        }
    };
}

byte_id_without_text!(
    /// A party's Ed25519 public key as it stands on the wire; [`Party`](crate::party::Party) is the checked form.
    PartyKey, 32
);
byte_id!(
    /// A vault: the digest of its charter.
    VaultId, 32
);
byte_id!(
    /// A signed statement: the digest of its bytes under its type's context.
    StatementId, 32
);
byte_id!(
    /// A collection, drawn at random; what it holds is known to the patient and to holders only.
    CollectionId, 16
);
byte_id!(
    /// A record.
    RecordId, 16
);
byte_id!(
    /// A run: one deposit session to one epoch key.
    RunId, 16
);
byte_id!(
    /// A request: one use of a grant.
    RequestId, 16
);
byte_id!(
    /// An ask: a party's wish for a grant, before there is one.
    AskId, 16
);
byte_id!(
    /// A SHA-256 or BLAKE3 digest; the field that holds it says which.
    Digest, 32
);
byte_id!(
    /// A node: the Ed25519 public key of its log, so that what a node signs is checked against its id.
    NodeId, 32
);
byte_id!(
    /// Random bytes that keep a digest from being guessed.
    Salt, 32
);
byte_id!(
    /// Random bytes that a node drew for one connection.
    Challenge, 32
);
number!(
    /// A place in a vault's ledger, from 0.
    Seq, u64
);
number!(
    /// Number of an event in its vault's trail, from 1 without gap.
    TrailNumber, u64
);
number!(
    /// Which keys a collection has: 1 at first, one more at each rotation.
    Generation, u32
);
number!(
    /// Which authority of a vault, from 0.
    AuthorityNumber, u32
);
number!(
    /// Which directory of a vault, from 0.
    DirectoryNumber, u32
);
number!(
    /// Which rotation of a vault, from 1; 0 stands for the first package of a grant.
    RotationSequence, u32
);
number!(
    /// How often a vault's root was replaced.
    RootNumber, u32
);

impl StatementId {
    /// Stands where no statement is.
    pub const NONE: Self = Self::from_bytes([0; 32]);
}

impl CollectionId {
    /// The inbox, which is no collection of a directory and is never granted.
    pub const INBOX: Self = Self::from_bytes([0; 16]);
}

impl NodeId {
    /// The key that checks what the node signs.
    pub fn key(&self) -> PartyKey {
        PartyKey::from_bytes(self.0)
    }
}

/// Reads a byte string of exactly `N` bytes.
#[doc(hidden)]
pub struct FixedBytes<const N: usize>;

impl<const N: usize> serde::de::Visitor<'_> for FixedBytes<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a byte string of {N} bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Fault, from_bytes, to_bytes};

    #[test]
    fn a_name_is_a_byte_string_of_its_length() {
        let id = RunId::from_bytes([0xab; 16]);
        let bytes = to_bytes(&id).expect("encodes");
        assert_eq!(bytes[..2], [0x50, 0xab]);
        assert_eq!(from_bytes::<RunId>(&bytes, 17), Ok(id));
        let longer = to_bytes(&VaultId::from_bytes([0xab; 32])).expect("encodes");
        assert_eq!(from_bytes::<RunId>(&longer, 64).map_err(|e| e.fault), Err(Fault::WrongShape));
    }

    #[test]
    fn a_name_has_one_text() {
        let id = CollectionId::from_bytes([0x0f; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse::<CollectionId>(), Err(IdError::NotHex));
        assert_eq!("0f".parse::<CollectionId>(), Err(IdError::WrongLength { expected: 32 }));
        assert_eq!("é".repeat(16).parse::<CollectionId>(), Err(IdError::NotHex));
    }

    #[test]
    fn numbers_end_instead_of_wrapping() {
        assert_eq!(Generation(u32::MAX).next(), None);
        assert_eq!(Seq::FIRST.next(), Some(Seq(1)));
    }

    #[test]
    fn a_number_beyond_its_range_is_refused() {
        let bytes = to_bytes(&Seq(1 << 32)).expect("encodes");
        assert!(from_bytes::<Generation>(&bytes, 9).is_err());
    }
}
