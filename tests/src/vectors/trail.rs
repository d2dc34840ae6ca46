//! Trees, receipts, consistency (P-24, P-25).

use serde_json::{Value, json};

use super::case::{Case, Fault, hex, hex_of, hexes};
use super::cast::{NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::forge::hash;
use super::notes::{self, checkpoint, trail_origin};
use super::tree::{consistency, inclusion, root_of};
use super::world::World;
use crate::{faults, list, map};

/// The cases of `trail.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = inclusions();
    cases.extend(consistencies());
    cases.extend(notes::cases());
    cases.extend(receipts(world));
    cases
}

/// Leaf data of a tree of `size`.
fn leaves(size: u8) -> Vec<[u8; 1]> {
    (0..size).map(|n| [n]).collect()
}

/// A leaf with its place and proof.
struct Included {
    leaf: Vec<u8>,
    index: u64,
    size: u64,
    proof: Vec<[u8; 32]>,
    root: [u8; 32],
}

impl Included {
    fn of(index: u8, size: u8) -> Self {
        let all = leaves(size);
        let proof = inclusion(usize::from(index), &all);
        Self { leaf: vec![index], index: index.into(), size: size.into(), proof, root: root_of(&all) }
    }

    fn input(&self) -> Value {
        json!({
            "leaf": hex(&self.leaf), "index": self.index, "size": self.size, "proof": hexes(&self.proof),
            "root": hex(self.root),
        })
    }
}

fn inclusions() -> Vec<Case> {
    let faults = faults![fn(&mut Included);
        "P-24" "proof" another_leaf,
        "P-24" "proof" leaf_at_another_index,
        "P-24" "proof" leaf_beyond_the_tree,
        "P-24" "proof" tree_of_another_size,
        "P-24" "proof" proof_a_hash_too_short,
        "P-24" "proof" proof_a_hash_too_long,
        "P-24" "proof" proof_with_hashes_exchanged,
        "P-24" "proof" proof_to_another_root,
        "P-24" "proof" node_shown_as_a_leaf,
    ];
    let places = [(0, 1), (0, 2), (2, 3), (4, 7), (6, 7), (5, 11), (10, 11)];
    let good = places.map(|(index, size)| {
        let name = format!("leaf-{index}-of-{size}");
        Case::good("inclusion", "P-24", &name, Included::of(index, size).input())
    });
    let bad = faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut it = Included::of(5, 11);
        put(&mut it);
        Case::bad("inclusion", rule, stage, &name, it.input())
    });
    good.into_iter().chain(bad).collect()
}

fn another_leaf(it: &mut Included) {
    it.leaf = vec![6];
}

fn leaf_at_another_index(it: &mut Included) {
    it.index = 4;
}

fn leaf_beyond_the_tree(it: &mut Included) {
    it.index = 11;
}

fn tree_of_another_size(it: &mut Included) {
    it.size = 8;
}

fn proof_a_hash_too_short(it: &mut Included) {
    it.proof.pop();
}

fn proof_a_hash_too_long(it: &mut Included) {
    it.proof.push(seed("a hash"));
}

fn proof_with_hashes_exchanged(it: &mut Included) {
    it.proof.swap(0, 1);
}

fn proof_to_another_root(it: &mut Included) {
    it.root = root_of(&leaves(12));
}

/// Leaf data that is the two children of a node: without the prefix of leaves it would hash to that node.
fn node_shown_as_a_leaf(it: &mut Included) {
    let child = |n: u8| super::tree::leaf_hash(&[n]);
    it.leaf = [child(4), child(5)].concat();
    it.index = 2;
    it.size = 6;
    it.proof.remove(0);
}

fn consistencies() -> Vec<Case> {
    let all = leaves(13);
    let root = |size: usize| hex(root_of(&all[..size]));
    let input = |older: usize, newer: usize, proof: Vec<[u8; 32]>| {
        json!({
            "old_size": older, "old_root": root(older), "size": newer, "root": root(newer), "proof": hexes(&proof),
        })
    };
    let proof = |older: usize, newer: usize| consistency(older, &all[..newer]);
    let good = [(1, 2), (3, 7), (4, 7), (6, 8), (7, 7), (7, 13), (8, 13)].map(|(older, newer)| {
        let name = format!("tree-of-{older}-grows-to-{newer}");
        Case::good("consistency", "P-25", &name, input(older, newer, proof(older, newer)))
    });
    let changed = |change: fn(&mut Vec<[u8; 32]>)| {
        let mut proof = proof(7, 13);
        change(&mut proof);
        input(7, 13, proof)
    };
    let with = |field: &str, value: Value| {
        let mut input = input(7, 13, proof(7, 13));
        input[field] = value;
        input
    };
    let bad = |name: &str, input: Value| Case::bad("consistency", "P-25", "proof", name, input);
    let faults = vec![
        bad("growth-a-hash-too-short", changed(|proof| proof.truncate(2))),
        bad("growth-a-hash-too-long", changed(|proof| proof.push(seed("a hash")))),
        bad("growth-with-a-flipped-bit", changed(|proof| proof[1][0] ^= 1)),
        bad("growth-without-a-proof", changed(Vec::clear)),
        bad("growth-from-another-root", with("old_root", root(6).into())),
        bad("growth-to-another-root", with("root", root(12).into())),
        bad("tree-that-shrank", input(13, 7, proof(7, 13))),
        bad("the-same-size-and-another-root", {
            let mut same = input(7, 7, vec![]);
            same["root"] = root(6).into();
            same
        }),
        bad("the-same-tree-with-a-proof", input(7, 7, vec![seed("a hash")])),
    ];
    good.into_iter().chain(faults).collect()
}

