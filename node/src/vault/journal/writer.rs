//! The one thread that writes: gather, append, one sync, erase, apply, answer.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::erase::{all_erasable, erase_frames, tombstone};
use super::frame::{
    ChainHash, FLAG_FIRST, FLAG_LAST, FrameKind, HEADER_LEN, Header, Position, VaultTag, salted_digest,
};
use super::limits::GROUP_BYTES;
use super::scan::End;
use super::segment::{JournalOwner, Segment};
use super::{
    Apply, Committed, CommittedBatch, CommittedFrame, Entropy, Mark, NewBatch, NewFrame, Status, StopReason,
    SubmitError,
};

/// A batch on its way to the writer.
pub(super) struct Order {
    pub(super) batch: NewBatch,
    pub(super) answer: oneshot::Sender<Result<Committed, SubmitError>>,
    /// Held until the batch is answered: bounds the bytes that wait.
    pub(super) room: OwnedSemaphorePermit,
}

pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) owner: JournalOwner,
    pub(super) segment: Segment,
    pub(super) seq: u64,
    pub(super) chain: ChainHash,
    pub(super) segment_bytes: u64,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) apply: Apply,
    pub(super) entropy: Entropy,
    pub(super) status: Arc<Status>,
    /// Something was written since the start.
    pub(super) unsealed: bool,
}

/// One group commit in the making.
struct Group {
    bytes: Vec<u8>,
    batches: Vec<CommittedBatch>,
    erase: Vec<Position>,
    seq: u64,
    chain: ChainHash,
}

impl Writer {
    /// Works until every sender is gone, then seals the journal.
    pub(super) fn run(mut self) {
        while let Some(first) = self.orders.blocking_recv() {
            let group = self.gather(first);
            self.serve(group);
        }
        if self.unsealed && self.status.stopped().is_none() {
            let seal = NewFrame { kind: FrameKind::SEAL, vault: VaultTag([0; 32]), payload: Vec::new() };
            let written = self.write_group(&[NewBatch { frames: vec![seal], erase: Vec::new() }]);
            if let Err(reason) = written {
                self.status.stop(reason);
            }
        }
    }

    fn gather(&mut self, first: Order) -> Vec<Order> {
        let mut bytes = first.batch.encoded_len();
        let mut orders = vec![first];
        while bytes < GROUP_BYTES {
            let Ok(next) = self.orders.try_recv() else { break };
            bytes += next.batch.encoded_len();
            orders.push(next);
        }
        orders
    }

    fn serve(&mut self, orders: Vec<Order>) {
        if let Some(reason) = self.status.stopped() {
            return orders.into_iter().for_each(|order| order.refuse(SubmitError::Stopped(reason)));
        }
        let mut batches = Vec::new();
        let mut waiting = Vec::new();
        for order in orders {
            if all_erasable(&self.folder, &self.owner, &order.batch.erase) {
                batches.push(order.batch);
                waiting.push((order.answer, order.room));
            } else {
                order.refuse(SubmitError::NothingToErase);
            }
        }
        if batches.is_empty() {
            return;
        }
        match self.write_group(&batches).and_then(|committed| self.apply_group(committed)) {
            Ok(committed) => {
                for ((answer, _room), committed) in waiting.into_iter().zip(committed) {
                    let _ = answer.send(Ok(committed));
                }
            }
            Err(reason) => {
                self.status.stop(reason);
                for (answer, _room) in waiting {
                    let _ = answer.send(Err(SubmitError::Stopped(reason)));
                }
            }
        }
    }

    /// Appends the batches and makes them durable; afterwards their erasures are carried out.
    fn write_group(&mut self, batches: &[NewBatch]) -> Result<Vec<CommittedBatch>, StopReason> {
        let total: usize = batches.iter().map(NewBatch::encoded_len).sum();
        self.make_room(total as u64)?;
        let mut group = Group {
            bytes: Vec::with_capacity(total),
            batches: Vec::with_capacity(batches.len()),
            erase: Vec::new(),
            seq: self.seq,
            chain: self.chain,
        };
        for batch in batches {
            self.encode_batch(&mut group, batch);
        }
        self.segment.file.write_all_at(&group.bytes, self.segment.len).map_err(|e| logged(StopReason::Write, &e))?;
        self.segment.file.sync_data().map_err(|e| logged(StopReason::Sync, &e))?;
        self.status.syncs.fetch_add(1, Ordering::Relaxed);
        self.unsealed = true;
        self.segment.len += group.bytes.len() as u64;
        self.seq = group.seq;
        self.chain = group.chain;
        erase_frames(&self.folder, &self.owner, &group.erase).map_err(|e| logged(StopReason::Erase, &e))?;
        Ok(group.batches)
    }

