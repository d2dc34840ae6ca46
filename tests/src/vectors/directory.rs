//! Proofs that a key is in the directory, and the key leaves themselves (P-05, P-07).

use serde_json::{Value, json};

use super::case::{Case, Fault, hex, hex_of, hexes};
use super::cast::{MONTH, party, sealing_key, seed};
use super::cbor::Cbor;
use super::forge::{id_of, sign};
use super::tree::{inclusion, root_of};
use super::world::{MONTHS, World};
use crate::{faults, map};

/// A proof with what its reader asked for.
struct Proof {
    proof: Cbor,
    directory: [u8; 32],
    collection: [u8; 16],
    month: u64,
}

type Put = fn(&mut Proof, &World);

/// The cases of `directory.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let faults = faults![Put;
        "P-05" "directory" directory_that_the_ledger_does_not_name,
        "P-05" "directory" proof_for_another_collection,
        "P-05" "directory" proof_for_another_month,
        "P-05" "directory" month_that_the_collection_has_no_key_for,
        "P-05" "directory" collection_leaf_changed,
        "P-05" "directory" collection_proof_changed,
        "P-05" "directory" collection_at_another_index,
        "P-05" "directory" key_changed,
        "P-05" "directory" key_proof_changed,
        "P-05" "directory" key_proof_a_hash_too_long,
        "P-05" "directory" key_proof_without_hashes,
        "P-05" "directory" keys_of_an_older_generation,
        "C-12" "statement" directory_with_a_flipped_bit,
        "C-06" "encoding" proof_without_a_key,
    ];
    let good = proof(world, 1);
    let key = good.proof.field(5).field(2).clone();
    let mut cases =
        vec![Case::good("key_proof", "P-05", "key-of-this-month", input(&good)).gives(json!({ "key": hex_of(&key) }))];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut bad = proof(world, 1);
        put(&mut bad, world);
        Case::bad("key_proof", rule, stage, &name, input(&bad))
    }));
    cases.extend(key_leaves(world));
    cases
}

fn input(proof: &Proof) -> Value {
    json!({
        "proof": hex_of(&proof.proof), "directory": hex(proof.directory), "collection": hex(proof.collection),
        "month": proof.month,
    })
}

/// The key of this month in the laboratory collection.
fn proof(world: &World, generation: u32) -> Proof {
    let leaves = world.collection_leaves(generation);
    let encoded: Vec<Vec<u8>> = leaves.iter().map(Cbor::encode).collect();
    let index = leaves.iter().position(|leaf| leaf.field(1).bytes() == world.lab).expect("it is there");
    let keys = world.key_leaves(&world.lab, generation);
    let hashes = |path: Vec<[u8; 32]>| path.into_iter().map(Cbor::from).collect::<Vec<_>>();
    let directory = sign("directory", &world.directory(0, &leaves), &party("phone"));
    let id = id_of("directory", &directory);
    let proof = map! {
        1 => directory, 2 => leaves[index].clone(), 3 => index as u64, 4 => hashes(inclusion(index, &encoded)),
        5 => Cbor::decode(&keys[0]), 6 => hashes(inclusion(0, &keys)),
    };
    Proof { proof, directory: id, collection: world.lab, month: MONTH }
}

fn directory_that_the_ledger_does_not_name(proof: &mut Proof, _: &World) {
    proof.directory = seed("another directory");
}

fn proof_for_another_collection(proof: &mut Proof, world: &World) {
    proof.collection = world.imaging;
}

fn proof_for_another_month(proof: &mut Proof, _: &World) {
    proof.month = MONTH + 1;
}

fn month_that_the_collection_has_no_key_for(proof: &mut Proof, _: &World) {
    proof.month = MONTH + MONTHS;
    proof.proof.field_mut(5).set(1, MONTH + MONTHS);
}

fn collection_leaf_changed(proof: &mut Proof, _: &World) {
    proof.proof.field_mut(2).set(2, 2);
}

