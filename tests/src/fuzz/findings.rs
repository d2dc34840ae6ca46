//! Findings. An honest host keeps a trail and signs answers; the input puts together accusations from all that it signed,
//! and edits them. None may hold, but those that a further proof refutes: nobody honest is convicted.

use std::sync::LazyLock;

use karute_protocol::finding::{Finding, FindingKind, SignedHead};
use karute_protocol::merkle::{TreeHash, TreeHead, root_of};
use karute_protocol::trail::{CheckpointText, Log};

use super::edit::edit_some;
use super::good;
use super::source::Source;
use crate::vectors::cast::{NOW, id16, key, party, seed};
use crate::vectors::cbor::Cbor;
use crate::vectors::forge::{hash, id_of, sign};
use crate::vectors::ledger::REVOKED;
use crate::vectors::scene::Scene;
use crate::vectors::tree::{consistency, inclusion, root_of as tree_root};
use crate::vectors::world::World;
use crate::{list, map};

/// A finding as it arrives.
pub fn finding(data: &[u8]) {
    let Ok(finding) = Finding::from_bytes(data) else { return };
    assert_eq!(finding.to_bytes().ok().as_deref(), Some(data), "one spelling");
    if let Ok(verdict) = finding.verify() {
        assert_eq!((verdict.kind, verdict.accused), (finding.kind(), finding.accused()));
    }
    let _ = finding.is_refuted_by_proof(&[]);
}

/// An accusation of an honest host, from what it signed.
pub fn finding_honest(data: &[u8]) {
    let mut source = Source::new(data);
    let kind = 1 + source.place(11);
    let mut accusation = map! { 1 => 1, 2 => kind as u64, 3 => key("home") };
    for field in fields(kind, &mut source) {
        let value = HONEST.piece(field, &mut source);
        accusation.set(field, value);
    }
    judge(&accusation.encode());
    edit_some(&mut accusation, &mut source, 3);
    judge(&accusation.encode());
}

/// The fields that a kind may have, with one of its choices taken; now and then one more or less.
fn fields(kind: usize, source: &mut Source<'_>) -> Vec<u64> {
    let heads = [*source.one_of(&[4, 6]), *source.one_of(&[5, 7])];
    let mut fields = match kind {
        1 => heads.to_vec(),
        2 => [&heads[..], &[14]].concat(),
        3 => vec![*source.one_of(&[6, 8]), 7],
        4 | 9 => vec![8, 9],
        5 => vec![8, 10],
        6 => vec![8, 10, 11, 12],
        7 => vec![8, 9, 13],
        8 => vec![8, 13],
        10 => vec![4, 5, 15],
        _ => vec![8],
    };
    match source.byte() {
        253 => fields.push(4 + source.place(12) as u64),
        254 => drop(fields.pop()),
        _ => {}
    }
    fields
}

fn judge(bytes: &[u8]) {
    let Ok(finding) = Finding::from_bytes(bytes) else { return };
    assert_eq!(finding.to_bytes().ok().as_deref(), Some(bytes), "one spelling");
    let Ok(verdict) = finding.verify() else { return };
    assert!(verdict.refutable, "an honest host is convicted of {:?}: {:?}", verdict.kind, verdict.facts);
    assert_eq!(verdict.kind, FindingKind::Inconsistency, "its lists have every deposit");
    let refuted = HONEST.proofs.iter().any(|proof| finding.is_refuted_by_proof(proof));
    assert!(refuted, "an honest log has the proof");
}

/// All that an honest host signed, and what others signed to it.
struct Honest {
    checkpoints: Vec<Cbor>,
    tree_heads: Vec<Cbor>,
    receipts: Vec<Cbor>,
    answers: Vec<Cbor>,
    ids: Vec<Cbor>,
    requests: Vec<Cbor>,
    items: Vec<Cbor>,
    /// Every consistency proof between two sizes of its logs.
    proofs: Vec<Vec<TreeHash>>,
}

impl Honest {
    fn piece(&self, field: u64, source: &mut Source<'_>) -> Cbor {
        let pool = match field {
            4 | 5 => &self.checkpoints,
            6 | 7 => &self.tree_heads,
            8 | 9 => &self.receipts,
            10 => &self.answers,
            11 => &self.ids,
            12 => &self.requests,
            13 => return Cbor::List((0..1 + source.place(3)).map(|_| source.one_of(&self.items).clone()).collect()),
            14 => {
                let proof = source.one_of(&self.proofs);
                return Cbor::List(proof.iter().map(|hash| Cbor::from(hash.0)).collect());
            }
            _ => return map! { 1 => "witness.example", 2 => key("home") },
        };
        source.one_of(pool).clone()
    }
}

/// Seconds between two events.
const STEP: u64 = 100;

