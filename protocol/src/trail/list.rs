//! List answers: a host's word on what it sent, so that an omission is seen.

use std::collections::BTreeSet;

use karute_consent::id::{CollectionId, Digest, Generation, PartyKey, StatementId, VaultId};
use karute_consent::statement::{Malformed, Statement};
use karute_consent::time::Timestamp;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use sha2::{Digest as _, Sha256};

use crate::record::RecordNumber;

/// The host's signed word on what a list answer held; signed by the node's log key.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ListAnswer {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Statement id of the request that was answered.
    #[serde(index = 2)]
    pub request: StatementId,
    /// How many numbers each place has given out, ascending by collection and generation.
    #[serde(index = 3)]
    pub counts: Vec<PlaceCount>,
    /// The host's time.
    #[serde(index = 4)]
    pub time: Timestamp,
    /// SHA-256 over the header ids sent, a tombstone being 32 zero bytes.
    #[serde(index = 5)]
    pub digest: Digest,
}

/// How many running numbers a (collection, generation) has given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, SerializeIndexed, DeserializeIndexed)]
pub struct PlaceCount {
    /// The collection.
    #[serde(index = 1)]
    pub collection: CollectionId,
    /// Its generation.
    #[serde(index = 2)]
    pub generation: Generation,
    /// The highest number.
    #[serde(index = 3)]
    pub count: u64,
}

impl Statement for ListAnswer {
    const TYPE: &'static str = "list-answer";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        let places = |count: &PlaceCount| (count.collection, count.generation);
        if !self.counts.is_sorted_by(|one, next| places(one) < places(next)) {
            return Err(Malformed::Order);
        }
        Ok(())
    }
}

/// The digest of a list answer, made while records and tombstones are sent or received.
#[derive(Clone, Default)]
pub struct ListDigest(Sha256);

impl ListDigest {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A record, by the id of its header.
    pub fn record(&mut self, header: StatementId) {
        self.0.update(header.as_bytes());
    }

    /// A tombstone.
    pub fn tombstone(&mut self) {
        self.0.update([0; StatementId::LEN]);
    }

    /// The digest of all that came.
    pub fn finish(self) -> Digest {
        Digest::from_bytes(self.0.finalize().into())
    }
}

/// The first number from 1 to `count` that is not among `seen`: an omission, where the scope covers the whole place (P-26).
pub fn first_gap(count: u64, seen: &BTreeSet<RecordNumber>) -> Option<RecordNumber> {
    (1..=count).map(RecordNumber).find(|number| !seen.contains(number)) // P-26
}
