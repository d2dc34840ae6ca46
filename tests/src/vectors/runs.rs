//! Runs, re-wraps, headers and list answers as statements, and what opens a run (P-01, P-12, P-15).

use serde_json::{Value, json};

use super::case::{Case, Fault, hex};
use super::cast::{MONTH, NOW, id16, key, party, sealed, secret_of, seed};
use super::cbor::Cbor;
use super::deposit::{Deposit, seal_run};
use super::forge::{id_of, sign};
use super::payload::{self, Put};
use super::world::World;
use crate::{faults, list, map};

/// The cases of `run.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let deposit = Deposit::small(world);
    let run_faults = faults![Put;
        "P-12" "payload" run_of_another_depositor,
        "P-01" "payload" seal_with_an_enc_of_the_other_suite,
        "C-06" "encoding" run_without_a_head,
        "C-06" "encoding" epoch_beyond_the_last_month,
    ];
    let mut cases = payload::cases("run", "clinic", "P-12", &deposit.run, run_faults);
    let header_faults = faults![Put;
        "P-15" "payload" header_of_version_2,
        "P-15" "payload" header_of_another_suite,
        "P-15" "payload" header_of_another_padding_class,
        "P-15" "payload" body_length_that_no_body_has,
        "P-15" "payload" body_length_of_an_unpadded_file,
        "P-15" "payload" body_length_below_the_least_padding,
        "P-15" "payload" body_length_above_the_limit,
    ];
    cases.extend(payload::cases("header", "clinic", "P-15", &deposit.header(), header_faults));
    let answer = map! {
        1 => world.vault, 2 => seed("a request"), 3 => list![place(world, 1), place(world, 2)], 4 => NOW,
        5 => seed("digest of headers"),
    };
    let answer_faults = faults![Put; "C-10" "payload" counts_out_of_order];
    cases.extend(payload::cases("list-answer", "home", "C-10", &answer, answer_faults));
    cases.extend(payload::cases("re-wrap", "phone", "C-12", &re_wrap(world, &deposit), Vec::new()));
    cases.extend(openings(world, &deposit));
    cases
}

fn place(world: &World, generation: u64) -> Cbor {
    map! { 1 => world.lab, 2 => generation, 3 => 3 }
}

fn run_of_another_depositor(run: &mut Cbor) {
    run.set(6, key("hospital"));
}

fn seal_with_an_enc_of_the_other_suite(run: &mut Cbor) {
    run.field_mut(9).set(1, 1);
}

fn run_without_a_head(run: &mut Cbor) {
    run.leave_away(8);
}

fn epoch_beyond_the_last_month(run: &mut Cbor) {
    run.set(5, 65_536);
}

fn header_of_version_2(header: &mut Cbor) {
    header.set(1, 2);
}

fn header_of_another_suite(header: &mut Cbor) {
    header.set(2, 2);
}

fn header_of_another_padding_class(header: &mut Cbor) {
    header.set(6, 0);
}

/// A last chunk shorter than its tag.
fn body_length_that_no_body_has(header: &mut Cbor) {
    header.set(7, 56 + 16_400 + 15);
}

fn body_length_of_an_unpadded_file(header: &mut Cbor) {
    header.set(7, 56 + 257 + 16);
}

fn body_length_below_the_least_padding(header: &mut Cbor) {
    header.set(7, 56 + 128 + 16);
}

/// 2^40 bytes of plaintext: a padded length, but its sealed form is longer than 2^40.
fn body_length_above_the_limit(header: &mut Cbor) {
    let plain: u64 = 1 << 40;
    header.set(7, 56 + plain + 16 * (plain / 16_384 + 1));
}

fn counts_out_of_order(answer: &mut Cbor) {
    answer.field_mut(3).items_mut().reverse();
}

/// The run, filed anew under the second generation.
pub fn re_wrap(world: &World, deposit: &Deposit) -> Cbor {
    let facts = map! {
        1 => id16("run"), 2 => world.vault, 3 => world.lab, 4 => 2, 5 => MONTH, 6 => key("clinic"),
        7 => id_of("run", &deposit.signed_run()),
    };
    let to = secret_of(2, world.epoch_secret(&world.lab, 2, MONTH));
    let seal = sealed(&to, "re-wrap", &[&facts.encode()], &deposit.run_secret, "re-wrap");
    facts.with(8, seal)
}

fn openings(world: &World, deposit: &Deposit) -> Vec<Case> {
    let faults = faults![fn(&World, &Deposit) -> Value;
        "P-01" "open" run_to_the_key_of_another_month,
        "P-01" "open" run_to_the_key_of_an_older_generation,
        "P-01" "open" run_with_facts_other_than_it_was_sealed_under,
        "P-01" "open" seal_taken_from_another_run,
        "P-01" "open" run_secret_of_31_bytes,
        "C-12" "statement" run_with_a_flipped_bit,
    ];
    let (first, second) = (world.epoch_secret(&world.lab, 1, MONTH), world.epoch_secret(&world.lab, 2, MONTH));
    let secret = json!(hex(deposit.run_secret));
    let wrap = re_wrap(world, deposit);
    let as_run = wrap.clone().with(8, deposit.run.field(9).clone());
    let input = |wrap: &Cbor| json!({ "secret": hex(second), "re_wrap": hex(sign("re-wrap", wrap, &party("phone"))) });
    let mut cases = vec![
        Case::good("run", "P-01", "run-to-the-key-of-its-month", run(&first, &deposit.run)).gives(secret.clone()),
        Case::good("re_wrap", "P-01", "re-wrap-to-the-new-generation", input(&wrap)).gives(secret),
        Case::bad("re_wrap", "P-01", "open", "seal-of-the-run-in-its-re-wrap", input(&as_run)),
    ];
    cases.extend(
        faults
            .into_iter()
            .map(|Fault { name, rule, stage, put }| Case::bad("run", rule, stage, &name, put(world, deposit))),
    );
    cases
}

fn run(secret: &[u8; 32], run: &Cbor) -> Value {
    json!({ "secret": hex(secret), "run": hex(sign("run", run, &party("clinic"))) })
}

fn run_to_the_key_of_another_month(world: &World, deposit: &Deposit) -> Value {
    run(&world.epoch_secret(&world.lab, 1, MONTH + 1), &deposit.run)
}

fn run_to_the_key_of_an_older_generation(world: &World, deposit: &Deposit) -> Value {
    run(&world.epoch_secret(&world.lab, 2, MONTH), &deposit.run)
}

fn run_with_facts_other_than_it_was_sealed_under(world: &World, deposit: &Deposit) -> Value {
    run(&world.epoch_secret(&world.lab, 1, MONTH), &deposit.run.clone().with(7, seed("another grant")))
}

fn seal_taken_from_another_run(world: &World, deposit: &Deposit) -> Value {
    let other = seal_run(world, deposit.run.up_to(8).with(1, id16("another run")), &deposit.run_secret);
    run(&world.epoch_secret(&world.lab, 1, MONTH), &deposit.run.clone().with(9, other.field(9).clone()))
}

fn run_secret_of_31_bytes(world: &World, deposit: &Deposit) -> Value {
    let short = seal_run(world, deposit.run.up_to(8), &deposit.run_secret[..31]);
    run(&world.epoch_secret(&world.lab, 1, MONTH), &short)
}

fn run_with_a_flipped_bit(world: &World, deposit: &Deposit) -> Value {
    let mut statement = deposit.signed_run();
    let end = statement.len();
    statement[end - 100] ^= 1;
    json!({ "secret": hex(world.epoch_secret(&world.lab, 1, MONTH)), "run": hex(statement) })
}
