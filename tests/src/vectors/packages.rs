//! Key packages, root packages, and the sealed part of a grant (P-03, P-08 to P-11).

#![allow(clippy::ptr_arg)] // the faults of one thing have one signature

use karute_protocol::hpke::SealingSecret;
use serde_json::{Value, json};

use super::case::{Case, Fault, hex, hex_of, hexes};
use super::cast::{MONTH, id16, key, public, sealed, sealing_key, sealing_secret, secret_of, seed, signed_card};
use super::cbor::Cbor;
use super::forge::hash;
use super::world::{World, hospital, recovery_secret};
use crate::{faults, list, map};

/// Changes the items of a package.
type Put = fn(&mut Vec<Cbor>);

/// The cases of `package.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = packages(world);
    cases.extend(epoch_keys(world));
    cases.extend(roots(world));
    cases.extend(particulars(world));
    cases
}

fn core_hash(world: &World) -> [u8; 32] {
    hash(&[&world.ward().core.encode()])
}

fn sealed_items(world: &World, items: &Cbor) -> Cbor {
    let context: [&[u8]; 2] = [&core_hash(world), &2u32.to_be_bytes()];
    sealed(&hospital(), "package", &context, &items.encode(), "a package")
}

fn input(world: &World, rotation: u32, sealed: &Cbor) -> Value {
    json!({
        "secret": hex(&hospital().bytes()[..]), "core": hex_of(&world.ward().core), "rotation": rotation,
        "sealed": hex_of(sealed),
    })
}

/// A node, the keys of two records, and a root.
fn all_kinds(world: &World) -> Vec<Cbor> {
    let record = |id: [u8; 16]| map! { 1 => 2, 7 => id, 8 => seed("meta key") };
    let whole = record([2; 16]).with(9, seed("body key"));
    vec![world.month_item(14), record([1; 16]), whole, map! { 1 => 3, 6 => seed("root 1"), 10 => 1 }]
}

fn packages(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "P-08" "package" no_items,
        "P-08" "package" item_of_an_unknown_kind,
        "P-08" "package" node_without_a_seed,
        "P-08" "package" node_with_a_record_id,
        "P-08" "package" record_without_a_meta_key,
        "P-08" "package" root_with_a_generation,
        "P-08" "package" items_out_of_order,
        "P-08" "package" item_twice,
        "P-03" "package" prefix_of_two_to_the_depth,
        "P-03" "package" depth_of_17,
        "C-06" "encoding" item_with_field_11,
        "C-06" "encoding" seed_of_31_bytes,
    ];
    let ward = world.ward();
    let first = map! { 1 => list![world.month_item(14)] };
    let mut cases = vec![
        Case::good("package", "P-08", "first-package-of-a-grant", input(world, 0, &ward.package))
            .gives(json!(hex_of(&first))),
    ];
    let items = map! { 1 => all_kinds(world) };
    let good = sealed_items(world, &items);
    cases.push(
        Case::good("package", "P-08", "items-of-every-kind", input(world, 2, &good)).gives(json!(hex_of(&items))),
    );
    cases.push(Case::bad("package", "P-01", "open", "package-of-another-rotation", input(world, 3, &good)));
    let mut flipped = good.clone();
    flipped.field_mut(3).bytes_mut()[0] ^= 1;
    cases.push(Case::bad("package", "P-01", "open", "package-with-a-flipped-bit", input(world, 2, &flipped)));
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut items = all_kinds(world);
        put(&mut items);
        let sealed = sealed_items(world, &map! { 1 => items });
        Case::bad("package", rule, stage, &name, input(world, 2, &sealed))
    }));
    cases
}

fn no_items(items: &mut Vec<Cbor>) {
    items.clear();
}

fn item_of_an_unknown_kind(items: &mut Vec<Cbor>) {
    items[3].set(1, 4);
}

fn node_without_a_seed(items: &mut Vec<Cbor>) {
    items[0].leave_away(6);
}

fn node_with_a_record_id(items: &mut Vec<Cbor>) {
    items[0].set(7, id16("record"));
}

fn record_without_a_meta_key(items: &mut Vec<Cbor>) {
    items[2].leave_away(8);
}

fn root_with_a_generation(items: &mut Vec<Cbor>) {
    items[3].set(3, 1);
}

fn items_out_of_order(items: &mut Vec<Cbor>) {
    items.swap(1, 2);
}

fn item_twice(items: &mut Vec<Cbor>) {
    items.insert(1, items[1].clone());
}

fn prefix_of_two_to_the_depth(items: &mut Vec<Cbor>) {
    items[0].set(5, 1 << 14);
}

fn depth_of_17(items: &mut Vec<Cbor>) {
    items[0].set(4, 17);
}

fn item_with_field_11(items: &mut Vec<Cbor>) {
    items[0].set(11, 0);
}

fn seed_of_31_bytes(items: &mut Vec<Cbor>) {
    items[0].field_mut(6).bytes_mut().pop();
}

/// What a holder does before it accepts a package: the key that it derives must be the directory's (P-09).
fn epoch_keys(world: &World) -> Vec<Case> {
    let ward = world.ward();
    let key = public(&secret_of(2, world.epoch_secret(&world.lab, 1, MONTH)));
    let with = |month: u64, key: &Cbor| {
        let mut input = input(world, 0, &ward.package);
        input["month"] = month.into();
        input["key"] = hex_of(key).into();
        input
    };
    let other = sealing_key(2, "a key of the host's choice");
    let items = map! { 1 => list![world.month_item(14)] };
    vec![
        Case::good("package", "P-09", "node-that-derives-the-key-of-the-directory", with(MONTH, &key))
            .gives(json!(hex_of(&items))),
        Case::bad(
            "package",
            "P-09",
            "package",
            "node-that-derives-another-key-than-the-directory-has",
            with(MONTH, &other),
        ),
        Case::bad("package", "P-09", "package", "node-that-does-not-hold-the-month", with(MONTH + 4, &key)),
        Case::bad("package", "P-09", "package", "key-of-the-month-after", with(MONTH + 1, &key)),
    ]
}

