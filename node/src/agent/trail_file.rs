//! A vault's trail as a file: everything that is needed to check it again without the node.

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{NodeId, VaultId};
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::TrailItem;
use karute_protocol::trail::{CheckpointRefused, CheckpointText, Log, ReceiptError, verify_event};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

/// The events of one vault up to a checkpoint of its node.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct TrailFile {
    /// 1.
    #[serde(index = 1)]
    version: u8,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// The node.
    #[serde(index = 3)]
    pub node: NodeId,
    /// The node's signed checkpoint; all proofs lead to it.
    #[serde(index = 4)]
    pub checkpoint: CheckpointText,
    /// The events by number.
    #[serde(index = 5)]
    pub items: Vec<TrailItem>,
}

/// Why a trail file does not hold.
#[derive(Debug, thiserror::Error)]
pub enum TrailFileError {
    /// Not the one spelling of a trail file.
    #[error("this is no trail file")]
    Encoding(#[source] EncodingError),
    /// Written by a later version of the program.
    #[error("a trail file of an unknown version")]
    Version,
    /// The checkpoint is not the node's.
    #[error("the checkpoint does not hold")]
    Checkpoint(#[source] CheckpointRefused),
    /// An event does not lead to the checkpoint.
    #[error("event {number} does not hold")]
    Event {
        /// Its number in the file.
        number: u64,
        /// Why.
        source: ReceiptError,
    },
    /// An event of another vault.
    #[error("event {number} is of another vault")]
    OtherVault {
        /// Its number in the file.
        number: u64,
    },
    /// A number is missing, doubled or out of order.
    #[error("the number after {after} is not {after} plus one: something was left out")]
    Gap {
        /// The last number in order.
        after: u64,
    },
}

impl TrailFile {
    /// A file of these events.
    pub fn new(vault: VaultId, node: NodeId, checkpoint: CheckpointText, items: Vec<TrailItem>) -> Self {
        Self { version: VERSION, vault, node, checkpoint, items }
    }

    /// Reads a file; nothing of it counts before it is verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrailFileError> {
        let file: Self = from_bytes(bytes, BYTES_MAX).map_err(TrailFileError::Encoding)?;
        if file.version == VERSION { Ok(file) } else { Err(TrailFileError::Version) }
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrailFileError> {
        to_bytes(self).map_err(TrailFileError::Encoding)
    }

    /// Checks that the numbers run from 1 without gap, and that every event leads to the node's checkpoint.
    pub fn verify(&self) -> Result<TreeHead, TrailFileError> {
        let head = self.checkpoint.verify(Log::Trail, self.node).map_err(TrailFileError::Checkpoint)?;
        for (after, item) in (0u64..).zip(&self.items) {
            let number = item.leaf.number.0;
            if number != after + 1 {
                return Err(TrailFileError::Gap { after });
            }
            if item.leaf.vault != self.vault {
                return Err(TrailFileError::OtherVault { number });
            }
            verify_event(&item.leaf, &item.salt, &item.event, item.index, item.proof.as_ref(), &head)
                .map_err(|source| TrailFileError::Event { number, source })?;
        }
        Ok(head)
    }
}

const VERSION: u8 = 1;
/// Largest trail file, in bytes.
pub const BYTES_MAX: usize = 256 * 1024 * 1024;
