//! What remains of what was erased: items of a trail whose event is gone (P-24, P-40), and tombstones with what took
//! the record away (P-42).

use serde_json::{Value, json};

use super::case::{Case, Fault, hex, hex_of, hexes};
use super::cast::{NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::events::answered;
use super::forge::sign;
use super::trail;
use super::world::World;
use crate::{faults, list, map};

/// Items and tombstones.
pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = items(world);
    cases.extend(tombstones(world));
    cases
}

/// An item of a trail file, and the checkpoint that its proof leads to.
struct Item {
    item: Cbor,
    checkpoint: Cbor,
}

impl Item {
    fn of(world: &World) -> Self {
        let receipt = trail::receipt(world, &answered(world, 4, 3));
        Self { item: receipt.up_to(5), checkpoint: receipt.field(6).clone() }
    }

    fn erased(world: &World) -> Self {
        let mut erased = Self::of(world);
        erased.item.leave_away(2);
        erased.item.leave_away(3);
        erased
    }

    fn input(&self) -> Value {
        let Cbor::Text(note) = &self.checkpoint else { panic!("a note") };
        json!({ "item": hex_of(&self.item), "checkpoint": note, "node": hex(key("home")) })
    }
}

fn items(world: &World) -> Vec<Case> {
    let faults = faults![fn(&mut Item);
        "P-40" "proof" event_gone_and_its_salt_left,
        "P-40" "proof" salt_gone_and_its_event_left,
        "P-24" "proof" event_changed_in_a_trail,
        "C-06" "encoding" leaf_gone_with_its_event,
    ];
    let erased_faults = faults![fn(&mut Item);
        "P-40" "proof" erased_event_under_another_number,
        "P-40" "proof" erased_event_at_another_time,
        "P-40" "proof" erased_event_at_another_index,
        "P-40" "proof" erased_event_with_another_hash,
        "P-40" "proof" erased_event_without_a_proof,
        "P-40" "proof" erased_event_of_number_0,
    ];
    let good = |name: &str, item: &Item, erased: bool| {
        let output = json!({ "number": 3, "erased": erased });
        Case::good("trail_item", if erased { "P-40" } else { "P-24" }, name, item.input()).gives(output)
    };
    let mut cases = vec![
        good("an-event-of-a-trail", &Item::of(world), false),
        good("an-event-of-a-trail-that-was-erased", &Item::erased(world), true),
    ];
    for (of, faults) in [(Item::of as fn(&World) -> Item, faults), (Item::erased, erased_faults)] {
        cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
            let mut bad = of(world);
            put(&mut bad);
            Case::bad("trail_item", rule, stage, &name, bad.input())
        }));
    }
    cases
}

fn event_gone_and_its_salt_left(it: &mut Item) {
    it.item.leave_away(3);
}

fn salt_gone_and_its_event_left(it: &mut Item) {
    it.item.leave_away(2);
}

fn event_changed_in_a_trail(it: &mut Item) {
    it.item.field_mut(3).set(10, 1);
}

fn leaf_gone_with_its_event(it: &mut Item) {
    it.item.leave_away(1);
}

fn erased_event_under_another_number(it: &mut Item) {
    it.item.field_mut(1).set(2, 4);
}

fn erased_event_at_another_time(it: &mut Item) {
    it.item.field_mut(1).set(3, NOW + 1);
}

fn erased_event_at_another_index(it: &mut Item) {
    it.item.set(4, 2);
}

fn erased_event_with_another_hash(it: &mut Item) {
    it.item.field_mut(1).field_mut(4).bytes_mut()[0] ^= 1;
}

fn erased_event_without_a_proof(it: &mut Item) {
    it.item.set(5, list![]);
}

fn erased_event_of_number_0(it: &mut Item) {
    it.item.field_mut(1).set(2, 0);
}

/// A tombstone without a statement.
pub fn tombstone(world: &World, reason: u64) -> Cbor {
    map! { 1 => world.lab, 2 => 1, 3 => 4, 4 => reason }
}

/// What a party signs who wants these records gone.
pub fn removal(kind: &str, vault: [u8; 32], records: Cbor, by: &str) -> Vec<u8> {
    sign(kind, &map! { 1 => vault, 2 => records, 3 => 1, 4 => NOW }, &party(by))
}

fn tombstones(world: &World) -> Vec<Case> {
    let record = || list![id16("record")];
    let input = |tombstone: &Cbor| json!({ "tombstone": hex_of(tombstone), "vault": hex(world.vault) });
    let erasure = removal("erasure", world.vault, record(), "phone");
    let withdrawal = removal("withdrawal", world.vault, record(), "clinic");
    let good = |name: &str, reason, statement: Option<(&Vec<u8>, &str)>| {
        let bare = tombstone(world, reason);
        let whole = statement.map_or(bare.clone(), |(bytes, _)| bare.with(5, bytes.clone()));
        let signer = statement.map(|(_, by)| hex(key(by)));
        let output =
            json!({ "reason": reason, "signer": signer, "records": statement.map(|_| hexes([id16("record")])) });
        Case::good("tombstone", "P-42", name, input(&whole)).gives(output)
    };
    let bad = |name: &str, stage, reason, statement: Vec<u8>| {
        Case::bad("tombstone", "P-42", stage, name, input(&tombstone(world, reason).with(5, statement)))
    };
    let none = |name: &str, reason| Case::bad("tombstone", "P-42", "message", name, input(&tombstone(world, reason)));
    let mut flipped = erasure.clone();
    *flipped.last_mut().expect("a signature") ^= 1;
    let elsewhere = removal("erasure", seed("another vault"), record(), "phone");
    let only_events = map! { 1 => world.vault, 2 => list![], 3 => 1, 4 => NOW, 5 => list![7] };
    let only_events = sign("erasure", &only_events, &party("phone"));
    vec![
        good("a-record-that-was-erased", 1, Some((&erasure, "phone"))),
        good("a-record-that-was-withdrawn", 2, Some((&withdrawal, "clinic"))),
        good("a-record-that-was-moved", 3, None),
        none("an-erased-record-without-its-erasure", 1),
        none("a-withdrawn-record-without-its-withdrawal", 2),
        bad("a-moved-record-with-an-erasure", "message", 3, erasure.clone()),
        bad("an-erasure-with-a-flipped-bit", "statement", 1, flipped),
        bad("an-erasure-in-the-place-of-a-withdrawal", "statement", 2, erasure),
        bad("a-withdrawal-in-the-place-of-an-erasure", "statement", 1, withdrawal),
        bad("an-erasure-in-another-vault", "proof", 1, elsewhere),
        bad("an-erasure-of-events-alone", "proof", 1, only_events),
    ]
}
