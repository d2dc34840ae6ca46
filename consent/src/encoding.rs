//! The one door to CBOR.
//!
//! A value has one spelling (RFC 8949 section 4.2, deterministic encoding), and every other spelling is refused.
//! The CBOR crate alone is lax, so reading takes three steps: a bounded scan of the bytes, the crate's decoder,
//! and a comparison of what the value encodes to with what arrived. The scan allocates nothing and its recursion
//! is bounded, so hostile bytes cost no more than one pass.
//!
//! Trusted for: I-5, one spelling of every value. If this door let a second spelling through, two byte strings
//! with different digests could mean the same statement.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::limits::CBOR_DEPTH_MAX;

/// Why bytes are not the one spelling of a value, and where that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct EncodingError {
    /// What is wrong.
    pub fault: Fault,
    /// Offset in bytes from the start of the input.
    pub offset: usize,
}

/// What is wrong with an encoding. [`Fault::name`] is the name that vectors use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More bytes than the caller allows for this value.
    #[error("longer than allowed")]
    TooLong,
    /// The bytes end inside an item.
    #[error("bytes end inside an item")]
    Truncated,
    /// Bytes follow the item.
    #[error("bytes after the item")]
    TrailingBytes,
    /// An integer or a length is not in its shortest form.
    #[error("integer or length not in its shortest form")]
    NotShortest,
    /// An indefinite length, or the break that ends one.
    #[error("indefinite length")]
    IndefiniteLength,
    /// Additional information 28 to 30, which RFC 8949 reserves.
    #[error("reserved additional information")]
    Reserved,
    /// A map key that sorts before the one ahead of it.
    #[error("map keys out of order")]
    UnsortedKeys,
    /// A map key that was there already.
    #[error("map key repeated")]
    DuplicateKey,
    /// A floating point number.
    #[error("floating point number")]
    Float,
    /// A tag.
    #[error("tag")]
    Tag,
    /// A simple value other than false and true; `null` is one: what is absent is absent.
    #[error("simple value other than false and true")]
    Simple,
    /// Arrays and maps nested too deeply.
    #[error("nested too deeply")]
    TooDeep,
    /// A text string that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// Well-formed CBOR, but not of the type that is expected here: another kind of item, another length of a byte
    /// string, a missing field.
    #[error("not a value of the expected type")]
    WrongShape,
    /// Of the expected type, but a value that this type does not allow: an unknown number, an empty span.
    #[error("value that its type does not allow")]
    BadValue,
    /// A map has a field that its type does not know, or writes out a field that must be left away.
    #[error("unknown field")]
    UnknownField,
    /// The value has another spelling, which is the right one.
    #[error("not the one spelling of this value")]
    NotCanonical,
    /// The value cannot be written as CBOR of this kind. A fault of the type, never of bytes that came in.
    #[error("value cannot be encoded")]
    Unencodable,
}

impl Fault {
    /// The name of this fault in SPEC and vectors.
    pub fn name(self) -> &'static str {
        match self {
            Fault::TooLong => "TooLong",
            Fault::Truncated => "Truncated",
            Fault::TrailingBytes => "TrailingBytes",
            Fault::NotShortest => "NotShortest",
            Fault::IndefiniteLength => "IndefiniteLength",
            Fault::Reserved => "Reserved",
            Fault::UnsortedKeys => "UnsortedKeys",
            Fault::DuplicateKey => "DuplicateKey",
            Fault::Float => "Float",
            Fault::Tag => "Tag",
            Fault::Simple => "Simple",
            Fault::TooDeep => "TooDeep",
            Fault::NotUtf8 => "NotUtf8",
            Fault::WrongShape => "WrongShape",
            Fault::BadValue => "BadValue",
            Fault::UnknownField => "UnknownField",
            Fault::NotCanonical => "NotCanonical",
            Fault::Unencodable => "Unencodable",
        }
    }

    pub(crate) fn at(self, offset: usize) -> EncodingError {
        EncodingError { fault: self, offset }
    }
}

/// Encodes a value in its one spelling.
///
/// Fails only for a type whose own encoding breaks the rules (fields declared out of order, a float); such a type
/// never gets past its first test.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodingError> {
    let bytes = serde_cbor::to_vec(value).map_err(|_| Fault::Unencodable.at(0))?;
    scan(&bytes)?;
    Ok(bytes)
}

/// Decodes a value from exactly these bytes, of which there may be at most `max_len`.
pub fn from_bytes<T: Serialize + DeserializeOwned>(bytes: &[u8], max_len: usize) -> Result<T, EncodingError> {
    // C-07
    if bytes.len() > max_len {
        return Err(Fault::TooLong.at(max_len));
    }
    let fields = scan(bytes)?;
    let value: T = serde_cbor::from_slice(bytes).map_err(|error| not_of_type(&error, bytes.len()))?;
    // C-06, C-10: what the type does not hold is not in its own spelling.
    // What is decoded may hold keys: the second copy does not stay behind.
    let spelling = Zeroizing::new(serde_cbor::to_vec(&value).map_err(|_| Fault::Unencodable.at(0))?);
    if *spelling == bytes {
        return Ok(value);
    }
    let offset = spelling.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
    let known = scan(&spelling).map_err(|_| Fault::Unencodable.at(0))?;
    Err(if fields > known { Fault::UnknownField.at(offset) } else { Fault::NotCanonical.at(offset) })
}

