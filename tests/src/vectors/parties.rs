//! Faults in cards, charters and authorities: C-08 to C-10, C-14 to C-16 and C-58.

use serde_json::json;

use super::case::{Case, hex};
use super::cast::{card, key, party, sealing_key, seed};
use super::cbor::Cbor;
use super::forge::sign;
use super::payload::{self, Put};
use super::world::{World, device};
use crate::{faults, list, map};

/// The cases of `card.json`.
pub fn cards() -> Vec<Case> {
    let faults = faults![Put;
        "C-14" "payload" kind_unknown,
        "C-14" "payload" name_empty,
        "C-14" "payload" name_of_129_bytes,
        "C-07" "payload" name_with_a_line_feed,
        "C-09" "payload" sealing_key_of_suite_3,
        "C-09" "payload" sealing_key_a_byte_short,
        "C-09" "payload" sealing_key_with_the_length_of_the_other_suite,
        "C-07" "payload" evidence_of_8193_bytes,
        "C-07" "payload" addresses_present_but_none,
        "C-07" "payload" five_addresses,
        "C-07" "payload" issued_in_the_year_10000,
        "C-06" "encoding" name_as_a_number,
    ];
    let good = card("hospital").with(5, "opaque evidence".as_bytes()).with(6, list!["/dns4/b.example/tcp/4801"]);
    payload::cases("card", "hospital", "C-14", &good, faults)
}

fn kind_unknown(card: &mut Cbor) {
    card.set(1, 6);
}

fn name_empty(card: &mut Cbor) {
    card.set(2, "");
}

fn name_of_129_bytes(card: &mut Cbor) {
    card.set(2, "h".repeat(129));
}

fn name_with_a_line_feed(card: &mut Cbor) {
    card.set(2, "hospital\nof nowhere");
}

fn sealing_key_of_suite_3(card: &mut Cbor) {
    card.field_mut(3).set(1, 3);
}

fn sealing_key_a_byte_short(card: &mut Cbor) {
    card.field_mut(3).field_mut(2).bytes_mut().pop();
}

fn sealing_key_with_the_length_of_the_other_suite(card: &mut Cbor) {
    card.field_mut(3).set(1, 2);
}

fn evidence_of_8193_bytes(card: &mut Cbor) {
    card.set(5, vec![0; 8193]);
}

fn addresses_present_but_none(card: &mut Cbor) {
    card.set(6, list![]);
}

fn five_addresses(card: &mut Cbor) {
    card.set(6, list!["a", "b", "c", "d", "e"]);
}

fn issued_in_the_year_10000(card: &mut Cbor) {
    card.set(4, 253_402_300_800);
}

fn name_as_a_number(card: &mut Cbor) {
    card.set(2, 2);
}

/// The cases of `charter.json`.
pub fn charters(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "C-15" "payload" quorum_above_the_witnesses,
        "C-15" "payload" identity_of_somebody_else,
        "C-10" "payload" witnesses_out_of_order,
        "C-07" "payload" nine_witnesses,
        "C-06" "encoding" nonce_of_15_bytes,
        "C-06" "encoding" vault_in_its_own_charter,
    ];
    payload::cases("charter", "patient", "C-15", &world.charter(), faults)
}

fn quorum_above_the_witnesses(charter: &mut Cbor) {
    charter.set(7, 2);
}

fn identity_of_somebody_else(charter: &mut Cbor) {
    charter.set(1, key("stranger"));
}

fn witnesses(count: usize) -> Vec<Cbor> {
    let mut keys: Vec<_> = (0..count).map(|n| key(&format!("witness {n}"))).collect();
    keys.sort();
    keys.into_iter().map(|key| map! { 1 => "witness.example", 2 => key }).collect()
}

fn witnesses_out_of_order(charter: &mut Cbor) {
    let mut witnesses = witnesses(2);
    witnesses.reverse();
    charter.set(6, witnesses);
}

fn nine_witnesses(charter: &mut Cbor) {
    charter.set(6, witnesses(9));
}

fn nonce_of_15_bytes(charter: &mut Cbor) {
    charter.field_mut(9).bytes_mut().pop();
}

