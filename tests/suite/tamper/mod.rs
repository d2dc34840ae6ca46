//! Every type of statement, every field of it, five deeds: flip a bit, put the same field of another statement in its
//! place, leave it away, write it twice, and sign what came of it again with a valid key that is not the right one. All
//! of it must be refused where the statement is used.
//!
//! The fields are found by walking the CBOR of the payload, so a field that is added later is tried as well.

mod specimens;

use std::collections::BTreeSet;

use karute_tests::vectors::cast::party;
use karute_tests::vectors::cbor::Cbor;
use karute_tests::vectors::forge::{Envelope, sign};

use specimens::{Specimen, Uses};

/// One step into a payload: a key of a map or a place in an array.
#[derive(Clone, Copy, Debug)]
enum Step {
    Key(u64),
    At(usize),
}

/// The way to a field.
type Place = Vec<Step>;

/// What can be done to a field. `other` is another statement's payload of the same type.
type Deed = fn(&Cbor, &[Step], &Cbor) -> Option<Cbor>;

const DEEDS: [(&str, Deed); 4] =
    [("flip", flip), ("swap", swap), ("leave away", leave_away), ("write twice", write_twice)];

/// Somebody with a good key and no right to sign any of this.
const ATTACKER: &str = "stranger";

/// All fields of a payload, the inner ones included.
fn places(value: &Cbor) -> Vec<Place> {
    let inner: Vec<(Step, &Cbor)> = match value {
        Cbor::Map(pairs) => pairs.iter().map(|(key, value)| (Step::Key(key.number()), value)).collect(),
        Cbor::List(items) => items.iter().enumerate().map(|(at, item)| (Step::At(at), item)).collect(),
        _ => Vec::new(),
    };
    let below = |(step, value)| {
        let deeper = places(value).into_iter().map(move |place| [vec![step], place].concat());
        std::iter::once(vec![step]).chain(deeper)
    };
    inner.into_iter().flat_map(below).collect()
}

fn look<'v>(value: &'v Cbor, place: &[Step]) -> Option<&'v Cbor> {
    place.iter().try_fold(value, |value, step| match (value, step) {
        (Cbor::Map(pairs), Step::Key(key)) => pairs.iter().find(|(name, _)| *name == Cbor::Uint(*key)).map(|(_, v)| v),
        (Cbor::List(items), Step::At(at)) => items.get(*at),
        _ => None,
    })
}

fn look_mut<'v>(value: &'v mut Cbor, place: &[Step]) -> &'v mut Cbor {
    place.iter().fold(value, |value, step| match (value, step) {
        (value @ Cbor::Map(_), Step::Key(key)) => value.field_mut(*key),
        (value, Step::At(at)) => &mut value.items_mut()[*at],
        _ => unreachable!("the place was found in this value"),
    })
}

/// One bit of a field that has no fields of its own.
fn flip(payload: &Cbor, place: &[Step], _: &Cbor) -> Option<Cbor> {
    let mut payload = payload.clone();
    match look_mut(&mut payload, place) {
        Cbor::Uint(number) => *number ^= 1,
        Cbor::Bool(value) => *value = !*value,
        Cbor::Bytes(bytes) => *bytes.first_mut()? ^= 1,
        Cbor::Text(text) => *text = format!("{}{}", text, '\u{1}').split_off(1),
        _ => return None,
    }
    Some(payload)
}

/// The same field of another statement, if it is another value.
fn swap(payload: &Cbor, place: &[Step], other: &Cbor) -> Option<Cbor> {
    let theirs = look(other, place).filter(|theirs| Some(*theirs) != look(payload, place))?.clone();
    let mut payload = payload.clone();
    *look_mut(&mut payload, place) = theirs;
    Some(payload)
}

fn leave_away(payload: &Cbor, place: &[Step], _: &Cbor) -> Option<Cbor> {
    let (last, around) = place.split_last()?;
    let mut payload = payload.clone();
    match (look_mut(&mut payload, around), last) {
        (map @ Cbor::Map(_), Step::Key(key)) => map.leave_away(*key),
        (list, Step::At(at)) => drop(list.items_mut().remove(*at)),
        _ => return None,
    }
    Some(payload)
}

