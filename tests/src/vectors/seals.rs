//! Sealed values: their form, and that they open under one key, one label and one context only (P-01); side letters
//! (P-27).

use serde_json::{Value, json};

use super::case::{Case, Fault, hex, hex_of};
use super::cast::{id16, sealed, sealing_secret, seed};
use super::cbor::Cbor;
use super::forge::hash;
use super::world::World;
use crate::{faults, map};

/// A sealed value and what opens it.
struct Letter {
    secret: Vec<u8>,
    label: &'static str,
    context: Vec<u8>,
    sealed: Cbor,
}

type Put = fn(&mut Letter);

const PLAINTEXT: &[u8] = b"32 bytes that nobody else reads.";

/// The cases of `seal.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "P-01" "seal" unknown_suite,
        "P-01" "seal" enc_a_byte_short,
        "P-01" "seal" enc_a_byte_long,
        "P-01" "seal" ciphertext_shorter_than_a_tag,
        "P-01" "seal" suite_of_the_other_kem,
        "C-06" "encoding" field_4,
        "C-06" "encoding" enc_left_away,
        "P-01" "open" ciphertext_with_a_flipped_bit,
        "P-01" "open" enc_with_a_flipped_bit,
        "P-01" "open" ciphertext_cut_short,
        "P-01" "open" another_label,
        "P-01" "open" another_context,
        "P-01" "open" another_key,
        "P-01" "open" label_that_runs_into_the_context,
    ];
    let mut cases = Vec::new();
    for suite in [1, 2] {
        let good = letter(suite);
        let name = format!("sealed-under-suite-{suite}");
        cases.push(Case::good("unseal", "P-01", &name, unseal(&good)).gives(json!(hex(PLAINTEXT))));
    }
    for Fault { name, rule, stage, put } in faults {
        let mut bad = letter(if name.starts_with("enc-with") { 2 } else { 1 });
        put(&mut bad);
        cases.push(Case::bad("unseal", rule, stage, &name, unseal(&bad)));
    }
    cases.extend(letters(world));
    cases
}

fn letter(suite: u64) -> Letter {
    let secret = sealing_secret(suite, "reader");
    let sealed = sealed(&secret, "particulars", &[b"context"], PLAINTEXT, &format!("unseal {suite}"));
    Letter { secret: secret.bytes().to_vec(), label: "particulars", context: b"context".to_vec(), sealed }
}

fn unseal(letter: &Letter) -> Value {
    json!({
        "secret": hex(&letter.secret), "label": letter.label, "context": hex(&letter.context),
        "sealed": hex_of(&letter.sealed),
    })
}

fn unknown_suite(letter: &mut Letter) {
    letter.sealed.set(1, 3);
}

fn enc_a_byte_short(letter: &mut Letter) {
    letter.sealed.field_mut(2).bytes_mut().pop();
}

fn enc_a_byte_long(letter: &mut Letter) {
    letter.sealed.field_mut(2).bytes_mut().push(0);
}

fn ciphertext_shorter_than_a_tag(letter: &mut Letter) {
    letter.sealed.field_mut(3).bytes_mut().truncate(15);
}

fn suite_of_the_other_kem(letter: &mut Letter) {
    letter.sealed.set(1, 2);
}

fn field_4(letter: &mut Letter) {
    letter.sealed.set(4, 0);
}

fn enc_left_away(letter: &mut Letter) {
    letter.sealed.leave_away(2);
}

fn ciphertext_with_a_flipped_bit(letter: &mut Letter) {
    letter.sealed.field_mut(3).bytes_mut()[3] ^= 4;
}

fn enc_with_a_flipped_bit(letter: &mut Letter) {
    letter.sealed.field_mut(2).bytes_mut()[1100] ^= 4;
}

fn ciphertext_cut_short(letter: &mut Letter) {
    letter.sealed.field_mut(3).bytes_mut().pop();
}

fn another_label(letter: &mut Letter) {
    letter.label = "package";
}

fn another_context(letter: &mut Letter) {
    letter.context = b"another context".to_vec();
}

fn another_key(letter: &mut Letter) {
    letter.secret = seed("another reader").to_vec();
}

fn label_that_runs_into_the_context(letter: &mut Letter) {
    letter.label = "particularscontext";
    letter.context = Vec::new();
}

/// The acting person of a request, sealed to the audit key.
fn letters(world: &World) -> Vec<Case> {
    let audit = world.audit();
    let context = [&world.vault[..], &id16("request")].concat();
    let person = map! { 1 => "山田 太郎", 2 => "医師", 3 => "外来診療" }.encode();
    let sealed = sealed(&audit, "acting", &[&context], &person, "acting");
    let named = hash(&[&sealed.encode()]);
    let input = |sealed: &Cbor, context: &[u8], named: [u8; 32]| {
        json!({
            "secret": hex(&audit.bytes()[..]), "label": "acting", "context": hex(context), "sealed": hex_of(sealed),
            "hash": hex(named),
        })
    };
    let mut flipped = sealed.clone();
    ciphertext_flipped(&mut flipped);
    let elsewhere = [&world.vault[..], &id16("another request")].concat();
    vec![
        Case::good("letter", "P-27", "acting-person-of-a-request", input(&sealed, &context, named))
            .gives(json!(hex(person))),
        Case::bad(
            "letter",
            "P-27",
            "open",
            "letter-that-the-statement-does-not-name",
            input(&sealed, &context, seed("hash")),
        ),
        Case::bad("letter", "P-27", "open", "letter-changed-on-its-way", input(&flipped, &context, named)),
        Case::bad("letter", "P-01", "open", "letter-under-another-request", input(&sealed, &elsewhere, named)),
    ]
}

fn ciphertext_flipped(sealed: &mut Cbor) {
    sealed.field_mut(3).bytes_mut()[0] ^= 1;
}