fn vault_in_its_own_charter(charter: &mut Cbor) {
    charter.set(10, seed("a vault"));
}

/// The cases of `authority.json`.
pub fn authorities(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "C-16" "payload" two_homes,
        "C-16" "payload" no_home,
        "C-16" "payload" host_with_an_unknown_role,
        "C-16" "payload" hosts_out_of_order,
        "C-16" "payload" device_twice,
        "C-07" "payload" no_device,
        "C-07" "payload" address_of_257_bytes,
        "C-09" "payload" inbox_key_of_suite_0,
        "C-06" "encoding" roots_left_away,
    ];
    let mut cases = payload::cases("authority", "patient", "C-16", &world.authority(), faults);
    cases.extend(authorities_with_witnesses(world));
    // What a reader of the statement alone cannot see: that a device may not sign one. The ledger does (C-17).
    let by_a_device =
        json!({ "type": "authority", "bytes": hex(sign("authority", &world.authority(), &party("phone"))) });
    cases.push(Case::good("statement", "C-17", "signed-by-a-device-which-the-ledger-will-refuse", by_a_device));
    cases
}

fn authorities_with_witnesses(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "C-58" "payload" new_quorum_above_the_witnesses,
        "C-58" "payload" new_witnesses_out_of_order,
        "C-58" "payload" new_witness_twice,
        "C-07" "payload" nine_new_witnesses,
        "C-07" "payload" new_witness_without_a_name,
        "C-06" "encoding" new_witnesses_without_a_quorum,
    ];
    let good = world.authority().with(12, map! { 1 => witnesses(3), 2 => 2 });
    let none = world.authority().with(12, map! { 1 => list![], 2 => 0 });
    let mut cases = payload::cases_of("authority-with-witnesses", "authority", "patient", "C-58", &good, faults);
    let none = json!({ "type": "authority", "bytes": hex(sign("authority", &none, &party("patient"))) });
    cases.push(Case::good("statement", "C-58", "authority-that-dismisses-all-witnesses", none));
    cases
}

fn new_quorum_above_the_witnesses(authority: &mut Cbor) {
    authority.field_mut(12).set(2, 4);
}

fn new_witnesses_out_of_order(authority: &mut Cbor) {
    authority.field_mut(12).field_mut(1).items_mut().swap(0, 1);
}

fn new_witness_twice(authority: &mut Cbor) {
    let witnesses = authority.field_mut(12).field_mut(1).items_mut();
    witnesses.insert(0, witnesses[0].clone());
}

fn nine_new_witnesses(authority: &mut Cbor) {
    authority.field_mut(12).set(1, witnesses(9));
}

fn new_witness_without_a_name(authority: &mut Cbor) {
    authority.field_mut(12).field_mut(1).items_mut()[0].set(1, "");
}

fn new_witnesses_without_a_quorum(authority: &mut Cbor) {
    authority.field_mut(12).leave_away(2);
}

fn two_homes(authority: &mut Cbor) {
    authority.field_mut(6).items_mut().iter_mut().for_each(|host| host.set(2, 1));
}

fn no_home(authority: &mut Cbor) {
    authority.field_mut(6).items_mut().iter_mut().for_each(|host| host.set(2, 2));
}

fn host_with_an_unknown_role(authority: &mut Cbor) {
    let hosts = authority.field_mut(6).items_mut();
    hosts.iter_mut().filter(|host| host.field(2).number() == 2).for_each(|host| host.set(2, 3));
}

fn hosts_out_of_order(authority: &mut Cbor) {
    authority.field_mut(6).items_mut().reverse();
}

fn device_twice(authority: &mut Cbor) {
    authority.field_mut(5).items_mut().push(device("phone"));
}

fn no_device(authority: &mut Cbor) {
    authority.set(5, list![]);
}

fn address_of_257_bytes(authority: &mut Cbor) {
    authority.field_mut(6).items_mut()[0].set(3, list!["a".repeat(257)]);
}

fn inbox_key_of_suite_0(authority: &mut Cbor) {
    authority.set(7, sealing_key(1, "inbox").with(1, 0));
}

fn roots_left_away(authority: &mut Cbor) {
    authority.leave_away(11);
}