static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let world: &'static World = Box::leak(Box::new(World::new()));
    let scene = Scene::new(world);
    let requests = [
        request(&scene, "hospital", list![scene.ward], 3, 1),
        request(&scene, "phone", list![], 2, 6),
        request(&scene, "guardian", list![scene.guardian], 3, 7),
        request(&scene, "phone", list![], 4, 6),
    ];
    let header = seed("the header of a deposit");
    let events = events(&scene, &requests, header);
    let leaves: Vec<Vec<u8>> = (1u64..).zip(&events).map(|(n, event)| leaf(world, n, event).encode()).collect();
    let head = |size: usize| TreeHead { size: size as u64, root: TreeHash(tree_root(&leaves[..size])) };
    let sizes = 1..=leaves.len();
    let trail_head = |size: usize| CheckpointText::sign(Log::Trail, head(size), &party("home")).0;
    let receipt = |index: usize, size: usize| {
        let proof: Vec<Cbor> = inclusion(index, &leaves[..size]).into_iter().map(Cbor::from).collect();
        let (leaf, salt) = (Cbor::decode(&leaves[index]), salt(index as u64 + 1));
        map! { 1 => leaf, 2 => salt, 3 => events[index].clone(), 4 => index as u64, 5 => proof, 6 => trail_head(size) }
    };
    let all = sizes.clone().flat_map(|size| [size, leaves.len()].map(|at| (size - 1, at)));
    let receipts = all.map(|(index, size)| receipt(index, size)).collect();
    let log_heads = ledger_heads(world);
    let checkpoints = sizes.clone().map(|size| trail_head(size).into()).chain(log_heads.iter().map(|h| h.0.clone()));
    let tree_heads = sizes.clone().map(|size| tree_head(&trail_origin(), head(size), size as u64));
    let tree_heads = tree_heads.chain(log_heads.iter().map(|head| head.1.clone())).collect();
    Honest {
        checkpoints: checkpoints.collect(),
        tree_heads,
        receipts,
        answers: answers(world, &requests, header, &head),
        ids: vec![list![], list![header], list![header, header], list![[0; 32]]],
        requests: requests.iter().map(|request| Cbor::Bytes(request.clone())).collect(),
        items: items(),
        proofs: proofs(&leaves).chain(proofs(&ledger_entries())).collect(),
    }
});

fn request(scene: &Scene<'_>, by: &'static str, chain: Cbor, action: u64, purpose: u64) -> Vec<u8> {
    let payload = map! {
        1 => id16(&format!("request of {by} for {action}")), 2 => scene.world.vault, 3 => chain, 4 => action,
        5 => Cbor::Map(Vec::new()), 6 => purpose, 8 => seed("challenge"), 9 => action, 10 => key("home"),
        11 => vec![7u8; 38], 13 => NOW,
    };
    sign("request", &payload, &party(by))
}

/// What was done with the vault, in order: appends, a deposit, readings under grants, lists, an audit.
fn events(scene: &Scene<'_>, requests: &[Vec<u8>; 4], header: [u8; 32]) -> Vec<Cbor> {
    let head = map! { 1 => 9, 2 => seed("a head of the ledger") };
    let event = |kind: u64, by, chain: Cbor, count: u64, outcome: u64| {
        map! { 1 => kind, 2 => key(by), 5 => chain, 8 => list![], 9 => count, 10 => outcome, 12 => head.clone() }
    };
    let asked = |kind: u64, by, request: &Vec<u8>| {
        let payload = crate::vectors::forge::payload_of(request);
        event(kind, by, payload.field(3).clone(), 0, 0)
            .with(3, payload.field(11).bytes())
            .with(4, payload.field(1).bytes())
            .with(6, payload.field(4).number())
            .with(7, payload.field(6).number())
            .with(15, request.clone())
    };
    let entry = |at: usize| {
        let entries = ledger_entries();
        id_of("entry", &entries[at])
    };
    let deposit = event(2, "clinic", list![scene.store], 1, 0)
        .with(6, 1)
        .with(7, 1)
        .with(8, list![id16("record")])
        .with(13, header)
        .with(14, map! { 1 => scene.world.lab, 2 => 1, 3 => 1 });
    vec![
        event(1, "patient", list![], 1, 0).with(13, entry(0)),
        deposit,
        asked(4, "hospital", &requests[0]),
        asked(3, "phone", &requests[1]),
        event(1, "phone", list![], 1, 0).with(13, entry(9)),
        asked(4, "guardian", &requests[2]),
        asked(5, "phone", &requests[3]),
        event(6, "hospital", list![scene.ward], 0, 12),
    ]
}

fn salt(number: u64) -> [u8; 32] {
    seed(&format!("salt of event {number}"))
}

