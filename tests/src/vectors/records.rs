//! Sealed bodies, metas and whole records (P-16 to P-21).

#![allow(clippy::ptr_arg)] // the faults of one thing have one signature

use serde_json::{Value, json};

use super::case::{Case, Fault, hex};
use super::cast::{id16, key, party, seed};
use super::cbor::Cbor;
use super::deposit::{Deposit, header_of, meta_of, padded, seal_body, seal_meta, seal_meta_plain};
use super::forge::{hash, sign};
use super::world::World;
use crate::{faults, list};

type Spoil = fn(&mut Vec<u8>);

/// Bytes of a sealed chunk that is full.
const CHUNK: usize = 16_384 + 16;

/// The cases of `record.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = bodies();
    cases.extend(metas(world));
    cases.extend(records(world));
    cases.extend(successions());
    cases
}

fn body(sealed: &[u8]) -> Value {
    json!({ "key": hex(seed("body key")), "sealed": hex(sealed) })
}

/// A body of two full chunks and an empty one.
fn three_chunks() -> Vec<u8> {
    let plain: Vec<u8> = (0..2 * 16_384u32).map(|n| (n >> 7) as u8).collect();
    seal_body(&seed("body key"), &plain)
}

fn bodies() -> Vec<Case> {
    let faults = faults![Spoil;
        "P-18" "body" chunk_with_a_flipped_bit,
        "P-18" "body" commitment_with_a_flipped_bit,
        "P-18" "body" salt_with_a_flipped_bit,
        "P-18" "body" body_cut_short_in_its_last_chunk,
        "P-18" "body" body_without_a_chunk,
        "P-18" "body" byte_behind_the_last_chunk,
        "P-18" "body" nothing_at_all,
    ];
    let long_faults = faults![Spoil;
        "P-18" "body" chunks_exchanged,
        "P-18" "body" first_chunk_missing,
        "P-18" "body" full_last_chunk,
        "P-18" "body" chunk_twice,
    ];
    let plain = padded(b"a file");
    let output = |plain: &[u8]| json!({ "length": plain.len(), "sha256": hex(hash(&[plain])) });
    let short = seal_body(&seed("body key"), &plain);
    let empty = seal_body(&seed("body key"), &[]);
    let mut cases = vec![
        Case::good("body", "P-18", "body-of-one-chunk", body(&short)).gives(output(&plain)),
        Case::good("body", "P-18", "body-of-nothing", body(&empty)).gives(output(&[])),
    ];
    let mut spoil = |sealed: &[u8], faults: Vec<Fault<Spoil>>| {
        cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
            let mut sealed = sealed.to_vec();
            put(&mut sealed);
            Case::bad("body", rule, stage, &name, body(&sealed))
        }));
    };
    spoil(&short, faults);
    spoil(&three_chunks(), long_faults);
    cases
}

fn chunk_with_a_flipped_bit(sealed: &mut Vec<u8>) {
    sealed[60] ^= 1;
}

fn commitment_with_a_flipped_bit(sealed: &mut Vec<u8>) {
    sealed[30] ^= 1;
}

fn salt_with_a_flipped_bit(sealed: &mut Vec<u8>) {
    sealed[0] ^= 1;
}

fn body_cut_short_in_its_last_chunk(sealed: &mut Vec<u8>) {
    sealed.pop();
}

fn body_without_a_chunk(sealed: &mut Vec<u8>) {
    sealed.truncate(56);
}

fn byte_behind_the_last_chunk(sealed: &mut Vec<u8>) {
    sealed.push(0);
}

fn nothing_at_all(sealed: &mut Vec<u8>) {
    sealed.clear();
}

fn chunks_exchanged(sealed: &mut Vec<u8>) {
    let (first, second) = sealed[56..].split_at_mut(CHUNK);
    first.swap_with_slice(&mut second[..CHUNK]);
}

fn first_chunk_missing(sealed: &mut Vec<u8>) {
    sealed.drain(56..56 + CHUNK);
}

fn full_last_chunk(sealed: &mut Vec<u8>) {
    sealed.truncate(56 + CHUNK);
}

fn chunk_twice(sealed: &mut Vec<u8>) {
    let last = sealed.split_off(56 + 2 * CHUNK);
    sealed.truncate(56 + CHUNK);
    let first = sealed[56..].to_vec();
    sealed.extend(first);
    sealed.extend(last);
}

/// A meta with its key and its header.
fn meta_input(deposit: &Deposit, sealed: &[u8]) -> Value {
    let header = header_of(&deposit.run, &deposit.record, sealed, &deposit.sealed_body);
    let header = sign("header", &header, &party("clinic"));
    json!({ "key": hex(deposit.meta_key), "header": hex(header), "sealed": hex(sealed) })
}

