//! One frame: a fixed header, a small mutable block, the payload.
//!
//! The header never changes once it is durable. The block behind it (state, salt, body checksum) and the payload are
//! what an erasure overwrites: the header keeps the salted digest, so the chain over all headers stays verifiable
//! after the payload is gone, and the wiped salt keeps the digest from being matched against guesses.
//!
//! | offset | field | bytes |
//! |---|---|---|
//! | 0 | magic `kfr1` | 4 |
//! | 4 | payload length | 4 |
//! | 8 | kind | 2 |
//! | 10 | flags: 1 first of its batch, 2 last of its batch | 1 |
//! | 11 | zero | 1 |
//! | 12 | shard | 4 |
//! | 16 | vault | 32 |
//! | 48 | sequence number | 8 |
//! | 56 | sequence number of the first frame of its group commit | 8 |
//! | 64 | chain hash before this frame | 32 |
//! | 96 | SHA-256 over salt and payload | 32 |
//! | 128 | CRC32C over the segment's mark and bytes 0..128 | 4 |
//! | 132 | state | 4 |
//! | 136 | salt | 16 |
//! | 152 | CRC32C over state, salt and payload | 4 |
//! | 156 | payload | |
//!
//! Integers are big-endian. The segment's random mark is under the header checksum, so that a payload chosen by a
//! stranger cannot look like a frame.

use sha2::{Digest, Sha256};

/// The vault a frame belongs to, as 32 opaque bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultTag(pub [u8; 32]);

/// What a payload holds; the journal itself gives a meaning to [`FrameKind::TOMBSTONE`] and [`FrameKind::SEAL`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameKind(pub u16);

impl FrameKind {
    /// Names frames whose payloads are erased.
    pub const TOMBSTONE: FrameKind = FrameKind(0xFFFF);
    /// Written when the journal is closed: proves that all before it was durable.
    pub const SEAL: FrameKind = FrameKind(0xFFFE);

    /// Whether the journal writes this kind itself.
    pub fn is_reserved(self) -> bool {
        self.0 >= 0xFFF0
    }
}

/// The running hash over all frame headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// The value before the first frame of a journal.
    pub fn genesis(node: &[u8; 32], shard: u32) -> ChainHash {
        let mut hash = Sha256::new();
        hash.update(b"karute-journal-start-v1\0");
        hash.update(node);
        hash.update(shard.to_be_bytes());
        ChainHash(hash.finalize().into())
    }
}

/// Where a frame stands. Ordered by sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Sequence number of the frame, from 0.
    pub seq: u64,
    /// Sequence number of the first frame of its segment: names the file.
    pub segment: u64,
    /// Offset of the frame in the segment file, in bytes.
    pub offset: u64,
}

impl Position {
    /// Length of an encoded position, in bytes.
    pub const LEN: usize = 24;

    /// Sequence number, segment, offset; 8 bytes each.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(&self.seq.to_be_bytes());
        out[8..16].copy_from_slice(&self.segment.to_be_bytes());
        out[16..].copy_from_slice(&self.offset.to_be_bytes());
        out
    }

    /// Reads what [`Position::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Position {
        Position { seq: read_u64(bytes, 0), segment: read_u64(bytes, 8), offset: read_u64(bytes, 16) }
    }
}

pub(super) const FRAME_MAGIC: &[u8; 4] = b"kfr1";
/// Bytes before the payload.
pub(super) const HEADER_LEN: usize = 156;
/// Bytes that the chain covers.
const CHAINED_LEN: usize = 128;
/// Where the erasable part begins.
pub(super) const ERASABLE_AT: usize = 132;
const STATE_LIVE: u32 = 0x4C49_5645;
const STATE_GONE: u32 = 0x474F_4E45;
pub(super) const FLAG_FIRST: u8 = 1;
pub(super) const FLAG_LAST: u8 = 2;

/// The part of a frame that never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u32,
    pub(super) kind: FrameKind,
    pub(super) flags: u8,
    pub(super) shard: u32,
    pub(super) vault: VaultTag,
    pub(super) seq: u64,
    pub(super) group: u64,
    pub(super) prev: ChainHash,
    pub(super) digest: [u8; 32],
}

/// What the erasable part of a frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyState {
    Live,
    Gone,
    Broken,
}

