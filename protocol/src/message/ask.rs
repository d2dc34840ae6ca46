//! Messages of the mailbox: a facility asks for access, a device reads and answers.

use karute_consent::ask::{AskAnswer, AskEnvelope};
use karute_consent::request::Request;
use karute_consent::statement::Unverified;
use karute_consent::time::Timestamp;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::Payload;
use crate::hpke::Sealed;

/// 29: puts a sealed ask into a vault's mailbox.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Ask {
    /// The signed envelope.
    #[serde(index = 1)]
    pub envelope: Unverified<AskEnvelope>,
    /// The ask, sealed to the vault's audit key.
    #[serde(index = 2)]
    pub sealed: Sealed,
}

impl Payload for Ask {
    const TAG: u8 = 29;
}

/// 31: a device asks for what waits in the mailbox.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Asks {
    /// A request with action sync.
    #[serde(index = 1)]
    pub request: Unverified<Request>,
}

impl Payload for Asks {
    const TAG: u8 = 31;
}

/// 38: an ask that waits.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct WaitingAsk {
    /// The signed envelope.
    #[serde(index = 1)]
    pub envelope: Unverified<AskEnvelope>,
    /// The ask, sealed to the vault's audit key.
    #[serde(index = 2)]
    pub sealed: Sealed,
    /// When the host received it.
    #[serde(index = 3)]
    pub received: Timestamp,
}

impl Payload for WaitingAsk {
    const TAG: u8 = 38;
}

/// 14: the answer to an ask, for who asked.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct AskAnswered {
    /// The answer.
    #[serde(index = 1)]
    pub answer: Unverified<AskAnswer>,
}

impl Payload for AskAnswered {
    const TAG: u8 = 14;
}

/// 33: a device answers an ask.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Answer {
    /// The answer.
    #[serde(index = 1)]
    pub answer: Unverified<AskAnswer>,
}

impl Payload for Answer {
    const TAG: u8 = 33;
}
