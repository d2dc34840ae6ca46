//! Messages that belong to the session itself: hello, done, refusal, fault.

use karute_consent::id::{Challenge, NodeId};
use karute_consent::time::Timestamp;
use karute_consent::{number, wire_enum};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{MessageError, Payload, ascending, at_most};
use crate::limits;
use crate::trail::{CheckpointText, Receipt};

number!(
    /// A version of this protocol; this one is 1.
    Version, u16
);

/// 1: which versions the client speaks, and the newest checkpoints it holds.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Hello {
    /// Versions, ascending.
    #[serde(index = 1)]
    pub versions: Vec<Version>,
    /// Up to 8 checkpoints that the client accepted before.
    #[serde(index = 2)]
    pub heads: Vec<CheckpointText>,
}

impl Payload for Hello {
    const TAG: u8 = 1;

    fn check(&self) -> Result<(), MessageError> {
        at_most(self.versions.len(), limits::VERSIONS_MAX)?;
        ascending(&self.versions)?;
        at_most(self.heads.len(), limits::HEADS_MAX)
    }
}

/// 2: the host's answer to hello.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Welcome {
    /// The version that holds from here on.
    #[serde(index = 1)]
    pub version: Version,
    /// What every request of this session names.
    #[serde(index = 2)]
    pub challenge: Challenge,
    /// The host's node id.
    #[serde(index = 3)]
    pub node: NodeId,
    /// The host's time.
    #[serde(index = 4)]
    pub time: Timestamp,
    /// Up to 8 checkpoints of the host's logs.
    #[serde(index = 5)]
    pub heads: Vec<CheckpointText>,
}

impl Payload for Welcome {
    const TAG: u8 = 2;

    fn check(&self) -> Result<(), MessageError> {
        at_most(self.heads.len(), limits::HEADS_MAX)
    }
}

/// 6: done, with a receipt where the trail has an event for it.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Done {
    /// The event of this deed.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

impl Payload for Done {
    const TAG: u8 = 6;
}

/// 8: no. Every refusal of a right is this message, whatever the reason (P-29).
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Refusal {}

impl Payload for Refusal {
    const TAG: u8 = 8;
}

/// 42: what went wrong, where that is no question of rights.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Fault {
    /// What it was.
    #[serde(index = 1)]
    pub code: FaultCode,
}

impl Payload for Fault {
    const TAG: u8 = 42;
}

wire_enum! {
    /// What went wrong.
    FaultCode {
        /// A message or statement that is not well formed.
        Malformed = 1 "malformed",
        /// The host has too much to do; try again.
        Busy = 2 "busy",
        /// Append: the ledger has another size than expected.
        Conflict = 3 "conflict",
        /// The host's disk.
        Storage = 4 "storage",
        /// Something above its limit.
        Limit = 5 "limit",
        /// A run under a generation or month that is not in force.
        NotInForce = 6 "not-in-force",
        /// A body or header that is not what was begun.
        Changed = 7 "changed",
        /// The host wants a registration code for a new vault.
        RegistrationWanted = 8 "registration",
    }
}

/// A code that a host may ask for before it takes a new vault.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Registration(pub String);
