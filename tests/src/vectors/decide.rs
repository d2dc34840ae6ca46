//! Requests that are denied, one for each reason, and those that are not: C-35, C-38 to C-51.

use serde_json::{Value, json};

use super::case::{Case, Fault, hex};
use super::cast::{MONTH, NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::forge::sign;
use super::ledger::{BASE, REVOKED, bases, validity};
use super::requests::peer;
use super::resumes;
use super::scene::{Scene, records};
use super::world::World;
use crate::{faults, list, map};

/// A request with what the host knows.
pub struct Plea {
    /// The payload of the request.
    pub request: Cbor,
    /// Who signs it.
    pub by: &'static str,
    /// What the host knows of session, clock, uses and mailbox.
    pub env: Value,
    /// The earlier request that the host knows under that id, with when it was permitted.
    pub earlier: Option<(Cbor, u64)>,
}

/// Puts a fault into a plea.
pub type Put = fn(&mut Plea, &Scene);

/// The cases of `decide.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let scene = Scene::new(world);
    let mut cases = bases(&scene, "C-51");
    cases.extend(permits().into_iter().chain(resumes::permits()).map(|fault| case(&scene, BASE, None, fault)));
    let denials = session_denials().into_iter().chain(grant_denials()).chain(resumes::denials());
    cases.extend(denials.map(|(reason, fault)| case(&scene, BASE, Some(reason), fault)));
    let book = scene.revoked();
    let later = Scene { book, ..scene };
    cases.extend(denials_after_a_revocation().map(|(reason, fault)| case(&later, REVOKED, Some(reason), fault)));
    let permits = faults![Put; "C-42" "none" holder_of_a_revoked_grant_syncs];
    cases.extend(permits.into_iter().map(|fault| case(&later, REVOKED, None, fault)));
    cases
}

fn case(scene: &Scene, after: &str, reason: Option<u8>, fault: Fault<Put>) -> Case {
    let mut plea = plea(scene);
    (fault.put)(&mut plea, scene);
    let request = hex(sign("request", &plea.request, &party(plea.by)));
    let mut input = json!({ "after": after, "items": [], "request": request, "env": plea.env });
    if let Some((earlier, permitted)) = &plea.earlier {
        let request = hex(sign("request", earlier, &party(plea.by)));
        input["earlier"] = json!({ "request": request, "permitted": permitted });
    }
    let output = reason.map_or(json!("permit"), |reason| json!(reason));
    Case::bad("decide", fault.rule, fault.stage, &fault.name, input).gives(output)
}

/// The hospital reads laboratory results of this month under its grant.
fn plea(scene: &Scene) -> Plea {
    let request = map! {
        1 => id16("request"), 2 => scene.world.vault, 3 => list![scene.ward], 4 => 3,
        5 => map! { 1 => list![scene.world.lab], 2 => map! { 1 => MONTH, 2 => MONTH + 1 } }, 6 => 1,
        8 => seed("challenge"), 9 => 7, 10 => key("home"), 11 => peer(), 13 => NOW,
    };
    let env = json!({
        "node": hex(key("home")), "peer": hex(peer()), "challenge": hex(seed("challenge")), "last_sequence": 6,
        "now": NOW, "last_committed": NOW, "uses": {}, "askers": [],
    });
    Plea { request, by: "hospital", env, earlier: None }
}

fn permits() -> Vec<Fault<Put>> {
    faults![Put;
        "C-51" "none" holder_reads,
        "C-51" "none" holder_reads_all_that_the_scope_covers,
        "C-44" "none" specialist_reads_under_a_chain_of_two,
        "C-40" "none" request_119_seconds_late,
        "C-40" "none" request_120_seconds_early,
        "C-46" "none" first_second_of_the_validity,
        "C-46" "none" last_second_of_the_validity,
        "C-49" "none" the_one_use_that_there_is,
        "C-50" "none" one_record_of_those_granted,
        "C-42" "none" device_exports_without_a_grant,
        "C-42" "none" device_syncs_for_any_purpose,
        "C-42" "none" committed_next_identity_syncs,
        "C-42" "none" sender_of_a_waiting_ask_syncs,
    ]
}

fn session_denials() -> Vec<(u8, Fault<Put>)> {
    let reasons = [1, 2, 3, 4, 5, 5, 6, 6, 7, 8, 8, 8, 16];
    let faults = faults![Put;
        "C-39" "decide" another_vault,
        "C-39" "decide" another_node,
        "C-39" "decide" another_peer,
        "C-38" "decide" challenge_of_another_session,
        "C-38" "decide" the_same_sequence_again,
        "C-38" "decide" sequence_that_falls,
        "C-40" "decide" request_121_seconds_late,
        "C-40" "decide" request_121_seconds_early,
        "C-41" "decide" clock_121_seconds_behind,
        "C-42" "decide" no_grant,
        "C-42" "decide" identity_key_without_a_grant,
        "C-42" "decide" stranger_syncs,
        "C-48" "decide" device_for_another_purpose,
    ];
    reasons.into_iter().zip(faults).collect()
}

