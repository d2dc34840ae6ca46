//! Keys and values of the index, other than plain bytes.

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{
    AskId, CollectionId, Digest, Generation, PartyKey, RecordId, RequestId, RunId, StatementId, VaultId,
};
use karute_consent::request::Selector;
use karute_consent::scope::{Action, Place as ScopePlace};
use karute_consent::time::{Month, Timestamp};
use karute_protocol::bao::{BodyRef, BodyRoot};
use karute_protocol::merkle::Place as TreePlace;
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::TrailIndex;
use karute_protocol::wire::{ByteCount, LedgerSize, Octets};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::effect::{Filed, Gone, RecordPlace, TombstoneReason};
use super::index::{ENTRY_BYTES_MAX, Index, IndexError, Writes};
use super::journal::Position;
use super::schema::Tree;

/// Reads that [`Index`] and [`Writes`] both offer.
pub(super) trait Rows {
    fn bytes(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError>;

    fn row<T: Serialize + DeserializeOwned>(&self, tree: Tree, key: &[u8]) -> Result<Option<T>, IndexError> {
        self.bytes(tree, key)?.map(|bytes| read_row(&bytes)).transpose()
    }

    fn number(&self, tree: Tree, key: &[u8]) -> Result<u64, IndexError> {
        self.bytes(tree, key)?.map_or(Ok(0), |bytes| read_number(&bytes))
    }
}

impl Rows for Index {
    fn bytes(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(tree, key)
    }
}

impl Rows for Writes<'_> {
    fn bytes(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(tree, key)
    }
}

pub(super) fn read_row<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, IndexError> {
    from_bytes(bytes, ENTRY_BYTES_MAX).map_err(|_| IndexError::Damaged)
}

pub(super) fn read_number(bytes: &[u8]) -> Result<u64, IndexError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| IndexError::Damaged)
}

pub(super) fn write_row<T: Serialize>(row: &T) -> Result<Vec<u8>, EncodingError> {
    to_bytes(row)
}

/// Sizes of a vault's logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub(super) struct VaultRow {
    #[serde(index = 1)]
    pub(super) ledger: LedgerSize,
    /// Events so far: also the number of the last one.
    #[serde(index = 2)]
    pub(super) trail: u64,
}

/// A ledger entry.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub(super) struct EntryRow {
    #[serde(index = 1)]
    pub(super) entry: Octets,
    #[serde(index = 2)]
    pub(super) attachments: u8,
}

/// Everything about a record but its sealed bytes.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RecordRow {
    #[serde(index = 1)]
    pub(super) record: RecordId,
    #[serde(index = 2)]
    pub(super) run: RunId,
    #[serde(index = 3)]
    pub(super) depositor: PartyKey,
    #[serde(index = 4)]
    pub(super) collection: CollectionId,
    #[serde(index = 5)]
    pub(super) generation: Generation,
    #[serde(index = 6)]
    pub(super) number: RecordNumber,
    #[serde(index = 7)]
    pub(super) month: Month,
    #[serde(index = 8)]
    pub(super) header_id: StatementId,
    #[serde(index = 9)]
    pub(super) body_root: Digest,
    #[serde(index = 10)]
    pub(super) body_length: ByteCount,
    #[serde(index = 11)]
    pub(super) receipt: TrailIndex,
    /// Where the sealed bytes stand in the journal; gone when they are.
    #[serde(index = 12, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Octets>,
    /// Why the record is no longer there.
    #[serde(index = 13, skip_serializing_if = "Option::is_none")]
    pub(super) removed: Option<Gone>,
    /// Whether the sealed body is in the index.
    #[serde(index = 14)]
    pub(super) inline: bool,
}

impl RecordRow {
    /// Its id.
    pub fn record(&self) -> RecordId {
        self.record
    }

    /// Its run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Who deposited it.
    pub fn depositor(&self) -> PartyKey {
        self.depositor
    }

    /// Place and number.
    pub fn filed(&self) -> Filed {
        Filed { place: RecordPlace { collection: self.collection, generation: self.generation }, number: self.number }
    }

    /// What a scope is asked about.
    pub fn scope_place(&self) -> ScopePlace {
        ScopePlace { collection: self.collection, month: self.month, record: self.record, depositor: self.depositor }
    }

    /// Id of the signed header.
    pub fn header_id(&self) -> StatementId {
        self.header_id
    }

    /// Root and length of the sealed body.
    pub fn body(&self) -> BodyRef {
        BodyRef { root: BodyRoot(*self.body_root.as_bytes()), len: self.body_length.0 }
    }

    /// Why it is no longer there, if it is not.
    pub fn removed(&self) -> Option<Gone> {
        self.removed
    }

    /// Whether the sealed body is short and kept in the index.
    pub fn is_inline(&self) -> bool {
        self.inline
    }

    pub(super) fn content_position(&self) -> Option<Position> {
        self.content.as_ref().and_then(read_position)
    }
}

