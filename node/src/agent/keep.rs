//! Where an agent's state stays between two runs, and how secrets are written there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::VaultId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::agent::error::AgentError;
use crate::agent::heads::{LedgerSeen, SeenHeads};
use crate::agent::store::{StateName, Store};
use crate::ambient::Ambient;
use crate::failure::{Failure, FailureKind};
use crate::passphrase::Passphrase;

/// Where an agent's state stays.
pub struct Keep {
    place: Place,
    /// Heads of nodes' trails that this agent saw.
    heads: SeenHeads,
}

enum Place {
    /// In a folder, sealed under a passphrase.
    Folder(Store),
    /// In memory only: it ends with the process. For agents inside a test or a browser session.
    Memory(Box<InMemory>),
}

/// State of an agent that ends with the process.
struct InMemory {
    ambient: Ambient,
    /// By name, and by vault where there is one for each.
    pieces: HashMap<(&'static str, Option<VaultId>), Zeroizing<Vec<u8>>>,
    receipts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// By kind and content, as their files would be named.
    findings: BTreeMap<String, Vec<u8>>,
}

impl Keep {
    /// A new folder whose keystore holds the encoding of `secrets`.
    pub fn create<T: Serialize>(
        path: &Path,
        passphrase: &Passphrase,
        ambient: &Ambient,
        secrets: &T,
    ) -> Result<Self, Failure> {
        let bytes = encode(secrets)?;
        let place = Place::Folder(Store::create(path, passphrase, ambient, &bytes)?);
        Ok(Self { place, heads: SeenHeads::default() })
    }

    /// An existing folder and what its keystore holds.
    pub fn open<T: Serialize + DeserializeOwned>(
        path: &Path,
        passphrase: &Passphrase,
        ambient: &Ambient,
    ) -> Result<(Self, T), Failure> {
        let (store, bytes) = Store::open(path, passphrase, ambient)?;
        let secrets = decode(&bytes)?;
        let mut keep = Self { place: Place::Folder(store), heads: SeenHeads::default() };
        keep.heads = keep.own_state(HEADS)?.unwrap_or_default();
        Ok((keep, secrets))
    }

    /// Nowhere but in memory.
    pub fn in_memory(ambient: &Ambient) -> Self {
        let memory = InMemory {
            ambient: ambient.clone(),
            pieces: HashMap::new(),
            receipts: BTreeMap::new(),
            findings: BTreeMap::new(),
        };
        Self { place: Place::Memory(Box::new(memory)), heads: SeenHeads::default() }
    }

    /// Clock and randomness.
    pub fn ambient(&self) -> &Ambient {
        match &self.place {
            Place::Folder(store) => store.ambient(),
            Place::Memory(memory) => &memory.ambient,
        }
    }

    /// Replaces the secrets.
    pub fn save_secrets<T: Serialize>(&self, secrets: &T) -> Result<(), AgentError> {
        match &self.place {
            Place::Folder(store) => Ok(store.save_secrets(&encode(secrets)?)?),
            Place::Memory(_) => Ok(()),
        }
    }

    /// Keeps one piece of a vault's state under a word of the program.
    pub fn put<T: Serialize>(&mut self, name: &'static str, vault: VaultId, state: &T) -> Result<(), AgentError> {
        self.put_piece(name, Some(vault), state)
    }

    /// Keeps a piece of state that an agent has once, under a word of the program.
    pub fn put_own<T: Serialize>(&mut self, name: &'static str, state: &T) -> Result<(), AgentError> {
        self.put_piece(name, None, state)
    }

    fn put_piece<T: Serialize>(
        &mut self,
        name: &'static str,
        vault: Option<VaultId>,
        state: &T,
    ) -> Result<(), AgentError> {
        let bytes = encode(state)?;
        match &mut self.place {
            Place::Folder(store) => store.put(state_name(name, vault), &bytes)?,
            Place::Memory(memory) => drop(memory.pieces.insert((name, vault), bytes)),
        }
        Ok(())
    }

    /// What was put under this name.
    pub fn state<T: Serialize + DeserializeOwned>(
        &self,
        name: &'static str,
        vault: VaultId,
    ) -> Result<Option<T>, AgentError> {
        self.piece(name, Some(vault))
    }

    /// What was put under this name, of which an agent has one.
    pub fn own_state<T: Serialize + DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, AgentError> {
        self.piece(name, None)
    }

    fn piece<T: Serialize + DeserializeOwned>(
        &self,
        name: &'static str,
        vault: Option<VaultId>,
    ) -> Result<Option<T>, AgentError> {
        let bytes = match &self.place {
            Place::Folder(store) => store.state(state_name(name, vault))?,
            Place::Memory(memory) => memory.pieces.get(&(name, vault)).cloned(),
        };
        Ok(bytes.map(|bytes| decode(&bytes)).transpose()?)
    }