fn grant_denials() -> Vec<(u8, Fault<Put>)> {
    let reasons = [9, 10, 10, 10, 11, 11, 13, 14, 14, 15, 15, 15, 16, 17, 17, 18, 18, 18];
    let faults = faults![Put;
        "C-43" "chain" grant_that_is_not_in_the_ledger,
        "C-44" "chain" chain_that_begins_with_a_child,
        "C-44" "chain" chain_of_two_that_are_not_related,
        "C-44" "chain" chain_upside_down,
        "C-45" "decide" stranger_with_the_grant_of_the_hospital,
        "C-45" "decide" hospital_under_the_grant_it_gave_to_the_specialist,
        "C-46" "decide" a_second_before_the_validity,
        "C-46" "decide" first_second_after_the_validity,
        "C-46" "decide" a_year_later,
        "C-47" "decide" deposit_under_a_grant_to_read,
        "C-47" "decide" export_under_a_grant_to_read,
        "C-47" "decide" sync_under_a_grant,
        "C-48" "decide" research_under_a_grant_for_treatment,
        "C-49" "decide" a_second_use,
        "C-49" "decide" a_sixth_use_by_the_study,
        "C-50" "decide" collection_outside_the_scope,
        "C-50" "decide" record_outside_the_scope,
        "C-50" "decide" months_outside_the_scope,
    ];
    reasons.into_iter().zip(faults).collect()
}

fn denials_after_a_revocation() -> impl Iterator<Item = (u8, Fault<Put>)> {
    let faults = faults![Put;
        "C-35" "decide" revoked_grant,
        "C-35" "decide" child_of_the_revoked_grant,
    ];
    faults.into_iter().map(|fault| (12, fault))
}

fn holder_reads(_: &mut Plea, _: &Scene) {}

fn holder_reads_all_that_the_scope_covers(plea: &mut Plea, _: &Scene) {
    plea.request.set(5, map! {});
}

fn specialist_reads_under_a_chain_of_two(plea: &mut Plea, scene: &Scene) {
    plea.by = "specialist";
    plea.request.set(3, list![scene.ward, scene.below]);
}

fn request_119_seconds_late(plea: &mut Plea, _: &Scene) {
    plea.env["now"] = (NOW + 119).into();
}

fn request_120_seconds_early(plea: &mut Plea, _: &Scene) {
    plea.env["now"] = (NOW - 120).into();
}

fn at(plea: &mut Plea, time: u64) {
    plea.request.set(13, time);
    plea.env["now"] = time.into();
    plea.env["last_committed"] = time.into();
}

fn first_second_of_the_validity(plea: &mut Plea, _: &Scene) {
    at(plea, validity(0, 0).field(1).number());
}

fn last_second_of_the_validity(plea: &mut Plea, _: &Scene) {
    at(plea, validity(0, 0).field(2).number() - 1);
}

fn by_the_pharmacy(plea: &mut Plea, scene: &Scene, spent: u64) {
    plea.by = "pharmacy";
    plea.request.set(3, list![scene.single]);
    plea.request.set(5, map! { 3 => records(1) });
    let uses = json!({ hex(scene.single): spent });
    plea.env["uses"] = uses;
}

fn the_one_use_that_there_is(plea: &mut Plea, scene: &Scene) {
    by_the_pharmacy(plea, scene, 0);
}

fn one_record_of_those_granted(plea: &mut Plea, scene: &Scene) {
    by_the_study(plea, scene, 4);
}

fn by_device(plea: &mut Plea, action: u64, purpose: u64) {
    plea.by = "phone";
    plea.request.set(3, list![]);
    plea.request.set(4, action);
    plea.request.set(6, purpose);
}

fn device_exports_without_a_grant(plea: &mut Plea, _: &Scene) {
    by_device(plea, 6, 6);
}

fn device_syncs_for_any_purpose(plea: &mut Plea, _: &Scene) {
    by_device(plea, 7, 1);
}

fn committed_next_identity_syncs(plea: &mut Plea, _: &Scene) {
    by_device(plea, 7, 6);
    plea.by = "next patient";
}

fn sender_of_a_waiting_ask_syncs(plea: &mut Plea, _: &Scene) {
    by_device(plea, 7, 1);
    plea.by = "stranger";
    plea.env["askers"] = json!([hex(key("stranger"))]);
}

fn holder_of_a_revoked_grant_syncs(plea: &mut Plea, _: &Scene) {
    by_device(plea, 7, 1);
    plea.by = "hospital";
}

fn another_vault(plea: &mut Plea, _: &Scene) {
    plea.request.set(2, seed("another vault"));
}

fn another_node(plea: &mut Plea, _: &Scene) {
    plea.request.set(10, key("mirror"));
}