/// What a `Deserialize` of ours says when a value has the right type and is not allowed: see [`Fault::BadValue`].
pub fn bad_value<E: serde::de::Error>() -> E {
    E::custom(BAD_VALUE)
}

/// The decoder carries errors as text only; ours is known by its text, which nothing else in this file's reach says.
const BAD_VALUE: &str = "karute: value not allowed";

fn not_of_type(error: &serde_cbor::Error, len: usize) -> EncodingError {
    let offset = usize::try_from(error.offset()).unwrap_or(len).min(len);
    if error.to_string().starts_with(BAD_VALUE) { Fault::BadValue.at(offset) } else { Fault::WrongShape.at(offset) }
}

/// Checks that `bytes` are one item in deterministic CBOR and returns how many map entries it holds in all.
fn scan(bytes: &[u8]) -> Result<usize, EncodingError> {
    let mut scan = Scan { bytes, at: 0, fields: 0 };
    scan.item(0)?;
    // C-04
    if scan.at < bytes.len() {
        return Err(Fault::TrailingBytes.at(scan.at));
    }
    Ok(scan.fields)
}

struct Scan<'a> {
    bytes: &'a [u8],
    /// Next byte to read; never beyond the end of `bytes`.
    at: usize,
    /// Map entries passed so far.
    fields: usize,
}

impl Scan<'_> {
    /// Passes over one item. `depth` counts the arrays and maps around it.
    fn item(&mut self, depth: usize) -> Result<(), EncodingError> {
        let start = self.at;
        let initial = self.take(1)?[0];
        let (major, info) = (initial >> 5, initial & 0x1f);
        match major {
            0 | 1 => self.argument(info, start).map(|_| ()),
            2 => self.string(info, start).map(|_| ()),
            3 => self.text(info, start),
            4 => self.array(info, start, depth),
            5 => self.map(info, start, depth),
            // C-03
            6 => Err(Fault::Tag.at(start)),
            _ => simple(info).map_err(|fault| fault.at(start)),
        }
    }

    /// The integer that belongs to an initial byte, in its shortest form.
    fn argument(&mut self, info: u8, start: usize) -> Result<u64, EncodingError> {
        let (width, least) = match info {
            0..=23 => return Ok(u64::from(info)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => return Err(Fault::IndefiniteLength.at(start)),
            _ => return Err(Fault::Reserved.at(start)),
        };
        // C-01
        let value = self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        if value < least { Err(Fault::NotShortest.at(start)) } else { Ok(value) }
    }

    fn string(&mut self, info: u8, start: usize) -> Result<&[u8], EncodingError> {
        let len = self.count(info, start, 1)?;
        self.take(len)
    }

    fn text(&mut self, info: u8, start: usize) -> Result<(), EncodingError> {
        match std::str::from_utf8(self.string(info, start)?) {
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::NotUtf8.at(start)),
        }
    }

    fn array(&mut self, info: u8, start: usize, depth: usize) -> Result<(), EncodingError> {
        let depth = deeper(depth, start)?;
        for _ in 0..self.count(info, start, 1)? {
            self.item(depth)?;
        }
        Ok(())
    }

    fn map(&mut self, info: u8, start: usize, depth: usize) -> Result<(), EncodingError> {
        let depth = deeper(depth, start)?;
        let mut before: Option<std::ops::Range<usize>> = None;
        for _ in 0..self.count(info, start, 2)? {
            let from = self.at;
            self.item(depth)?;
            let key = from..self.at;
            // C-02
            if let Some(before) = before {
                match self.bytes[key.clone()].cmp(&self.bytes[before]) {
                    std::cmp::Ordering::Less => return Err(Fault::UnsortedKeys.at(from)),
                    std::cmp::Ordering::Equal => return Err(Fault::DuplicateKey.at(from)),
                    std::cmp::Ordering::Greater => {}
                }
            }
            before = Some(key);
            self.item(depth)?;
            self.fields += 1;
        }
        Ok(())
    }

    /// C-05: a count of things that take at least `bytes_each` bytes, which must still be there.
    fn count(&mut self, info: u8, start: usize, bytes_each: usize) -> Result<usize, EncodingError> {
        let count = self.argument(info, start)?;
        let room = (self.bytes.len() - self.at) / bytes_each;
        match usize::try_from(count) {
            Ok(count) if count <= room => Ok(count),
            _ => Err(Fault::Truncated.at(start)),
        }
    }

    fn take(&mut self, len: usize) -> Result<&[u8], EncodingError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Fault::Truncated.at(self.at))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
}

/// C-03: only false and true; the rest of major type 7 says what it is.
fn simple(info: u8) -> Result<(), Fault> {
    match info {
        20 | 21 => Ok(()),
        25..=27 => Err(Fault::Float),
        28..=30 => Err(Fault::Reserved),
        31 => Err(Fault::IndefiniteLength),
        _ => Err(Fault::Simple),
    }
}

/// C-05
fn deeper(depth: usize, start: usize) -> Result<usize, EncodingError> {
    if depth < CBOR_DEPTH_MAX { Ok(depth + 1) } else { Err(Fault::TooDeep.at(start)) }
}

#[cfg(test)]
mod tests;