/// The event of a reading of this record under this request.
pub fn event(records: &[[u8; 16]], by: &str, request: [u8; 16], chain: Cbor) -> Cbor {
    let records: Vec<Cbor> = records.iter().map(|record| Cbor::from(*record)).collect();
    let count = records.len() as u64;
    map! {
        1 => 4, 2 => key(by), 3 => super::requests::peer(), 4 => request, 5 => chain, 6 => 3, 7 => 1, 8 => records,
        9 => count, 10 => 0, 12 => map! { 1 => 9, 2 => seed("a root") },
    }
}

/// A receipt for an event of a vault: the fourth leaf of a trail of seven.
pub fn receipt(world: &World, event: &Cbor) -> Cbor {
    let salt = seed("salt of the event");
    let leaf = map! { 1 => world.vault, 2 => 3, 3 => NOW, 4 => event_hash(&salt, event) };
    let mut all: Vec<Vec<u8>> = leaves(7).iter().map(|leaf| leaf.to_vec()).collect();
    all[3] = leaf.encode();
    let proof: Vec<Cbor> = inclusion(3, &all).into_iter().map(Cbor::from).collect();
    let note = checkpoint(&trail_origin("home"), 7, &root_of(&all), &party("home"));
    map! { 1 => leaf, 2 => salt, 3 => event.clone(), 4 => 3, 5 => proof, 6 => note }
}

fn event_hash(salt: &[u8; 32], event: &Cbor) -> [u8; 32] {
    hash(&[b"karute-v1/trail-event", &[0], salt, &event.encode()])
}

fn good_receipt(world: &World) -> Cbor {
    receipt(world, &event(&[id16("record")], "hospital", id16("request"), list![seed("a grant")]))
}

fn receipts(world: &World) -> Vec<Case> {
    let faults = faults![fn(&mut Cbor);
        "P-24" "proof" event_changed,
        "P-24" "proof" record_left_out_of_the_event,
        "P-24" "proof" salt_changed,
        "P-24" "proof" leaf_with_another_number,
        "P-24" "proof" leaf_with_another_time,
        "P-24" "proof" receipt_at_another_index,
        "P-24" "proof" receipt_proof_a_hash_too_short,
        "P-24" "proof" receipt_proof_with_a_flipped_bit,
        "P-23" "checkpoint" receipt_with_the_checkpoint_of_a_ledger,
        "P-23" "checkpoint" receipt_with_the_checkpoint_of_another_node,
        "C-06" "encoding" receipt_without_a_salt,
    ];
    let input = |receipt: &Cbor, node: &str| json!({ "receipt": hex_of(receipt), "node": hex(key(node)) });
    let output = json!({ "vault": hex(world.vault), "number": 3 });
    let good = good_receipt(world);
    let mut cases = vec![
        Case::good("receipt", "P-24", "receipt-of-a-reading", input(&good, "home")).gives(output),
        Case::bad("receipt", "P-23", "checkpoint", "receipt-of-another-node", input(&good, "mirror")),
    ];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut bad = good_receipt(world);
        put(&mut bad);
        Case::bad("receipt", rule, stage, &name, input(&bad, "home"))
    }));
    cases
}

fn event_changed(receipt: &mut Cbor) {
    receipt.field_mut(3).set(7, 3);
}

fn record_left_out_of_the_event(receipt: &mut Cbor) {
    receipt.field_mut(3).set(8, list![]);
}

fn salt_changed(receipt: &mut Cbor) {
    receipt.field_mut(2).bytes_mut()[0] ^= 1;
}

fn leaf_with_another_number(receipt: &mut Cbor) {
    receipt.field_mut(1).set(2, 4);
}

fn leaf_with_another_time(receipt: &mut Cbor) {
    receipt.field_mut(1).set(3, NOW - 60);
}

fn receipt_at_another_index(receipt: &mut Cbor) {
    receipt.set(4, 2);
}

fn receipt_proof_a_hash_too_short(receipt: &mut Cbor) {
    receipt.field_mut(5).items_mut().pop();
}

fn receipt_proof_with_a_flipped_bit(receipt: &mut Cbor) {
    receipt.field_mut(5).items_mut()[1].bytes_mut()[7] ^= 1;
}

fn receipt_with_the_checkpoint_of_a_ledger(receipt: &mut Cbor) {
    let origin = format!("karute/ledger/{}", hex(seed("a vault")));
    receipt.set(6, checkpoint(&origin, 7, &seed("a root"), &party("home")));
}

fn receipt_with_the_checkpoint_of_another_node(receipt: &mut Cbor) {
    receipt.set(6, checkpoint(&trail_origin("home"), 7, &seed("a root"), &party("mirror")));
}

fn receipt_without_a_salt(receipt: &mut Cbor) {
    receipt.leave_away(2);
}
