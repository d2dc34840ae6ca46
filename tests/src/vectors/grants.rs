//! Faults in scopes and grants: C-08, C-10, C-29, C-30.

use super::case::Case;
use super::cast::{DAY, MONTH, NOW, id16, key};
use super::cbor::Cbor;
use super::payload::{self, Put};
use super::world::World;
use crate::{faults, list, map};

/// The cases of `grant.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "C-29" "payload" action_unknown,
        "C-29" "payload" action_sync_which_no_grant_gives,
        "C-29" "payload" no_action,
        "C-29" "payload" read_without_a_collection,
        "C-29" "payload" inbox_named,
        "C-10" "payload" actions_out_of_order,
        "C-10" "payload" action_twice,
        "C-10" "payload" collections_out_of_order,
        "C-10" "payload" records_out_of_order,
        "C-07" "payload" records_present_but_none,
        "C-07" "payload" sixty_five_collections,
        "C-07" "payload" sixty_five_depositors,
        "C-08" "payload" months_that_end_where_they_begin,
        "C-08" "payload" months_backwards,
        "C-08" "payload" validity_that_ends_where_it_begins,
        "C-08" "payload" validity_backwards,
        "C-30" "payload" purpose_unknown,
        "C-30" "payload" no_purpose,
        "C-10" "payload" purposes_out_of_order,
        "C-30" "payload" no_use_at_all,
        "C-30" "payload" a_million_and_one_uses,
        "C-30" "payload" depth_of_five,
        "C-30" "payload" lives_366_days_and_a_second,
        "C-06" "encoding" holder_of_31_bytes,
        "C-06" "encoding" sealed_hash_left_away,
        "C-06" "encoding" field_12,
        "C-06" "encoding" field_6_in_the_scope,
        "C-03" "encoding" parent_null_in_place_of_absent,
    ];
    let mut cases = payload::cases("grant", "phone", "C-30", &full(world), faults);
    let longest = world.ward().grant.with(5, map! { 1 => NOW, 2 => NOW + 366 * DAY });
    cases.extend(payload::cases("grant", "tablet", "C-30", &longest, Vec::new()));
    let last = cases.last_mut().expect("it was made");
    last.name = "lives-366-days".to_owned();
    cases
}

/// A grant with something on every axis.
fn full(world: &World) -> Cbor {
    let mut grant = world.ward().grant.with(4, list![1, 2]).with(6, 12);
    let records = list![id16("record 2"), id16("record 1")];
    let Cbor::List(mut records) = records else { unreachable!("a list") };
    records.sort_by_key(|record| record.bytes().to_vec());
    let scope = grant.field_mut(3);
    scope.set(2, collections(world));
    scope.set(3, map! { 1 => MONTH - 12, 2 => MONTH + 2 });
    scope.set(4, records);
    scope.set(5, list![key("clinic")]);
    grant
}

fn collections(world: &World) -> Cbor {
    let mut both = [world.lab, world.imaging];
    both.sort();
    list![both[0], both[1]]
}

fn numbered(count: u8) -> Vec<[u8; 16]> {
    (1..=count).map(|n| [n; 16]).collect()
}

fn action_unknown(grant: &mut Cbor) {
    grant.field_mut(3).set(1, list![2, 8]);
}

fn action_sync_which_no_grant_gives(grant: &mut Cbor) {
    grant.field_mut(3).set(1, list![2, 7]);
}

fn no_action(grant: &mut Cbor) {
    grant.field_mut(3).set(1, list![]);
}

fn read_without_a_collection(grant: &mut Cbor) {
    grant.field_mut(3).set(2, list![]);
}

fn inbox_named(grant: &mut Cbor) {
    grant.field_mut(3).field_mut(2).items_mut().insert(0, Cbor::from([0; 16]));
}

fn actions_out_of_order(grant: &mut Cbor) {
    grant.field_mut(3).set(1, list![3, 2]);
}

fn action_twice(grant: &mut Cbor) {
    grant.field_mut(3).set(1, list![2, 2, 3]);
}

fn collections_out_of_order(grant: &mut Cbor) {
    grant.field_mut(3).field_mut(2).items_mut().reverse();
}

fn records_out_of_order(grant: &mut Cbor) {
    grant.field_mut(3).field_mut(4).items_mut().reverse();
}

fn records_present_but_none(grant: &mut Cbor) {
    grant.field_mut(3).set(4, list![]);
}

fn sixty_five_collections(grant: &mut Cbor) {
    grant.field_mut(3).set(2, numbered(65).into_iter().map(Cbor::from).collect::<Vec<_>>());
}

fn sixty_five_depositors(grant: &mut Cbor) {
    grant.field_mut(3).set(5, numbered(65).into_iter().map(|n| Cbor::from([n, n].concat())).collect::<Vec<_>>());
}

fn months_that_end_where_they_begin(grant: &mut Cbor) {
    grant.field_mut(3).set(3, map! { 1 => MONTH, 2 => MONTH });
}

fn months_backwards(grant: &mut Cbor) {
    grant.field_mut(3).set(3, map! { 1 => MONTH + 1, 2 => MONTH });
}

fn validity_that_ends_where_it_begins(grant: &mut Cbor) {
    grant.set(5, map! { 1 => NOW, 2 => NOW });
}

fn validity_backwards(grant: &mut Cbor) {
    grant.set(5, map! { 1 => NOW, 2 => NOW - 1 });
}

fn purpose_unknown(grant: &mut Cbor) {
    grant.set(4, list![8]);
}

fn no_purpose(grant: &mut Cbor) {
    grant.set(4, list![]);
}

fn purposes_out_of_order(grant: &mut Cbor) {
    grant.set(4, list![2, 1]);
}

fn no_use_at_all(grant: &mut Cbor) {
    grant.set(6, 0);
}

fn a_million_and_one_uses(grant: &mut Cbor) {
    grant.set(6, 1_000_001);
}

fn depth_of_five(grant: &mut Cbor) {
    grant.set(7, 5);
}

fn lives_366_days_and_a_second(grant: &mut Cbor) {
    grant.set(5, map! { 1 => NOW, 2 => NOW + 366 * DAY + 1 });
}

fn holder_of_31_bytes(grant: &mut Cbor) {
    grant.field_mut(2).bytes_mut().pop();
}

fn sealed_hash_left_away(grant: &mut Cbor) {
    grant.leave_away(10);
}

fn field_12(grant: &mut Cbor) {
    grant.set(12, 0);
}

fn field_6_in_the_scope(grant: &mut Cbor) {
    grant.field_mut(3).set(6, 0);
}

fn parent_null_in_place_of_absent(grant: &mut Cbor) {
    grant.set(8, Cbor::Raw(vec![0xf6]));
}