fn leaf(world: &World, number: u64, event: &Cbor) -> Cbor {
    let event_hash = hash(&[b"karute-v1/trail-event\0", &salt(number), &event.encode()]);
    map! { 1 => world.vault, 2 => number, 3 => NOW + STEP * number, 4 => event_hash }
}

fn trail_origin() -> String {
    let node = karute_consent::id::NodeId::from_bytes(key("home"));
    Log::Trail.origin(node).to_string()
}

/// The signed head of a log when it had so many events.
fn tree_head(origin: &str, head: TreeHead, events: u64) -> Cbor {
    let (time, nonce) = (NOW + STEP * events + 1, seed("a nonce"));
    let payload = map! { 1 => origin, 2 => head.size, 3 => head.root.0, 4 => time, 5 => nonce };
    Cbor::Bytes(sign("tree-head", &payload, &party("home")))
}

/// Checkpoint and signed head of the ledger before and after the revocation.
fn ledger_heads(world: &World) -> Vec<(Cbor, Cbor)> {
    let log = Log::Ledger(karute_consent::id::VaultId::from_bytes(world.vault));
    let origin = log.origin(karute_consent::id::NodeId::from_bytes(key("home"))).to_string();
    let entries = ledger_entries();
    let head = |size: usize| {
        let hashes: Vec<TreeHash> = entries[..size].iter().map(|entry| TreeHash::leaf(entry)).collect();
        TreeHead { size: size as u64, root: root_of(&hashes) }
    };
    let signed = |(size, events)| {
        let checkpoint = CheckpointText::sign(log, head(size), &party("home")).0;
        (checkpoint.into(), tree_head(&origin, head(size), events))
    };
    [(9, 1), (10, 5), (11, 6)].map(signed).into()
}

fn ledger_entries() -> Vec<Vec<u8>> {
    let entry = |item: karute_consent::ledger::Item| item.entry.verify().expect("a good vector").bytes().to_vec();
    good::items(REVOKED).into_iter().map(entry).collect()
}

/// The items of the ledger that grants and their revocation are in.
fn items() -> Vec<Cbor> {
    let item = |item: karute_consent::ledger::Item| {
        let entry = item.entry.verify().expect("a good vector");
        map! {
            1 => entry.bytes(), 2 => *item.salt.expect("shown whole").as_bytes(), 3 => item.body.expect("shown whole"),
        }
    };
    good::items(REVOKED).into_iter().skip(3).map(item).collect()
}

/// An answer to the list before the deposit, to the one after it, and to the audit.
fn answers(world: &World, requests: &[Vec<u8>; 4], header: [u8; 32], head: &impl Fn(usize) -> TreeHead) -> Vec<Cbor> {
    let listed = |ids: &[u8], count: u64, time: u64| {
        let counts = list![map! { 1 => world.lab, 2 => 1, 3 => count }];
        let request = id_of("request", &requests[1]);
        let payload = map! { 1 => world.vault, 2 => request, 3 => counts, 4 => time, 5 => hash(&[ids]) };
        Cbor::Bytes(sign("list-answer", &payload, &party("home")))
    };
    let audited = |count: u64| {
        let (request, at) = (id_of("request", &requests[3]), head(count as usize));
        let time = NOW + STEP * count + 1;
        let payload = map! { 1 => world.vault, 2 => request, 3 => count, 4 => time, 5 => at.size, 6 => at.root.0 };
        Cbor::Bytes(sign("audit-answer", &payload, &party("home")))
    };
    vec![listed(&[], 0, NOW + STEP), listed(&header, 1, NOW + 4 * STEP), audited(1), audited(7)]
}

fn proofs(leaves: &[Vec<u8>]) -> impl Iterator<Item = Vec<TreeHash>> + '_ {
    let sizes = (1..=leaves.len()).flat_map(|newer| (1..newer).map(move |older| (older, newer)));
    sizes.map(|(older, newer)| consistency(older, &leaves[..newer]).into_iter().map(TreeHash).collect())
}

/// Findings that hold: two roots of one size, a log that shrank.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let node = karute_consent::id::NodeId::from_bytes(key("home"));
    let checkpoint = |root: u8| {
        let head = TreeHead { size: 5, root: TreeHash([root; 32]) };
        SignedHead::Checkpoint(CheckpointText::sign(Log::Trail, head, &party("home")))
    };
    let lie = Finding::equivocation(node, checkpoint(1), checkpoint(2)).expect("two roots of one size");
    let accusation = map! {
        1 => 1, 2 => 9, 3 => key("home"), 8 => HONEST.receipts[0].clone(), 9 => HONEST.receipts[5].clone(),
    };
    vec![lie.to_bytes().expect("a short finding"), accusation.encode()]
}
