//! Requests: one signed use of a right, bound to one session at one node.

use std::collections::BTreeSet;

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::id::{Challenge, CollectionId, Digest, NodeId, PartyKey, RecordId, RequestId, StatementId, VaultId};
use crate::limits::{CHAIN_LENGTH_MAX, COLLECTIONS_MAX, PEER_BYTES_MAX, RECORDS_PER_SCOPE_MAX, REQUEST_BYTES_MAX};
use crate::purpose::Purpose;
use crate::scope::{Action, check_count, inside};
use crate::statement::{Malformed, Statement};
use crate::time::{MonthRange, Timestamp};

/// One use of a right, signed by who uses it.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Request {
    /// Names this request.
    #[serde(index = 1)]
    pub id: RequestId,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// The grants that the right comes from, root first; none for a device of the vault.
    #[serde(index = 3)]
    pub chain: Vec<StatementId>,
    /// What to do.
    #[serde(index = 4)]
    pub action: Action,
    /// What to do it with.
    #[serde(index = 5)]
    pub selector: Selector,
    /// What for.
    #[serde(index = 6)]
    pub purpose: Purpose,
    /// Digest of the sealed acting person.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub acting_hash: Option<Digest>,
    /// The host's challenge of this session.
    #[serde(index = 8)]
    pub challenge: Challenge,
    /// Rises within a session.
    #[serde(index = 9)]
    pub sequence: u64,
    /// The host.
    #[serde(index = 10)]
    pub node: NodeId,
    /// The requester's own PeerId.
    #[serde(index = 11, with = "serde_bytes")]
    pub peer: Vec<u8>,
    /// The newest ledger head that the requester has seen.
    #[serde(index = 12, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The requester's time.
    #[serde(index = 13)]
    pub time: Timestamp,
    /// The earlier request that this one resumes.
    #[serde(index = 14, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<RequestId>,
}

/// What a request is narrowed to. What is absent is not narrowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Selector {
    /// Collections.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub collections: Option<BTreeSet<CollectionId>>,
    /// Months of deposit.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub months: Option<MonthRange>,
    /// Single records.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub records: Option<BTreeSet<RecordId>>,
}

impl Selector {
    /// Whether it names nothing beyond the other.
    pub fn is_within(&self, other: &Selector) -> bool {
        inside(&self.collections, &other.collections, BTreeSet::is_subset)
            && inside(&self.months, &other.months, MonthRange::within)
            && inside(&self.records, &other.records, BTreeSet::is_subset)
    }
}

/// A ledger as somebody saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Head {
    /// Number of entries.
    #[serde(index = 1)]
    pub size: u64,
    /// RFC 6962 root over the entries' bytes.
    #[serde(index = 2)]
    pub root: Digest,
}

impl Statement for Request {
    const TYPE: &'static str = "request";
    const BYTES_MAX: usize = REQUEST_BYTES_MAX;

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        if self.chain.len() > CHAIN_LENGTH_MAX {
            return Err(Malformed::Count);
        }
        if !(1..=PEER_BYTES_MAX).contains(&self.peer.len()) {
            return Err(Malformed::Bytes);
        }
        if self.selector.collections.as_ref().is_some_and(|named| named.len() > COLLECTIONS_MAX) {
            return Err(Malformed::Count);
        }
        check_count(&self.selector.records, RECORDS_PER_SCOPE_MAX)
    }
}
