//! What a host signs as an answer with a time: tree-head, audit-answer, list-answer (protocol/SPEC.md section 8).

use serde_json::json;

use super::case::{Case, Fault, hex};
use super::cast::{NOW, party, seed};
use super::cbor::Cbor;
use super::forge::sign;
use super::notes::trail_origin;
use super::payload::{self, Put};
use super::world::World;
use crate::{faults, list, map};

/// The cases of `answer.json`; the home node signs all of them.
pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = payload::cases("tree-head", "home", "C-12", &tree_head(), tree_head_faults());
    let empty = tree_head().with(2, 0).with(3, super::forge::hash(&[]));
    cases.push(statement("tree-head", "head-of-a-tree-without-leaves", &empty));
    let ledger = tree_head().with(1, format!("karute/ledger/{}", hex(world.vault)));
    cases.push(statement("tree-head", "head-of-a-ledger", &ledger));
    cases.extend(payload::cases("audit-answer", "home", "C-12", &audit_answer(world), audit_faults()));
    cases.push(statement("audit-answer", "audit-of-one-event", &audit_answer(world).with(3, 1).with(5, 1)));
    cases.extend(payload::cases("list-answer", "home", "C-12", &list_answer(world), list_faults()));
    cases.push(statement("list-answer", "list-of-nothing", &list_answer(world).with(3, list![])));
    let exchanged = [("list-answer", "tree-head", tree_head()), ("audit-answer", "list-answer", list_answer(world))];
    cases.extend(exchanged.map(|(shown, signed, payload)| {
        let input = json!({ "type": shown, "bytes": hex(sign(signed, &payload, &party("home"))) });
        Case::bad("statement", "C-13", "statement", &format!("{signed}-shown-as-{shown}"), input)
    }));
    cases
}

fn statement(kind: &str, name: &str, payload: &Cbor) -> Case {
    Case::good("statement", "C-12", name, json!({ "type": kind, "bytes": hex(sign(kind, payload, &party("home"))) }))
}

fn tree_head() -> Cbor {
    map! { 1 => trail_origin("home"), 2 => 9, 3 => seed("a root"), 4 => NOW, 5 => seed("a nonce") }
}

fn tree_head_faults() -> Vec<Fault<Put>> {
    faults![Put;
        "C-06" "encoding" head_without_the_nonce,
        "C-06" "encoding" head_with_a_nonce_of_31_bytes,
        "C-06" "encoding" head_with_a_sixth_field,
        "C-07" "payload" head_in_the_year_10000,
        "P-23" "payload" head_of_a_log_without_a_name,
        "P-23" "payload" head_of_a_log_whose_name_has_a_space,
        "P-23" "payload" head_above_the_greatest_size,
        "P-23" "payload" head_of_size_0_with_another_root,
    ]
}

fn head_without_the_nonce(head: &mut Cbor) {
    head.leave_away(5);
}

fn head_with_a_nonce_of_31_bytes(head: &mut Cbor) {
    head.field_mut(5).bytes_mut().pop();
}

fn head_with_a_sixth_field(head: &mut Cbor) {
    head.set(6, 1);
}

fn head_in_the_year_10000(head: &mut Cbor) {
    head.set(4, 253_402_300_800);
}

fn head_of_a_log_without_a_name(head: &mut Cbor) {
    head.set(1, "");
}

fn head_of_a_log_whose_name_has_a_space(head: &mut Cbor) {
    head.set(1, "karute/trail of somebody");
}

fn head_above_the_greatest_size(head: &mut Cbor) {
    head.set(2, (1 << 48) + 1);
}

fn head_of_size_0_with_another_root(head: &mut Cbor) {
    head.set(2, 0);
}

fn audit_answer(world: &World) -> Cbor {
    map! { 1 => world.vault, 2 => seed("a request"), 3 => 4, 4 => NOW, 5 => 9, 6 => seed("a root") }
}

fn audit_faults() -> Vec<Fault<Put>> {
    faults![Put;
        "C-06" "encoding" audit_without_its_request,
        "C-06" "encoding" audit_with_a_short_request,
        "C-07" "payload" audit_that_counts_nothing,
        "C-07" "payload" audit_that_counts_more_than_the_trail,
        "P-23" "payload" audit_of_a_trail_above_the_greatest_size,
    ]
}

fn audit_without_its_request(answer: &mut Cbor) {
    answer.leave_away(2);
}

fn audit_with_a_short_request(answer: &mut Cbor) {
    answer.field_mut(2).bytes_mut().truncate(16);
}

fn audit_that_counts_nothing(answer: &mut Cbor) {
    answer.set(3, 0);
}

fn audit_that_counts_more_than_the_trail(answer: &mut Cbor) {
    answer.set(3, 10);
}

fn audit_of_a_trail_above_the_greatest_size(answer: &mut Cbor) {
    answer.set(5, (1 << 48) + 1);
}

fn list_answer(world: &World) -> Cbor {
    let mut collections = [world.lab, world.imaging];
    collections.sort();
    let counts = collections.map(|collection| map! { 1 => collection, 2 => 1, 3 => 2 });
    map! { 1 => world.vault, 2 => seed("a request"), 3 => counts.to_vec(), 4 => NOW, 5 => seed("a digest") }
}

fn list_faults() -> Vec<Fault<Put>> {
    faults![Put;
        "C-06" "encoding" list_that_names_its_request_by_16_bytes,
        "C-06" "encoding" list_without_a_digest,
        "C-10" "payload" list_with_counts_out_of_order,
        "C-10" "payload" list_that_counts_a_place_twice,
    ]
}

/// As requests were named before: by their own id, which anybody can give a second time.
fn list_that_names_its_request_by_16_bytes(answer: &mut Cbor) {
    answer.field_mut(2).bytes_mut().truncate(16);
}

fn list_without_a_digest(answer: &mut Cbor) {
    answer.leave_away(5);
}

fn list_with_counts_out_of_order(answer: &mut Cbor) {
    answer.field_mut(3).items_mut().reverse();
}

fn list_that_counts_a_place_twice(answer: &mut Cbor) {
    let counts = answer.field_mut(3).items_mut();
    counts.insert(0, counts[0].clone());
}