fn collection_proof_changed(proof: &mut Proof, _: &World) {
    proof.proof.field_mut(4).items_mut()[0].bytes_mut()[0] ^= 1;
}

fn collection_at_another_index(proof: &mut Proof, _: &World) {
    let index = proof.proof.field(3).number();
    proof.proof.set(3, 1 - index);
}

fn key_changed(proof: &mut Proof, _: &World) {
    proof.proof.field_mut(5).set(2, sealing_key(2, "a key of the host's choice"));
}

fn key_proof_changed(proof: &mut Proof, _: &World) {
    proof.proof.field_mut(6).items_mut()[0].bytes_mut()[31] ^= 1;
}

fn key_proof_a_hash_too_long(proof: &mut Proof, _: &World) {
    proof.proof.field_mut(6).items_mut().push(Cbor::from(seed("a hash")));
}

fn key_proof_without_hashes(proof: &mut Proof, _: &World) {
    proof.proof.field_mut(6).items_mut().clear();
}

/// The host shows keys that were good once, under the directory of now.
fn keys_of_an_older_generation(good: &mut Proof, world: &World) {
    let newer = proof(world, 2);
    good.proof.set(1, newer.proof.field(1).clone());
    good.directory = newer.directory;
}

fn directory_with_a_flipped_bit(proof: &mut Proof, _: &World) {
    *proof.proof.field_mut(1).bytes_mut().last_mut().expect("a signature") ^= 1;
}

fn proof_without_a_key(proof: &mut Proof, _: &World) {
    proof.proof.leave_away(5);
}

/// A collection leaf and its key leaves.
type Leaves = (Cbor, Vec<Cbor>);

fn key_leaves(world: &World) -> Vec<Case> {
    let faults = faults![fn(&mut Leaves);
        "P-07" "directory" a_key_leaf_too_few,
        "P-07" "directory" a_key_leaf_too_many,
        "P-07" "directory" key_leaves_exchanged,
        "P-07" "directory" key_leaves_that_begin_a_month_later,
        "P-07" "directory" key_of_suite_1,
        "P-07" "directory" key_leaf_with_another_key,
    ];
    let good = || {
        let keys = world.key_leaves(&world.lab, 1).iter().map(|leaf| Cbor::decode(leaf)).collect();
        (world.collection_leaf(&world.lab, 1), keys)
    };
    let input = |(leaf, keys): &Leaves| json!({ "leaf": hex_of(leaf), "leaves": hexes(keys.iter().map(Cbor::encode)) });
    let mut cases = vec![Case::good("key_leaves", "P-07", "keys-of-two-months", input(&good()))];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut bad = good();
        put(&mut bad);
        Case::bad("key_leaves", rule, stage, &name, input(&bad))
    }));
    cases
}

/// Makes the keys root fit, so that it is not what is noticed.
fn root_again((leaf, keys): &mut Leaves) {
    leaf.set(5, root_of(&keys.iter().map(Cbor::encode).collect::<Vec<_>>()));
}

fn a_key_leaf_too_few(leaves: &mut Leaves) {
    leaves.1.pop();
    root_again(leaves);
}

fn a_key_leaf_too_many(leaves: &mut Leaves) {
    let next = leaves.1[1].clone().with(1, MONTH + 2);
    leaves.1.push(next);
    root_again(leaves);
}

fn key_leaves_exchanged(leaves: &mut Leaves) {
    leaves.1.reverse();
    root_again(leaves);
}

fn key_leaves_that_begin_a_month_later(leaves: &mut Leaves) {
    leaves.1.iter_mut().for_each(|leaf| {
        let month = leaf.field(1).number();
        leaf.set(1, month + 1);
    });
    root_again(leaves);
}

fn key_of_suite_1(leaves: &mut Leaves) {
    leaves.1[1].set(2, sealing_key(1, "an epoch"));
    root_again(leaves);
}

fn key_leaf_with_another_key(leaves: &mut Leaves) {
    leaves.1[1].set(2, sealing_key(2, "an epoch"));
}
