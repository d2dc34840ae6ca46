//! Opening: everything from a mark on is verified, a torn tail is cut off, unfinished erasures are finished.
//!
//! What a power cut may leave: any part of the newest group commit, because nobody was answered for it. Every frame
//! names its group, and a group is written only after the one before it is durable. So a broken frame with a sound
//! frame of a later group behind it was durable and is damage, which is an error and never cut off; a broken frame
//! with none behind it belongs to the unanswered tail and is cut off with its batch. (A bit that rots in the very
//! last group cannot be told from a torn write here; the index's mark and the seal written on closing tell it.)

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::erase::erase_frames;
use super::frame::{BodyState, ChainHash, FRAME_MAGIC, FrameKind, HEADER_LEN, Header, Position};
use super::limits::PAYLOAD_BYTES_MAX;
use super::segment::{JournalOwner, SEGMENT_HEADER_LEN, Segment, SegmentBroken, list};
use super::{CommittedBatch, CommittedFrame, Mark};

/// Why a journal does not open.
#[derive(Debug, thiserror::Error)]
pub enum JournalBroken {
    /// A segment file is unusable.
    #[error("a journal segment is unusable")]
    Segment(#[from] SegmentBroken),
    /// Segments in the middle are missing.
    #[error("the journal has a gap: no segment begins at frame {expected}")]
    Gap {
        /// The frame that no file holds.
        expected: u64,
    },
    /// A frame that was durable is damaged: nothing is cut off, restore the segment from a mirror or a backup.
    #[error(
        "frame {seq} at byte {offset} of {path} is damaged, and later frames are sound: restore this file from a mirror or backup"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the frame begins, in bytes.
        offset: u64,
        /// Which frame it is.
        seq: u64,
    },
    /// A sound frame does not continue the chain.
    #[error("frame {seq} at byte {offset} of {path} does not continue the chain")]
    ChainBroken {
        /// The file.
        path: PathBuf,
        /// Where the frame begins, in bytes.
        offset: u64,
        /// Which frame was expected.
        seq: u64,
    },
    /// The mark points at something the journal does not hold; replay from the beginning instead.
    #[error("the journal holds no frame that matches the mark")]
    MarkUnknown,
    /// The disk did not do what it was asked.
    #[error("the journal folder cannot be read or mended")]
    Disk(#[from] io::Error),
}

/// What checking found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Frames that were verified.
    pub frames: u64,
    /// Bytes of an unanswered tail that were cut off.
    pub cut_bytes: u64,
    /// Erasures that a crash had interrupted and that are now done.
    pub erasures_finished: u64,
}

/// Where the next frame goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) offset: u64,
    pub(super) seq: u64,
    pub(super) chain: ChainHash,
}

/// The segments of a journal that is not yet running.
pub(super) struct Scan<'a> {
    folder: &'a Path,
    owner: &'a JournalOwner,
    pub(super) firsts: Vec<u64>,
}

