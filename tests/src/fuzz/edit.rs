//! Edits: one place of a good value is changed as the input says. Signatures and hashes would stop a fuzzer at the door;
//! an edited value is signed again with the key of its party and so comes to what stands behind the door.

use super::source::Source;
use crate::vectors::cbor::Cbor;

/// Changes as many places as the next byte says, at most `most`; half of the time none, so that edits of one value do not
/// hide what lies behind the next.
pub fn edit_some(item: &mut Cbor, from: &mut Source<'_>, most: usize) {
    let count = from.place(2 * (most + 1));
    for _ in 0..if count > most { 0 } else { count } {
        edit(item, from);
    }
}

/// Changes one place.
pub fn edit(item: &mut Cbor, from: &mut Source<'_>) {
    let go_in = from.byte() % 8 != 7;
    match item {
        Cbor::List(items) if go_in && !items.is_empty() => {
            let at = from.place(items.len());
            edit(&mut items[at], from);
        }
        Cbor::Map(pairs) if go_in && !pairs.is_empty() => {
            let at = from.place(pairs.len());
            edit(&mut pairs[at].1, from);
        }
        _ => change(item, from),
    }
}

fn change(item: &mut Cbor, from: &mut Source<'_>) {
    match item {
        Cbor::Uint(number) => *number = other_number(*number, from),
        Cbor::Bytes(bytes) => change_bytes(bytes, from),
        Cbor::Text(text) => change_text(text, from),
        Cbor::List(items) => change_list(items, from),
        Cbor::Map(pairs) => change_map(pairs, from),
        Cbor::Bool(value) => *value = !*value,
        Cbor::Negative(_) | Cbor::Raw(_) => *item = Cbor::Uint(from.number()),
    }
}

fn other_number(number: u64, from: &mut Source<'_>) -> u64 {
    match from.byte() % 8 {
        0 => number.wrapping_add(1),
        1 => number.wrapping_sub(1),
        2 => 0,
        3 => u64::MAX,
        4 => number ^ 1 << from.place(64),
        5 => number.wrapping_add(u64::from(from.short())),
        6 => u64::from(from.byte()),
        _ => from.number(),
    }
}

/// Changes bytes: a bit, the length, or what is in them.
pub fn change_bytes(bytes: &mut Vec<u8>, from: &mut Source<'_>) {
    match from.byte() % 6 {
        0 | 1 if !bytes.is_empty() => {
            let at = from.place(bytes.len());
            bytes[at] ^= 1 << from.place(8);
        }
        2 => bytes.truncate(from.place(bytes.len() + 1)),
        3 => bytes.extend_from_slice(from.take(16)),
        4 => bytes.fill(from.byte()),
        _ => {
            let put = from.take(32);
            let at = from.place(bytes.len() + 1);
            for (old, new) in bytes.iter_mut().skip(at).zip(put) {
                *old = *new;
            }
        }
    }
}

fn change_text(text: &mut String, from: &mut Source<'_>) {
    match from.byte() % 5 {
        0 => text.clear(),
        1 => text.push(char::from(from.byte() % 128)),
        2 => text.insert(0, '薬'),
        3 if text.len() < 400 => *text = text.repeat(from.place(40)),
        _ => *text = String::from_utf8_lossy(from.take(64)).into_owned(),
    }
}

fn change_list(items: &mut Vec<Cbor>, from: &mut Source<'_>) {
    let at = from.place(items.len().max(1));
    match (from.byte() % 5, items.is_empty()) {
        (0, false) => drop(items.remove(at)),
        (1, false) => items.insert(at, items[at].clone()),
        (2, false) => {
            let other = from.place(items.len());
            items.swap(at, other);
        }
        (3, _) => items.clear(),
        _ => items.push(leaf(from)),
    }
}

fn change_map(pairs: &mut Vec<(Cbor, Cbor)>, from: &mut Source<'_>) {
    let at = from.place(pairs.len().max(1));
    match (from.byte() % 4, pairs.is_empty()) {
        (0, false) => drop(pairs.remove(at)),
        (1, false) => pairs[at].1 = leaf(from),
        (2, false) => {
            let other = from.place(pairs.len());
            let value = pairs[other].1.clone();
            pairs[at].1 = value;
        }
        _ => {
            let key = u64::from(from.byte() % 24);
            pairs.retain(|(name, _)| *name != Cbor::Uint(key));
            let before = pairs.iter().take_while(|(name, _)| matches!(name, Cbor::Uint(n) if *n < key)).count();
            pairs.insert(before, (Cbor::Uint(key), leaf(from)));
        }
    }
}

/// A value without anything in it.
fn leaf(from: &mut Source<'_>) -> Cbor {
    match from.byte() % 6 {
        0 => Cbor::Uint(u64::from(from.byte())),
        1 => Cbor::Bytes(from.array::<32>().to_vec()),
        2 => Cbor::Bytes(from.array::<16>().to_vec()),
        3 => Cbor::Text(String::from_utf8_lossy(from.take(16)).into_owned()),
        4 => Cbor::List(Vec::new()),
        _ => Cbor::Map(Vec::new()),
    }
}
