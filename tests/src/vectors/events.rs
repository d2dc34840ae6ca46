//! Events with the requests that they answer (P-39): so a host cannot write down what nobody asked for.

use serde_json::{Value, json};

use super::case::{Case, Fault, hex, hex_of};
use super::cast::{NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::forge::{id_of, sign};
use super::remains;
use super::requests::peer;
use super::trail;
use super::world::World;
use crate::{faults, list, map};

/// The cases of `event.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = asked(world);
    cases.extend(forged(world));
    cases.extend(remains::cases(world));
    cases
}

fn request(world: &World, action: u64) -> Cbor {
    map! {
        1 => id16("request"), 2 => world.vault, 3 => list![seed("a grant")], 4 => action, 5 => Cbor::Map(Vec::new()),
        6 => 1, 8 => seed("challenge"), 9 => 7, 10 => key("home"), 11 => peer(), 13 => NOW,
    }
}

/// An event of a kind that answers a request with an action.
pub fn answered(world: &World, kind: u64, action: u64) -> Cbor {
    let event = trail::event(&[id16("record")], "hospital", id16("request"), list![seed("a grant")]);
    event.with(1, kind).with(6, action).with(15, sign("request", &request(world, action), &party("hospital")))
}

fn input(world: &World, event: &Cbor) -> Value {
    json!({ "event": hex_of(event), "vault": hex(world.vault), "node": hex(key("home")) })
}

/// Good ones: what comes out is the statement id of the request.
fn asked(world: &World) -> Vec<Case> {
    let good = |name: &str, event: Cbor| {
        let id = match &event {
            Cbor::Map(fields) => fields.iter().find(|(field, _)| *field == Cbor::Uint(15)),
            _ => None,
        };
        let id = id.map(|(_, statement)| hex(id_of("request", statement.bytes())));
        Case::good("event", "P-39", name, input(world, &event)).gives(json!({ "request": id }))
    };
    let without = |mut event: Cbor, fields: &[u64]| {
        fields.iter().for_each(|field| event.leave_away(*field));
        event
    };
    let refused = |request: Cbor| {
        let event = answered(world, 6, 3).with(10, 2).with(8, list![]).with(9, 0);
        without(event.with(15, sign("request", &request, &party("hospital"))), &[3])
    };
    let bare = without(answered(world, 6, 3).with(10, 12), &[3, 4, 6, 7, 15]);
    let deposit = answered(world, 2, 1).with(14, map! { 1 => world.lab, 2 => 1, 3 => 1 });
    vec![
        good("a-reading-that-was-asked-for", answered(world, 4, 3)),
        good("a-list-that-was-asked-for", answered(world, 3, 2)),
        good("an-audit-that-was-asked-for", answered(world, 5, 4)),
        good("a-sync-that-was-asked-for", answered(world, 11, 7)),
        good("an-export-that-was-asked-for", answered(world, 4, 6)),
        good("a-deposit-that-was-asked-for", deposit.clone()),
        good("a-deposit-without-a-request", without(deposit, &[4, 15])),
        good("a-package-passed-on-without-a-request", without(answered(world, 13, 7), &[4, 6, 7, 15])),
        good("a-reading-that-does-not-say-from-where", without(answered(world, 4, 3), &[3])),
        good("a-refusal-of-a-request-to-another-node", refused(request(world, 3).with(10, key("mirror")))),
        good("a-refusal-of-a-request-for-another-peer", refused(request(world, 3).with(11, seed("another peer")))),
        good("a-refusal-of-something-that-is-no-request", bare),
    ]
}

type Forgery = fn(&World, &mut Cbor);

fn forged(world: &World) -> Vec<Case> {
    let faults = faults![Forgery;
        "P-39" "proof" reading_without_its_request,
        "P-39" "proof" refusal_of_a_request_without_it,
        "P-39" "proof" reading_with_another_request_id,
        "P-39" "proof" reading_without_a_request_id,
        "P-39" "proof" reading_by_somebody_who_did_not_sign,
        "P-39" "proof" reading_under_another_grant_than_asked,
        "P-39" "proof" reading_under_no_grant_at_all,
        "P-39" "proof" reading_told_as_an_export,
        "P-39" "proof" reading_that_does_not_say_its_action,
        "P-39" "proof" reading_for_another_purpose,
        "P-39" "proof" reading_that_does_not_say_its_purpose,
        "P-39" "proof" reading_from_another_peer,
        "P-39" "proof" reading_made_of_a_request_to_list,
        "P-39" "proof" list_made_of_a_request_to_read,
        "P-39" "proof" audit_made_of_a_sync,
        "P-39" "proof" sync_made_of_an_audit,
        "P-39" "proof" deposit_made_of_a_request_to_read,
        "P-39" "proof" reading_asked_in_another_vault,
        "P-39" "proof" reading_asked_of_another_node,
        "P-39" "proof" refusal_from_another_peer_than_asked,
        "P-39" "proof" request_with_a_flipped_bit_in_an_event,
        "P-39" "proof" request_signed_by_somebody_else_in_an_event,
        "P-39" "proof" ask_in_the_place_of_a_request,
        "P-39" "proof" bytes_in_the_place_of_a_request,
        "C-06" "encoding" event_without_a_ledger_head,
        "C-06" "encoding" event_with_a_ledger_size_alone,
    ];
    let case = |Fault { name, rule, stage, put }: Fault<Forgery>| {
        let mut event = answered(world, 4, 3);
        put(world, &mut event);
        Case::bad("event", rule, stage, &name, input(world, &event))
    };
    faults.into_iter().map(case).collect()
}

