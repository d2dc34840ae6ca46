//! Signed statements: COSE_Sign1 (RFC 9052) over our own encoding.
//!
//! The envelope is the untagged array [protected, {}, payload, signature]; the protected header is exactly
//! {1: -8, 4: kid} with the signer's 32-byte key as kid. The type's context is the external_aad, so a signature
//! made for one type of statement is none for another. Any COSE library can check a statement; none is needed.
//!
//! What arrives is [`Unverified`] and offers only to be verified. What was verified, or signed here, is
//! [`Verified`] and keeps the very bytes that were signed: its id is their digest.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use sha2::{Digest as _, Sha256};

use crate::encoding::{EncodingError, Fault, from_bytes, to_bytes};
use crate::id::{PartyKey, StatementId};
use crate::limits::STATEMENT_BYTES_MAX;
use crate::party::{Identity, Party, PartyError, Signature};

/// A type of statement that a party can sign.
pub trait Statement: Serialize + DeserializeOwned {
    /// The name of the type, different for every type: signatures and ids are made under it (C-13).
    const TYPE: &'static str;
    /// Most bytes of one signed statement of this type, envelope included.
    const BYTES_MAX: usize = STATEMENT_BYTES_MAX;

    /// Checks what the encoding cannot say about a value: counts, order, relations between fields and to the signer.
    fn check(&self, signer: PartyKey) -> Result<(), Malformed>;
}

/// A statement as it arrived. Nothing is known about it before [`Unverified::verify`].
pub struct Unverified<T> {
    bytes: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

/// A statement whose signature, spelling and rules hold. It says who signed, not whether that party may.
pub struct Verified<T> {
    payload: T,
    signer: PartyKey,
    id: StatementId,
    /// The envelope as it arrived.
    bytes: Vec<u8>,
}

/// Why a statement is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The envelope is not the one spelling of a COSE_Sign1 of our kind.
    #[error("envelope is not a COSE_Sign1 array in its one spelling")]
    Envelope(#[source] EncodingError),
    /// The protected header is not exactly {1: -8, 4: kid}.
    #[error("protected header is not exactly algorithm and signer")]
    Protected(#[source] EncodingError),
    /// An algorithm other than EdDSA.
    #[error("algorithm is not EdDSA")]
    Algorithm,
    /// The signer's key is not a usable key.
    #[error("signer's key is not usable")]
    Signer(#[source] PartyError),
    /// The signature does not verify under the context of this type.
    #[error("signature does not verify")]
    Signature,
    /// The signer is another party than the one that has to sign.
    #[error("signed by another party")]
    OtherSigner,
    /// The payload is not the one spelling of a value of this type.
    #[error("payload is not a value of its type in its one spelling")]
    Payload(#[source] EncodingError),
    /// The payload breaks a rule of its type.
    #[error("payload breaks a rule of its type")]
    Rule(#[source] Malformed),
}

/// Which stage of reading notices a fault; the vectors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The bytes are not deterministic CBOR of the expected fields.
    Encoding,
    /// The envelope, its signer or its signature.
    Statement,
    /// The payload's values.
    Payload,
    /// The statement's place in the ledger.
    Ledger,
    /// The chain of grants of a request.
    Chain,
    /// The decision on a request.
    Decide,
}

impl StatementError {
    /// The stage that noticed it.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Envelope(error) => match error.fault {
                Fault::WrongShape | Fault::BadValue | Fault::NotCanonical => Stage::Statement,
                _ => Stage::Encoding,
            },
            Self::Payload(error) => match error.fault {
                // A set out of order is decoded into its order, and so is another spelling than came in.
                Fault::BadValue | Fault::NotCanonical => Stage::Payload,
                _ => Stage::Encoding,
            },
            Self::Protected(_) | Self::Algorithm | Self::Signer(_) | Self::Signature | Self::OtherSigner => {
                Stage::Statement
            }
            Self::Rule(_) => Stage::Payload,
        }
    }
}

/// Which rule of its type a payload breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A text is empty, too long, or has control characters (C-07, C-14).
    #[error("a text is empty, too long or has control characters")]
    Text,
    /// A byte string is empty or too long.
    #[error("a byte string is empty or too long")]
    Bytes,
    /// Too few or too many of something.
    #[error("too few or too many items in a list")]
    Count,
    /// A list is not strictly ascending (C-10).
    #[error("a list is not strictly ascending")]
    Order,
    /// A number is outside its range.
    #[error("a number is outside its range")]
    Range,
    /// The signer is not the party that has to sign this payload (C-15).
    #[error("the payload has to be signed by another party")]
    Signer,
    /// The quorum is above the number of witnesses (C-15).
    #[error("quorum above the number of witnesses")]
    Quorum,
    /// Not exactly one home host (C-16).
    #[error("not exactly one home host")]
    Home,
    /// A scope without actions, or with one that no grant can give (C-29).
    #[error("a scope without actions or with one that cannot be granted")]
    Actions,
    /// A scope whose actions need a collection, and no collection (C-29).
    #[error("a scope that names no collection")]
    NoCollection,
    /// A scope or directory that names the inbox (C-29).
    #[error("the inbox cannot be named here")]
    Inbox,
    /// A grant without a purpose (C-30).
    #[error("no purpose")]
    NoPurpose,
    /// A grant without a use (C-30).
    #[error("uses outside their range")]
    Uses,
    /// A grant that may be delegated too deeply (C-30).
    #[error("delegation too deep")]
    Depth,
    /// A grant that is valid for too long (C-30).
    #[error("valid for too long")]
    TooLong,
    /// An ask whose card is not its signer's (C-54).
    #[error("the card is not the signer's")]
    Card,
    /// An answer that names a grant and declines, or grants and names none (C-54).
    #[error("outcome and grant do not fit")]
    Outcome,
}

