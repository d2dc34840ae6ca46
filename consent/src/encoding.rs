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
    /// A simple value other than false, true and null.
    #[error("simple value other than false, true and null")]
    Simple,
    /// Arrays and maps nested too deeply.
    #[error("nested too deeply")]
    TooDeep,
    /// A text string that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// Well-formed CBOR, but not of the type that is expected here, or a value that this type does not allow.
    #[error("not a value of the expected type")]
    WrongShape,
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
            Fault::UnknownField => "UnknownField",
            Fault::NotCanonical => "NotCanonical",
            Fault::Unencodable => "Unencodable",
        }
    }

    fn at(self, offset: usize) -> EncodingError {
        EncodingError { fault: self, offset }
    }
}

/// Encodes a value in its one spelling.
///
/// Fails only for a type whose own encoding breaks the rules (fields declared out of order, a float); such a type
/// never gets past its first test.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodingError> {
    let bytes = serde_cbor::to_vec(value).map_err(|_| Fault::Unencodable.at(0))?;
    scan(&bytes)?;
    Ok(bytes)
}

/// Decodes a value from exactly these bytes, of which there may be at most `max_len`.
pub fn from_bytes<T: Serialize + DeserializeOwned>(bytes: &[u8], max_len: usize) -> Result<T, EncodingError> {
    if bytes.len() > max_len {
        return Err(Fault::TooLong.at(max_len));
    }
    let fields = scan(bytes)?;
    let value: T =
        serde_cbor::from_slice(bytes).map_err(|error| Fault::WrongShape.at(offset_of(&error, bytes.len())))?;
    let spelling = serde_cbor::to_vec(&value).map_err(|_| Fault::Unencodable.at(0))?;
    if spelling == bytes {
        return Ok(value);
    }
    let offset = spelling.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
    let known = scan(&spelling).map_err(|_| Fault::Unencodable.at(0))?;
    Err(if fields > known { Fault::UnknownField.at(offset) } else { Fault::NotCanonical.at(offset) })
}

fn offset_of(error: &serde_cbor::Error, len: usize) -> usize {
    usize::try_from(error.offset()).unwrap_or(len).min(len)
}

