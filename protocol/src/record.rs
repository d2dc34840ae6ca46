//! Sealed records: a signed header, a sealed meta and a sealed body (SPEC section 7).
//!
//! A depositor seals ([`RecordSealer`], [`Meta::seal`]); a host checks header, meta hash and body facts without any key;
//! a holder opens (feature `open`). The header is what the host can see of a record: ids, a padded length, hashes.

pub mod keys;
mod meta;
#[cfg(feature = "open")]
mod open;
mod seal;

use karute_consent::id::{Digest, PartyKey, RecordId, RunId, VaultId};
use karute_consent::number;
use karute_consent::statement::{Malformed, Statement, Verified};
use karute_consent::time::Timestamp;
use karute_consent::tree::digest_of;
use serde::{Deserialize, Serialize};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::bao::{BodyHasher, BodyRef, BodyRoot};
use crate::body::{Commitment, PREFIX_LEN, Prefix, SealedLen};
use crate::limits::META_SEALED_LEN_MAX;
use crate::padding::padded_len;
use crate::run::{Depositor, RecordPlace, Run};
use crate::wire::{ByteCount, Octets};

pub use meta::{Meta, MetaError};
#[cfg(feature = "open")]
pub use open::{FileOpener, FileRange, OpenRecordError};
pub use seal::{RecordSealer, SealRecordError, SealedBody};

number!(
    /// Running number of a record in its collection and generation, from 1.
    RecordNumber, u64
);

/// A sealed meta: salt, commitment and chunks, as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedMeta(pub Octets);

impl SealedMeta {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the header names.
    pub fn digest(&self) -> Digest {
        digest_of(&[&self.0])
    }
}

/// What the depositor signs of a record; a host can check all of it without a key.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Header {
    /// 1.
    #[serde(index = 1)]
    pub version: u8,
    /// 1, the record suite.
    #[serde(index = 2)]
    pub suite: u8,
    /// The vault.
    #[serde(index = 3)]
    pub vault: VaultId,
    /// The record.
    #[serde(index = 4)]
    pub record: RecordId,
    /// Its run.
    #[serde(index = 5)]
    pub run: RunId,
    /// 1, Padmé with a floor of 256 bytes.
    #[serde(index = 6)]
    pub padding_class: u8,
    /// Bytes of the sealed body.
    #[serde(index = 7)]
    pub body_length: ByteCount,
    /// BLAKE3 hash of the sealed body.
    #[serde(index = 8)]
    pub body_root: BodyRoot,
    /// Key commitment of the sealed body.
    #[serde(index = 9)]
    pub commitment: Digest,
    /// SHA-256 of the sealed meta.
    #[serde(index = 10)]
    pub meta_hash: Digest,
    /// The record that this one takes the place of (P-21).
    #[serde(index = 11, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<RecordId>,
    /// When it was sealed, by the depositor's clock.
    #[serde(index = 12)]
    pub time: Timestamp,
}

impl Statement for Header {
    const TYPE: &'static str = "header";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        // P-15
        let class = (self.version, self.suite, self.padding_class);
        let body = SealedLen::new(self.body_length.0).map_err(|_| Malformed::Range)?;
        let padded = padded_len(body.plain()) == body.plain();
        if class == (VERSION, SUITE, PADDING_CLASS) && padded { Ok(()) } else { Err(Malformed::Range) }
    }
}

impl Header {
    /// The header of a record whose body was sealed; to be signed by the depositor.
    pub fn new(
        place: &RecordPlace,
        body: &BodyFacts,
        meta: &SealedMeta,
        supersedes: Option<RecordId>,
        time: Timestamp,
    ) -> Self {
        Self {
            version: VERSION,
            suite: SUITE,
            vault: place.vault,
            record: place.record,
            run: place.run,
            padding_class: PADDING_CLASS,
            body_length: ByteCount(body.body.len),
            body_root: body.body.root,
            commitment: Digest::from_bytes(body.commitment.0),
            meta_hash: meta.digest(),
            supersedes,
            time,
        }
    }

    /// Root and length of the sealed body.
    pub fn body(&self) -> BodyRef {
        BodyRef { root: self.body_root, len: self.body_length.0 }
    }

