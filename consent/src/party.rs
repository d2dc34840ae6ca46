//! A party and its identity: who signs, and how anybody checks it. The only importer of Ed25519.
//!
//! Every signature is made over a Sig_structure that carries the context of its statement type (see `statement`),
//! and every check is strict: no small-order key, no second spelling of a signature.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::id::{IdError, PartyKey, parse_hex};

/// A party: an Ed25519 public key that is a point of full order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Party(VerifyingKey);

/// Why a key or a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartyError {
    /// The bytes are not the one spelling of a point on the curve.
    #[error("not an Ed25519 public key")]
    NotAKey,
    /// A key of small order: signatures under it prove nothing.
    #[error("Ed25519 public key of small order")]
    SmallOrder,
    /// The signature does not verify.
    #[error("signature does not verify")]
    BadSignature,
}

impl Party {
    /// Checks a key: it must be a canonically encoded point, and not of small order.
    pub fn from_key(key: PartyKey) -> Result<Self, PartyError> {
        let point = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| PartyError::NotAKey)?;
        if point.is_weak() {
            return Err(PartyError::SmallOrder);
        }
        if point.to_edwards().compress().as_bytes() != key.as_bytes() {
            return Err(PartyError::NotAKey);
        }
        Ok(Self(point))
    }

    /// The key as it stands on the wire.
    pub fn key(&self) -> PartyKey {
        PartyKey::from_bytes(self.0.to_bytes())
    }

    /// Checks a signature, strictly.
    pub fn check(&self, message: &[u8], signature: &Signature) -> Result<(), PartyError> {
        let signature = DalekSignature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| PartyError::BadSignature)
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key().fmt(f)
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Party({})", self.key())
    }
}

/// A secret Ed25519 key. It cannot be printed, copied or serialised, and is overwritten when dropped.
pub struct Identity(SigningKey);

impl Identity {
    /// Makes the identity that belongs to a 32-byte seed (RFC 8032's private key).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for a keystore that seals it.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public side.
    pub fn party(&self) -> Party {
        Party(self.0.verifying_key())
    }

    /// The public key as it stands on the wire.
    pub fn key(&self) -> PartyKey {
        self.party().key()
    }

    /// Signs bytes that already carry their context. Statements are signed through `statement::sign`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

crate::byte_id!(
    /// An Ed25519 signature.
    Signature, 64
);

impl fmt::Display for PartyKey {
    /// The `did:key` of this key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut coded = [0; DID_CODE.len() + PartyKey::LEN];
        coded[..DID_CODE.len()].copy_from_slice(&DID_CODE);
        coded[DID_CODE.len()..].copy_from_slice(self.as_bytes());
        write!(f, "{DID_PREFIX}{}", bs58::encode(coded).into_string())
    }
}

impl FromStr for PartyKey {
    type Err = IdError;

    /// Reads a `did:key` or 64 hex digits. Does not check the point: see [`Party::from_key`].
    fn from_str(text: &str) -> Result<Self, IdError> {
        if !text.starts_with("did:") {
            return parse_hex(text).map(Self::from_bytes);
        }
        let coded = text.strip_prefix(DID_PREFIX).filter(|coded| coded.len() <= DID_CODED_LEN_MAX);
        let bytes = bs58::decode(coded.ok_or(IdError::NotDidKey)?).into_vec().map_err(|_| IdError::NotDidKey)?;
        bytes.strip_prefix(&DID_CODE).and_then(Self::from_slice).ok_or(IdError::NotDidKey)
    }
}

/// The `did:key` method with the multibase letter of base58btc.
const DID_PREFIX: &str = "did:key:z";
/// Multicodec ed25519-pub as an unsigned varint.
const DID_CODE: [u8; 2] = [0xed, 0x01];
/// Base58 characters that 34 bytes can take at most.
const DID_CODED_LEN_MAX: usize = 47;

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::from_seed(&[7; 32])
    }

    #[test]
    fn a_signature_is_checked_against_message_and_party() {
        let signature = identity().sign(b"message");
        assert_eq!(identity().party().check(b"message", &signature), Ok(()));
        assert_eq!(identity().party().check(b"other", &signature), Err(PartyError::BadSignature));
        let other = Identity::from_seed(&[8; 32]).party();
        assert_eq!(other.check(b"message", &signature), Err(PartyError::BadSignature));
    }

    #[test]
    fn rfc_8032_test_1_signs_alike() {
        let seed = parse_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").expect("hex");
        let identity = Identity::from_seed(&seed);
        assert_eq!(identity.key().to_hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert!(identity.sign(b"").to_hex().starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974"));
    }

    #[test]
    fn a_key_of_small_order_is_no_party() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        assert_eq!(Party::from_key(PartyKey::from_bytes(identity_point)), Err(PartyError::SmallOrder));
        assert_eq!(Party::from_key(PartyKey::from_bytes([0; 32])), Err(PartyError::SmallOrder));
    }

    #[test]
    fn a_second_spelling_of_a_point_is_no_party() {
        // y = p + 3, which is on the curve or not; either way no key has this spelling.
        let mut bytes = [0xff; 32];
        bytes[31] = 0x7f;
        for low in 0xed..=0xff {
            bytes[0] = low;
            assert!(Party::from_key(PartyKey::from_bytes(bytes)).is_err(), "{low:02x}");
        }
    }

    #[test]
    fn a_did_key_reads_back_to_the_same_key() {
        let key = identity().key();
        let text = key.to_string();
        assert!(text.starts_with("did:key:z6Mk"), "{text}");
        assert_eq!(text.parse(), Ok(key));
        assert_eq!(key.to_hex().parse(), Ok(key));
    }

    #[test]
    fn a_did_key_of_another_kind_is_refused() {
        for text in ["did:web:example.org", "did:key:z6Mk", "did:key:zQ3sh0000", "did:key:u7QEO"] {
            assert_eq!(text.parse::<PartyKey>(), Err(IdError::NotDidKey), "{text}");
        }
    }
}
