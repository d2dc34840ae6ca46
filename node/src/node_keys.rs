//! A node's own keys, at rest in its keystore: the transport key that peers see, the log key that signs checkpoints, and
//! the code that lets a new vault in. None of them opens a record.
//!
//! Loss of the log key ends the node's trail: its vaults must move to a new node id. Theft lets the thief sign false
//! checkpoints, which witnesses and every earlier receipt contradict.

use std::path::Path;

use data_encoding::BASE32_NOPAD;
use karute_consent::id::NodeId;
use karute_consent::party::Identity;
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::failure::{Failure, FailureKind};
use crate::home::{Home, read_bounded, write_atomic};
use crate::keystore::Keystore;
use crate::net::TransportSeed;
use crate::passphrase::Passphrase;

/// The keys of one node.
pub struct NodeKeys {
    transport: Zeroizing<[u8; 32]>,
    log: Zeroizing<[u8; 32]>,
    registration: Zeroizing<[u8; REGISTRATION_LEN]>,
}

impl NodeKeys {
    /// Draws fresh keys and keeps them in `home` under `passphrase`.
    pub fn create(home: &Home, passphrase: &Passphrase, ambient: &Ambient) -> Result<Self, Failure> {
        let keys = Self { transport: ambient.secret(), log: ambient.secret(), registration: ambient.secret() };
        Keystore::create(&home.join(KEYS_NAME), passphrase, ambient, &keys.to_bytes())?;
        Ok(keys)
    }

    /// Opens the keys kept in the node's folder; reading them needs no lock.
    pub fn open(folder: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        let (_, content) = Keystore::open(&folder.join(KEYS_NAME), passphrase)?;
        Self::from_bytes(&content).ok_or_else(|| {
            Failure::new(FailureKind::InvalidInput, format!("the keys in {} are not a node's", folder.display()))
                .hint("this is another role's folder: name the node's with --home")
        })
    }

    /// Whether `folder` holds keys already.
    pub fn exist(folder: &Path) -> bool {
        folder.join(KEYS_NAME).exists()
    }

    /// The transport key.
    pub fn transport(&self) -> TransportSeed {
        TransportSeed::new(*self.transport)
    }

    /// The log key.
    pub fn log(&self) -> Identity {
        Identity::from_seed(&self.log)
    }

    /// The node's id: the public half of its log key.
    pub fn node(&self) -> NodeId {
        NodeId::from_slice(self.log().key().as_ref()).expect("both have 32 bytes")
    }

    /// The code that a patient shows to make a vault here.
    pub fn registration_code(&self) -> String {
        BASE32_NOPAD.encode(&self.registration[..]).to_lowercase()
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(MARK.to_vec());
        bytes.extend_from_slice(&self.transport[..]);
        bytes.extend_from_slice(&self.log[..]);
        bytes.extend_from_slice(&self.registration[..]);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MARK)?;
        let (transport, rest) = rest.split_first_chunk()?;
        let (log, rest) = rest.split_first_chunk()?;
        let registration = rest.try_into().ok()?;
        Some(Self {
            transport: Zeroizing::new(*transport),
            log: Zeroizing::new(*log),
            registration: Zeroizing::new(registration),
        })
    }
}

/// What anybody may know of a node; kept beside its keys so that showing it needs no passphrase.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NodeFacts {
    /// The node's id in hex.
    pub node: String,
    /// The transport key that its address ends in.
    pub peer: String,
}

impl NodeFacts {
    /// The facts of these keys.
    pub fn of(keys: &NodeKeys) -> Self {
        Self { node: keys.node().to_hex(), peer: keys.transport().peer_key().to_string() }
    }

    /// Writes them into `home`.
    pub fn save(&self, home: &Home) -> Result<(), Failure> {
        let text = serde_json::to_vec(self)
            .map_err(|e| Failure::new(FailureKind::Internal, e).during("writing the node's facts"))?;
        write_atomic(&home.join(FACTS_NAME), &text)
    }

    /// Reads them from a node's folder; `None` if it is not one.
    pub fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FACTS_NAME);
        let Some(bytes) = read_bounded(&path, FACTS_BYTES_MAX)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Failure::new(FailureKind::Storage, e).during(format!("reading {}", path.display())))
    }
}

const FACTS_NAME: &str = "node.json";
const FACTS_BYTES_MAX: u64 = 4096;
const KEYS_NAME: &str = "keys";
/// Tells a node's secrets from an agent's, and their version.
const MARK: &[u8] = b"node\x01";
/// 80 bits: not to be guessed over a network.
const REGISTRATION_LEN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use karute_consent::time::Timestamp;

    #[test]
    fn a_node_has_the_same_keys_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new(Zeroizing::new("correct horse".to_owned())).ok().unwrap();
        let ambient = Ambient::fixed(Timestamp::from_secs(0), 1);
        let home = Home::create(&dir.path().join("node")).ok().unwrap();
        let made = NodeKeys::create(&home, &passphrase, &ambient).ok().unwrap();
        let opened = NodeKeys::open(home.path(), &passphrase).ok().unwrap();
        assert_eq!(made.node(), opened.node());
        assert_eq!(made.transport().peer_key(), opened.transport().peer_key());
        assert_eq!(made.registration_code(), opened.registration_code());
        assert_eq!(made.registration_code().len(), 16);
        assert!(NodeKeys::create(&home, &passphrase, &ambient).is_err());
    }

    #[test]
    fn secrets_of_another_role_or_length_are_not_a_nodes() {
        for bytes in [&b""[..], b"node\x01", b"node\x02", &[0; 79]] {
            assert!(NodeKeys::from_bytes(bytes).is_none());
        }
    }
}
