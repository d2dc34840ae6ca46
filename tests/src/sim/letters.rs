//! What travels between the ends of a simulated history.

use karute_consent::id::{Generation, RecordId, StatementId};
use karute_consent::ledger::Item;
use karute_consent::request::{Head, Request};
use karute_consent::revocation::Revocation;
use karute_consent::statement::{Unverified, Verified};
use karute_protocol::message::{HeadsFound, TrailItem};
use karute_protocol::trail::{AuditAnswer, CheckpointText, HeadNonce, ListAnswer, Receipt};

/// Where a letter comes from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Host,
    Party(usize),
    Witness(usize),
}

/// One of the host's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Which {
    Trail,
    Ledger,
}

#[derive(Clone, Debug)]
pub(super) enum Letter {
    /// A party asks, under the number of what it is doing.
    Ask(u64, Ask),
    /// The host answers.
    Told(u64, Told),
    /// The host asks a witness: the body of add-checkpoint.
    Cosign(Which, usize, Vec<u8>),
    /// A witness answers: lines, or the size that it knows, or no.
    Cosigned(Which, usize, Vec<u8>, Result<String, Option<u64>>),
    /// The next frame of an answer is due.
    Pump(usize),
    /// A party has waited long enough.
    Late(u64),
    /// The connection on which a party asked broke.
    Cut(u64),
}

#[derive(Clone, Debug)]
pub(super) enum Ask {
    Sync { from: u64 },
    Heads { nonce: HeadNonce, vault: bool, sizes: Vec<u64> },
    Deposit { record: RecordId, header: StatementId, generation: Generation, head: Head },
    Fetch { request: Unverified<Request> },
    Revoke { revocation: Unverified<Revocation> },
    Append { size: u64, items: Vec<Item> },
    Audit { request: Unverified<Request> },
    List { request: Unverified<Request> },
}

#[derive(Clone, Debug)]
pub(super) enum Told {
    Synced { from: u64, items: Vec<Item>, checkpoint: CheckpointText },
    Heads(Box<HeadsFound>),
    Stored { receipt: Box<Receipt> },
    Permitted { receipt: Box<Receipt>, frames: u32 },
    Frame(u32),
    End,
    Appended { checkpoint: CheckpointText, receipt: Box<Receipt> },
    Audited { items: Vec<TrailItem>, answer: Verified<AuditAnswer>, checkpoint: CheckpointText, receipt: Box<Receipt> },
    Listed { ids: Vec<StatementId>, answer: Verified<ListAnswer>, receipt: Box<Receipt> },
    Refused,
    Conflict,
}

impl Letter {
    /// What of it goes into the trace of a history.
    pub(super) fn trace(&self) -> Vec<u8> {
        match self {
            Self::Ask(number, ask) => [&[1, ask.mark()][..], &number.to_be_bytes()].concat(),
            Self::Told(number, told) => [&[2][..], &number.to_be_bytes(), &told.trace()].concat(),
            Self::Cosign(which, face, body) => [&[3, *which as u8, *face as u8][..], body].concat(),
            Self::Cosigned(which, face, _, said) => {
                let said = said.as_ref().map_or_else(|size| format!("{size:?}"), Clone::clone);
                [&[4, *which as u8, *face as u8][..], said.as_bytes()].concat()
            }
            Self::Pump(stream) => [&[5][..], &stream.to_be_bytes()].concat(),
            Self::Late(number) => [&[6][..], &number.to_be_bytes()].concat(),
            Self::Cut(number) => [&[7][..], &number.to_be_bytes()].concat(),
        }
    }
}

impl Ask {
    fn mark(&self) -> u8 {
        match self {
            Self::Sync { .. } => 1,
            Self::Heads { .. } => 2,
            Self::Deposit { .. } => 3,
            Self::Fetch { .. } => 4,
            Self::Revoke { .. } => 5,
            Self::Append { .. } => 6,
            Self::Audit { .. } => 7,
            Self::List { .. } => 8,
        }
    }
}

impl Told {
    fn trace(&self) -> Vec<u8> {
        match self {
            Self::Synced { items, checkpoint, .. } => [&[1, items.len() as u8][..], checkpoint.0.as_bytes()].concat(),
            Self::Heads(found) => [&[2][..], found.trail.bytes(), found.trail_checkpoint.0.as_bytes()].concat(),
            Self::Stored { receipt } => [&[3][..], receipt.leaf.event_hash.as_bytes()].concat(),
            Self::Permitted { receipt, frames } => [&[4, *frames as u8][..], receipt.checkpoint.0.as_bytes()].concat(),
            Self::Frame(place) => [&[5][..], &place.to_be_bytes()].concat(),
            Self::End => vec![6],
            Self::Appended { checkpoint, .. } => [&[7][..], checkpoint.0.as_bytes()].concat(),
            Self::Audited { answer, .. } => [&[8][..], answer.bytes()].concat(),
            Self::Listed { answer, .. } => [&[9][..], answer.bytes()].concat(),
            Self::Refused => vec![10],
            Self::Conflict => vec![11],
        }
    }
}
