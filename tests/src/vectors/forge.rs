//! Signs whatever it is told: statements with faults are made here, which the crates refuse to make.
//! Written from consent/SPEC.md section 2.

use karute_consent::party::Identity;
use sha2::{Digest, Sha256};

use super::cbor::Cbor;
use crate::{list, map};

/// The four parts of a statement, before they are joined.
pub struct Envelope {
    /// The protected header's bytes.
    pub protected: Vec<u8>,
    /// The unprotected header.
    pub unprotected: Cbor,
    /// The payload's bytes.
    pub payload: Vec<u8>,
    /// 64 bytes, in a good one.
    pub signature: Vec<u8>,
}

impl Envelope {
    /// Signs a payload under the context of a type.
    pub fn sign(kind: &str, payload: &Cbor, by: &Identity) -> Self {
        Self::sign_bytes(kind, payload.encode(), by)
    }

    /// Signs the bytes of a payload, which may be no CBOR.
    pub fn sign_bytes(kind: &str, payload: Vec<u8>, by: &Identity) -> Self {
        let header = map! { 1 => Cbor::Negative(7), 4 => *by.key().as_bytes() };
        Self::sign_under(kind, header.encode(), payload, by)
    }

    /// Signs under a protected header of one's own.
    pub fn sign_under(kind: &str, protected: Vec<u8>, payload: Vec<u8>, by: &Identity) -> Self {
        let signature = by.sign(&to_be_signed(kind, &protected, &payload)).as_bytes().to_vec();
        Self { protected, unprotected: Cbor::Map(Vec::new()), payload, signature }
    }

    /// The statement.
    pub fn join(&self) -> Vec<u8> {
        let (protected, payload) = (self.protected.clone(), self.payload.clone());
        list![protected, self.unprotected.clone(), payload, self.signature.clone()].encode()
    }
}

/// The bytes under a signature.
pub fn to_be_signed(kind: &str, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let aad = format!("karute-v1/ed25519/{kind}").into_bytes();
    list!["Signature1", protected, aad, payload].encode()
}

/// A signed statement.
pub fn sign(kind: &str, payload: &Cbor, by: &Identity) -> Vec<u8> {
    Envelope::sign(kind, payload, by).join()
}

/// The payload of a good statement.
pub fn payload_of(statement: &[u8]) -> Cbor {
    let Cbor::List(parts) = Cbor::decode(statement) else { panic!("not a statement") };
    Cbor::decode(parts[2].bytes())
}

/// The id of a statement.
pub fn id_of(kind: &str, statement: &[u8]) -> [u8; 32] {
    hash(&[b"karute-v1/id/", kind.as_bytes(), &[0], statement])
}

/// SHA-256 over the parts, one after the other.
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}