    fn encode_batch(&mut self, group: &mut Group, batch: &NewBatch) {
        let grave = batch.tombstone();
        let count = batch.frames.len() + usize::from(grave.is_some());
        let mut frames = Vec::with_capacity(batch.frames.len());
        let mut last = None;
        for (index, frame) in batch.frames.iter().chain(grave.as_ref()).enumerate() {
            let flags = if index == 0 { FLAG_FIRST } else { 0 } | if index + 1 == count { FLAG_LAST } else { 0 };
            let position = self.encode_frame(group, frame, flags);
            last = Some(position);
            if !frame.kind.is_reserved() {
                let payload = Some(frame.payload.clone());
                frames.push(CommittedFrame { position, kind: frame.kind, vault: frame.vault, payload });
            }
        }
        group.erase.extend(&batch.erase);
        if let Some(last) = last {
            group.batches.push(CommittedBatch { frames, mark: Mark { last, chain: group.chain } });
        }
    }

    fn encode_frame(&mut self, group: &mut Group, frame: &NewFrame, flags: u8) -> Position {
        let mut salt = [0; 16];
        (self.entropy)(&mut salt);
        let header = Header {
            length: frame.payload.len() as u32,
            kind: frame.kind,
            flags,
            shard: self.owner.shard,
            vault: frame.vault,
            seq: group.seq,
            group: self.seq,
            prev: group.chain,
            digest: salted_digest(&salt, &frame.payload),
        };
        let offset = self.segment.len + group.bytes.len() as u64;
        header.write(&self.segment.mark, &salt, &frame.payload, &mut group.bytes);
        let position = Position { seq: group.seq, segment: self.segment.first, offset };
        group.seq += 1;
        group.chain = header.chain();
        position
    }

    /// Begins a new segment if the group would overfill this one.
    fn make_room(&mut self, bytes: u64) -> Result<(), StopReason> {
        if self.segment.len + bytes <= self.segment_bytes || self.segment.first == self.seq {
            return Ok(());
        }
        let mut mark = [0; 16];
        (self.entropy)(&mut mark);
        self.segment = Segment::create(&self.folder, &self.owner, self.seq, self.chain, mark)
            .map_err(|e| logged(StopReason::Write, &e))?;
        Ok(())
    }

    fn apply_group(&mut self, batches: Vec<CommittedBatch>) -> Result<Vec<Committed>, StopReason> {
        (self.apply)(&batches).map_err(|refused| {
            tracing::error!(cause = %refused.0, "a durable batch could not be applied to the index");
            StopReason::Apply
        })?;
        let committed = batches.into_iter().map(|batch| Committed {
            positions: batch.frames.iter().map(|frame| frame.position).collect(),
            mark: batch.mark,
        });
        Ok(committed.collect())
    }
}

impl Order {
    fn refuse(self, why: SubmitError) {
        let _ = self.answer.send(Err(why));
    }
}

impl NewBatch {
    /// Bytes that the batch takes in the journal.
    pub(super) fn encoded_len(&self) -> usize {
        let frames: usize = self.frames.iter().map(|frame| HEADER_LEN + frame.payload.len()).sum();
        let grave = if self.erase.is_empty() { 0 } else { HEADER_LEN + self.erase.len() * Position::LEN };
        frames + grave
    }

    fn tombstone(&self) -> Option<NewFrame> {
        let first = self.frames.first()?;
        let payload = tombstone(&self.erase);
        (!self.erase.is_empty()).then_some(NewFrame { kind: FrameKind::TOMBSTONE, vault: first.vault, payload })
    }
}

pub(super) fn start_point(folder: &std::path::Path, owner: &JournalOwner, last: u64, end: &End) -> io::Result<Segment> {
    let mut segment = Segment::open(folder, owner, last).map_err(io::Error::other)?;
    segment.len = end.offset;
    Ok(segment)
}

fn logged(reason: StopReason, cause: &io::Error) -> StopReason {
    tracing::error!(?reason, %cause, "the journal stops");
    reason
}