/// Signs a payload, which must keep the rules of its type.
pub fn sign<T: Statement>(payload: T, identity: &Identity) -> Result<Verified<T>, StatementError> {
    let signer = identity.key();
    payload.check(signer).map_err(StatementError::Rule)?;
    let protected = to_bytes(&Protected { alg: ALG_EDDSA, kid: signer }).map_err(StatementError::Protected)?;
    let body = to_bytes(&payload).map_err(StatementError::Payload)?;
    let message = message::<T>(&protected, &body).map_err(StatementError::Envelope)?;
    let signature = identity.sign(&message);
    let envelope = Envelope(ByteBuf::from(protected), NoMembers, ByteBuf::from(body), signature);
    let bytes = to_bytes(&envelope).map_err(StatementError::Envelope)?;
    if bytes.len() > T::BYTES_MAX {
        return Err(StatementError::Envelope(Fault::TooLong.at(T::BYTES_MAX)));
    }
    Ok(Verified { id: id_of::<T>(&bytes), payload, signer, bytes })
}

impl<T: Statement> Unverified<T> {
    /// Takes bytes as they came in.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, of: PhantomData }
    }

    /// The bytes as they came in, to be kept or passed on.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks size, spelling, signer's key, signature, payload and the rules of the type, in this order.
    pub fn verify(self) -> Result<Verified<T>, StatementError> {
        // C-11
        let envelope: Envelope = from_bytes(&self.bytes, T::BYTES_MAX).map_err(StatementError::Envelope)?;
        let Envelope(protected, NoMembers, body, signature) = envelope;
        let header: Protected = from_bytes(&protected, protected.len()).map_err(StatementError::Protected)?;
        if header.alg != ALG_EDDSA {
            return Err(StatementError::Algorithm);
        }
        let party = Party::from_key(header.kid).map_err(StatementError::Signer)?;
        // C-12, C-13
        let message = message::<T>(&protected, &body).map_err(StatementError::Envelope)?;
        party.check(&message, &signature).map_err(|_| StatementError::Signature)?;
        let payload: T = from_bytes(&body, T::BYTES_MAX).map_err(StatementError::Payload)?;
        payload.check(header.kid).map_err(StatementError::Rule)?;
        Ok(Verified { id: id_of::<T>(&self.bytes), payload, signer: header.kid, bytes: self.bytes })
    }

    /// Verifies a statement that this party has to have signed.
    pub fn verify_by(self, signer: PartyKey) -> Result<Verified<T>, StatementError> {
        let verified = self.verify()?;
        if verified.signer == signer { Ok(verified) } else { Err(StatementError::OtherSigner) }
    }
}

impl<T> Verified<T> {
    /// What was signed.
    pub fn payload(&self) -> &T {
        &self.payload
    }

    /// What was signed, without its signature.
    pub fn into_payload(self) -> T {
        self.payload
    }

    /// Who signed.
    pub fn signer(&self) -> PartyKey {
        self.signer
    }

    /// The statement's id: the digest of its bytes.
    pub fn id(&self) -> StatementId {
        self.id
    }

    /// The envelope as it arrived.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: Statement> Verified<T> {
    /// The same statement as it would arrive elsewhere.
    pub fn to_unverified(&self) -> Unverified<T> {
        Unverified::from_bytes(self.bytes.clone())
    }
}

/// The id of a statement of type `T` with these bytes.
pub fn id_of<T: Statement>(bytes: &[u8]) -> StatementId {
    let digest = Sha256::new().chain_update("karute-v1/id/").chain_update(T::TYPE).chain_update([0]);
    StatementId::from_bytes(digest.chain_update(bytes).finalize().into())
}

/// The bytes that are signed: RFC 9052's Sig_structure.
fn message<T: Statement>(protected: &[u8], payload: &[u8]) -> Result<Vec<u8>, EncodingError> {
    let aad = format!("karute-v1/ed25519/{}", T::TYPE);
    to_bytes(&("Signature1", Bytes::new(protected), Bytes::new(aad.as_bytes()), Bytes::new(payload)))
}

/// RFC 9053: EdDSA.
const ALG_EDDSA: i64 = -8;

#[derive(Serialize, Deserialize)]
struct Envelope(ByteBuf, NoMembers, ByteBuf, Signature);

#[derive(SerializeIndexed, DeserializeIndexed)]
struct Protected {
    #[serde(index = 1)]
    alg: i64,
    #[serde(index = 4)]
    kid: PartyKey,
}

/// The unprotected header: a map without members.
struct NoMembers;

impl Serialize for NoMembers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for NoMembers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(NoMembers)
    }
}

impl<'de> Visitor<'de> for NoMembers {
    type Value = NoMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map without members")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NoMembers, A::Error> {
        match map.size_hint() {
            Some(0) => Ok(NoMembers),
            _ => Err(A::Error::custom("unprotected header has members")),
        }
    }
}

impl<T> Clone for Unverified<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for Unverified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unverified({} bytes)", self.bytes.len())
    }
}

impl<T> PartialEq for Unverified<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Unverified<T> {}

/// Inside another message a statement is a byte string.
impl<T> Serialize for Unverified<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.bytes)
    }
}

impl<'de, T> Deserialize<'de> for Unverified<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = ByteBuf::deserialize(from)?.into_vec();
        Ok(Self { bytes, of: PhantomData })
    }
}

impl<T: Clone> Clone for Verified<T> {
    fn clone(&self) -> Self {
        Self { payload: self.payload.clone(), signer: self.signer, id: self.id, bytes: self.bytes.clone() }
    }
}

impl<T> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({})", self.id)
    }
}

impl<T> PartialEq for Verified<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for Verified<T> {}

#[cfg(test)]
mod tests;
