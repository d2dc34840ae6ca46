//! Values longer than an entry may be: numbered pieces under one key.
//!
//! Piece 0 begins with the whole length (4 bytes), so that a missing piece is noticed; piece n stands under
//! `key || n` (2 bytes, big-endian), so pieces of one key are neighbours.

use super::{CHECKSUM_LEN, ENTRY_BYTES_MAX, IndexError, KeyValue};

/// Bytes of the value in one piece; leaves room for key, length and checksum.
pub(super) const PIECE_BYTES: usize = 3584;
/// Longest key of a value in pieces, in bytes.
pub(super) const PIECED_KEY_MAX: usize = ENTRY_BYTES_MAX - PIECE_BYTES - CHECKSUM_LEN - 2 - 4;

pub(super) fn piece_key(key: &[u8], number: u16) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}

/// Splits a value into keys and pieces.
pub(super) fn split(key: &[u8], value: &[u8]) -> Result<Vec<KeyValue>, IndexError> {
    let length = u32::try_from(value.len()).map_err(|_| IndexError::EntryTooLarge)?;
    if key.len() > PIECED_KEY_MAX || value.len().div_ceil(PIECE_BYTES) > usize::from(u16::MAX) {
        return Err(IndexError::EntryTooLarge);
    }
    let mut pieces = Vec::new();
    let mut rest = value;
    for number in 0..=u16::MAX {
        let (now, later) = rest.split_at(rest.len().min(PIECE_BYTES));
        let mut piece = if number == 0 { length.to_be_bytes().to_vec() } else { Vec::new() };
        piece.extend_from_slice(now);
        pieces.push((piece_key(key, number), piece));
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    Ok(pieces)
}

/// Puts a value together again; `read` finds one piece.
pub(super) fn join(
    key: &[u8],
    mut read: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, IndexError>,
) -> Result<Option<Vec<u8>>, IndexError> {
    let Some(first) = read(&piece_key(key, 0))? else { return Ok(None) };
    let (length, start) = first.split_first_chunk::<4>().ok_or(IndexError::Damaged)?;
    let length = u32::from_be_bytes(*length) as usize;
    let mut value = start.to_vec();
    let mut number = 1;
    while value.len() < length {
        let next = read(&piece_key(key, number))?.filter(|piece| !piece.is_empty()).ok_or(IndexError::Damaged)?;
        value.extend_from_slice(&next);
        number = number.checked_add(1).ok_or(IndexError::Damaged)?;
    }
    if value.len() == length { Ok(Some(value)) } else { Err(IndexError::Damaged) }
}
