//! Spellings that are not the one: C-01 to C-07.

use serde_json::json;

use super::case::{Case, hex};
use super::cbor::Cbor;

/// Most bytes that the reader allows in these cases.
const LIMIT: usize = 256;

type Spelling = fn() -> Vec<u8>;

/// The cases of `encoding.json`.
pub fn cases() -> Vec<Case> {
    let faults = crate::faults![Spelling;
        "C-01" "encoding" number_in_two_bytes_that_fits_in_one,
        "C-01" "encoding" number_in_three_bytes_that_fits_in_two,
        "C-01" "encoding" number_in_nine_bytes_that_fits_in_five,
        "C-01" "encoding" length_in_two_bytes_that_fits_in_one,
        "C-01" "encoding" byte_string_of_indefinite_length,
        "C-01" "encoding" map_of_indefinite_length,
        "C-01" "encoding" break_without_a_beginning,
        "C-01" "encoding" reserved_additional_information,
        "C-02" "encoding" map_keys_out_of_order,
        "C-02" "encoding" map_key_twice,
        "C-02" "encoding" negative_key_before_a_positive_one,
        "C-03" "encoding" half_float,
        "C-03" "encoding" double_float,
        "C-03" "encoding" tag,
        "C-03" "encoding" null,
        "C-03" "encoding" undefined,
        "C-03" "encoding" simple_value_in_two_bytes,
        "C-04" "encoding" byte_after_the_item,
        "C-04" "encoding" two_items,
        "C-05" "encoding" seventeen_lists_deep,
        "C-05" "encoding" list_that_promises_more_than_there_is,
        "C-05" "encoding" byte_string_of_two_to_the_sixty_three,
        "C-05" "encoding" empty_input,
        "C-05" "encoding" number_cut_short,
        "C-07" "encoding" one_byte_above_the_limit,
        "C-07" "encoding" text_that_is_not_utf_8,
    ];
    let good = crate::faults![Spelling;
        "C-01" "none" largest_and_smallest_numbers,
        "C-02" "none" map_keys_by_their_bytes,
        "C-05" "none" sixteen_lists_deep,
        "C-07" "none" as_long_as_the_limit,
    ];
    let case = |fault: super::case::Fault<Spelling>| {
        let input = json!({ "bytes": hex((fault.put)()), "limit": LIMIT });
        Case::bad("cbor", fault.rule, fault.stage, &fault.name, input)
    };
    good.into_iter().chain(faults).map(case).collect()
}

fn largest_and_smallest_numbers() -> Vec<u8> {
    crate::list![0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX, Cbor::Negative(0)].encode()
}

fn map_keys_by_their_bytes() -> Vec<u8> {
    let keys = [Cbor::Uint(10), Cbor::Uint(100), Cbor::Negative(0), Cbor::from([1]), Cbor::from("z"), Cbor::from("aa")];
    Cbor::Map(keys.into_iter().map(|key| (key, Cbor::Bool(true))).collect()).encode()
}

fn lists(depth: usize) -> Vec<u8> {
    (0..depth).fold(Cbor::Uint(0), |inner, _| Cbor::List(vec![inner])).encode()
}

fn sixteen_lists_deep() -> Vec<u8> {
    lists(16)
}

fn seventeen_lists_deep() -> Vec<u8> {
    lists(17)
}

fn as_long_as_the_limit() -> Vec<u8> {
    Cbor::from(vec![7; LIMIT - 2]).encode()
}

fn one_byte_above_the_limit() -> Vec<u8> {
    Cbor::from(vec![7; LIMIT - 2 + 1]).encode()
}

fn number_in_two_bytes_that_fits_in_one() -> Vec<u8> {
    vec![0x18, 23]
}

fn number_in_three_bytes_that_fits_in_two() -> Vec<u8> {
    vec![0x19, 0, 255]
}

fn number_in_nine_bytes_that_fits_in_five() -> Vec<u8> {
    vec![0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
}

fn length_in_two_bytes_that_fits_in_one() -> Vec<u8> {
    vec![0x58, 1, 0xab]
}

fn byte_string_of_indefinite_length() -> Vec<u8> {
    vec![0x5f, 0x41, 0xab, 0xff]
}

fn map_of_indefinite_length() -> Vec<u8> {
    vec![0xbf, 0x01, 0x02, 0xff]
}

fn break_without_a_beginning() -> Vec<u8> {
    vec![0xff]
}

fn reserved_additional_information() -> Vec<u8> {
    vec![0x1c]
}

fn map_keys_out_of_order() -> Vec<u8> {
    vec![0xa2, 0x02, 0x00, 0x01, 0x00]
}

fn map_key_twice() -> Vec<u8> {
    vec![0xa2, 0x01, 0x00, 0x01, 0x00]
}

fn negative_key_before_a_positive_one() -> Vec<u8> {
    vec![0xa2, 0x20, 0x00, 0x01, 0x00]
}

fn half_float() -> Vec<u8> {
    vec![0xf9, 0x3c, 0x00]
}

fn double_float() -> Vec<u8> {
    vec![0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]
}

fn tag() -> Vec<u8> {
    vec![0xc1, 0x00]
}

fn null() -> Vec<u8> {
    vec![0xa1, 0x01, 0xf6]
}

fn undefined() -> Vec<u8> {
    vec![0xf7]
}

fn simple_value_in_two_bytes() -> Vec<u8> {
    vec![0xf8, 0x20]
}

fn byte_after_the_item() -> Vec<u8> {
    vec![0x07, 0x00]
}

fn two_items() -> Vec<u8> {
    vec![0xa0, 0xa0]
}

fn list_that_promises_more_than_there_is() -> Vec<u8> {
    vec![0x9a, 0x7f, 0xff, 0xff, 0xff, 0x00]
}

fn byte_string_of_two_to_the_sixty_three() -> Vec<u8> {
    vec![0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xab]
}

fn empty_input() -> Vec<u8> {
    Vec::new()
}

fn number_cut_short() -> Vec<u8> {
    vec![0x1a, 0xff, 0xff, 0xff]
}

fn text_that_is_not_utf_8() -> Vec<u8> {
    vec![0x62, 0xc3, 0x28]
}