/// Checks that `bytes` are one item in deterministic CBOR and returns how many map entries it holds in all.
fn scan(bytes: &[u8]) -> Result<usize, EncodingError> {
    let mut scan = Scan { bytes, at: 0, fields: 0 };
    scan.item(0)?;
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

    /// A count of things that take at least `bytes_each` bytes, which must still be there.
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

/// Only false, true and null; the rest of major type 7 says what it is.
fn simple(info: u8) -> Result<(), Fault> {
    match info {
        20..=22 => Ok(()),
        25..=27 => Err(Fault::Float),
        28..=30 => Err(Fault::Reserved),
        31 => Err(Fault::IndefiniteLength),
        _ => Err(Fault::Simple),
    }
}

fn deeper(depth: usize, start: usize) -> Result<usize, EncodingError> {
    if depth < CBOR_DEPTH_MAX { Ok(depth + 1) } else { Err(Fault::TooDeep.at(start)) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_bytes::ByteBuf;
    use serde_indexed::{DeserializeIndexed, SerializeIndexed};

    use super::*;

    #[derive(Clone, Debug, PartialEq, SerializeIndexed, DeserializeIndexed)]
    struct Sample {
        #[serde(index = 1)]
        number: u64,
        #[serde(index = 2)]
        bytes: ByteBuf,
        #[serde(index = 3, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(index = 4)]
        list: Vec<i64>,
        #[serde(index = 5)]
        map: BTreeMap<u64, bool>,
    }

    fn fault(bytes: &[u8]) -> Fault {
        from_bytes::<Sample>(bytes, 1024).expect_err("must be refused").fault
    }

    /// {1: 7, 2: h'ab', 4: [-1], 5: {}}
    const WHOLE: [u8; 12] = [0xa4, 0x01, 0x07, 0x02, 0x41, 0xab, 0x04, 0x81, 0x20, 0x05, 0xa0, 0x00];

    fn whole() -> &'static [u8] {
        &WHOLE[..11]
    }

    #[test]
    fn the_one_spelling_is_read_and_written_alike() {
        let sample: Sample = from_bytes(whole(), 1024).expect("deterministic");
        assert_eq!(sample.number, 7);
        assert_eq!(to_bytes(&sample).expect("encodes"), whole());
    }

    #[test]
    fn every_other_spelling_is_refused_by_name() {
        let cases: [(&[u8], Fault); 16] = [
            (&WHOLE, Fault::TrailingBytes),
            (&whole()[..10], Fault::Truncated),
            (&[], Fault::Truncated),
            (&[0xa4, 0x01, 0x18, 0x07], Fault::NotShortest),
            (&[0xa1, 0x02, 0x58, 0x01, 0xab], Fault::NotShortest),
            (&[0xbf, 0xff], Fault::IndefiniteLength),
            (&[0xff], Fault::IndefiniteLength),
            (&[0xa2, 0x02, 0x00, 0x01, 0x00], Fault::UnsortedKeys),
            (&[0xa2, 0x01, 0x00, 0x01, 0x00], Fault::DuplicateKey),
            (&[0xf9, 0x3c, 0x00], Fault::Float),
            (&[0xc0, 0x00], Fault::Tag),
            (&[0xf7], Fault::Simple),
            (&[0xf8, 0x20], Fault::Simple),
            (&[0x1c], Fault::Reserved),
            (&[0x61, 0xff], Fault::NotUtf8),
            (&[0x07], Fault::WrongShape),
        ];
        for (bytes, expected) in cases {
            assert_eq!(fault(bytes), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_field_that_the_type_does_not_know_is_refused() {
        let mut bytes = whole().to_vec();
        bytes[0] = 0xa5;
        bytes.extend([0x06, 0x00]);
        assert_eq!(fault(&bytes), Fault::UnknownField);
    }

    #[test]
    fn bytes_given_as_an_array_are_another_spelling() {
        let bytes = [0xa4, 0x01, 0x07, 0x02, 0x81, 0x18, 0xab, 0x04, 0x81, 0x20, 0x05, 0xa0];
        assert_eq!(fault(&bytes), Fault::NotCanonical);
    }

    #[test]
    fn a_null_in_place_of_an_absent_field_is_refused() {
        let bytes = [0xa5, 0x01, 0x07, 0x02, 0x41, 0xab, 0x03, 0xf6, 0x04, 0x81, 0x20, 0x05, 0xa0];
        assert_eq!(fault(&bytes), Fault::UnknownField);
    }

    #[test]
    fn a_missing_field_is_refused() {
        assert_eq!(fault(&[0xa1, 0x01, 0x07]), Fault::WrongShape);
    }

    #[test]
    fn a_length_that_the_input_cannot_hold_allocates_nothing() {
        assert_eq!(fault(&[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Fault::Truncated);
        assert_eq!(fault(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Fault::Truncated);
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        let nested = |depth: usize| {
            let mut bytes = vec![0x81; depth];
            bytes.push(0x00);
            scan(&bytes)
        };
        assert!(nested(CBOR_DEPTH_MAX).is_ok());
        assert_eq!(nested(CBOR_DEPTH_MAX + 1), Err(Fault::TooDeep.at(CBOR_DEPTH_MAX)));
        assert!(nested(60_000).is_err());
    }

    #[test]
    fn more_bytes_than_allowed_are_not_looked_at() {
        assert_eq!(from_bytes::<Sample>(whole(), 10), Err(Fault::TooLong.at(10)));
    }

    fn samples() -> impl Strategy<Value = Sample> {
        (
            any::<u64>(),
            proptest::collection::vec(any::<u8>(), 0..300),
            proptest::option::of(".{0,40}"),
            proptest::collection::vec(any::<i64>(), 0..30),
            proptest::collection::btree_map(any::<u64>(), any::<bool>(), 0..30),
        )
            .prop_map(|(number, bytes, text, list, map)| Sample {
                number,
                bytes: ByteBuf::from(bytes),
                text,
                list,
                map,
            })
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(sample in samples()) {
            let bytes = to_bytes(&sample).expect("encodes");
            prop_assert_eq!(from_bytes::<Sample>(&bytes, bytes.len()), Ok(sample));
        }

        #[test]
        fn accepted_bytes_are_the_bytes_that_would_be_written(
            sample in samples(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut bytes = to_bytes(&sample).expect("encodes");
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = with }
            if let Ok(read) = from_bytes::<Sample>(&bytes, bytes.len()) {
                prop_assert_eq!(to_bytes(&read).expect("encodes"), bytes);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(read) = from_bytes::<Sample>(&bytes, 64) {
                prop_assert_eq!(to_bytes(&read).expect("encodes"), bytes);
            }
        }
    }
}
