//! The node's truth: an append-only journal in segment files.
//!
//! Everything a vault ever accepted is a frame here; the index is made from it and can be made again. An
//! acknowledgement waits for exactly one thing, the `fdatasync` of the group commit that holds its batch.
//!
//! - A **batch** is atomic: either all its frames are found again or none.
//! - A **group commit** is what the one writer thread found waiting: appended together, synced once, applied to the
//!   index in order, then answered together.
//! - The **chain** runs over frame headers, which hold a salted digest of the payload. An erasure overwrites payload
//!   and salt in place; the chain stays verifiable.
//! - **Any** error while writing or syncing stops the journal for good: what a failed sync left on disk is unknown,
//!   and asking again would answer for data that is gone. A restart reads what is really there.
//!
//! Opening: [`Journal::prepare`] locks the folder, [`Prepared::check`] verifies from a mark on and mends a torn tail,
//! [`Prepared::replay`] feeds the index, [`Prepared::start`] begins to accept batches.

#[cfg(test)]
mod crash_tests;
mod erase;
mod frame;
pub mod limits;
mod scan;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

pub use frame::{ChainHash, FrameKind, Position, VaultTag};
use limits::{
    BATCH_BYTES_MAX, BATCH_ERASURES_MAX, BATCH_FRAMES_MAX, PAYLOAD_BYTES_MAX, QUEUE_BATCHES_MAX, QUEUE_BYTES_MAX,
    SEGMENT_BYTES,
};
pub use scan::{Checked, JournalBroken};
use scan::{End, Scan};
use segment::Segment;
pub(crate) use segment::sync_folder;
pub use segment::{JournalOwner, SegmentBroken};
use writer::{Order, Writer};

/// Fills a buffer with random bytes.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Called with each durable group, in order, on the writer thread, before anybody is answered.
pub type Apply = Box<dyn FnMut(&[CommittedBatch]) -> Result<(), ApplyFailed> + Send>;

/// The index could not take a durable batch.
#[derive(Debug, thiserror::Error)]
#[error("the index could not take a durable batch")]
pub struct ApplyFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A frame to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFrame {
    /// What the payload is; not a reserved kind.
    pub kind: FrameKind,
    /// The vault it belongs to.
    pub vault: VaultTag,
    /// At most [`limits::PAYLOAD_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
}

/// Frames that become durable together, and places whose payloads are erased with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBatch {
    /// At least one frame.
    pub frames: Vec<NewFrame>,
    /// Earlier frames to erase.
    pub erase: Vec<Position>,
}

/// A durable frame; `payload` is `None` when it has been erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedFrame {
    /// Where it stands.
    pub position: Position,
    /// What the payload is.
    pub kind: FrameKind,
    /// The vault it belongs to.
    pub vault: VaultTag,
    /// The bytes as they were submitted, unless erased.
    pub payload: Option<Vec<u8>>,
}

/// A durable batch, without the journal's own frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBatch {
    /// Its frames, in order.
    pub frames: Vec<CommittedFrame>,
    /// The journal just after it.
    pub mark: Mark,
}

/// A place between two batches: the last frame before it and the chain there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The last frame of the batch before the mark.
    pub last: Position,
    /// The chain hash after that frame.
    pub chain: ChainHash,
}

impl Mark {
    /// Length of an encoded mark, in bytes.
    pub const LEN: usize = Position::LEN + 32;

    /// Position and chain hash.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..Position::LEN].copy_from_slice(&self.last.to_bytes());
        out[Position::LEN..].copy_from_slice(&self.chain.0);
        out
    }

    /// Reads what [`Mark::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Mark {
        let mut position = [0; Position::LEN];
        position.copy_from_slice(&bytes[..Position::LEN]);
        Mark { last: Position::from_bytes(&position), chain: ChainHash(frame::read_32(bytes, Position::LEN)) }
    }
}

