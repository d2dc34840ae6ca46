//! Proof files: record, request and receipt in one, checked without a network (P-33).

use serde_json::{Value, json};

use super::case::{Case, Fault, hex, hex_of};
use super::cast::{NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::deposit::{Deposit, seal_run};
use super::forge::sign;
use super::runs::re_wrap;
use super::trail::{event, receipt};
use super::world::World;
use crate::{faults, list, map};

/// What a proof file is put together from.
struct Parts {
    deposit: Deposit,
    proof: Cbor,
    file: Vec<u8>,
}

type Put = fn(&mut Parts, &World);

/// The cases of `proof.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "P-33" "proof" another_file,
        "P-33" "proof" file_cut_short,
        "P-33" "proof" proof_of_version_2,
        "P-33" "proof" header_by_somebody_else,
        "P-33" "proof" run_other_than_the_headers,
        "P-33" "proof" re_wrap_of_another_run,
        "P-33" "proof" place_other_than_the_runs,
        "P-33" "proof" generation_other_than_the_re_wraps,
        "P-33" "proof" vault_other_than_the_records,
        "P-33" "proof" request_to_another_node,
        "P-33" "proof" request_other_than_the_receipts,
        "P-33" "proof" receipt_of_somebody_elses_reading,
        "P-33" "proof" receipt_of_another_record,
        "P-33" "proof" meta_key_of_another_record,
        "P-33" "proof" meta_that_the_header_does_not_name,
        "P-24" "proof" receipt_with_another_event,
        "C-12" "statement" request_with_a_flipped_bit,
        "P-23" "checkpoint" receipt_of_another_node,
    ];
    let title = json!({ "title": "検査結果" });
    let mut moved = parts(world);
    moved.proof.set(7, sign("re-wrap", &re_wrap(world, &moved.deposit), &party("phone")));
    moved.proof.set(9, 2);
    let mut cases = vec![
        Case::good("proof_file", "P-33", "proof-of-a-fetched-file", input(&parts(world))).gives(title.clone()),
        Case::good("proof_file", "P-33", "proof-of-a-record-that-was-filed-anew", input(&moved)).gives(title),
    ];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut bad = parts(world);
        put(&mut bad, world);
        Case::bad("proof_file", rule, stage, &name, input(&bad))
    }));
    cases
}

fn input(parts: &Parts) -> Value {
    json!({ "proof": hex_of(&parts.proof), "file": hex(&parts.file) })
}

/// The payload of the request that the hospital read under.
fn request(world: &World) -> Cbor {
    map! {
        1 => id16("request"), 2 => world.vault, 3 => list![seed("a grant")], 4 => 3, 5 => map! {}, 6 => 1,
        8 => seed("challenge"), 9 => 7, 10 => key("home"), 11 => super::requests::peer(), 13 => NOW,
    }
}

fn signed_request(payload: &Cbor) -> Vec<u8> {
    sign("request", payload, &party("hospital"))
}

/// The receipt of a reading of these records by this party.
fn reading(world: &World, records: &[[u8; 16]], by: &str) -> Cbor {
    receipt(world, &event(records, by, id16("request"), list![seed("a grant")]))
}

/// What the hospital has after it has read the record.
fn parts(world: &World) -> Parts {
    let deposit = Deposit::small(world);
    let receipt = reading(world, &[deposit.record], "hospital");
    let proof = map! {
        1 => 1, 2 => world.vault, 3 => deposit.signed_header(), 4 => deposit.sealed_meta.clone(), 5 => deposit.meta_key,
        6 => deposit.signed_run(), 8 => world.lab, 9 => 1, 10 => 1, 11 => receipt, 12 => signed_request(&request(world)),
        13 => key("home"),
    };
    let file = deposit.file.clone();
    Parts { deposit, proof, file }
}

fn another_file(parts: &mut Parts, _: &World) {
    parts.file[0] ^= 1;
}

fn file_cut_short(parts: &mut Parts, _: &World) {
    parts.file.pop();
}

fn proof_of_version_2(parts: &mut Parts, _: &World) {
    parts.proof.set(1, 2);
}

fn header_by_somebody_else(parts: &mut Parts, _: &World) {
    parts.proof.set(3, sign("header", &parts.deposit.header(), &party("hospital")));
}

fn run_other_than_the_headers(parts: &mut Parts, world: &World) {
    let run = seal_run(world, parts.deposit.run.up_to(8).with(1, id16("another run")), &parts.deposit.run_secret);
    parts.proof.set(6, sign("run", &run, &party("clinic")));
}

fn re_wrap_of_another_run(parts: &mut Parts, world: &World) {
    let wrap = re_wrap(world, &parts.deposit).with(1, id16("another run"));
    parts.proof.set(7, sign("re-wrap", &wrap, &party("phone")));
    parts.proof.set(9, 2);
}

fn place_other_than_the_runs(parts: &mut Parts, world: &World) {
    parts.proof.set(8, world.imaging);
}

fn generation_other_than_the_re_wraps(parts: &mut Parts, world: &World) {
    parts.proof.set(7, sign("re-wrap", &re_wrap(world, &parts.deposit), &party("phone")));
}

fn vault_other_than_the_records(parts: &mut Parts, _: &World) {
    parts.proof.set(2, seed("another vault"));
}

fn request_to_another_node(parts: &mut Parts, world: &World) {
    parts.proof.set(12, signed_request(&request(world).with(10, key("mirror"))));
}

fn request_other_than_the_receipts(parts: &mut Parts, world: &World) {
    parts.proof.set(12, signed_request(&request(world).with(1, id16("another request"))));
}

fn receipt_of_somebody_elses_reading(parts: &mut Parts, world: &World) {
    parts.proof.set(11, reading(world, &[parts.deposit.record], "specialist"));
}

fn receipt_of_another_record(parts: &mut Parts, world: &World) {
    parts.proof.set(11, reading(world, &[id16("another record")], "hospital"));
}

fn meta_key_of_another_record(parts: &mut Parts, _: &World) {
    parts.proof.set(5, seed("another meta key"));
}

fn meta_that_the_header_does_not_name(parts: &mut Parts, _: &World) {
    let meta = parts.deposit.meta.clone().with(1, "another title").encode();
    parts.proof.set(4, super::deposit::seal_meta(&parts.deposit.meta_key, &meta));
}

fn receipt_with_another_event(parts: &mut Parts, _: &World) {
    parts.proof.field_mut(11).field_mut(3).set(7, 3);
}

fn request_with_a_flipped_bit(parts: &mut Parts, _: &World) {
    *parts.proof.field_mut(12).bytes_mut().last_mut().expect("a signature") ^= 1;
}

fn receipt_of_another_node(parts: &mut Parts, world: &World) {
    parts.proof.set(13, key("mirror"));
    parts.proof.set(12, signed_request(&request(world).with(10, key("mirror"))));
}
