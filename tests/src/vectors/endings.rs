//! Faults in the statements that end rights and records, in directories and in bare entries.

use serde_json::json;

use super::case::{Case, Fault, hex};
use super::cast::{NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::forge::sign;
use super::payload::{self, Put};
use super::world::World;
use crate::{faults, list, map};

/// The cases of `revocation.json`: revocations, rotations, erasures, withdrawals, directories, entries.
pub fn cases(world: &World) -> Vec<Case> {
    let revocation = map! { 1 => world.vault, 2 => seed("some grant"), 3 => 1, 4 => NOW };
    let revocation_faults = faults![Put;
        "C-34" "payload" revocation_with_an_unknown_reason,
        "C-06" "encoding" revocation_without_a_grant,
    ];
    let mut cases = payload::cases("revocation", "phone", "C-34", &revocation, revocation_faults);
    cases.extend(payload::cases("rotation", "phone", "C-36", &rotation(world), rotation_faults()));
    let erasure_faults = faults![Put;
        "C-59" "payload" erasure_of_nothing,
        "C-07" "payload" erasure_of_257_records,
        "C-10" "payload" erasure_of_a_record_twice,
        "C-07" "payload" erasure_with_an_unknown_reason,
    ];
    let erasure = map! { 1 => world.vault, 2 => list![id16("record")], 3 => 1, 4 => NOW };
    cases.extend(payload::cases("erasure", "phone", "C-26", &erasure, erasure_faults));
    cases.extend(erasures_of_events(world));
    let directory = world.directory(0, &world.collection_leaves(1));
    let directory_faults = faults![Put; "C-27" "payload" directory_of_65_collections];
    cases.extend(payload::cases("directory", "phone", "C-27", &directory, directory_faults));
    let entry = map! {
        1 => world.vault, 2 => 4, 3 => seed("entry before"), 4 => 5, 5 => seed("body hash"), 6 => seed("directory"),
        7 => seed("authority"), 8 => NOW,
    };
    let entry_faults = faults![Put;
        "C-22" "payload" entry_of_kind_3,
        "C-22" "payload" entry_of_kind_9,
        "C-07" "encoding" entry_above_its_limit,
    ];
    cases.extend(payload::cases("entry", "phone", "C-21", &entry, entry_faults));
    cases.extend(withdrawals(world));
    cases
}

fn revocation_with_an_unknown_reason(revocation: &mut Cbor) {
    revocation.set(3, 6);
}

fn revocation_without_a_grant(revocation: &mut Cbor) {
    revocation.leave_away(2);
}

fn rotation(world: &World) -> Cbor {
    let mut collections = [world.lab, world.imaging];
    collections.sort();
    let rotated = collections.map(|collection| map! { 1 => collection, 2 => 2, 3 => 0 });
    let mut grants = [seed("grant 1"), seed("grant 2")];
    grants.sort();
    let packages = grants.map(|grant| map! { 1 => grant, 2 => seed("package") });
    map! { 1 => world.vault, 2 => seed("a revocation"), 3 => 1, 4 => rotated.to_vec(), 5 => packages.to_vec() }
}

fn rotation_faults() -> Vec<Fault<Put>> {
    faults![Put;
        "C-10" "payload" rotation_with_collections_out_of_order,
        "C-10" "payload" rotation_with_packages_out_of_order,
    ]
}

fn rotation_with_collections_out_of_order(rotation: &mut Cbor) {
    rotation.field_mut(4).items_mut().reverse();
}

fn rotation_with_packages_out_of_order(rotation: &mut Cbor) {
    rotation.field_mut(5).items_mut().reverse();
}

fn erasure_of_nothing(erasure: &mut Cbor) {
    erasure.set(2, list![]);
}

fn erasure_of_257_records(erasure: &mut Cbor) {
    let record = |n: u16| Cbor::from([&n.to_be_bytes()[..], &[1; 14]].concat());
    erasure.set(2, (0..257).map(record).collect::<Vec<_>>());
}

fn erasure_of_a_record_twice(erasure: &mut Cbor) {
    erasure.set(2, list![id16("record"), id16("record")]);
}

fn erasure_with_an_unknown_reason(erasure: &mut Cbor) {
    erasure.set(3, 4);
}

/// Erasures in the trail: numbers of events, with or without records.
fn erasures_of_events(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "C-59" "payload" erasure_of_event_0,
        "C-59" "payload" erasure_of_no_events,
        "C-07" "payload" erasure_of_257_events,
        "C-10" "payload" erasure_of_an_event_twice,
        "C-10" "payload" erasure_of_events_out_of_order,
        "C-06" "encoding" erasure_of_an_event_by_its_name,
    ];
    let good = map! { 1 => world.vault, 2 => list![id16("record")], 3 => 1, 4 => NOW, 5 => list![3, 7] };
    let only =
        json!({ "type": "erasure", "bytes": hex(sign("erasure", &good.clone().with(2, list![]), &party("phone"))) });
    let mut cases = payload::cases_of("erasure-of-events", "erasure", "phone", "C-59", &good, faults);
    cases.push(Case::good("statement", "C-59", "erasure-of-events-alone", only));
    cases
}

fn erasure_of_event_0(erasure: &mut Cbor) {
    erasure.set(5, list![0, 3]);
}

fn erasure_of_no_events(erasure: &mut Cbor) {
    erasure.set(5, list![]);
}

fn erasure_of_257_events(erasure: &mut Cbor) {
    erasure.set(5, (1..=257).map(Cbor::Uint).collect::<Vec<_>>());
}

fn erasure_of_an_event_twice(erasure: &mut Cbor) {
    erasure.set(5, list![3, 3]);
}

fn erasure_of_events_out_of_order(erasure: &mut Cbor) {
    erasure.set(5, list![7, 3]);
}

fn erasure_of_an_event_by_its_name(erasure: &mut Cbor) {
    erasure.set(5, list!["3"]);
}

fn directory_of_65_collections(directory: &mut Cbor) {
    directory.set(4, 65);
}

fn entry_of_kind_3(entry: &mut Cbor) {
    entry.set(4, 3);
}

fn entry_of_kind_9(entry: &mut Cbor) {
    entry.set(4, 9);
}

fn entry_above_its_limit(entry: &mut Cbor) {
    entry.set(9, vec![0; 1024]);
}

/// A clinic withdraws two records; the host knows who deposited what.
fn withdrawals(world: &World) -> Vec<Case> {
    let (first, second, foreign) = (id16("record 1"), id16("record 2"), id16("record 3"));
    let depositors =
        json!({ hex(first): hex(key("clinic")), hex(second): hex(key("clinic")), hex(foreign): hex(key("hospital")) });
    let of = |records: &[[u8; 16]]| {
        let mut records = records.to_vec();
        records.sort();
        let records: Vec<Cbor> = records.into_iter().map(Cbor::from).collect();
        let payload = map! { 1 => world.vault, 2 => records, 3 => 1, 4 => NOW };
        json!({ "bytes": hex(sign("withdrawal", &payload, &party("clinic"))), "depositors": depositors.clone() })
    };
    vec![
        Case::good("withdrawal", "C-37", "withdrawal-of-own-records", of(&[first, second])),
        Case::bad("withdrawal", "C-37", "payload", "withdrawal-of-a-record-of-somebody-else", of(&[first, foreign])),
        Case::bad("withdrawal", "C-37", "payload", "withdrawal-of-a-record-that-is-not-there", of(&[id16("record 4")])),
        Case::bad("withdrawal", "C-07", "payload", "withdrawal-of-nothing", of(&[])),
    ]
}