fn another_peer(plea: &mut Plea, _: &Scene) {
    plea.request.set(11, vec![0x12; 34]);
}

fn challenge_of_another_session(plea: &mut Plea, _: &Scene) {
    plea.request.set(8, seed("another challenge"));
}

fn the_same_sequence_again(plea: &mut Plea, _: &Scene) {
    plea.request.set(9, 6);
}

fn sequence_that_falls(plea: &mut Plea, _: &Scene) {
    plea.request.set(9, 5);
}

fn request_121_seconds_late(plea: &mut Plea, _: &Scene) {
    plea.env["now"] = (NOW + 121).into();
}

fn request_121_seconds_early(plea: &mut Plea, _: &Scene) {
    plea.env["now"] = (NOW - 121).into();
}

fn clock_121_seconds_behind(plea: &mut Plea, _: &Scene) {
    plea.env["last_committed"] = (NOW + 121).into();
}

fn no_grant(plea: &mut Plea, _: &Scene) {
    plea.request.set(3, list![]);
}

fn identity_key_without_a_grant(plea: &mut Plea, _: &Scene) {
    by_device(plea, 3, 6);
    plea.by = "patient";
}

fn stranger_syncs(plea: &mut Plea, _: &Scene) {
    by_device(plea, 7, 1);
    plea.by = "stranger";
}

fn device_for_another_purpose(plea: &mut Plea, _: &Scene) {
    by_device(plea, 3, 1);
}

fn grant_that_is_not_in_the_ledger(plea: &mut Plea, _: &Scene) {
    plea.request.set(3, list![seed("no grant")]);
}

fn chain_that_begins_with_a_child(plea: &mut Plea, scene: &Scene) {
    plea.by = "specialist";
    plea.request.set(3, list![scene.below]);
}

fn chain_of_two_that_are_not_related(plea: &mut Plea, scene: &Scene) {
    plea.by = "specialist";
    plea.request.set(3, list![scene.study, scene.below]);
}

fn chain_upside_down(plea: &mut Plea, scene: &Scene) {
    plea.request.set(3, list![scene.below, scene.ward]);
}

fn stranger_with_the_grant_of_the_hospital(plea: &mut Plea, _: &Scene) {
    plea.by = "stranger";
}

fn hospital_under_the_grant_it_gave_to_the_specialist(plea: &mut Plea, scene: &Scene) {
    plea.request.set(3, list![scene.ward, scene.below]);
}

fn a_second_before_the_validity(plea: &mut Plea, _: &Scene) {
    at(plea, validity(0, 0).field(1).number() - 1);
}

fn first_second_after_the_validity(plea: &mut Plea, _: &Scene) {
    at(plea, validity(0, 0).field(2).number());
}

fn a_year_later(plea: &mut Plea, _: &Scene) {
    at(plea, NOW + 365 * 86_400);
}

fn deposit_under_a_grant_to_read(plea: &mut Plea, _: &Scene) {
    plea.request.set(4, 1);
}

fn export_under_a_grant_to_read(plea: &mut Plea, _: &Scene) {
    plea.request.set(4, 6);
}

fn sync_under_a_grant(plea: &mut Plea, _: &Scene) {
    plea.request.set(4, 7);
}

fn research_under_a_grant_for_treatment(plea: &mut Plea, _: &Scene) {
    plea.request.set(6, 3);
}

fn a_second_use(plea: &mut Plea, scene: &Scene) {
    by_the_pharmacy(plea, scene, 1);
}

/// The study reads a record under its grant, of whose five uses so many are spent.
pub fn by_the_study(plea: &mut Plea, scene: &Scene, spent: u64) {
    plea.by = "study";
    plea.request.set(3, list![scene.study]);
    plea.request.set(5, map! { 1 => list![scene.world.lab], 3 => records(1) });
    plea.request.set(6, 3);
    plea.env["uses"] = json!({ hex(scene.study): spent });
}

fn a_sixth_use_by_the_study(plea: &mut Plea, scene: &Scene) {
    by_the_study(plea, scene, 5);
}

fn collection_outside_the_scope(plea: &mut Plea, scene: &Scene) {
    plea.request.set(5, map! { 1 => list![scene.world.imaging] });
}

fn record_outside_the_scope(plea: &mut Plea, scene: &Scene) {
    by_the_study(plea, scene, 0);
    plea.request.set(5, map! { 3 => list![id16("record 2")] });
}

fn months_outside_the_scope(plea: &mut Plea, scene: &Scene) {
    by_the_study(plea, scene, 0);
    plea.request.set(5, map! { 2 => map! { 1 => MONTH, 2 => MONTH + 2 } });
}

fn revoked_grant(_: &mut Plea, _: &Scene) {}

fn child_of_the_revoked_grant(plea: &mut Plea, scene: &Scene) {
    specialist_reads_under_a_chain_of_two(plea, scene);
}
