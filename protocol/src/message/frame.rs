//! Frames: `u32 length || u8 type || u32 id || payload`, length counting all that stands after itself.
//!
//! The head is judged before memory is taken for the payload. A client picks ids that rise from 1; an answer carries
//! the id of what it answers, a piece of a body the id of the message that began it.

use crate::limits::{MESSAGE_LEN_MAX, PIECE_LEN_MAX};

/// The number that joins answers to what they answer. A client picks 1, 2, … in its order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(pub u32);

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A message, tag first.
    Message,
    /// A piece of a body: raw bytes.
    Piece,
}

impl FrameKind {
    const fn number(self) -> u8 {
        match self {
            FrameKind::Message => 0,
            FrameKind::Piece => 1,
        }
    }

    const fn payload_len_max(self) -> usize {
        match self {
            FrameKind::Message => MESSAGE_LEN_MAX,
            FrameKind::Piece => PIECE_LEN_MAX,
        }
    }
}

/// The first nine bytes of a frame, found good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    kind: FrameKind,
    id: FrameId,
    /// Never above the limit of `kind`.
    payload_len: usize,
}

/// Why bytes are no frame. Each ends the session (P-28).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length leaves no room for type and id.
    #[error("frame is shorter than its own head")]
    TooShort,
    /// The payload is longer than one of its type may be.
    #[error("frame is longer than its type allows")]
    TooLong,
    /// Neither a message nor a piece.
    #[error("unknown frame type {0}")]
    UnknownType(u8),
}

impl FrameHead {
    /// The head of a frame with a payload of `payload_len` bytes.
    pub fn new(kind: FrameKind, id: FrameId, payload_len: usize) -> Result<Self, FrameError> {
        if payload_len > kind.payload_len_max() {
            return Err(FrameError::TooLong); // P-28
        }
        Ok(Self { kind, id, payload_len })
    }

    /// Reads a head and judges it.
    pub fn decode(bytes: &[u8; HEAD_LEN]) -> Result<Self, FrameError> {
        let [l0, l1, l2, l3, kind, i0, i1, i2, i3] = *bytes;
        let len = u32::from_be_bytes([l0, l1, l2, l3]);
        let kind = match kind {
            0 => FrameKind::Message,
            1 => FrameKind::Piece,
            unknown => return Err(FrameError::UnknownType(unknown)), // P-28
        };
        let payload_len = len.checked_sub(TYPE_AND_ID_LEN).ok_or(FrameError::TooShort)?;
        let payload_len = usize::try_from(payload_len).map_err(|_| FrameError::TooLong)?;
        Self::new(kind, FrameId(u32::from_be_bytes([i0, i1, i2, i3])), payload_len)
    }

    /// The nine bytes.
    pub fn encode(&self) -> [u8; HEAD_LEN] {
        let mut bytes = [0; HEAD_LEN];
        bytes[..4].copy_from_slice(&(self.payload_len as u32 + TYPE_AND_ID_LEN).to_be_bytes());
        bytes[4] = self.kind.number();
        bytes[5..].copy_from_slice(&self.id.0.to_be_bytes());
        bytes
    }

    /// What the frame carries.
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// What it belongs to.
    pub fn id(&self) -> FrameId {
        self.id
    }

    /// Bytes that follow the head.
    pub fn payload_len(&self) -> usize {
        self.payload_len
    }
}

/// A whole frame.
pub fn encode_frame(kind: FrameKind, id: FrameId, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let head = FrameHead::new(kind, id, payload.len())?;
    let mut bytes = Vec::with_capacity(HEAD_LEN + payload.len());
    bytes.extend_from_slice(&head.encode());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

/// Bytes before the payload.
pub const HEAD_LEN: usize = 9;
/// Bytes of the head that the length counts.
const TYPE_AND_ID_LEN: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_length_type_and_id() {
        let frame = encode_frame(FrameKind::Piece, FrameId(0x0102_0304), b"abc").unwrap();
        assert_eq!(frame[..4], [0, 0, 0, 8]); // length: type, id and three bytes
        assert_eq!(frame[4], 1); // type: piece
        assert_eq!(frame[5..9], [1, 2, 3, 4]); // id
        assert_eq!(&frame[9..], b"abc");
        let head = FrameHead::decode(frame.first_chunk().unwrap()).unwrap();
        assert_eq!(head, FrameHead::new(FrameKind::Piece, FrameId(0x0102_0304), 3).unwrap());
    }

    #[test]
    fn a_frame_above_the_limit_of_its_type_is_refused_from_its_head() {
        let head = |len: u32, kind: u8| {
            let mut bytes = [0; HEAD_LEN];
            bytes[..4].copy_from_slice(&len.to_be_bytes());
            bytes[4] = kind;
            FrameHead::decode(&bytes)
        };
        assert!(head(5, 0).is_ok());
        assert!(head(5 + PIECE_LEN_MAX as u32, 1).is_ok());
        assert_eq!(head(6 + PIECE_LEN_MAX as u32, 1), Err(FrameError::TooLong));
        assert!(head(5 + MESSAGE_LEN_MAX as u32, 0).is_ok());
        assert_eq!(head(6 + MESSAGE_LEN_MAX as u32, 0), Err(FrameError::TooLong));
        assert_eq!(head(u32::MAX, 1), Err(FrameError::TooLong));
        assert_eq!(head(4, 0), Err(FrameError::TooShort));
        assert_eq!(head(5, 2), Err(FrameError::UnknownType(2)));
    }
}