/// The answer to a batch that is durable and applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Where each frame of the batch stands, in the batch's order.
    pub positions: Vec<Position>,
    /// The journal just after the batch.
    pub mark: Mark,
}

/// What made a journal stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Appending or beginning a segment failed.
    Write,
    /// A sync failed.
    Sync,
    /// Overwriting an erased payload failed.
    Erase,
    /// The index could not take a durable batch.
    Apply,
    /// The writer thread is gone.
    WriterGone,
}

/// Why a batch was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The journal accepts nothing until the node is started again. Whether this batch is durable is not known.
    #[error("the journal has stopped ({0:?}): start the node again")]
    Stopped(StopReason),
    /// The batch has no frame, or uses a reserved kind.
    #[error("the batch is malformed")]
    Malformed,
    /// The batch is above a limit.
    #[error("the batch is above a limit of the journal")]
    TooLarge,
    /// A place to erase holds no erasable frame; nothing of the batch was written.
    #[error("a place to erase holds no erasable frame")]
    NothingToErase,
}

/// Why a journal folder cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Another process holds the folder.
    #[error("the journal is in use by another process")]
    InUse,
    /// The folder cannot be made, read or locked.
    #[error("the journal folder cannot be used")]
    Disk(#[from] io::Error),
}

/// Shared between the writer and those who ask.
#[derive(Debug, Default)]
pub(super) struct Status {
    stopped: OnceLock<StopReason>,
    syncs: AtomicU64,
}

impl Status {
    fn stop(&self, reason: StopReason) {
        let _ = self.stopped.set(reason);
    }

    fn stopped(&self) -> Option<StopReason> {
        self.stopped.get().copied()
    }
}

/// A running journal. Dropping it writes what is queued, seals and closes.
pub struct Journal {
    orders: Option<mpsc::Sender<Order>>,
    room: Arc<Semaphore>,
    status: Arc<Status>,
    writer: Option<JoinHandle<()>>,
    _lock: File,
}

/// A locked journal folder, not yet running.
pub struct Prepared {
    folder: PathBuf,
    owner: JournalOwner,
    lock: File,
    segment_bytes: u64,
}

impl Journal {
    /// Makes the folder if it is missing, and locks it against other processes.
    pub fn prepare(folder: &Path, owner: JournalOwner) -> Result<Prepared, PrepareError> {
        fs::create_dir_all(folder)?;
        if let Some(parent) = folder.parent() {
            sync_folder(parent)?;
        }
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Prepared { folder: folder.to_owned(), owner, lock, segment_bytes: SEGMENT_BYTES }),
            Err(TryLockError::WouldBlock) => Err(PrepareError::InUse),
            Err(TryLockError::Error(source)) => Err(PrepareError::Disk(source)),
        }
    }

    /// Commits one batch: returns when it is durable and applied. Dropping the future does not take the batch back.
    pub async fn submit(&self, batch: NewBatch) -> Result<Committed, SubmitError> {
        self.room_for(&batch).await?.send(batch).arrives().await
    }

    /// Waits until the queue has room for a batch. Batches are written in the order in which they are sent.
    pub(super) async fn room_for(&self, batch: &NewBatch) -> Result<Room, SubmitError> {
        batch.check()?;
        if let Some(reason) = self.status.stopped() {
            return Err(SubmitError::Stopped(reason));
        }
        let gone = SubmitError::Stopped(StopReason::WriterGone);
        let bytes = u32::try_from(batch.encoded_len()).map_err(|_| SubmitError::TooLarge)?;
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| gone)?;
        let orders = self.orders.as_ref().ok_or(gone)?.clone();
        let place = orders.reserve_owned().await.map_err(|_| gone)?;
        Ok(Room { place, room })
    }

    /// Why the journal stopped, if it did.
    pub fn stopped(&self) -> Option<StopReason> {
        let gone = || self.writer.as_ref().is_some_and(JoinHandle::is_finished).then_some(StopReason::WriterGone);
        self.status.stopped().or_else(gone)
    }

    /// How many group commits were synced since the start.
    pub fn group_commits(&self) -> u64 {
        self.status.syncs.load(Ordering::Relaxed)
    }
}

