//! Where an agent's state stays between two runs, and how secrets are written there.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::VaultId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::agent::error::AgentError;
use crate::agent::store::{StateName, Store};
use crate::ambient::Ambient;
use crate::failure::{Failure, FailureKind};
use crate::passphrase::Passphrase;

/// Where an agent's state stays.
pub enum Keep {
    /// In a folder, sealed under a passphrase.
    Folder(Store),
    /// In memory only: it ends with the process. For agents inside a test or a browser session.
    Memory(Box<InMemory>),
}

/// State of an agent that ends with the process.
pub struct InMemory {
    ambient: Ambient,
    pieces: HashMap<(&'static str, VaultId), Zeroizing<Vec<u8>>>,
    receipts: BTreeMap<Vec<u8>, Vec<u8>>,
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
        Ok(Self::Folder(Store::create(path, passphrase, ambient, &bytes)?))
    }

    /// An existing folder and what its keystore holds.
    pub fn open<T: Serialize + DeserializeOwned>(
        path: &Path,
        passphrase: &Passphrase,
        ambient: &Ambient,
    ) -> Result<(Self, T), Failure> {
        let (store, bytes) = Store::open(path, passphrase, ambient)?;
        let secrets = decode(&bytes)?;
        Ok((Self::Folder(store), secrets))
    }

    /// Nowhere but in memory.
    pub fn in_memory(ambient: &Ambient) -> Self {
        let ambient = ambient.clone();
        Self::Memory(Box::new(InMemory { ambient, pieces: HashMap::new(), receipts: BTreeMap::new() }))
    }

    /// Clock and randomness.
    pub fn ambient(&self) -> &Ambient {
        match self {
            Self::Folder(store) => store.ambient(),
            Self::Memory(memory) => &memory.ambient,
        }
    }

    /// Replaces the secrets.
    pub fn save_secrets<T: Serialize>(&self, secrets: &T) -> Result<(), AgentError> {
        match self {
            Self::Folder(store) => Ok(store.save_secrets(&encode(secrets)?)?),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Keeps one piece of a vault's state under a word of the program.
    pub fn put<T: Serialize>(&mut self, name: &'static str, vault: VaultId, state: &T) -> Result<(), AgentError> {
        let bytes = encode(state)?;
        match self {
            Self::Folder(store) => store.put(StateName::of_each(name, vault.as_bytes()), &bytes)?,
            Self::Memory(memory) => drop(memory.pieces.insert((name, vault), bytes)),
        }
        Ok(())
    }

    /// What was put under this name.
    pub fn state<T: Serialize + DeserializeOwned>(
        &self,
        name: &'static str,
        vault: VaultId,
    ) -> Result<Option<T>, AgentError> {
        let bytes = match self {
            Self::Folder(store) => store.state(StateName::of_each(name, vault.as_bytes()))?,
            Self::Memory(memory) => memory.pieces.get(&(name, vault)).cloned(),
        };
        Ok(bytes.map(|bytes| decode(&bytes)).transpose()?)
    }

    /// Keeps a receipt, which is evidence and no secret, under the hex of `id`.
    pub fn put_receipt(&mut self, id: &[u8], receipt: &[u8]) -> Result<(), AgentError> {
        match self {
            Self::Folder(store) => drop(store.put_receipt(id, receipt)?),
            Self::Memory(memory) => drop(memory.receipts.insert(id.to_vec(), receipt.to_vec())),
        }
        Ok(())
    }

    /// All receipts kept here; what is no receipt of this kind is passed over.
    pub fn receipts<T: Serialize + DeserializeOwned>(&self) -> Result<Vec<T>, AgentError> {
        let bytes: Vec<Vec<u8>> = match self {
            Self::Folder(store) => store.receipts()?,
            Self::Memory(memory) => memory.receipts.values().cloned().collect(),
        };
        Ok(bytes.iter().filter_map(|bytes| from_bytes(bytes, bytes.len()).ok()).collect())
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

/// Largest piece of state, in bytes; the folder's own bound is the same.
const STATE_BYTES_MAX: usize = 256 * 1024 * 1024;
