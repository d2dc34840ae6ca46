//! What deeds report: lines of plain values that the command line prints or writes as JSON. No secret is in them.

use std::fmt::Display;
use std::path::PathBuf;

use karute_consent::card::CardKind;
use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::{AskId, CollectionId, Digest, Generation, PartyKey, RecordId, StatementId};
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::time::{Month, Timestamp};
use karute_protocol::message::TombstoneReason;
use serde::{Serialize, Serializer};

/// Progress of long work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many files or records in all.
    Files {
        /// How many.
        count: u64,
    },
    /// So many bytes in all.
    Total {
        /// How many.
        bytes: u64,
    },
    /// So many of these bytes are done.
    Bytes {
        /// How many so far.
        done: u64,
    },
    /// One file or record is done.
    Record {
        /// Where it came from or went to.
        path: PathBuf,
    },
}

/// Who is told of progress.
pub type Watch<'a> = &'a mut (dyn FnMut(Step) + Send);

/// Where a fetched record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into this folder, under its own file name.
    Folder(PathBuf),
    /// Into this file.
    File(PathBuf),
}

/// One record, as its opened meta and its verified header describe it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordLine {
    /// The record.
    #[serde(serialize_with = "text")]
    pub record: RecordId,
    /// Where it is filed; 16 zero bytes for the inbox.
    #[serde(serialize_with = "text")]
    pub collection: CollectionId,
    /// Of that collection.
    #[serde(serialize_with = "text")]
    pub generation: Generation,
    /// Running number there.
    pub number: u64,
    /// Whether it waits in the inbox.
    pub in_inbox: bool,
    /// What it holds, as its meta says.
    #[serde(serialize_with = "text")]
    pub category: Category,
    /// How careful to be with it.
    #[serde(serialize_with = "text")]
    pub sensitivity: Sensitivity,
    /// Its title.
    pub title: String,
    /// Media type of the file.
    pub media_type: String,
    /// `YYYY-MM-DD`.
    pub service_date: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// Bytes of the file.
    pub length: u64,
    /// SHA-256 of the file.
    #[serde(serialize_with = "text")]
    pub digest: Digest,
    /// Name of the file.
    pub file_name: Option<String>,
    /// Who deposited it.
    #[serde(serialize_with = "text")]
    pub depositor: PartyKey,
    /// That party's name, where a card was seen.
    pub depositor_name: Option<String>,
    /// When it was sealed, by the depositor's clock.
    pub deposited: Timestamp,
    /// Month of deposit.
    #[serde(serialize_with = "text")]
    pub month: Month,
    /// The record of the same depositor that takes its place.
    #[serde(serialize_with = "text_if")]
    pub superseded_by: Option<RecordId>,
}

/// A number whose record is no more in its place.
#[derive(Clone, Debug, Serialize)]
pub struct GoneLine {
    /// Where it was filed.
    #[serde(serialize_with = "text")]
    pub collection: CollectionId,
    /// Of that collection.
    #[serde(serialize_with = "text")]
    pub generation: Generation,
    /// Its number.
    pub number: u64,
    /// Why it is gone.
    #[serde(serialize_with = "text")]
    pub reason: TombstoneReason,
}

/// The records in reach.
#[derive(Clone, Debug, Serialize)]
pub struct Records {
    /// Records whose meta opened, in the order of collection, generation and number.
    pub records: Vec<RecordLine>,
    /// Numbers without a record.
    pub gone: Vec<GoneLine>,
    /// Records that are there and that no key here opens.
    pub closed: u64,
    /// Whether the host's signed counts show that nothing in reach was left out (P-26).
    pub complete: bool,
}

/// A record that was fetched.
#[derive(Clone, Debug, Serialize)]
pub struct Fetched {
    /// The record.
    #[serde(serialize_with = "text")]
    pub record: RecordId,
    /// Its title.
    pub title: String,
    /// The file that was written.
    pub path: PathBuf,
    /// The proof beside it.
    pub proof: PathBuf,
    /// Bytes of the file.
    pub length: u64,
    /// SHA-256 of the file.
    #[serde(serialize_with = "text")]
    pub digest: Digest,
}

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// In force.
    Active,
    /// Its time has not begun.
    NotYet,
    /// Its time is over.
    Expired,
    /// Revoked, itself or above it.
    Revoked,
}

