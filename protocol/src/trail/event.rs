//! Events: what was done with a vault, by whom, under which request.
//!
//! An event that answers a request carries it as its signer signed it, so that a host cannot write down a reading that
//! nobody asked for (P-39).

use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::{
    CollectionId, Digest, Generation, NodeId, PartyKey, RecordId, RequestId, Salt, StatementId, VaultId,
};
use karute_consent::limits::{CHAIN_LENGTH_MAX, PEER_BYTES_MAX};
use karute_consent::purpose::Purpose;
use karute_consent::request::{Head, Request};
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified};
use karute_consent::tree::digest_of;
use karute_consent::wire_enum;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{Outcome, ReceiptError};
use crate::hpke::Sealed;
use crate::limits;
use crate::record::RecordNumber;
use crate::wire::Octets;

wire_enum! {
    /// What was done.
    EventKind {
        /// An entry was appended to the ledger.
        LedgerAppend = 1 "ledger-append",
        /// A record was stored.
        Deposit = 2 "deposit",
        /// Records were listed.
        List = 3 "list",
        /// Records were read.
        Read = 4 "read",
        /// The trail was read.
        Audit = 5 "audit",
        /// Something was refused.
        Refusal = 6 "refusal",
        /// A depositor withdrew records.
        Withdrawal = 7 "withdrawal",
        /// The patient erased records.
        Erasure = 8 "erasure",
        /// A device re-wrapped a run.
        ReWrap = 9 "re-wrap",
        /// An ask was put into the mailbox.
        Ask = 10 "ask",
        /// The holder of a grant synced.
        GrantSync = 11 "grant-sync",
        /// Records were exported; reserved.
        Export = 12 "export",
        /// The issuer of a child grant passed a key package on.
        PassOn = 13 "pass-on",
    }
}

impl EventKind {
    /// Whether an event of this kind can come of a request with this action.
    fn may_answer(self, action: Action) -> bool {
        match self {
            Self::List => action == Action::List,
            Self::Read => matches!(action, Action::Read | Action::Export),
            Self::Export => action == Action::Export,
            Self::Audit => action == Action::Audit,
            Self::GrantSync => action == Action::Sync,
            Self::Deposit => action == Action::Deposit,
            _ => true,
        }
    }
}

/// One event of a vault. The host stores it beside the trail; its salted digest is in the leaf.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Event {
    /// What was done.
    #[serde(index = 1)]
    pub kind: EventKind,
    /// Who acted.
    #[serde(index = 2)]
    pub party: PartyKey,
    /// The transport end that it came from, 1 to 64 bytes.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Octets>,
    /// The request.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The grants that were used, root first.
    #[serde(index = 5)]
    pub chain: Vec<StatementId>,
    /// The action of the request.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The purpose of the request.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The first records of the answer, at most 64, in its order.
    #[serde(index = 8)]
    pub records: Vec<RecordId>,
    /// Records in all.
    #[serde(index = 9)]
    pub count: u64,
    /// Done, or why not.
    #[serde(index = 10)]
    pub outcome: Outcome,
    /// The sealed acting person.
    #[serde(index = 11, skip_serializing_if = "Option::is_none")]
    pub acting: Option<Sealed>,
    /// The vault's ledger when it was decided.
    #[serde(index = 12)]
    pub head: Head,
    /// The statement that the event is about: entry, header, withdrawal, re-wrap or ask-envelope.
    #[serde(index = 13, skip_serializing_if = "Option::is_none")]
    pub subject: Option<StatementId>,
    /// Where a deposit filed its record.
    #[serde(index = 14, skip_serializing_if = "Option::is_none")]
    pub place: Option<EventPlace>,
    /// The signed request, where one was decided.
    #[serde(index = 15, skip_serializing_if = "Option::is_none")]
    pub request_statement: Option<Unverified<Request>>,
}

/// Where a deposit filed its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct EventPlace {
    /// The collection; 16 zero bytes are the inbox.
    #[serde(index = 1)]
    pub collection: CollectionId,
    /// Its generation.
    #[serde(index = 2)]
    pub generation: Generation,
    /// Running number there.
    #[serde(index = 3)]
    pub number: RecordNumber,
}

impl Event {
    /// Refuses lists above their limits.
    pub fn check(&self) -> Result<(), ReceiptError> {
        let peer = self.peer.as_ref().map_or(1, |peer| peer.len());
        let bounded = self.chain.len() <= CHAIN_LENGTH_MAX
            && self.records.len() <= limits::EVENT_RECORDS_MAX
            && (1..=PEER_BYTES_MAX).contains(&peer)
            && self.records.len() as u64 <= self.count;
        if bounded { Ok(()) } else { Err(ReceiptError::EventLimits) }
    }

    /// The salted digest that stands in the leaf.
    pub fn digest(&self, salt: &Salt) -> Result<Digest, EncodingError> {
        Ok(digest_of(&[b"karute-v1/trail-event\0", salt.as_bytes(), &to_bytes(self)?]))
    }

    /// Whether an event of this shape has to carry the request that it answers (P-39).
    pub fn must_carry_request(&self) -> bool {
        match self.kind {
            EventKind::List | EventKind::Read | EventKind::Audit | EventKind::GrantSync | EventKind::Export => true,
            EventKind::Refusal => self.request.is_some(),
            _ => false,
        }
    }

    /// The signed request that an event of a vault, in the trail of a node, answers, if it carries one. Refused: one that
    /// does not verify or is not the event's, and none where there has to be one (P-39).
    pub fn check_request(&self, vault: VaultId, node: NodeId) -> Result<Option<Verified<Request>>, ReceiptError> {
        let Some(statement) = &self.request_statement else {
            return if self.must_carry_request() { Err(ReceiptError::NoRequest) } else { Ok(None) };
        };
        let request = statement.clone().verify_by(self.party).map_err(ReceiptError::Request)?;
        let asked = request.payload();
        let same = asked.vault == vault
            && (asked.node == node || self.kind == EventKind::Refusal) // "wrong node" is a reason to refuse
            && self.kind.may_answer(asked.action)
            && self.request == Some(asked.id)
            && self.chain == asked.chain
            && self.action == Some(asked.action)
            && self.purpose == Some(asked.purpose)
            && self.peer.as_ref().is_none_or(|peer| peer.0 == asked.peer);
        if same { Ok(Some(request)) } else { Err(ReceiptError::OtherRequest) }
    }

    /// Whether a record is among those of the event, as far as it says: it names the first 64 only.
    pub fn may_be_about(&self, record: &RecordId) -> bool {
        self.records.contains(record) || self.count > self.records.len() as u64
    }
}
