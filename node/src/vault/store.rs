//! Opening the store, and what all its parts share.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use karute_consent::id::{NodeId, VaultId};
use karute_consent::ledger::LedgerState;
use karute_consent::party::Identity;
use karute_consent::time::Timestamp;
use karute_protocol::merkle::ProofError;

use super::apply::ApplyError;
use super::bodies::{Bodies, BodyLimits};
use super::cosignatures::Cosignatures;
use super::index::{Index, IndexError};
use super::journal::{
    ApplyFailed, Checked, CommittedBatch, Entropy, Journal, JournalBroken, JournalOwner, PrepareError, StopReason,
};
use super::lease::Leases;
use super::pending::Pending;
use super::rebuild::{Rebuilt, bring_up};
use super::schema::Tree;
use super::trail::TrailSigner;

/// Told now and then, while the index is made from the journal, how many batches are applied.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

/// What opening needs.
pub struct StoreSettings {
    /// The folder; `journal`, `sled`, `bodies` and `incoming` are made in it.
    pub folder: PathBuf,
    /// The node's log key: its public half is the node's id, and it signs every checkpoint.
    pub log: Identity,
    /// Salts of the journal.
    pub entropy: Entropy,
    /// What the folder of bodies may hold.
    pub bodies: BodyLimits,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// What checking the journal found and did.
    pub journal: Checked,
    /// Batches that were applied to the index.
    pub applied: u64,
    /// The index was made anew from the whole journal.
    pub rebuilt: bool,
    /// The index knew of something that the journal does not hold: acknowledged data may have been lost from the
    /// journal. The operator must be told; a mirror or a backup has it.
    pub journal_is_behind: bool,
}

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal's folder cannot be used.
    #[error("the journal cannot be opened")]
    Prepare(#[from] PrepareError),
    /// The journal is damaged.
    #[error("the journal is damaged")]
    Journal(#[from] JournalBroken),
    /// The index cannot be made.
    #[error("the index cannot be made")]
    Index(#[from] IndexError),
    /// A durable batch cannot be applied.
    #[error("a batch of the journal cannot be applied")]
    Apply(#[from] ApplyError),
    /// Folders cannot be made or read.
    #[error("the store's folder cannot be used")]
    Disk(#[from] io::Error),
}

/// Why a read fails.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The permit does not reach this.
    #[error("the permit does not reach this")]
    NotPermitted,
    /// The index failed.
    #[error("the index failed")]
    Index(#[source] IndexError),
    /// Something that must be there is not, or is not what it must be: the index must be rebuilt.
    #[error("the index is damaged")]
    Damaged,
    /// The event was erased: only its leaf is there.
    #[error("the event was erased")]
    EventErased,
    /// A tree is not whole.
    #[error("a stored tree is not whole")]
    Proof(#[source] ProofError),
    /// A body cannot be read.
    #[error("a body cannot be read")]
    Disk(#[from] io::Error),
}

/// The store; a clone is another handle on the same one. It closes when the last handle is dropped.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    // Dropped in this order: the journal's thread uses the index, the flusher too.
    pub(super) journal: Journal,
    _flusher: Flusher,
    pub(super) index: Arc<Index>,
    pub(super) bodies: Arc<Bodies>,
    pub(super) trail: Arc<TrailSigner>,
    pub(super) cosignatures: Cosignatures,
    /// Vaults that were used lately. Held for look-ups only.
    slots: Mutex<HashMap<VaultId, Arc<Slot>>>,
}

/// What is kept in memory of one vault.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by the one turn that is given out.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// The ledger as it is in force; replaced by the turn that commits, once it is durable.
    pub(super) ledger: RwLock<Option<Arc<LedgerState>>>,
    /// What was handed to the journal since and is not in the index yet.
    pub(super) pending: Pending,
    /// What is on its way to peers under permits.
    pub(super) leases: Leases,
}

/// Folder of the index in the store's.
const INDEX_FOLDER: &str = "sled";
/// Vaults kept in memory.
const SLOTS_MAX: usize = 4096;
/// How often the index is synced behind the journal.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Age from which a body that no record names is swept.
const STRAY_BODY_AGE: Duration = Duration::from_secs(3600);

impl Store {
    /// Opens the store: verifies the journal from where the index stands, brings the index up to its end, or makes it
    /// anew if it does not open or does not match.
    pub fn open(settings: StoreSettings, progress: Progress<'_>) -> Result<(Store, Opened), OpenError> {
        let StoreSettings { folder, log, entropy, bodies } = settings;
        std::fs::create_dir_all(&folder)?;
        let owner = JournalOwner { node: *log.party().key().as_bytes(), shard: 0 };
        let prepared = Journal::prepare(&folder.join("journal"), owner)?;
        let bodies = Arc::new(Bodies::open(&folder, bodies)?);
        let Rebuilt { index, mut applier, opened } =
            bring_up(&folder.join(INDEX_FOLDER), &prepared, &bodies, progress)?;
        let cosignatures = Cosignatures::new(&folder, NodeId::from_bytes(owner.node));
        let trail = Arc::new(TrailSigner::new(log, applier.trail_head(), applier.last_time()?));
        let signer = Arc::clone(&trail);
        let apply = Box::new(move |group: &[CommittedBatch]| {
            applier.apply(group).map_err(|error| ApplyFailed(Box::new(error)))?;
            applier.unlink_unnamed();
            signer.advance(applier.trail_head(), applier.last_time().map_err(|error| ApplyFailed(Box::new(error)))?);
            Ok(())
        });
        let journal = prepared.start(index.mark()?.as_ref(), entropy, apply)?;
        let flusher = Flusher::start(Arc::clone(&index))?;
        let inner = Inner { journal, _flusher: flusher, index, bodies, trail, cosignatures, slots: Mutex::default() };
        Ok((Store { inner: Arc::new(inner) }, opened))
    }

    /// The ledger of a vault as it is in force now; `None` if the vault is not here.
    pub fn ledger(&self, vault: VaultId) -> Result<Option<Arc<LedgerState>>, ReadError> {
        match self.slot(vault)? {
            Some(slot) => self.ledger_of(vault, &slot),
            None => Ok(None),
        }
    }

    /// The newest time of a committed event, for the check that the clock is not behind it.
    pub fn last_time(&self) -> Timestamp {
        self.inner.trail.last_time()
    }

    /// Why the journal stopped, if it did: the node must be started again.
    pub fn stopped(&self) -> Option<StopReason> {
        self.inner.journal.stopped()
    }

    /// How many group commits were synced since the start.
    pub fn group_commits(&self) -> u64 {
        self.inner.journal.group_commits()
    }

    /// Number of vaults.
    pub fn vault_count(&self) -> Result<usize, ReadError> {
        let vaults = self.inner.index.range(Tree::Vaults, b"", b"").collect::<Result<Vec<_>, _>>()?;
        Ok(vaults.len())
    }

    /// Removes uploads that nobody went on with for `idle`, and bodies that no record names. Returns how many.
    pub fn sweep(&self, now: std::time::SystemTime, idle: Duration) -> Result<usize, ReadError> {
        let inner = &self.inner;
        let partials = inner.bodies.sweep_partials(now, idle).map_err(ReadError::Disk)?;
        let mut named = |root: karute_protocol::bao::BodyRoot| -> Result<bool, ReadError> {
            Ok(inner.index.range(Tree::BodyNames, &root.0, b"").next().transpose()?.is_some())
        };
        Ok(partials + inner.bodies.sweep_bodies(now, STRAY_BODY_AGE, &mut named)?)
    }

    /// Whether the index has all entries it must have, undamaged; opening asks that only while it is small. Reads all
    /// of it, with pauses, as long as `go_on` says so; `None` if it could not be told. An index that is not whole is made
    /// anew at the next start.
    pub fn index_is_whole(&self, go_on: &dyn Fn() -> bool) -> Result<Option<bool>, ReadError> {
        Ok(self.inner.index.look_through(go_on)?)
    }

    /// Whether the index in a store's folder is made anew at the next start. Asks the folder alone.
    pub fn index_is_distrusted(folder: &std::path::Path) -> bool {
        Index::is_distrusted(&folder.join(INDEX_FOLDER))
    }

    /// SHA-256 over the whole index: equal for equal content.
    pub fn fingerprint(&self) -> Result<[u8; 32], ReadError> {
        Ok(self.inner.index.fingerprint()?)
    }

    /// What is in memory of a vault that is here; `None` if it is not here.
    pub(super) fn slot(&self, vault: VaultId) -> Result<Option<Arc<Slot>>, ReadError> {
        if let Some(slot) = hold(&self.inner.slots).get(&vault) {
            return Ok(Some(Arc::clone(slot)));
        }
        if self.ledger_size(vault)? == 0 {
            return Ok(None);
        }
        Ok(Some(self.new_slot(vault)))
    }

    /// What is kept in memory of a vault that is here or is about to be.
    pub(super) fn new_slot(&self, vault: VaultId) -> Arc<Slot> {
        let mut slots = hold(&self.inner.slots);
        if slots.len() >= SLOTS_MAX {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(vault).or_default())
    }

    /// The ledger in force, replayed if it is not in memory.
    pub(super) fn ledger_of(&self, vault: VaultId, slot: &Slot) -> Result<Option<Arc<LedgerState>>, ReadError> {
        if let Some(state) = &*slot.ledger.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Some(Arc::clone(state)));
        }
        // The lock is held while replaying, so that a commit does not put a newer state there in between.
        let mut place = slot.ledger.write().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = self.replay_ledger(vault)?.map(Arc::new);
        }
        Ok(place.clone())
    }
}

/// Syncs the index behind the journal now and then; ends when dropped.
struct Flusher {
    stop: Option<std::sync::mpsc::SyncSender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Flusher {
    fn start(index: Arc<Index>) -> io::Result<Flusher> {
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(1);
        let thread = std::thread::Builder::new().name("index flusher".to_owned()).spawn(move || {
            while stopped.recv_timeout(FLUSH_EVERY) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                if let Err(cause) = index.sync() {
                    tracing::warn!(%cause, "the index could not be synced; what it loses is applied again at the next start");
                }
            }
        })?;
        Ok(Flusher { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Its panic would have been printed; nothing depends on it.
            let _ = thread.join();
        }
    }
}

/// The map is whole at every moment at which a panic could happen, so a poisoned lock is taken.
fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