fn reading_without_its_request(_: &World, event: &mut Cbor) {
    event.leave_away(15);
}

fn refusal_of_a_request_without_it(_: &World, event: &mut Cbor) {
    event.set(1, 6);
    event.set(10, 12);
    event.leave_away(15);
}

fn reading_with_another_request_id(_: &World, event: &mut Cbor) {
    event.set(4, id16("another request"));
}

fn reading_without_a_request_id(_: &World, event: &mut Cbor) {
    event.leave_away(4);
}

fn reading_by_somebody_who_did_not_sign(_: &World, event: &mut Cbor) {
    event.set(2, key("laboratory"));
}

fn reading_under_another_grant_than_asked(_: &World, event: &mut Cbor) {
    event.set(5, list![seed("another grant")]);
}

fn reading_under_no_grant_at_all(_: &World, event: &mut Cbor) {
    event.set(5, list![]);
}

fn reading_told_as_an_export(_: &World, event: &mut Cbor) {
    event.set(6, 6);
}

fn reading_that_does_not_say_its_action(_: &World, event: &mut Cbor) {
    event.leave_away(6);
}

fn reading_for_another_purpose(_: &World, event: &mut Cbor) {
    event.set(7, 3);
}

fn reading_that_does_not_say_its_purpose(_: &World, event: &mut Cbor) {
    event.leave_away(7);
}

fn reading_from_another_peer(_: &World, event: &mut Cbor) {
    event.set(3, seed("another peer"));
}

fn reading_made_of_a_request_to_list(world: &World, event: &mut Cbor) {
    *event = answered(world, 4, 2);
}

fn list_made_of_a_request_to_read(world: &World, event: &mut Cbor) {
    *event = answered(world, 3, 3);
}

fn audit_made_of_a_sync(world: &World, event: &mut Cbor) {
    *event = answered(world, 5, 7);
}

fn sync_made_of_an_audit(world: &World, event: &mut Cbor) {
    *event = answered(world, 11, 4);
}

fn deposit_made_of_a_request_to_read(world: &World, event: &mut Cbor) {
    *event = answered(world, 2, 3);
}

fn asks_instead(event: &mut Cbor, request: &Cbor, by: &str) {
    event.set(15, sign("request", request, &party(by)));
}

fn reading_asked_in_another_vault(world: &World, event: &mut Cbor) {
    asks_instead(event, &request(world, 3).with(2, seed("another vault")), "hospital");
}

fn reading_asked_of_another_node(world: &World, event: &mut Cbor) {
    asks_instead(event, &request(world, 3).with(10, key("mirror")), "hospital");
}

fn refusal_from_another_peer_than_asked(world: &World, event: &mut Cbor) {
    event.set(1, 6);
    event.set(10, 3);
    asks_instead(event, &request(world, 3).with(11, seed("another peer")), "hospital");
}

fn request_with_a_flipped_bit_in_an_event(_: &World, event: &mut Cbor) {
    *event.field_mut(15).bytes_mut().last_mut().expect("a signature") ^= 1;
}

fn request_signed_by_somebody_else_in_an_event(world: &World, event: &mut Cbor) {
    asks_instead(event, &request(world, 3), "laboratory");
}

/// The same payload, signed as another type.
fn ask_in_the_place_of_a_request(world: &World, event: &mut Cbor) {
    event.set(15, sign("ask", &request(world, 3), &party("hospital")));
}

fn bytes_in_the_place_of_a_request(_: &World, event: &mut Cbor) {
    event.set(15, seed("a request").to_vec());
}

fn event_without_a_ledger_head(_: &World, event: &mut Cbor) {
    event.leave_away(12);
}

/// As events were spelled before: the size, without the root.
fn event_with_a_ledger_size_alone(_: &World, event: &mut Cbor) {
    event.set(12, 9);
}
