//! What a deed asks the store to commit: effects, and the events that stand for them in the trail.
//!
//! Whoever hands these in has verified and decided; the store checks again only what keeps itself in order. Everything
//! random or timed is in here already.

use karute_consent::id::{
    AskId, CollectionId, Generation, PartyKey, RecordId, RequestId, RotationSequence, RunId, Salt, StatementId,
};
use karute_consent::ledger::Item;
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::time::{Month, Timestamp};
use karute_consent::wire_enum;
use karute_protocol::bao::BodyRef;
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::{Event, TrailNumber};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

/// One change of a vault.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The next item of the ledger, with body and all attachments; the one with place 0 makes the vault.
    Append(Box<Item>),
    /// A record is stored and gets its number.
    Deposit(Box<NewRecord>),
    /// A run is sealed anew, and its records get numbers in the new place.
    ReWrap(NewReWrap),
    /// Records are taken away, their sealed bytes erased, and tombstones left.
    Remove(Removal),
    /// Salt and content of events of the vault's trail are erased; their leaves stay. Numbers that are not there, or
    /// whose event is gone already, are passed over.
    EraseEvents(Vec<TrailNumber>),
    /// A permit was given for a request.
    Use(Use),
    /// An ask is put into the mailbox.
    Ask(NewAsk),
    /// An ask is answered; its sealed bytes are erased.
    AnswerAsk(AskReply),
    /// A key package that the issuer of a child grant passes on.
    PassOn(PassedPackage),
}

impl Effect {
    /// Whether no decision but that on the same record rests on it: the turn need not be held until it is durable.
    pub(super) fn binds_nobody(&self) -> bool {
        match self {
            Self::Deposit(_) => true,
            Self::Use(used) => used.counted.is_empty(),
            Self::Append(_)
            | Self::ReWrap(_)
            | Self::Remove(_)
            | Self::EraseEvents(_)
            | Self::Ask(_)
            | Self::AnswerAsk(_)
            | Self::PassOn(_) => false,
        }
    }
}

/// An event for the trail, before it has its number.
#[derive(Clone, Debug)]
pub struct Note {
    /// What happened. Where a deposit is filed is put in when it is committed.
    pub event: Event,
    /// Salt of its digest.
    pub salt: Salt,
    /// The host's time; its leaf has a later one if the trail is ahead of it (P-38).
    pub time: Timestamp,
}

/// Where a run's records are filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordPlace {
    /// The collection; 16 zero bytes are the inbox.
    pub collection: CollectionId,
    /// Its generation; of the inbox, the root number.
    pub generation: Generation,
}

/// A run as its depositor signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub run: RunId,
    /// Id of the signed statement.
    pub id: StatementId,
    /// The signed statement.
    pub statement: Vec<u8>,
    /// Where it files its records.
    pub place: RecordPlace,
    /// The month of deposit.
    pub epoch: Month,
    /// Who deposits.
    pub depositor: PartyKey,
}

/// A record with everything the host keeps of it.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Its id.
    pub record: RecordId,
    /// The run; stored with its first record.
    pub run: NewRun,
    /// Id of the signed header.
    pub header_id: StatementId,
    /// The signed header.
    pub header: Vec<u8>,
    /// The sealed meta.
    pub meta: Vec<u8>,
    /// Root and length of the sealed body.
    pub body: BodyRef,
    /// The sealed body if it is short; `None`: it is in its place as a file already.
    pub inline: Option<Vec<u8>>,
}

/// A re-wrap as a device signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReWrap {
    /// The run.
    pub run: RunId,
    /// Id of the signed statement.
    pub id: StatementId,
    /// The signed statement.
    pub statement: Vec<u8>,
    /// Where the records go.
    pub place: RecordPlace,
    /// The month in whose epoch they now are.
    pub epoch: Month,
}

wire_enum! {
    /// Why a number has no record.
    TombstoneReason {
        /// The patient had it erased.
        Erased = 1 "erased",
        /// The depositor withdrew it.
        Withdrawn = 2 "withdrawn",
        /// It has another number in another place.
        Moved = 3 "moved",
    }
}

/// Records to be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Which; those that are gone already are passed over.
    pub records: Vec<RecordId>,
    /// Erased or withdrawn.
    pub reason: TombstoneReason,
    /// Id of the signed erasure or withdrawal.
    pub id: StatementId,
    /// The signed erasure or withdrawal; tombstones show it.
    pub statement: Vec<u8>,
}

/// Why a number has no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Gone {
    /// Erased, withdrawn or moved.
    #[serde(index = 1)]
    pub reason: TombstoneReason,
    /// The statement that took it away; none where it was moved.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub by: Option<StatementId>,
}

impl Gone {
    /// It has another number in another place.
    pub const MOVED: Self = Self { reason: TombstoneReason::Moved, by: None };
}

/// One use of a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The request.
    pub request: RequestId,
    /// Who signed it.
    pub signer: PartyKey,
    /// The grants it names, root first.
    pub chain: Vec<StatementId>,
    /// What it is for.
    pub action: Action,
    /// What it is narrowed to.
    pub selector: Selector,
    /// Grants whose use count rises; none for a resume.
    pub counted: Vec<StatementId>,
    /// The host's time.
    pub time: Timestamp,
}

/// An ask for the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAsk {
    /// Its id.
    pub ask: AskId,
    /// Who asks.
    pub sender: PartyKey,
    /// The signed envelope.
    pub envelope: Vec<u8>,
    /// The sealed ask.
    pub sealed: Vec<u8>,
    /// The host's time.
    pub received: Timestamp,
}

/// The answer to an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskReply {
    /// The ask.
    pub ask: AskId,
    /// The signed answer.
    pub statement: Vec<u8>,
}

/// A package passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedPackage {
    /// The child grant.
    pub grant: StatementId,
    /// The rotation that made it necessary.
    pub rotation: RotationSequence,
    /// The sealed package.
    pub package: Vec<u8>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filed {
    /// Collection and generation.
    pub place: RecordPlace,
    /// Its running number there.
    pub number: RecordNumber,
}