/// A list of root packages with what its reader has.
struct Roots {
    list: Cbor,
    authority: Cbor,
    secret: SealingSecret,
}

fn roots(world: &World) -> Vec<Case> {
    let faults = faults![fn(&mut Roots, &World);
        "P-10" "package" no_package_for_the_recovery_key,
        "P-10" "package" package_for_a_stranger,
        "P-10" "package" package_missing_for_a_new_device,
        "P-10" "package" root_packages_out_of_order,
        "P-10" "package" reader_without_a_package,
        "P-10" "package" fewer_roots_than_the_authority_says,
        "P-01" "open" packages_under_another_authority_number,
        "P-01" "package" root_package_of_an_unknown_suite,
    ];
    let good = |secret| Roots { list: world.root_packages(), authority: world.authority(), secret };
    let input = |roots: &Roots| {
        json!({
            "secret": hex(&roots.secret.bytes()[..]), "suite": 2, "vault": hex(world.vault),
            "list": hex_of(&roots.list), "authority": hex_of(&roots.authority),
        })
    };
    let output = hexes([world.root]);
    let for_phone = Case::good("roots", "P-10", "roots-for-the-device", input(&good(sealing_secret(2, "phone"))));
    let for_paper = Case::good("roots", "P-10", "roots-for-the-recovery-code", input(&good(recovery_secret())));
    let mut cases = vec![for_phone.gives(output.clone()), for_paper.gives(output)];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut bad = good(sealing_secret(2, "phone"));
        put(&mut bad, world);
        Case::bad("roots", rule, stage, &name, input(&bad))
    }));
    cases
}

fn receiver(secret: &SealingSecret) -> [u8; 32] {
    hash(&[&public(secret).encode()])
}

fn no_package_for_the_recovery_key(roots: &mut Roots, _: &World) {
    let recovery = receiver(&recovery_secret());
    roots.list.items_mut().retain(|package| package.field(1).bytes() != recovery);
}

fn package_for_a_stranger(roots: &mut Roots, _: &World) {
    let mut package = roots.list.items_mut()[0].clone();
    package.set(1, receiver(&sealing_secret(2, "stranger")));
    roots.list.items_mut().push(package);
    roots.list.items_mut().sort_by_key(|package| package.field(1).bytes().to_vec());
}

fn package_missing_for_a_new_device(roots: &mut Roots, _: &World) {
    roots.authority.field_mut(5).items_mut().push(super::world::device("tablet"));
    roots.authority.field_mut(5).items_mut().sort_by_key(|device| device.field(1).bytes().to_vec());
}

fn root_packages_out_of_order(roots: &mut Roots, _: &World) {
    roots.list.items_mut().reverse();
}

fn reader_without_a_package(roots: &mut Roots, _: &World) {
    roots.secret = sealing_secret(2, "stranger");
}

fn fewer_roots_than_the_authority_says(roots: &mut Roots, _: &World) {
    roots.authority.set(10, 1);
}

fn packages_under_another_authority_number(roots: &mut Roots, _: &World) {
    roots.authority.set(2, 1);
}

fn root_package_of_an_unknown_suite(roots: &mut Roots, _: &World) {
    roots.list.items_mut()[0].field_mut(2).set(1, 3);
}

/// The sealed part of the grant to the hospital, for the hospital.
fn particulars(world: &World) -> Vec<Case> {
    let ward = world.ward();
    let input = |sealed_part: &Cbor, who: u64, secret: &SealingSecret, core: &Cbor| {
        json!({
            "secret": hex(&secret.bytes()[..]), "core": hex_of(core), "who": who, "sealed_part": hex_of(sealed_part),
            "holder": hex(key("hospital")),
        })
    };
    let with = |change: fn(&mut Cbor)| {
        let mut plain = world.particulars();
        change(&mut plain);
        let part =
            |to, who: u8| sealed(to, "particulars", &[&core_hash(world), &[who]], &plain.encode(), "particulars");
        input(&map! { 1 => part(&hospital(), 1), 2 => part(&world.audit(), 2) }, 1, &hospital(), &ward.core)
    };
    let output = json!({ "template": 2 });
    let narrower = ward.core.clone().with(7, 0);
    let bad = |rule, stage, name: &str, input| Case::bad("particulars", rule, stage, name, input);
    vec![
        Case::good(
            "particulars",
            "P-11",
            "particulars-for-the-holder",
            input(&ward.sealed_part, 1, &hospital(), &ward.core),
        )
        .gives(output.clone()),
        Case::good(
            "particulars",
            "P-11",
            "particulars-for-the-patient",
            input(&ward.sealed_part, 2, &world.audit(), &ward.core),
        )
        .gives(output),
        bad("P-11", "payload", "text-other-than-its-hash", with(|plain| plain.set(8, "B病院に、すべてを認めます。"))),
        bad("P-11", "payload", "card-of-somebody-else", with(|plain| plain.set(1, signed_card("clinic")))),
        bad("P-11", "payload", "obligation-unknown", with(|plain| plain.set(7, list![4]))),
        bad("P-01", "open", "particulars-of-another-core", input(&ward.sealed_part, 1, &hospital(), &narrower)),
        bad(
            "P-01",
            "open",
            "part-for-the-patient-with-the-key-of-the-holder",
            input(&ward.sealed_part, 2, &sealing_secret(2, "hospital"), &ward.core),
        ),
    ]
}
