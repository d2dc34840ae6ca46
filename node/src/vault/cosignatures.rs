//! What witnesses said about this node's logs, kept beside the journal: the newest cosigned checkpoint of the trail and
//! of each ledger that was cosigned, and the size that each witness knew last.
//!
//! None of it is the truth about anything: what is lost is asked for again, so it is written without waiting for the
//! disk. Two files are different and durable before anybody is answered on the strength of them: a checkpoint that this
//! node signed and that the trail here does not lead to ([`Store::keep_shown`], P-49), and a time up to which heads may
//! be signed ([`Store::keep_reserved_time`]).

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::{NodeId, PartyKey, VaultId};
use karute_consent::time::Timestamp;
use karute_protocol::limits::NOTE_LEN_MAX;
use karute_protocol::merkle::{ProofError, TreeHash, TreeHead, prove_consistency};
use karute_protocol::trail::{CheckpointText, Log};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::store::{ReadError, Store};
use crate::home::{read_bounded, write_atomic, write_private};

/// A checkpoint with the cosignatures that were taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// What was cosigned.
    pub head: TreeHead,
    /// The note, signed by this node first.
    pub text: CheckpointText,
    /// The size that each witness signed last, as far as this node was told.
    pub known: Vec<KnownSize>,
}

/// How much of a log a witness has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct KnownSize {
    /// The witness's key.
    #[serde(index = 1)]
    pub witness: PartyKey,
    /// Leaves of the log that it signed for last.
    #[serde(index = 2)]
    pub size: u64,
}

/// The same as a file.
#[derive(SerializeIndexed, DeserializeIndexed)]
struct Stored {
    #[serde(index = 1)]
    text: CheckpointText,
    #[serde(index = 2)]
    known: Vec<KnownSize>,
}

/// The files, and what of them is in memory.
pub(super) struct Cosignatures {
    folder: PathBuf,
    node: NodeId,
    /// By vault; the trail is nobody's. `None`: there is no file. Locked for a look only.
    read: Mutex<HashMap<Option<VaultId>, Option<Arc<Cosigned>>>>,
}

impl Cosignatures {
    /// In a store's folder.
    pub(super) fn new(store: &Path, node: NodeId) -> Self {
        Self { folder: store.join(FOLDER), node, read: Mutex::default() }
    }

    fn find(&self, log: Log) -> Option<Arc<Cosigned>> {
        let key = key_of(log);
        if let Some(known) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let found = self.load(log).map(Arc::new);
        self.remember(key, found.clone());
        found
    }

    /// A file that is not a checkpoint of this node for this log is as good as none.
    fn load(&self, log: Log) -> Option<Cosigned> {
        let bytes = read_bounded(&self.file(log), FILE_BYTES_MAX).ok()??;
        let Stored { text, known } = from_bytes(&bytes, bytes.len()).ok()?;
        let head = text.verify(log, self.node).ok()?;
        Some(Cosigned { head, text, known })
    }

    fn keep(&self, log: Log, cosigned: Cosigned) {
        let stored = Stored { text: cosigned.text.clone(), known: cosigned.known.clone() };
        self.remember(key_of(log), Some(Arc::new(cosigned)));
        let file = self.file(log);
        let written = to_bytes(&stored).map_err(|_| ()).and_then(|bytes| {
            let folder = file.parent().ok_or(())?;
            std::fs::create_dir_all(folder).map_err(|_| ())?;
            write_private(&file, &bytes).map_err(|_| ())
        });
        if written.is_err() {
            tracing::warn!("cosignatures could not be written; they are asked for again after a restart");
        }
    }

    fn write_durably(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        write_atomic(&self.folder.join(name), bytes).map_err(|failure| io::Error::other(failure.chain()))
    }

    fn remember(&self, key: Option<VaultId>, cosigned: Option<Arc<Cosigned>>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= IN_MEMORY_MAX && !read.contains_key(&key) {
            read.retain(|key, _| key.is_none()); // the files have the rest
        }
        read.insert(key, cosigned);
    }