    /// Heads of nodes' trails that this agent saw.
    pub fn heads(&self) -> &SeenHeads {
        &self.heads
    }

    /// The same, to be changed; the caller saves.
    pub fn heads_mut(&mut self) -> &mut SeenHeads {
        &mut self.heads
    }

    /// Writes the heads of trails to the folder.
    pub fn save_heads(&mut self) -> Result<(), AgentError> {
        let heads = std::mem::take(&mut self.heads);
        let kept = self.put_own(HEADS, &heads);
        self.heads = heads;
        kept
    }

    /// What the host of a vault and its witnesses said last about its ledger.
    pub fn ledger_seen(&self, vault: VaultId) -> Result<LedgerSeen, AgentError> {
        Ok(self.state(LEDGER_HEADS, vault)?.unwrap_or_default())
    }

    /// Replaces it; the caller has checked that it does not go back.
    pub fn put_ledger_seen(&mut self, vault: VaultId, seen: &LedgerSeen) -> Result<(), AgentError> {
        self.put(LEDGER_HEADS, vault, seen)
    }

    /// Keeps a finding, which is evidence to be shown and no secret, under this file name. Gives its path, if it has one.
    pub fn put_finding(&mut self, name: &str, finding: &[u8]) -> Result<Option<PathBuf>, AgentError> {
        match &mut self.place {
            Place::Folder(store) => Ok(Some(store.put_finding(name, finding)?)),
            Place::Memory(memory) => {
                memory.findings.insert(name.to_owned(), finding.to_vec());
                Ok(None)
            }
        }
    }

    /// All findings that were kept, by name.
    pub fn findings(&self) -> Result<Vec<(String, Vec<u8>)>, AgentError> {
        match &self.place {
            Place::Folder(store) => Ok(store.findings()?),
            Place::Memory(memory) => {
                Ok(memory.findings.iter().map(|(name, bytes)| (name.clone(), bytes.clone())).collect())
            }
        }
    }

    /// Keeps a receipt, which is evidence and no secret, under the hex of `id`.
    pub fn put_receipt(&mut self, id: &[u8], receipt: &[u8]) -> Result<(), AgentError> {
        match &mut self.place {
            Place::Folder(store) => drop(store.put_receipt(id, receipt)?),
            Place::Memory(memory) => drop(memory.receipts.insert(id.to_vec(), receipt.to_vec())),
        }
        Ok(())
    }

    /// All receipts kept here; what is no receipt of this kind is passed over.
    pub fn receipts<T: Serialize + DeserializeOwned>(&self) -> Result<Vec<T>, AgentError> {
        let bytes: Vec<Vec<u8>> = match &self.place {
            Place::Folder(store) => store.receipts()?,
            Place::Memory(memory) => memory.receipts.values().cloned().collect(),
        };
        Ok(bytes.iter().filter_map(|bytes| from_bytes(bytes, bytes.len()).ok()).collect())
    }
}

fn state_name(name: &'static str, vault: Option<VaultId>) -> StateName {
    match vault {
        Some(vault) => StateName::of_each(name, vault.as_bytes()),
        None => StateName::of(name),
    }
}

fn encode<T: Serialize>(state: &T) -> Result<Zeroizing<Vec<u8>>, Failure> {
    to_bytes(state).map(Zeroizing::new).map_err(|e| Failure::new(FailureKind::Internal, e))
}

fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    from_bytes(bytes, STATE_BYTES_MAX).map_err(|e| {
        Failure::new(FailureKind::Storage, e)
            .during("reading the agent's state")
            .hint("is this the folder of another role, or of another version of karute? Name the right one with --home, or restore it from a backup")
    })
}

/// 32 secret bytes as they stand in sealed state. It is wiped when dropped and cannot be printed.
pub struct Kept(pub Zeroizing<[u8; 32]>);

impl Kept {
    /// Takes the bytes over.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// A second copy, for a key that is made of it.
    pub fn copy(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0[..])
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = Zeroizing::new(serde_bytes::ByteBuf::deserialize(from)?.into_vec());
        let array: [u8; 32] = bytes.as_slice().try_into().map_err(serde::de::Error::custom)?;
        Ok(Self(Zeroizing::new(array)))
    }
}

const HEADS: &str = "trails";
const LEDGER_HEADS: &str = "ledger-heads";
/// Largest piece of state, in bytes; the folder's own bound is the same.
const STATE_BYTES_MAX: usize = 256 * 1024 * 1024;