/// Reads a place in the journal.
pub(super) fn read_position(bytes: &Octets) -> Option<Position> {
    bytes.0.as_slice().try_into().ok().map(Position::from_bytes)
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RunRow {
    #[serde(index = 1)]
    pub(super) run: RunId,
    #[serde(index = 2)]
    pub(super) depositor: PartyKey,
    #[serde(index = 3)]
    pub(super) collection: CollectionId,
    #[serde(index = 4)]
    pub(super) generation: Generation,
    #[serde(index = 5)]
    pub(super) epoch: Month,
    #[serde(index = 6)]
    pub(super) id: StatementId,
    /// The run or the re-wrap in force.
    #[serde(index = 7)]
    pub(super) in_force: StatementId,
}

impl RunRow {
    /// Who deposited.
    pub fn depositor(&self) -> PartyKey {
        self.depositor
    }

    /// Where its records are filed now.
    pub fn place(&self) -> RecordPlace {
        RecordPlace { collection: self.collection, generation: self.generation }
    }

    /// The month of deposit, or the one it was moved to.
    pub fn epoch(&self) -> Month {
        self.epoch
    }

    /// Id of the run's own statement.
    pub fn id(&self) -> StatementId {
        self.id
    }

    /// Id of the statement in force: the run's own or the last re-wrap's.
    pub fn in_force(&self) -> StatementId {
        self.in_force
    }
}

/// A request that was permitted; in pieces, because a selector may be long.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RequestRow {
    /// Who signed it.
    #[serde(index = 1)]
    pub signer: PartyKey,
    /// The grants it named, root first.
    #[serde(index = 2)]
    pub chain: Vec<StatementId>,
    /// When it was permitted, by the host's time.
    #[serde(index = 3)]
    pub time: Timestamp,
    /// Its event.
    #[serde(index = 4)]
    pub event: TrailIndex,
    /// What it was for.
    #[serde(index = 5)]
    pub action: Action,
    /// What it was narrowed to.
    #[serde(index = 6)]
    pub selector: Selector,
}

/// A waiting ask.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub(super) struct AskRow {
    #[serde(index = 1)]
    pub(super) sender: PartyKey,
    #[serde(index = 2)]
    pub(super) envelope: Octets,
    #[serde(index = 3)]
    pub(super) received: Timestamp,
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Octets>,
}

/// What stands under a number: kind 0 a record, else the reason of a tombstone and the statement that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    Record(RecordId),
    Tombstone(Gone),
}

impl Numbered {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        match self {
            Numbered::Record(record) => [&[0], record.as_bytes().as_slice()].concat(),
            Numbered::Tombstone(Gone { reason, by }) => {
                let by = by.as_ref().map_or(&[][..], |id| id.as_bytes());
                [&[reason.number()], by].concat()
            }
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Numbered, IndexError> {
        match bytes {
            [0, record @ ..] => RecordId::from_slice(record).map(Numbered::Record),
            [reason, by @ ..] => {
                let by = if by.is_empty() { Some(None) } else { StatementId::from_slice(by).map(Some) };
                let reason = TombstoneReason::from_number(*reason);
                reason.zip(by).map(|(reason, by)| Numbered::Tombstone(Gone { reason, by }))
            }
            [] => None,
        }
        .ok_or(IndexError::Damaged)
    }
}

pub(super) fn vault_key(vault: VaultId, rest: &[&[u8]]) -> Vec<u8> {
    let mut key = vault.as_bytes().to_vec();
    for part in rest {
        key.extend_from_slice(part);
    }
    key
}

pub(super) fn record_key(vault: VaultId, record: RecordId) -> Vec<u8> {
    vault_key(vault, &[record.as_bytes()])
}

pub(super) fn run_key(vault: VaultId, run: RunId) -> Vec<u8> {
    vault_key(vault, &[run.as_bytes()])
}

pub(super) fn request_key(vault: VaultId, signer: PartyKey, request: RequestId) -> Vec<u8> {
    vault_key(vault, &[signer.as_bytes(), request.as_bytes()])
}

pub(super) fn ask_key(vault: VaultId, ask: AskId) -> Vec<u8> {
    vault_key(vault, &[ask.as_bytes()])
}

pub(super) fn answer_key(vault: VaultId, sender: PartyKey, ask: AskId) -> Vec<u8> {
    vault_key(vault, &[sender.as_bytes(), ask.as_bytes()])
}

pub(super) fn place_key(vault: VaultId, place: RecordPlace) -> Vec<u8> {
    vault_key(vault, &[place.collection.as_bytes(), &place.generation.0.to_be_bytes()])
}

pub(super) fn numbered_key(vault: VaultId, filed: Filed) -> Vec<u8> {
    let mut key = place_key(vault, filed.place);
    key.extend_from_slice(&filed.number.0.to_be_bytes());
    key
}

pub(super) fn seq_key(vault: VaultId, seq: u64) -> Vec<u8> {
    vault_key(vault, &[&seq.to_be_bytes()])
}

pub(super) fn body_name_key(root: &Digest, vault: VaultId, record: RecordId) -> Vec<u8> {
    [root.as_bytes().as_slice(), vault.as_bytes(), record.as_bytes()].concat()
}

pub(super) fn node_key(place: TreePlace) -> Vec<u8> {
    let mut key = vec![place.level];
    key.extend_from_slice(&place.index.to_be_bytes());
    key
}