fn metas(world: &World) -> Vec<Case> {
    let faults = faults![fn(&Deposit) -> Vec<u8>;
        "P-17" "open" meta_with_a_flipped_bit,
        "P-17" "open" meta_under_another_key,
        "P-17" "open" meta_with_padding_that_is_not_zero,
        "P-17" "open" meta_with_more_padding_than_it_needs,
        "P-17" "open" meta_that_says_it_is_longer,
        "P-17" "open" meta_above_its_limit,
        "P-17" "payload" title_empty,
        "P-17" "payload" service_date_that_is_no_date,
        "P-17" "payload" file_name_with_a_slash,
        "P-17" "payload" file_name_of_two_dots,
        "C-10" "payload" label_twice,
        "C-55" "payload" meta_of_an_unknown_category,
        "C-06" "encoding" meta_with_field_11,
        "C-04" "encoding" byte_behind_the_meta,
    ];
    let deposit = Deposit::small(world);
    let good = meta_input(&deposit, &deposit.sealed_meta);
    let mut unnamed = meta_input(&deposit, &deposit.sealed_meta);
    unnamed["sealed"] =
        hex(seal_meta(&deposit.meta_key, &deposit.meta.clone().with(1, "another title").encode())).into();
    let mut cases = vec![
        Case::good("meta", "P-17", "meta-of-the-record", good).gives(json!({ "title": "検査結果" })),
        Case::bad("meta", "P-17", "open", "meta-that-the-header-does-not-name", unnamed),
    ];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        Case::bad("meta", rule, stage, &name, meta_input(&deposit, &put(&deposit)))
    }));
    cases
}

fn with_meta(deposit: &Deposit, change: impl FnOnce(&mut Cbor)) -> Vec<u8> {
    let mut meta = deposit.meta.clone();
    change(&mut meta);
    seal_meta(&deposit.meta_key, &meta.encode())
}

fn plain_meta(deposit: &Deposit) -> Vec<u8> {
    let encoding = deposit.meta.encode();
    padded(&[&(encoding.len() as u32).to_be_bytes(), &encoding[..]].concat())
}

fn meta_with_a_flipped_bit(deposit: &Deposit) -> Vec<u8> {
    let mut sealed = deposit.sealed_meta.clone();
    sealed[70] ^= 1;
    sealed
}

fn meta_under_another_key(deposit: &Deposit) -> Vec<u8> {
    seal_meta(&deposit.body_key, &deposit.meta.encode())
}

fn meta_with_padding_that_is_not_zero(deposit: &Deposit) -> Vec<u8> {
    let mut plain = plain_meta(deposit);
    *plain.last_mut().expect("padding") = 1;
    seal_meta_plain(&deposit.meta_key, &plain)
}

fn meta_with_more_padding_than_it_needs(deposit: &Deposit) -> Vec<u8> {
    let mut plain = plain_meta(deposit);
    plain.resize(1024, 0);
    seal_meta_plain(&deposit.meta_key, &plain)
}

fn meta_that_says_it_is_longer(deposit: &Deposit) -> Vec<u8> {
    let mut plain = plain_meta(deposit);
    plain[..4].copy_from_slice(&4096u32.to_be_bytes());
    seal_meta_plain(&deposit.meta_key, &plain)
}

fn meta_above_its_limit(deposit: &Deposit) -> Vec<u8> {
    let mut plain = deposit.meta.encode();
    plain.resize(3_600, 0);
    seal_meta_plain(&deposit.meta_key, &padded(&plain))
}

fn title_empty(deposit: &Deposit) -> Vec<u8> {
    with_meta(deposit, |meta| meta.set(1, ""))
}

fn service_date_that_is_no_date(deposit: &Deposit) -> Vec<u8> {
    with_meta(deposit, |meta| meta.set(5, "15.01.2027"))
}

fn file_name_with_a_slash(deposit: &Deposit) -> Vec<u8> {
    with_meta(deposit, |meta| meta.set(10, "../etc/passwd"))
}

fn file_name_of_two_dots(deposit: &Deposit) -> Vec<u8> {
    with_meta(deposit, |meta| meta.set(10, ".."))
}

fn label_twice(deposit: &Deposit) -> Vec<u8> {
    with_meta(deposit, |meta| meta.set(7, list!["HbA1c", "HbA1c"]))
}

fn meta_of_an_unknown_category(deposit: &Deposit) -> Vec<u8> {
    with_meta(deposit, |meta| meta.set(2, 16))
}

fn meta_with_field_11(deposit: &Deposit) -> Vec<u8> {
    with_meta(deposit, |meta| meta.set(11, 0))
}

