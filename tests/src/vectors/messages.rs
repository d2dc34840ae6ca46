//! Messages whose form is wrong (P-28), and verified ranges of a body (P-20, P-32).

use karute_protocol::bao::{BodyRef, encode_range, pairs_of};
use serde_json::{Value, json};

use super::case::{Case, Fault, hex};
use super::cast::{key, seed};
use super::cbor::Cbor;
use super::notes::{checkpoint, trail_origin};
use super::trail_messages;
use super::world::World;
use crate::{faults, list, map};

/// The cases of `message.json`.
pub fn messages(world: &World) -> Vec<Case> {
    let faults = faults![fn() -> Vec<u8>;
        "P-28" "message" empty_message,
        "P-28" "message" unknown_tag,
        "P-28" "message" hello_with_nine_heads,
        "C-04" "encoding" byte_behind_the_message,
        "C-02" "encoding" hello_with_fields_exchanged,
        "C-01" "encoding" version_not_in_its_shortest_form,
    ];
    let good = [
        ("hello", message(1, hello(1))),
        ("refusal", message(8, map! {})),
        ("fault-that-says-busy", message(42, map! { 1 => 2 })),
        ("face-of-a-vault", message(3, map! { 1 => seed("a vault") })),
        ("end-of-an-answer", message(30, map! { 1 => 3 })),
    ];
    let input = |payload: Vec<u8>| json!({ "payload": hex(payload) });
    let good = good.map(|(name, payload)| {
        let tag = payload[0];
        Case::good("message", "P-28", name, input(payload)).gives(json!({ "tag": tag }))
    });
    let bad = faults
        .into_iter()
        .map(|Fault { name, rule, stage, put }| Case::bad("message", rule, stage, &name, input(put())));
    good.into_iter().chain(bad).chain(trail_messages::cases(world)).collect()
}

/// A message as it travels.
pub fn message(tag: u8, map: Cbor) -> Vec<u8> {
    [&[tag][..], &map.encode()].concat()
}

fn hello(heads: usize) -> Cbor {
    let head = checkpoint(&trail_origin("home"), 7, &seed("a root"), &super::cast::party("home"));
    map! { 1 => list![1], 2 => vec![Cbor::from(head); heads] }
}

fn empty_message() -> Vec<u8> {
    Vec::new()
}

fn unknown_tag() -> Vec<u8> {
    message(99, map! {})
}

fn hello_with_nine_heads() -> Vec<u8> {
    message(1, hello(9))
}

fn byte_behind_the_message() -> Vec<u8> {
    [&message(8, map! {})[..], &[0]].concat()
}

fn hello_with_fields_exchanged() -> Vec<u8> {
    let Cbor::Map(mut pairs) = hello(0) else { unreachable!("a map") };
    pairs.reverse();
    message(1, Cbor::Map(pairs))
}

fn version_not_in_its_shortest_form() -> Vec<u8> {
    message(1, hello(0).with(1, list![Cbor::Raw(vec![0x18, 1])]))
}

/// A range as it arrives.
struct Range {
    length: u64,
    root: [u8; 32],
    from: u64,
    to: u64,
    encoded: Vec<u8>,
}

/// The cases of `range.json`: a body of two groups and a short third one.
pub fn ranges() -> Vec<Case> {
    let faults = faults![fn(&mut Range);
        "P-20" "range" group_with_a_flipped_bit,
        "P-20" "range" pair_with_a_flipped_bit,
        "P-20" "range" range_cut_short,
        "P-20" "range" byte_behind_the_range,
        "P-20" "range" range_of_another_body,
        "P-20" "range" body_of_another_length,
        "P-20" "range" range_beyond_the_body,
        "P-20" "range" encoding_of_another_range,
        "P-20" "range" nothing_came,
    ];
    let sealed: Vec<u8> = (0..2 * 16_384 + 100u32).map(|n| (n >> 5) as u8).collect();
    let (short, last) = (&sealed[..16_384 + 40], sealed.len() as u64);
    let good = |name: &str, sealed: &[u8], from: u64, to: u64| {
        let output = json!(hex(&sealed[from as usize..to as usize]));
        Case::good("range", "P-32", name, input(&encoded(sealed, from, to))).gives(output)
    };
    let mut whole = good("whole-body-of-two-groups", short, 0, short.len() as u64);
    whole.input["sealed"] = hex(short).into();
    let mut cases = vec![whole, good("end-of-a-body-of-three-groups", &sealed, last - 20, last)];
    cases.push(good("empty-range", &sealed, 5, 5));
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut range = encoded(&sealed, last - 20, last);
        put(&mut range);
        Case::bad("range", rule, stage, &name, input(&range))
    }));
    cases
}

fn encoded(sealed: &[u8], from: u64, to: u64) -> Range {
    let (body, pairs) = pairs_of(sealed).expect("it is in memory");
    let mut encoded = Vec::new();
    encode_range(&body, sealed, &pairs, &(from..to), &mut encoded).expect("it is its body");
    let BodyRef { root, len } = body;
    Range { length: len, root: root.0, from, to, encoded }
}

fn input(range: &Range) -> Value {
    json!({
        "length": range.length, "root": hex(range.root), "from": range.from, "to": range.to, "encoded": hex(&range.encoded),
    })
}

fn group_with_a_flipped_bit(range: &mut Range) {
    *range.encoded.last_mut().expect("a group") ^= 1;
}

fn pair_with_a_flipped_bit(range: &mut Range) {
    range.encoded[40] ^= 1;
}

fn range_cut_short(range: &mut Range) {
    range.encoded.pop();
}

fn byte_behind_the_range(range: &mut Range) {
    range.encoded.push(0);
}

fn range_of_another_body(range: &mut Range) {
    range.root = key("another body");
}

fn body_of_another_length(range: &mut Range) {
    range.length -= 1;
    range.to -= 1;
    range.encoded.pop();
}

fn range_beyond_the_body(range: &mut Range) {
    range.to += 1;
}

fn encoding_of_another_range(range: &mut Range) {
    range.from -= 16_384;
}

fn nothing_came(range: &mut Range) {
    range.encoded.clear();
}
