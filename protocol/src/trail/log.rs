//! The logs that a node signs, and their checkpoints as they travel.

use karute_consent::id::{NodeId, VaultId};
use karute_consent::party::{Identity, Party};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::merkle::TreeHead;
use crate::note::{KeyName, NoteKey};

/// A checkpoint as text: a signed note, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckpointText(pub String);

/// One of the logs that a node signs checkpoints of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// The node's trail: events of all its vaults.
    Trail,
    /// The ledger of one vault.
    Ledger(VaultId),
}

impl Log {
    /// The origin of the log's checkpoints, which is also the name of the key that signs them.
    pub fn origin(self, node: NodeId) -> KeyName {
        let origin = match self {
            Log::Trail => format!("karute/trail/{node}"),
            Log::Ledger(vault) => format!("karute/ledger/{vault}"),
        };
        origin.parse().expect("letters, digits and slashes are a key name")
    }
}

impl CheckpointText {
    /// Signs what a log has come to.
    pub fn sign(log: Log, head: TreeHead, identity: &Identity) -> Self {
        let node = NodeId::from_bytes(*identity.key().as_bytes());
        let signed = Checkpoint { origin: log.origin(node), head }.sign(identity);
        Self(String::from_utf8(signed.to_bytes()).expect("a signed note is text"))
    }

    /// Size and root, if this node signed them for this log (P-23).
    pub fn verify(&self, log: Log, node: NodeId) -> Result<TreeHead, CheckpointRefused> {
        let party = Party::from_key(node.key()).map_err(|_| CheckpointRefused::Node)?;
        let key = NoteKey { name: log.origin(node), party };
        let signed = SignedCheckpoint::from_bytes(self.0.as_bytes()).map_err(CheckpointRefused::Checkpoint)?;
        Ok(signed.verify(&key).map_err(CheckpointRefused::Checkpoint)?.head) // P-23
    }
}

/// Why a checkpoint does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointRefused {
    /// The node id is no key that signs.
    #[error("node id is not a usable key")]
    Node,
    /// Malformed, of another origin or not signed by the node (P-23).
    #[error("checkpoint refused")]
    Checkpoint(#[source] CheckpointError),
}
