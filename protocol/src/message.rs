//! Messages: what two ends say to each other over one session (SPEC section 10).
//!
//! A message is a tag of one byte and a map with integer keys in the one spelling of [`karute_consent::encoding`].
//! Odd tags go to the host, even ones to the client; a tag is never used again for something else. Statements travel
//! as byte strings and stay [`Unverified`](karute_consent::statement::Unverified) here: a message that decodes has its
//! shape and its bounds, nothing in it is believed yet.
//!
//! Frames, which carry messages and pieces of bodies, are in [`frame`].

mod ask;
mod deposit;
pub mod frame;
mod heads;
mod ledger;
mod read;
mod session;
mod tombstone;

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use karute_consent::ledger::Item;

pub use ask::{Answer, Ask, AskAnswered, Asks, WaitingAsk};
pub use deposit::{Body, Close, Existing, Key, KeyFound, Offset, OpenRun, Put, ReWraps, Stored, Withdraw};
pub use heads::{Heads, HeadsFound, News, Watch};
pub use ledger::{
    Append, AppendItem, Appended, Attach, Attachment, Face, Faced, GrantPackage, PassOn, Revoke, Sync, Synced,
};
pub use read::{Audit, ByteRange, End, Fetch, List, Listed, Permitted, RecordAnswer, TrailItem};
pub use session::{Done, Fault, FaultCode, Hello, Refusal, Registration, Version, Welcome};
pub use tombstone::{Removal, Tombstone, TombstoneError, TombstoneReason};

use crate::limits::MESSAGE_LEN_MAX;

/// The map of one kind of message.
pub trait Payload: Serialize + DeserializeOwned {
    /// The number of this kind, never used for another.
    const TAG: u8;

    /// Checks bounds and order, which the encoding cannot say.
    fn check(&self) -> Result<(), MessageError> {
        Ok(())
    }
}

/// Why bytes are no message. All of these end the session (P-28).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// No byte at all, so not even a tag.
    #[error("empty message")]
    Empty,
    /// Longer than a message may be.
    #[error("message is longer than {MESSAGE_LEN_MAX} bytes")]
    TooLong,
    /// A tag that is no message of this version.
    #[error("unknown message tag {0}")]
    UnknownTag(u8),
    /// The map is not the one spelling of this kind of message.
    #[error("message is not the one spelling of its kind")]
    Encoding(#[source] EncodingError),
    /// A list or a byte string is longer than its limit.
    #[error("something in the message is above its limit")]
    AboveLimit,
    /// A set that is not strictly ascending (C-10).
    #[error("a set in the message is not strictly ascending")]
    NotASet,
    /// A field is there without the one that it belongs to, or a list that must not be empty is.
    #[error("fields of the message do not belong together")]
    Inconsistent,
}