fn write_twice(payload: &Cbor, place: &[Step], _: &Cbor) -> Option<Cbor> {
    let (last, around) = place.split_last()?;
    let mut payload = payload.clone();
    match (look_mut(&mut payload, around), last) {
        (Cbor::Map(pairs), Step::Key(key)) => {
            let at = pairs.iter().position(|(name, _)| *name == Cbor::Uint(*key))?;
            pairs.insert(at, pairs[at].clone());
        }
        (Cbor::List(items), Step::At(at)) => items.insert(*at, items[*at].clone()),
        _ => return None,
    }
    Some(payload)
}

/// The envelope with something done to each of its parts.
fn envelopes(good: &Envelope, other: &Envelope) -> Vec<(String, Vec<u8>)> {
    let parts = |it: &Envelope| {
        vec![
            Cbor::Bytes(it.protected.clone()),
            it.unprotected.clone(),
            Cbor::Bytes(it.payload.clone()),
            Cbor::Bytes(it.signature.clone()),
        ]
    };
    let (ours, theirs) = (Cbor::List(parts(good)), Cbor::List(parts(other)));
    let mut made = Vec::new();
    for place in places(&ours) {
        for (name, deed) in DEEDS {
            let forged = deed(&ours, &place, &theirs).map(|forged| forged.encode());
            made.extend(forged.map(|forged| (format!("{name} {place:?} of the envelope"), forged)));
        }
    }
    // Every byte of header and signature, one bit each.
    for at in 0..good.protected.len() {
        let mut protected = good.protected.clone();
        protected[at] ^= 0x10;
        made.push((format!("flip byte {at} of the header"), Envelope { protected, ..copy(good) }.join()));
    }
    for at in 0..good.signature.len() {
        let mut signature = good.signature.clone();
        signature[at] ^= 0x10;
        made.push((format!("flip byte {at} of the signature"), Envelope { signature, ..copy(good) }.join()));
    }
    made
}

fn copy(it: &Envelope) -> Envelope {
    let Envelope { protected, unprotected, payload, signature } = it;
    Envelope {
        protected: protected.clone(),
        unprotected: unprotected.clone(),
        payload: payload.clone(),
        signature: signature.clone(),
    }
}

/// All that is done to one specimen: what was done, and the bytes that came of it.
fn forgeries(it: &Specimen) -> Vec<(String, Vec<u8>)> {
    let good = Envelope::sign(it.kind, &it.payload, &party(it.by));
    let mut made = envelopes(&good, &Envelope::sign(it.kind, &it.other, &party(it.other_by)));
    for place in places(&it.payload) {
        for (name, deed) in DEEDS {
            let Some(changed) = deed(&it.payload, &place, &it.other) else { continue };
            let kept = Envelope { payload: changed.encode(), ..copy(&good) }.join();
            made.push((format!("{name} {place:?}"), kept));
            made.push((format!("{name} {place:?} and sign again"), sign(it.kind, &changed, &party(ATTACKER))));
        }
    }
    for name in it.not_by {
        made.push((format!("signed by the {name}"), sign(it.kind, &it.payload, &party(name))));
    }
    made
}

#[test]
fn nothing_that_was_tampered_with_is_taken() {
    let uses = Uses::new();
    let (mut total, mut taken) = (0, Vec::new());
    for it in uses.specimens() {
        let genuine = sign(it.kind, &it.payload, &party(it.by));
        assert!(uses.takes(it.kind, &genuine), "the {} itself is not taken", it.kind);
        let forged = forgeries(&it);
        println!("{:>12}: {} forgeries", it.kind, forged.len());
        total += forged.len();
        let accepted = forged.into_iter().filter(|(_, bytes)| uses.takes(it.kind, bytes));
        taken.extend(accepted.map(|(what, _)| format!("{}: {what}", it.kind)));
    }
    println!("{total} forgeries in all");
    let kinds: BTreeSet<&str> = uses.specimens().iter().map(|it| it.kind).collect();
    assert_eq!(kinds.len(), 20, "a specimen of every type that SPEC section 2 names");
    assert!(taken.is_empty(), "{} of {total} were taken:\n{}", taken.len(), taken.join("\n"));
    assert!(total > 2_000, "only {total} forgeries were tried");
}

#[test]
fn a_statement_of_one_type_is_none_of_another() {
    let uses = Uses::new();
    let specimens = uses.specimens();
    for it in &specimens {
        let genuine = sign(it.kind, &it.payload, &party(it.by));
        for other in specimens.iter().filter(|other| other.kind != it.kind) {
            assert!(!uses.takes(other.kind, &genuine), "a {} was taken as a {}", it.kind, other.kind);
        }
    }
}