/// Running state of one check.
struct Walk {
    end: End,
    /// Where the batch being read began.
    batch: End,
    in_batch: bool,
    group: u64,
    /// Broken payloads in the group being read, with the start of their batch.
    doubts: Vec<(Position, End)>,
    /// Broken payloads that were durable: only an unfinished erasure explains them.
    suspects: Vec<Position>,
    tombstoned: Vec<(u64, Position)>,
    frames: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn new(folder: &'a Path, owner: &'a JournalOwner) -> Result<Scan<'a>, JournalBroken> {
        let firsts = list(folder)?;
        if let Some(first) = firsts.first()
            && *first != 0
        {
            return Err(JournalBroken::Gap { expected: 0 });
        }
        Ok(Scan { folder, owner, firsts })
    }

    fn segment(&self, index: usize) -> Result<Segment, JournalBroken> {
        Ok(Segment::open(self.folder, self.owner, self.firsts[index])?)
    }

    /// Where reading begins: the segment's index and the state there.
    fn start(&self, from: Option<&Mark>) -> Result<(usize, End), JournalBroken> {
        let Some(mark) = from else {
            let chain = ChainHash::genesis(&self.owner.node, self.owner.shard);
            return Ok((0, End { offset: SEGMENT_HEADER_LEN as u64, seq: 0, chain }));
        };
        let index = self.firsts.binary_search(&mark.last.segment).map_err(|_| JournalBroken::MarkUnknown)?;
        let segment = self.segment(index)?;
        let bytes = segment.read(mark.last.offset, HEADER_LEN)?;
        let header = Header::read(&bytes, &segment.mark).ok_or(JournalBroken::MarkUnknown)?;
        let offset = mark.last.offset + header.frame_len();
        if header.seq != mark.last.seq || header.chain() != mark.chain || !header.is_last() || offset > segment.len {
            return Err(JournalBroken::MarkUnknown);
        }
        Ok((index, End { offset, seq: header.seq + 1, chain: mark.chain }))
    }

    /// Verifies everything from the mark on, mends the tail, finishes erasures. Returns where the next frame goes.
    pub(super) fn check(&self, from: Option<&Mark>) -> Result<(End, Checked), JournalBroken> {
        let (start, end) = self.start(from)?;
        let mut walk = Walk {
            end,
            batch: end,
            in_batch: false,
            group: u64::MAX,
            doubts: Vec::new(),
            suspects: Vec::new(),
            tombstoned: Vec::new(),
            frames: 0,
        };
        let mut checked = Checked::default();
        for index in start..self.firsts.len() {
            let segment = self.segment(index)?;
            if index > start {
                walk.enter(&segment)?;
            }
            let newest = index + 1 == self.firsts.len();
            let cut = walk.read_segment(&segment, newest)?;
            if newest {
                let cut = walk.settle(cut);
                checked.cut_bytes = segment.len - walk.end.offset;
                if cut && checked.cut_bytes > 0 {
                    segment.file.set_len(walk.end.offset)?;
                    segment.file.sync_all()?;
                }
            } else if cut {
                return Err(damaged(&segment, &walk.end));
            } else {
                walk.confirm_doubts();
            }
        }
        checked.erasures_finished = self.finish_erasures(&walk)?;
        checked.frames = walk.frames;
        Ok((walk.end, checked))
    }

    /// Erases what a tombstone names and is not gone yet. A broken payload that none names is damage.
    fn finish_erasures(&self, walk: &Walk) -> Result<u64, JournalBroken> {
        let counts = walk.tombstoned.iter().filter(|(by, _)| *by < walk.end.seq);
        let named: BTreeSet<Position> = counts.map(|(_, position)| *position).collect();
        if let Some(lost) = walk.suspects.iter().find(|suspect| !named.contains(suspect)) {
            let path = super::segment::segment_path(self.folder, lost.segment);
            return Err(JournalBroken::Damaged { path, offset: lost.offset, seq: lost.seq });
        }
        let named: Vec<Position> = named.into_iter().collect();
        Ok(erase_frames(self.folder, self.owner, &named)?)
    }

    /// Hands every batch from the mark on, in order, to `visit`; call [`Scan::check`] first.
    pub(super) fn replay<E: From<JournalBroken>>(
        &self,
        from: Option<&Mark>,
        visit: &mut dyn FnMut(CommittedBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let (start, mut end) = self.start(from)?;
        let mut frames = Vec::new();
        for index in start..self.firsts.len() {
            let segment = self.segment(index)?;
            if index > start {
                end.offset = SEGMENT_HEADER_LEN as u64;
            }
            while end.offset < segment.len {
                let (header, bytes, state) = read_sound(&segment, &end)?;
                let position = Position { seq: end.seq, segment: segment.first, offset: end.offset };
                end = End { offset: end.offset + header.frame_len(), seq: end.seq + 1, chain: header.chain() };
                if !header.kind.is_reserved() {
                    let payload = (state == BodyState::Live).then(|| bytes[HEADER_LEN..].to_vec());
                    frames.push(CommittedFrame { position, kind: header.kind, vault: header.vault, payload });
                }
                if header.is_last() {
                    let mark = Mark { last: position, chain: end.chain };
                    visit(CommittedBatch { frames: std::mem::take(&mut frames), mark })?;
                }
            }
        }
        Ok(())
    }
}

impl Walk {
    /// Goes on in the next segment.
    fn enter(&mut self, segment: &Segment) -> Result<(), JournalBroken> {
        if segment.first != self.end.seq {
            return Err(JournalBroken::Gap { expected: self.end.seq });
        }
        self.end.offset = SEGMENT_HEADER_LEN as u64;
        if segment.prev != self.end.chain {
            return Err(chain_broken(segment, &self.end));
        }
        Ok(())
    }