    /// Refuses a header that is not by the depositor of its run, or of another vault or run (P-16).
    pub fn check_run(header: &Verified<Header>, run: &Verified<Run>) -> Result<RecordPlace, HeaderError> {
        let (of, by) = (header.payload(), run.payload());
        if header.signer() != by.depositor {
            return Err(HeaderError::OtherDepositor); // P-16
        }
        if (of.vault, of.run) != (by.vault, by.run) {
            return Err(HeaderError::OtherRun); // P-16
        }
        Ok(RecordPlace { vault: of.vault, run: of.run, depositor: by.depositor, record: of.record })
    }

    /// Refuses a meta that is not the header's (P-17).
    pub fn check_meta(&self, meta: &SealedMeta) -> Result<(), HeaderError> {
        if meta.as_bytes().len() > META_SEALED_LEN_MAX {
            return Err(HeaderError::MetaTooLong); // P-17
        }
        if meta.digest() == self.meta_hash { Ok(()) } else { Err(HeaderError::OtherMeta) } // P-17
    }

    /// Refuses a body that is not the header's (P-18, P-30).
    pub fn check_body(&self, found: &BodyFacts) -> Result<(), HeaderError> {
        if found.body != self.body() {
            return Err(HeaderError::OtherBody);
        }
        if found.commitment.0 != *self.commitment.as_bytes() {
            return Err(HeaderError::OtherCommitment); // P-18
        }
        Ok(())
    }
}

/// Whether a record may take the place of another (P-21): it is by the same depositor, or by a device.
pub fn supersedes_counts(by: PartyKey, standing: Depositor, superseded: PartyKey) -> bool {
    standing == Depositor::Device || by == superseded // P-21
}

/// What can be told of a sealed body without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyFacts {
    /// Its root and length.
    pub body: BodyRef,
    /// Bytes 24 to 55.
    pub commitment: Commitment,
}

/// Finds the facts of a sealed body while it passes by.
#[derive(Default)]
pub struct BodyObserver {
    hasher: BodyHasher,
    /// At most the 56 bytes before the first chunk.
    prefix: Vec<u8>,
}

impl BodyObserver {
    /// Of no bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next sealed bytes.
    pub fn update(&mut self, sealed: &[u8]) {
        let missing = PREFIX_LEN.saturating_sub(self.prefix.len()).min(sealed.len());
        self.prefix.extend_from_slice(&sealed[..missing]);
        self.hasher.update(sealed);
    }

    /// The facts; nothing if there were not even the bytes before the first chunk.
    pub fn finish(self) -> Option<BodyFacts> {
        let prefix = Prefix::from_bytes(self.prefix.first_chunk()?);
        Some(BodyFacts { body: self.hasher.finish(), commitment: prefix.commitment })
    }
}

/// The facts of a whole sealed body that is at hand.
pub fn body_facts(sealed: &[u8]) -> Option<BodyFacts> {
    let mut observer = BodyObserver::new();
    observer.update(sealed);
    observer.finish()
}

/// Why header, run, meta and body do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not signed by the depositor of the run (P-16).
    #[error("header is not signed by the depositor of its run")]
    OtherDepositor,
    /// Vault or run are not those of the run (P-16).
    #[error("header is of another run")]
    OtherRun,
    /// The sealed meta is too long (P-17).
    #[error("sealed meta is above its limit")]
    MetaTooLong,
    /// The sealed meta has another hash (P-17).
    #[error("sealed meta is not the header's")]
    OtherMeta,
    /// Length or root are others.
    #[error("sealed body is not the header's")]
    OtherBody,
    /// The key commitment is another (P-18).
    #[error("key commitment is not the header's")]
    OtherCommitment,
}

const VERSION: u8 = 1;
const SUITE: u8 = 1;
const PADDING_CLASS: u8 = 1;
/// What a body is sealed under beside its key.
const BODY_CONTEXT: &[u8] = b"karute-v1/body";
/// What a meta is sealed under beside its key.
const META_CONTEXT: &[u8] = b"karute-v1/meta";

#[cfg(test)]
mod tests;
