//! Erasing payloads in place.
//!
//! A tombstone frame that names the places is durable before a byte is overwritten, so that an erasure which a crash
//! interrupts is finished at the next opening, and so that a broken payload without a tombstone is known as damage.
//! What the drive or the file system keeps of overwritten blocks is outside of what a file can promise; payloads are
//! sealed records, whose keys the host never had.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frame::{BodyState, ERASABLE_AT, HEADER_LEN, Header, Position};
use super::segment::{JournalOwner, Segment};

/// The payload of a tombstone: positions, one after the other.
pub(super) fn tombstone(positions: &[Position]) -> Vec<u8> {
    positions.iter().flat_map(|position| position.to_bytes()).collect()
}

/// The positions that a tombstone names.
pub(super) fn read_tombstone(payload: &[u8]) -> impl Iterator<Item = Position> + '_ {
    payload.as_chunks::<{ Position::LEN }>().0.iter().map(Position::from_bytes)
}

/// Reads the header at a position; an error of kind `InvalidData` if no erasable frame of that number stands there.
fn erasable(segment: &Segment, position: &Position) -> io::Result<Header> {
    let bytes = segment.read(position.offset, HEADER_LEN)?;
    Header::read(&bytes, &segment.mark)
        .filter(|header| header.seq == position.seq && !header.kind.is_reserved())
        .filter(|header| position.offset + header.frame_len() <= segment.len)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Whether every position holds an erasable frame.
pub(super) fn all_erasable(folder: &Path, owner: &JournalOwner, positions: &[Position]) -> bool {
    by_segment(positions).into_iter().all(|(first, positions)| {
        let segment = Segment::open(folder, owner, first);
        segment.is_ok_and(|segment| positions.iter().all(|position| erasable(&segment, position).is_ok()))
    })
}

/// Overwrites payloads and their salts, durably. Returns how many were not gone already.
pub(super) fn erase_frames(folder: &Path, owner: &JournalOwner, positions: &[Position]) -> io::Result<u64> {
    let mut erased = 0;
    for (first, positions) in by_segment(positions) {
        let segment = Segment::open(folder, owner, first).map_err(io::Error::other)?;
        let before = erased;
        for position in positions {
            erased += u64::from(erase_frame(&segment, &position)?);
        }
        if erased > before {
            segment.file.sync_data()?;
        }
    }
    Ok(erased)
}

/// Overwrites one payload and its salt. False if it was gone already.
fn erase_frame(segment: &Segment, position: &Position) -> io::Result<bool> {
    let header = erasable(segment, position)?;
    let frame = segment.read(position.offset, HEADER_LEN + header.length as usize)?;
    if header.judge_body(&frame) == BodyState::Gone {
        return Ok(false);
    }
    segment.file.write_all_at(&header.erased_part(), position.offset + ERASABLE_AT as u64)?;
    Ok(true)
}

fn by_segment(positions: &[Position]) -> BTreeMap<u64, Vec<Position>> {
    let mut segments: BTreeMap<u64, Vec<Position>> = BTreeMap::new();
    for position in positions {
        segments.entry(position.segment).or_default().push(*position);
    }
    segments
}