    /// Reads one segment to its end. True: it ends in something that is no whole batch.
    fn read_segment(&mut self, segment: &Segment, newest: bool) -> Result<bool, JournalBroken> {
        while self.end.offset < segment.len {
            let bytes = segment.read(self.end.offset, HEADER_LEN)?;
            let Some(header) = Header::read(&bytes, &segment.mark) else {
                if newest && !later_group_follows(segment, &self.end)? {
                    return Ok(true);
                }
                return Err(damaged(segment, &self.end));
            };
            self.check_place(segment, &header)?;
            if self.end.offset + header.frame_len() > segment.len {
                return Ok(true);
            }
            self.take(segment, &header)?;
        }
        Ok(self.in_batch)
    }

    /// A sound header must continue what stands before it.
    fn check_place(&self, segment: &Segment, header: &Header) -> Result<(), JournalBroken> {
        let opens_group = header.is_first() && header.group == header.seq;
        let continues = header.seq == self.end.seq
            && header.prev == self.end.chain
            && header.is_first() != self.in_batch
            && (opens_group || header.group == self.group || self.group == u64::MAX)
            && header.length as usize <= PAYLOAD_BYTES_MAX;
        if continues { Ok(()) } else { Err(chain_broken(segment, &self.end)) }
    }

    fn take(&mut self, segment: &Segment, header: &Header) -> Result<(), JournalBroken> {
        if header.group != self.group {
            self.confirm_doubts();
            self.group = header.group;
        }
        if header.is_first() {
            self.batch = self.end;
        }
        let frame = segment.read(self.end.offset, HEADER_LEN + header.length as usize)?;
        let position = Position { seq: header.seq, segment: segment.first, offset: self.end.offset };
        match header.judge_body(&frame) {
            BodyState::Broken => self.doubts.push((position, self.batch)),
            BodyState::Live if header.kind == FrameKind::TOMBSTONE => {
                let named = super::erase::read_tombstone(&frame[HEADER_LEN..]);
                self.tombstoned.extend(named.map(|position| (header.seq, position)));
            }
            BodyState::Live | BodyState::Gone => {}
        }
        self.frames += 1;
        self.in_batch = !header.is_last();
        self.end = End { offset: self.end.offset + header.frame_len(), seq: header.seq + 1, chain: header.chain() };
        Ok(())
    }

    fn confirm_doubts(&mut self) {
        self.suspects.extend(self.doubts.drain(..).map(|(position, _)| position));
    }

    /// At the end of the newest segment: steps back to the last batch that counts. True if anything is dropped.
    fn settle(&mut self, mut cut: bool) -> bool {
        if cut && self.in_batch {
            self.end = self.batch;
        }
        let end_seq = self.end.seq;
        let named: BTreeSet<Position> =
            self.tombstoned.iter().filter(|(by, _)| *by < end_seq).map(|(_, position)| *position).collect();
        for (position, batch) in std::mem::take(&mut self.doubts) {
            if position.seq >= self.end.seq {
                continue;
            }
            if named.contains(&position) {
                self.suspects.push(position);
            } else {
                self.end = batch;
                cut = true;
            }
        }
        self.in_batch = false;
        cut
    }
}

/// Whether a sound frame of a later group stands behind a broken one.
fn later_group_follows(segment: &Segment, broken: &End) -> Result<bool, JournalBroken> {
    const WINDOW: usize = 1 << 20;
    let mut at = broken.offset + 1;
    while at < segment.len {
        let window = segment.read(at, WINDOW + HEADER_LEN)?;
        let usable = window.len().min(WINDOW);
        for start in 0..usable {
            if window[start..].starts_with(FRAME_MAGIC)
                && Header::read(&window[start..], &segment.mark).is_some_and(|header| header.group > broken.seq)
            {
                return Ok(true);
            }
        }
        at += usable as u64;
    }
    Ok(false)
}

fn read_sound(segment: &Segment, end: &End) -> Result<(Header, Vec<u8>, BodyState), JournalBroken> {
    let bytes = segment.read(end.offset, HEADER_LEN)?;
    let header = Header::read(&bytes, &segment.mark).ok_or_else(|| damaged(segment, end))?;
    let frame = segment.read(end.offset, HEADER_LEN + header.length as usize)?;
    if frame.len() as u64 != header.frame_len() {
        return Err(damaged(segment, end));
    }
    match header.judge_body(&frame) {
        BodyState::Broken => Err(damaged(segment, end)),
        state => Ok((header, frame, state)),
    }
}

fn damaged(segment: &Segment, end: &End) -> JournalBroken {
    JournalBroken::Damaged { path: segment.path.clone(), offset: end.offset, seq: end.seq }
}

fn chain_broken(segment: &Segment, end: &End) -> JournalBroken {
    JournalBroken::ChainBroken { path: segment.path.clone(), offset: end.offset, seq: end.seq }
}