impl Header {
    fn chained(&self) -> [u8; CHAINED_LEN] {
        let mut out = [0; CHAINED_LEN];
        out[..4].copy_from_slice(FRAME_MAGIC);
        out[4..8].copy_from_slice(&self.length.to_be_bytes());
        out[8..10].copy_from_slice(&self.kind.0.to_be_bytes());
        out[10] = self.flags;
        out[12..16].copy_from_slice(&self.shard.to_be_bytes());
        out[16..48].copy_from_slice(&self.vault.0);
        out[48..56].copy_from_slice(&self.seq.to_be_bytes());
        out[56..64].copy_from_slice(&self.group.to_be_bytes());
        out[64..96].copy_from_slice(&self.prev.0);
        out[96..128].copy_from_slice(&self.digest);
        out
    }

    /// Reads a header whose checksum holds under `mark`; `None` if it is not one.
    pub(super) fn read(bytes: &[u8], mark: &[u8; 16]) -> Option<Header> {
        if bytes.len() < HEADER_LEN || &bytes[..4] != FRAME_MAGIC || bytes[11] != 0 {
            return None;
        }
        if header_checksum(mark, &bytes[..CHAINED_LEN]) != read_u32(bytes, CHAINED_LEN) {
            return None;
        }
        Some(Header {
            length: read_u32(bytes, 4),
            kind: FrameKind(u16::from_be_bytes([bytes[8], bytes[9]])),
            flags: bytes[10],
            shard: read_u32(bytes, 12),
            vault: VaultTag(read_32(bytes, 16)),
            seq: read_u64(bytes, 48),
            group: read_u64(bytes, 56),
            prev: ChainHash(read_32(bytes, 64)),
            digest: read_32(bytes, 96),
        })
    }

    /// The chain hash after this frame.
    pub(super) fn chain(&self) -> ChainHash {
        let mut hash = Sha256::new();
        hash.update(b"karute-journal-chain-v1\0");
        hash.update(self.chained());
        ChainHash(hash.finalize().into())
    }

    pub(super) fn is_first(&self) -> bool {
        self.flags & FLAG_FIRST != 0
    }

    pub(super) fn is_last(&self) -> bool {
        self.flags & FLAG_LAST != 0
    }

    /// Length of the whole frame, in bytes.
    pub(super) fn frame_len(&self) -> u64 {
        HEADER_LEN as u64 + u64::from(self.length)
    }

    /// Appends the live frame to `out`.
    pub(super) fn write(&self, mark: &[u8; 16], salt: &[u8; 16], payload: &[u8], out: &mut Vec<u8>) {
        let chained = self.chained();
        out.extend_from_slice(&chained);
        out.extend_from_slice(&header_checksum(mark, &chained).to_be_bytes());
        out.extend_from_slice(&STATE_LIVE.to_be_bytes());
        out.extend_from_slice(salt);
        out.extend_from_slice(&body_checksum(STATE_LIVE, salt, payload).to_be_bytes());
        out.extend_from_slice(payload);
    }

    /// Judges the erasable part; `frame` is the whole frame.
    pub(super) fn judge_body(&self, frame: &[u8]) -> BodyState {
        let state = read_u32(frame, ERASABLE_AT);
        let salt = &frame[ERASABLE_AT + 4..ERASABLE_AT + 20];
        let payload = &frame[HEADER_LEN..];
        if body_checksum(state, salt, payload) != read_u32(frame, ERASABLE_AT + 20) {
            return BodyState::Broken;
        }
        match state {
            STATE_LIVE if salted_digest(salt, payload) == self.digest => BodyState::Live,
            STATE_GONE if payload.iter().chain(salt).all(|byte| *byte == 0) => BodyState::Gone,
            _ => BodyState::Broken,
        }
    }

    /// The bytes that an erasure writes from [`ERASABLE_AT`] on.
    pub(super) fn erased_part(&self) -> Vec<u8> {
        let payload_len = self.length as usize;
        let mut out = vec![0; HEADER_LEN - ERASABLE_AT + payload_len];
        out[..4].copy_from_slice(&STATE_GONE.to_be_bytes());
        let checksum = body_checksum(STATE_GONE, &[0; 16], &out[24..]);
        out[20..24].copy_from_slice(&checksum.to_be_bytes());
        out
    }
}

/// SHA-256 under its own context over salt and payload.
pub(super) fn salted_digest(salt: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"karute-journal-payload-v1\0");
    hash.update(salt);
    hash.update(payload);
    hash.finalize().into()
}

fn header_checksum(mark: &[u8; 16], chained: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(mark), chained)
}

fn body_checksum(state: u32, salt: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&state.to_be_bytes()), salt), payload)
}

pub(super) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(out)
}

pub(super) fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(out)
}

pub(super) fn read_32(bytes: &[u8], at: usize) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(&bytes[at..at + 32]);
    out
}