/// Room in the queue for the one batch it was asked for.
pub(super) struct Room {
    place: mpsc::OwnedPermit<Order>,
    room: OwnedSemaphorePermit,
}

/// A batch that the writer will come to.
pub(super) struct Sent(oneshot::Receiver<Result<Committed, SubmitError>>);

impl Room {
    /// Sends the batch, at once. It is written whether or not somebody waits for it.
    pub(super) fn send(self, batch: NewBatch) -> Sent {
        let (answer, answered) = oneshot::channel();
        self.place.send(Order { batch, answer, room: self.room });
        Sent(answered)
    }
}

impl Sent {
    /// Waits until the batch is durable and applied.
    pub(super) async fn arrives(self) -> Result<Committed, SubmitError> {
        self.0.await.unwrap_or(Err(SubmitError::Stopped(StopReason::WriterGone)))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has already failed every waiting batch.
            let _ = writer.join();
        }
    }
}

impl Prepared {
    /// Sets the length at which a new segment begins, in bytes.
    pub fn with_segment_bytes(mut self, bytes: u64) -> Prepared {
        self.segment_bytes = bytes;
        self
    }

    /// Verifies from `from` (or from the beginning) to the end, cuts off a torn tail, finishes erasures.
    pub fn check(&self, from: Option<&Mark>) -> Result<Checked, JournalBroken> {
        self.check_to_end(from).map(|(_, checked)| checked)
    }

    /// Hands every batch from `from` on to `visit`, in order. Call [`Prepared::check`] with the same place first.
    pub fn replay<E: From<JournalBroken>>(
        &self,
        from: Option<&Mark>,
        visit: &mut dyn FnMut(CommittedBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        Scan::new(&self.folder, &self.owner)?.replay(from, visit)
    }

    /// Begins to accept batches after the end of the journal; `from` is a mark up to which everything is known good.
    pub fn start(self, from: Option<&Mark>, entropy: Entropy, apply: Apply) -> Result<Journal, JournalBroken> {
        let (end, _) = self.check_to_end(from)?;
        let segment = match Scan::new(&self.folder, &self.owner)?.firsts.last() {
            Some(last) => writer::start_point(&self.folder, &self.owner, *last, &end)?,
            None => {
                let mut mark = [0; 16];
                entropy(&mut mark);
                Segment::create(&self.folder, &self.owner, 0, end.chain, mark)?
            }
        };
        let (orders, waiting) = mpsc::channel(QUEUE_BATCHES_MAX);
        let status = Arc::new(Status::default());
        let writer = Writer {
            folder: self.folder,
            owner: self.owner,
            segment,
            seq: end.seq,
            chain: end.chain,
            segment_bytes: self.segment_bytes,
            orders: waiting,
            apply,
            entropy,
            status: Arc::clone(&status),
            unsealed: false,
        };
        let writer = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run())?;
        Ok(Journal {
            orders: Some(orders),
            room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            status,
            writer: Some(writer),
            _lock: self.lock,
        })
    }

    fn check_to_end(&self, from: Option<&Mark>) -> Result<(End, Checked), JournalBroken> {
        Scan::new(&self.folder, &self.owner)?.check(from)
    }
}

impl NewBatch {
    fn check(&self) -> Result<(), SubmitError> {
        if self.frames.is_empty() || self.frames.iter().any(|frame| frame.kind.is_reserved()) {
            return Err(SubmitError::Malformed);
        }
        let fits = self.frames.len() <= BATCH_FRAMES_MAX
            && self.erase.len() <= BATCH_ERASURES_MAX
            && self.frames.iter().all(|frame| frame.payload.len() <= PAYLOAD_BYTES_MAX)
            && self.encoded_len() <= BATCH_BYTES_MAX;
        if fits { Ok(()) } else { Err(SubmitError::TooLarge) }
    }
}
