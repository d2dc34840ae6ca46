//! Evidence that leaves the network: proof files beside fetched files, and links as text (SPEC section 11).
//!
//! A proof file shows offline who deposited a file, under which request it was read and that a host vouched for it. It
//! opens the meta of its record and nothing more; who gets one learns what the record is.

mod link;
#[cfg(feature = "open")]
mod verify;

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{CollectionId, Generation, NodeId, VaultId};
use karute_consent::request::Request;
use karute_consent::statement::Unverified;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use zeroize::Zeroizing;

use crate::limits::PROOF_FILE_LEN_MAX;
use crate::record::keys::RecordKey;
use crate::record::{Header, RecordNumber, SealedMeta};
use crate::run::{ReWrap, Run};
use crate::trail::Receipt;
use crate::wire::WireSecret;

pub use link::{LinkError, VaultLink, ask_from_text, ask_to_text};
#[cfg(feature = "open")]
pub use verify::{ProofError, Proven};

/// What lies beside a fetched file, as `.proof`.
pub struct ProofFile {
    /// The vault.
    pub vault: VaultId,
    /// The signed header.
    pub header: Unverified<Header>,
    /// The sealed meta.
    pub meta: SealedMeta,
    /// The key of the meta.
    pub meta_key: RecordKey,
    /// The run of the record.
    pub run: Unverified<Run>,
    /// The re-wrap in force when it was fetched, if there was one.
    pub re_wrap: Option<Unverified<ReWrap>>,
    /// Where the record was filed then.
    pub collection: CollectionId,
    /// Of that collection.
    pub generation: Generation,
    /// Its running number there.
    pub number: RecordNumber,
    /// The host's receipt for the fetch.
    pub receipt: Receipt,
    /// The request that it was fetched with.
    pub request: Unverified<Request>,
    /// The host.
    pub node: NodeId,
}

impl ProofFile {
    /// Reads a proof file. Nothing of it counts before it is verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let wire: Wire = from_bytes(bytes, PROOF_FILE_LEN_MAX).map_err(ProofFileError::Encoding)?;
        if wire.version != VERSION {
            return Err(ProofFileError::Version);
        }
        let Wire { vault, header, meta, run, re_wrap, collection, generation, number, receipt, request, node, .. } =
            wire;
        let meta_key = RecordKey::new(wire.meta_key.0);
        Ok(Self { vault, header, meta, meta_key, run, re_wrap, collection, generation, number, receipt, request, node })
    }

    /// The bytes of the file; they hold the meta key.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, ProofFileError> {
        let wire = Wire {
            version: VERSION,
            vault: self.vault,
            header: self.header.clone(),
            meta: self.meta.clone(),
            meta_key: WireSecret(self.meta_key.bytes().clone()),
            run: self.run.clone(),
            re_wrap: self.re_wrap.clone(),
            collection: self.collection,
            generation: self.generation,
            number: self.number,
            receipt: self.receipt.clone(),
            request: self.request.clone(),
            node: self.node,
        };
        to_bytes(&wire).map(Zeroizing::new).map_err(ProofFileError::Encoding)
    }
}

/// The file as it is encoded.
#[derive(SerializeIndexed, DeserializeIndexed)]
struct Wire {
    #[serde(index = 1)]
    version: u8,
    #[serde(index = 2)]
    vault: VaultId,
    #[serde(index = 3)]
    header: Unverified<Header>,
    #[serde(index = 4)]
    meta: SealedMeta,
    #[serde(index = 5)]
    meta_key: WireSecret,
    #[serde(index = 6)]
    run: Unverified<Run>,
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    re_wrap: Option<Unverified<ReWrap>>,
    #[serde(index = 8)]
    collection: CollectionId,
    #[serde(index = 9)]
    generation: Generation,
    #[serde(index = 10)]
    number: RecordNumber,
    #[serde(index = 11)]
    receipt: Receipt,
    #[serde(index = 12)]
    request: Unverified<Request>,
    #[serde(index = 13)]
    node: NodeId,
}

/// Why bytes are no proof file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// Not the one spelling of a proof file.
    #[error("proof file is not in its one spelling")]
    Encoding(#[source] EncodingError),
    /// A version other than 1.
    #[error("unknown version of proof file")]
    Version,
}

const VERSION: u8 = 1;

#[cfg(all(test, feature = "open"))]
mod tests;
