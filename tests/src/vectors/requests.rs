//! Faults in requests, asks, envelopes and answers: C-07, C-08, C-10, C-54, C-55.

use super::case::Case;
use super::cast::{MONTH, NOW, id16, key, seed, signed_card};
use super::cbor::Cbor;
use super::payload::{self, Put};
use super::world::World;
use crate::{faults, list, map};

/// The cases of `request.json`.
pub fn requests(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "C-07" "payload" chain_of_six,
        "C-07" "payload" action_unknown,
        "C-07" "payload" purpose_unknown,
        "C-07" "payload" no_peer,
        "C-07" "payload" peer_of_65_bytes,
        "C-07" "payload" records_present_but_none,
        "C-08" "payload" months_backwards,
        "C-10" "payload" record_twice,
        "C-06" "encoding" challenge_left_away,
        "C-06" "encoding" depositors_in_the_selector,
    ];
    let good = map! {
        1 => id16("request"), 2 => world.vault, 3 => list![seed("a grant")], 4 => 3,
        5 => map! { 1 => list![world.lab], 2 => map! { 1 => MONTH, 2 => MONTH + 1 }, 3 => list![id16("record")] },
        6 => 1, 7 => seed("acting person"), 8 => seed("challenge"), 9 => 7, 10 => key("home"), 11 => peer(),
        12 => map! { 1 => 4, 2 => seed("a root") }, 13 => NOW, 14 => id16("earlier request"),
    };
    payload::cases("request", "hospital", "C-07", &good, faults)
}

/// The PeerId that the transport proved for the requester.
pub fn peer() -> Vec<u8> {
    [&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20], &key("hospital transport")[..]].concat()
}

fn chain_of_six(request: &mut Cbor) {
    request.set(3, (0..6).map(|n| Cbor::from(seed(&format!("grant {n}")))).collect::<Vec<_>>());
}

fn action_unknown(request: &mut Cbor) {
    request.set(4, 8);
}

fn purpose_unknown(request: &mut Cbor) {
    request.set(6, 0);
}

fn no_peer(request: &mut Cbor) {
    request.set(11, Vec::<u8>::new());
}

fn peer_of_65_bytes(request: &mut Cbor) {
    request.set(11, vec![1; 65]);
}

fn records_present_but_none(request: &mut Cbor) {
    request.field_mut(5).set(3, list![]);
}

fn months_backwards(request: &mut Cbor) {
    request.field_mut(5).set(2, map! { 1 => MONTH + 1, 2 => MONTH });
}

fn record_twice(request: &mut Cbor) {
    request.field_mut(5).set(3, list![id16("record"), id16("record")]);
}

fn challenge_left_away(request: &mut Cbor) {
    request.leave_away(8);
}

fn depositors_in_the_selector(request: &mut Cbor) {
    request.field_mut(5).set(4, list![key("clinic")]);
}

/// The cases of `ask.json`.
pub fn asks(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "C-54" "payload" card_of_somebody_else,
        "C-54" "payload" card_with_a_flipped_bit,
        "C-55" "payload" category_unknown,
        "C-55" "payload" sensitivity_unknown,
        "C-10" "payload" categories_out_of_order,
        "C-07" "payload" no_category,
        "C-07" "payload" no_action,
        "C-07" "payload" for_367_days,
        "C-07" "payload" for_no_day,
        "C-07" "payload" note_of_513_bytes,
        "C-07" "payload" note_with_an_escape,
    ];
    let kind = |category: u64, sensitivity: u64| map! { 1 => category, 2 => sensitivity };
    let good = map! {
        1 => id16("ask"), 2 => world.vault, 3 => list![2, 3], 4 => list![kind(3, 1), kind(3, 2), kind(4, 1)],
        5 => map! { 1 => MONTH - 3, 2 => MONTH + 1 }, 6 => 1, 7 => 90, 8 => signed_card("hospital"), 9 => NOW,
        10 => "お願いします。\nB病院",
    };
    let envelope = map! { 1 => id16("ask"), 2 => world.vault, 3 => seed("sealed ask"), 4 => NOW };
    let answer = map! { 1 => world.vault, 2 => id16("ask"), 3 => 2, 4 => seed("a grant"), 5 => NOW };
    let answer_faults = faults![Put;
        "C-54" "payload" declined_and_yet_a_grant,
        "C-54" "payload" granted_but_no_grant,
        "C-07" "payload" outcome_unknown,
    ];
    let envelope_faults = faults![Put; "C-06" "encoding" envelope_without_a_vault];
    let mut cases = payload::cases("ask", "hospital", "C-54", &good, faults);
    cases.extend(payload::cases("ask-envelope", "hospital", "C-12", &envelope, envelope_faults));
    cases.extend(payload::cases("ask-answer", "phone", "C-54", &answer, answer_faults));
    cases
}

fn card_of_somebody_else(ask: &mut Cbor) {
    ask.set(8, signed_card("clinic"));
}

fn card_with_a_flipped_bit(ask: &mut Cbor) {
    *ask.field_mut(8).bytes_mut().last_mut().expect("a signature") ^= 1;
}

fn category_unknown(ask: &mut Cbor) {
    ask.field_mut(4).items_mut()[2].set(1, 16);
}

fn sensitivity_unknown(ask: &mut Cbor) {
    ask.field_mut(4).items_mut()[2].set(2, 3);
}

fn categories_out_of_order(ask: &mut Cbor) {
    ask.field_mut(4).items_mut().swap(0, 1);
}

fn no_category(ask: &mut Cbor) {
    ask.set(4, list![]);
}

fn no_action(ask: &mut Cbor) {
    ask.set(3, list![]);
}

fn for_367_days(ask: &mut Cbor) {
    ask.set(7, 367);
}

fn for_no_day(ask: &mut Cbor) {
    ask.set(7, 0);
}

fn note_of_513_bytes(ask: &mut Cbor) {
    ask.set(10, "n".repeat(513));
}

fn note_with_an_escape(ask: &mut Cbor) {
    ask.set(10, "\u{1b}[2J");
}

fn declined_and_yet_a_grant(answer: &mut Cbor) {
    answer.set(3, 3);
}

fn granted_but_no_grant(answer: &mut Cbor) {
    answer.leave_away(4);
}

fn outcome_unknown(answer: &mut Cbor) {
    answer.set(3, 4);
}

fn envelope_without_a_vault(envelope: &mut Cbor) {
    envelope.leave_away(2);
}
