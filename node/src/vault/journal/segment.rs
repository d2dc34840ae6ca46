//! Segment files: `<first sequence number, 16 hex digits>.seg`, each with a header that says whose it is.
//!
//! A segment is written under a temporary name, synced, renamed and its folder synced before a frame enters it, and
//! only after everything in the segment before it is durable. So a broken segment header, or a broken frame in a
//! segment that is not the newest, is damage and never the trace of a power cut.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{ChainHash, read_32, read_u32, read_u64};

/// Whose journal this is; stands in every segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOwner {
    /// The node's id.
    pub node: [u8; 32],
    /// The shard of vaults that the journal holds.
    pub shard: u32,
}

pub(super) const SEGMENT_HEADER_LEN: usize = 112;
const SEGMENT_MAGIC: &[u8; 8] = b"karutejr";
const SEGMENT_VERSION: u16 = 1;
const SEGMENT_SUFFIX: &str = "seg";

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) first: u64,
    pub(super) prev: ChainHash,
    /// Random bytes under every frame's header checksum.
    pub(super) mark: [u8; 16],
    /// Length of the file, in bytes.
    pub(super) len: u64,
}

/// Why a segment file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SegmentBroken {
    /// The file could not be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Header magic, version or checksum is wrong.
    #[error("{path} does not begin with a segment header of version 1: the file is damaged or foreign")]
    NotASegment {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to another node or shard.
    #[error("{path} belongs to another node or shard")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

impl Segment {
    /// Makes the file durable with nothing but its header.
    pub(super) fn create(
        folder: &Path,
        owner: &JournalOwner,
        first: u64,
        prev: ChainHash,
        mark: [u8; 16],
    ) -> io::Result<Segment> {
        let path = segment_path(folder, first);
        let fresh = path.with_extension("new");
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        bytes[..8].copy_from_slice(SEGMENT_MAGIC);
        bytes[8..10].copy_from_slice(&SEGMENT_VERSION.to_be_bytes());
        bytes[12..16].copy_from_slice(&owner.shard.to_be_bytes());
        bytes[16..48].copy_from_slice(&owner.node);
        bytes[48..56].copy_from_slice(&first.to_be_bytes());
        bytes[56..88].copy_from_slice(&prev.0);
        bytes[88..104].copy_from_slice(&mark);
        let checksum = crc32c::crc32c(&bytes[..104]);
        bytes[104..108].copy_from_slice(&checksum.to_be_bytes());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&fresh)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        sync_folder(folder)?;
        Ok(Segment { file, path, first, prev, mark, len: SEGMENT_HEADER_LEN as u64 })
    }

    /// Opens and checks one segment file.
    pub(super) fn open(folder: &Path, owner: &JournalOwner, first: u64) -> Result<Segment, SegmentBroken> {
        let path = segment_path(folder, first);
        let unreadable = |source| SegmentBroken::Unreadable { path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        if len < SEGMENT_HEADER_LEN as u64 {
            return Err(SegmentBroken::NotASegment { path });
        }
        file.read_exact_at(&mut bytes, 0).map_err(unreadable)?;
        let intact = &bytes[..8] == SEGMENT_MAGIC
            && bytes[8..12] == [0, 1, 0, 0]
            && crc32c::crc32c(&bytes[..104]) == read_u32(&bytes, 104)
            && bytes[108..] == [0; 4]
            && read_u64(&bytes, 48) == first;
        if !intact {
            return Err(SegmentBroken::NotASegment { path });
        }
        if read_u32(&bytes, 12) != owner.shard || read_32(&bytes, 16) != owner.node {
            return Err(SegmentBroken::Foreign { path });
        }
        let mut mark = [0; 16];
        mark.copy_from_slice(&bytes[88..104]);
        Ok(Segment { file, path, first, prev: ChainHash(read_32(&bytes, 56)), mark, len })
    }

    /// Reads `len` bytes at `offset`, or what there is up to the end of the file.
    pub(super) fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let there = self.len.saturating_sub(offset).min(len as u64);
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(len)];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

/// First sequence numbers of all segments in the folder, ascending. Leftovers of an unfinished creation are removed.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("new") => fs::remove_file(&path)?,
            Some(SEGMENT_SUFFIX) => {
                let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                if let Ok(first) = u64::from_str_radix(stem, 16) {
                    found.push(first);
                }
            }
            _ => {}
        }
    }
    found.sort_unstable();
    Ok(found)
}

pub(super) fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:016x}.{SEGMENT_SUFFIX}"))
}

/// Makes names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