fn byte_behind_the_meta(deposit: &Deposit) -> Vec<u8> {
    seal_meta(&deposit.meta_key, &[&deposit.meta.encode()[..], &[0]].concat())
}

/// A record as it is fetched, before its parts are signed.
struct Fetched {
    deposit: Deposit,
    run: Cbor,
    header: Cbor,
    header_by: &'static str,
    body: Vec<u8>,
}

fn records(world: &World) -> Vec<Case> {
    let faults = faults![fn(&mut Fetched);
        "P-16" "payload" header_by_somebody_else,
        "P-16" "payload" header_of_another_run,
        "P-16" "payload" header_of_another_vault,
        "P-20" "range" body_shorter_than_the_header_says,
        "P-20" "range" body_other_than_its_root,
        "P-18" "body" commitment_other_than_the_header_says,
        "P-18" "body" body_under_the_key_of_another_record,
        "P-19" "body" padding_that_is_not_zero,
        "P-19" "body" meta_that_says_another_length,
        "P-19" "body" file_of_another_digest,
    ];
    let good = || {
        let deposit = Deposit::small(world);
        let (run, header, body) = (deposit.run.clone(), deposit.header(), deposit.sealed_body.clone());
        Fetched { deposit, run, header, header_by: "clinic", body }
    };
    let input = |it: &Fetched| {
        json!({
            "run_secret": hex(it.deposit.run_secret), "run": hex(sign("run", &it.run, &party("clinic"))),
            "header": hex(sign("header", &it.header, &party(it.header_by))), "meta": hex(&it.deposit.sealed_meta),
            "body": hex(&it.body),
        })
    };
    let whole = good();
    let output = json!({ "title": "検査結果", "sha256": hex(hash(&[&whole.deposit.file])) });
    let mut cases = vec![Case::good("record", "P-19", "record-as-it-was-deposited", input(&whole)).gives(output)];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut bad = good();
        put(&mut bad);
        Case::bad("record", rule, stage, &name, input(&bad))
    }));
    cases
}

impl Fetched {
    /// Puts another body in its place, with a header that fits.
    fn replace_body(&mut self, body: Vec<u8>) {
        self.header = header_of(&self.run, &self.deposit.record, &self.deposit.sealed_meta, &body);
        self.body = body;
    }

    /// Puts another meta in its place, with a header that fits.
    fn replace_meta(&mut self, meta: &Cbor) {
        self.deposit.sealed_meta = seal_meta(&self.deposit.meta_key, &meta.encode());
        self.header = header_of(&self.run, &self.deposit.record, &self.deposit.sealed_meta, &self.body);
    }
}

fn header_by_somebody_else(it: &mut Fetched) {
    it.header_by = "hospital";
}

fn header_of_another_run(it: &mut Fetched) {
    it.header.set(5, id16("another run"));
}

fn header_of_another_vault(it: &mut Fetched) {
    it.header.set(3, seed("another vault"));
}

fn body_shorter_than_the_header_says(it: &mut Fetched) {
    it.body.pop();
}

fn body_other_than_its_root(it: &mut Fetched) {
    it.body[100] ^= 1;
}

fn commitment_other_than_the_header_says(it: &mut Fetched) {
    it.header.set(9, seed("another commitment"));
}

fn body_under_the_key_of_another_record(it: &mut Fetched) {
    let body = seal_body(&seed("key of another record"), &padded(&it.deposit.file));
    it.replace_body(body);
}

fn padding_that_is_not_zero(it: &mut Fetched) {
    let mut plain = padded(&it.deposit.file);
    *plain.last_mut().expect("padding") = 1;
    it.replace_body(seal_body(&it.deposit.body_key, &plain));
}

fn meta_that_says_another_length(it: &mut Fetched) {
    let meta = it.deposit.meta.clone().with(8, 1000);
    it.replace_meta(&meta);
}

fn file_of_another_digest(it: &mut Fetched) {
    let mut file = it.deposit.file.clone();
    file[0] ^= 1;
    it.replace_meta(&meta_of(&file));
}

/// Whether a record counts as the successor of another.
fn successions() -> Vec<Case> {
    let case = |name: &str, by: &str, device: bool, superseded: &str, counts: bool| {
        let input = json!({ "by": hex(key(by)), "device": device, "superseded": hex(key(superseded)) });
        Case::good("supersedes", "P-21", name, input).gives(json!(counts))
    };
    vec![
        case("depositor-supersedes-its-own", "clinic", false, "clinic", true),
        case("device-supersedes-any", "phone", true, "clinic", true),
        case("depositor-cannot-supersede-what-is-not-its-own", "hospital", false, "clinic", false),
    ]
}