    fn file(&self, log: Log) -> PathBuf {
        match log {
            Log::Trail => self.folder.join("trail"),
            Log::Ledger(vault) => {
                let name = vault.to_hex();
                self.folder.join(&name[..SHARD_LETTERS]).join(name)
            }
        }
    }
}

impl Store {
    /// The node whose log key signs here.
    pub fn node(&self) -> NodeId {
        self.inner.cosignatures.node
    }

    /// The newest checkpoint of a log that has cosignatures.
    pub fn cosigned(&self, log: Log) -> Option<Arc<Cosigned>> {
        self.inner.cosignatures.find(log)
    }

    /// Keeps what witnesses said about a log.
    pub fn keep_cosigned(&self, log: Log, cosigned: Cosigned) {
        self.inner.cosignatures.keep(log, cosigned);
    }

    /// The proof that a log only grew from one size to another, which it must have reached; empty from nothing.
    pub fn consistency(&self, log: Log, older: u64, newer: u64) -> Result<Vec<TreeHash>, ReadError> {
        if older == 0 || older == newer {
            return Ok(Vec::new());
        }
        prove_consistency(older, newer, |place| self.node_of(log, place)).map_err(|error: ProofError| error.into())
    }

    /// Keeps a checkpoint that this node signed and that its trail does not lead to. Durable when it returns.
    pub fn keep_shown(&self, shown: &CheckpointText) -> io::Result<()> {
        self.inner.cosignatures.write_durably(SHOWN, shown.0.as_bytes())
    }

    /// What was kept so, if its signature holds.
    pub fn shown(&self) -> Option<CheckpointText> {
        let file = self.inner.cosignatures.folder.join(SHOWN);
        let bytes = read_bounded(&file, NOTE_LEN_MAX as u64).ok()??;
        let text = CheckpointText(String::from_utf8(bytes).ok()?);
        text.verify(Log::Trail, self.inner.cosignatures.node).is_ok().then_some(text)
    }

    /// Keeps a time up to which heads may be signed. Durable when it returns.
    pub fn keep_reserved_time(&self, time: Timestamp) -> io::Result<()> {
        self.inner.cosignatures.write_durably(TIME, time.secs().to_string().as_bytes())
    }

    /// The time that was kept so; 1970 if there is none.
    pub fn reserved_time(&self) -> Timestamp {
        let read = read_bounded(&self.inner.cosignatures.folder.join(TIME), 32).ok().flatten();
        let secs = read.and_then(|bytes| str::from_utf8(&bytes).ok()?.parse().ok());
        Timestamp::from_secs(secs.unwrap_or(0))
    }

    /// Writes down, for who looks at the folder, what each witness did last.
    pub fn keep_witness_notes(&self, notes: &[u8]) {
        let folder = &self.inner.cosignatures.folder;
        let written = std::fs::create_dir_all(folder).is_ok() && write_private(&folder.join(NOTES), notes).is_ok();
        if !written {
            tracing::debug!("what the witnesses did could not be written down");
        }
    }

    /// What a running node wrote down so, looked for in a store's folder.
    pub fn witness_notes(store: &Path) -> Option<Vec<u8>> {
        read_bounded(&store.join(FOLDER).join(NOTES), FILE_BYTES_MAX).ok()?
    }
}

fn key_of(log: Log) -> Option<VaultId> {
    match log {
        Log::Trail => None,
        Log::Ledger(vault) => Some(vault),
    }
}

/// Folder in the store's.
const FOLDER: &str = "cosigned";
/// A checkpoint that this node signed and does not hold any more.
const SHOWN: &str = "shown";
/// A time up to which heads may have been signed, in seconds since 1970.
const TIME: &str = "signed-until";
/// What each witness did last.
const NOTES: &str = "witnesses";
/// Ledgers are spread over folders named by the first letters of their vaults.
const SHARD_LETTERS: usize = 2;
/// Logs whose cosignatures are held in memory.
const IN_MEMORY_MAX: usize = 4096;
/// A note and the sizes that witnesses know.
const FILE_BYTES_MAX: u64 = 2 * NOTE_LEN_MAX as u64;