macro_rules! messages {
    ($($(#[$meta:meta])* $kind:ident,)+) => {
        /// One message of any kind; the variants are in the order of their tags.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Message {
            $($(#[$meta])* $kind(Box<$kind>),)+
        }

        impl Message {
            /// The number of this message's kind.
            pub fn tag(&self) -> u8 {
                match self {
                    $(Self::$kind(_) => $kind::TAG,)+
                }
            }

            /// Tag and map as they go into a frame.
            pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
                match self {
                    $(Self::$kind(payload) => encode(payload.as_ref()),)+
                }
            }

            /// Reads exactly one message.
            pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
                if bytes.len() > MESSAGE_LEN_MAX {
                    return Err(MessageError::TooLong); // P-28
                }
                let (tag, map) = bytes.split_first().ok_or(MessageError::Empty)?;
                match *tag {
                    $($kind::TAG => decode(map).map(|payload| Self::$kind(Box::new(payload))),)+
                    unknown => Err(MessageError::UnknownTag(unknown)), // P-28
                }
            }
        }

        $(impl From<$kind> for Message {
            fn from(payload: $kind) -> Self {
                Self::$kind(Box::new(payload))
            }
        })+
    };
}

messages! {
    /// 1: the first message of a session.
    Hello,
    /// 2: the host's answer to hello, with the challenge of this session.
    Welcome,
    /// 3: asks for what everyone who knows the vault id is shown.
    Face,
    /// 4: ends the items of a face.
    Faced,
    /// 5: hands over an attachment for a later append.
    Attach,
    /// 6: done.
    Done,
    /// 7: appends items to a ledger.
    Append,
    /// 8: the one refusal.
    Refusal,
    /// 9: a revocation, in force at once.
    Revoke,
    /// 10: appended.
    Appended,
    /// 11: asks for one's own part of a ledger.
    Sync,
    /// 12: an item of a ledger.
    Item,
    /// 13: asks for an epoch key.
    Key,
    /// 14: the answer to an ask.
    AskAnswered,
    /// 15: begins a run.
    OpenRun,
    /// 16: a key package for a grant of one's own.
    GrantPackage,
    /// 17: begins or resumes a body.
    Body,
    /// 18: ends a sync.
    Synced,
    /// 19: commits a record.
    Put,
    /// 20: an epoch key, or none.
    KeyFound,
    /// 21: reads records.
    Fetch,
    /// 22: where the host is in a body.
    Offset,
    /// 23: lists records.
    List,
    /// 24: stored, or withdrawn.
    Stored,
    /// 25: withdraws records.
    Withdraw,
    /// 26: permitted, with the receipt of the trail.
    Permitted,
    /// 27: reads the trail.
    Audit,
    /// 28: a record.
    RecordAnswer,
    /// 29: puts an ask into the mailbox.
    Ask,
    /// 30: ends an answer.
    End,
    /// 31: reads the mailbox.
    Asks,
    /// 32: a record that is no more in its place.
    Tombstone,
    /// 33: answers an ask.
    Answer,
    /// 34: ends a list or an audit.
    Listed,
    /// 35: re-wraps runs.
    ReWraps,
    /// 36: an event of the trail.
    TrailItem,
    /// 37: closes the deposit of this session.
    Close,
    /// 38: an ask in the mailbox.
    WaitingAsk,
    /// 39: passes a package on to the holder of a child grant.
    PassOn,
    /// 40: an attachment of the item that follows.
    Attachment,
    /// 41: asks for the newest heads.
    Heads,
    /// 42: what went wrong, where that is no question of rights.
    Fault,
    /// 43: asks for every event of a vault from now on.
    Watch,
    /// 44: the newest heads.
    HeadsFound,
    /// 46: an event that has just become durable.
    News,
}

impl Message {
    /// Whether this kind of message goes to the host; the others go to the client.
    pub fn is_for_host(&self) -> bool {
        self.tag() % 2 == 1
    }
}

/// Tag and map of a payload.
pub fn encode<P: Payload>(payload: &P) -> Result<Vec<u8>, MessageError> {
    payload.check()?;
    let map = to_bytes(payload).map_err(MessageError::Encoding)?;
    let mut bytes = Vec::with_capacity(1 + map.len());
    bytes.push(P::TAG);
    bytes.extend_from_slice(&map);
    if bytes.len() > MESSAGE_LEN_MAX {
        return Err(MessageError::TooLong);
    }
    Ok(bytes)
}

fn decode<P: Payload>(map: &[u8]) -> Result<P, MessageError> {
    let payload: P = from_bytes(map, MESSAGE_LEN_MAX).map_err(MessageError::Encoding)?;
    payload.check()?;
    Ok(payload)
}

/// Refuses a list or byte string above its limit.
fn at_most(len: usize, max: usize) -> Result<(), MessageError> {
    if len <= max { Ok(()) } else { Err(MessageError::AboveLimit) }
}

/// Refuses what is not strictly ascending.
fn ascending<T: Ord>(values: &[T]) -> Result<(), MessageError> {
    if values.is_sorted_by(|one, next| one < next) { Ok(()) } else { Err(MessageError::NotASet) }
}

#[cfg(test)]
mod tests;