/// One grant of the ledger.
#[derive(Clone, Debug, Serialize)]
pub struct GrantLine {
    /// The grant.
    #[serde(serialize_with = "text")]
    pub grant: StatementId,
    /// The grant it is a child of.
    #[serde(serialize_with = "text_if")]
    pub parent: Option<StatementId>,
    /// Who may use it.
    #[serde(serialize_with = "text")]
    pub holder: PartyKey,
    /// That party's name by its card.
    pub holder_name: Option<String>,
    /// Number of the template; 0 for none, absent when the particulars did not open.
    pub template: Option<u8>,
    /// What may be done.
    #[serde(serialize_with = "texts")]
    pub actions: Vec<Action>,
    /// Kinds of data; empty when the particulars did not open.
    #[serde(serialize_with = "kinds")]
    pub kinds: Vec<Kind>,
    /// First month and the month after the last; absent is without limit.
    #[serde(serialize_with = "text_if")]
    pub from_month: Option<Month>,
    /// The month after the last.
    #[serde(serialize_with = "text_if")]
    pub to_month: Option<Month>,
    /// Single records; absent is without limit.
    #[serde(serialize_with = "texts_if")]
    pub records: Option<Vec<RecordId>>,
    /// What for.
    #[serde(serialize_with = "texts")]
    pub purposes: Vec<Purpose>,
    /// From when.
    pub not_before: Timestamp,
    /// Until when, this moment not in it.
    pub not_after: Timestamp,
    /// How often; absent is without limit.
    pub uses: Option<u32>,
    /// How deeply it may be passed on.
    pub depth: u8,
    /// How it stands.
    pub state: GrantState,
}

/// An ask for access.
#[derive(Clone, Debug, Serialize)]
pub struct AskLine {
    /// The ask.
    #[serde(serialize_with = "text")]
    pub ask: AskId,
    /// Who asks, proved by the signature.
    #[serde(serialize_with = "text")]
    pub from: PartyKey,
    /// Who that party says it is, by its own card.
    pub name: String,
    /// What kind of party it says it is.
    #[serde(serialize_with = "text")]
    pub kind: CardKind,
    /// What it wants to do.
    #[serde(serialize_with = "texts")]
    pub actions: Vec<Action>,
    /// With which kinds of data.
    #[serde(serialize_with = "kinds")]
    pub kinds: Vec<Kind>,
    /// First month of deposit; absent is without limit.
    #[serde(serialize_with = "text_if")]
    pub from_month: Option<Month>,
    /// The month after the last.
    #[serde(serialize_with = "text_if")]
    pub to_month: Option<Month>,
    /// What for.
    #[serde(serialize_with = "text")]
    pub purpose: Purpose,
    /// For how many days.
    pub days: u16,
    /// Why, in its words.
    pub note: String,
    /// When it was made, by its maker's clock.
    pub issued: Timestamp,
    /// The ask as text, for approve.
    pub text: String,
    /// How many records of these kinds are there already, where this is known.
    pub already: Option<u64>,
}

/// A grant that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Granted {
    /// The grant.
    #[serde(serialize_with = "text")]
    pub grant: StatementId,
    /// Who may use it.
    #[serde(serialize_with = "text")]
    pub holder: PartyKey,
    /// That party's name by its card.
    pub holder_name: String,
    /// What may be done.
    #[serde(serialize_with = "texts")]
    pub actions: Vec<Action>,
    /// Kinds of data.
    #[serde(serialize_with = "kinds")]
    pub kinds: Vec<Kind>,
    /// From when.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// How often.
    pub uses: Option<u32>,
    /// Entries of the ledger with it.
    pub size: u64,
}

/// Writes a value as it is displayed.
pub(crate) fn text<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Writes a value as it is displayed, or null.
pub(crate) fn text_if<T: Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

/// Writes each value as it is displayed.
pub(crate) fn texts<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}

/// Writes each value as it is displayed, or null.
pub(crate) fn texts_if<T: Display, S: Serializer>(values: &Option<Vec<T>>, to: S) -> Result<S::Ok, S::Error> {
    match values {
        Some(values) => texts(values, to),
        None => to.serialize_none(),
    }
}

/// Writes kinds of data as `category` or `category/sensitive`.
pub(crate) fn kinds<S: Serializer>(kinds: &[Kind], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(kinds.iter().map(|kind| match kind.sensitivity {
        Sensitivity::Normal => kind.category.to_string(),
        Sensitivity::Sensitive => format!("{}/sensitive", kind.category),
    }))
}
