//! One spelling of every value: what is written is read, and every other spelling is refused by name.

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
    flags: BTreeMap<u64, bool>,
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
        (&[0x18, 0x07], Fault::NotShortest),
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
    assert_eq!(fault(&bytes), Fault::Simple);
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
        .prop_map(|(number, bytes, text, list, flags)| Sample {
            number,
            bytes: ByteBuf::from(bytes),
            text,
            list,
            flags,
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
