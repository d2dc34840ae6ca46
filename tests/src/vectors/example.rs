//! The worked examples of both SPECs: a small ledger, and one record on its way, byte by byte and with names.

use serde_json::{Map, Value, json};

use super::book::{Book, Draft};
use super::case::{hex, hex_of};
use super::cast::{MONTH, NOW, id16, key, party, public, secret_of, seed};
use super::cbor::Cbor;
use super::deposit::{Deposit, padded};
use super::forge::{hash, id_of, payload_of, sign};
use super::keys::{collection_root, expand};
use super::requests::peer;
use super::schedule::recovery_text;
use super::trail::{event, receipt};
use super::tree::root_of;
use super::world::{World, hospital};
use crate::{list, map};

/// How every secret of the examples is made.
const SEEDS: &str = "seed(name) = SHA-256(\"karute-v1/vectors/\" || name); a nonce, record, run or request id is the \
                     first 16 bytes of the seed of its name; the 64 bytes that one seal uses up are \
                     seed(name + \"/entropy-0\") || seed(name + \"/entropy-1\")";

fn seeds(names: &[&str]) -> Value {
    let mut seeds: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), hex(seed(name)).into())).collect();
    seeds.insert("how".to_owned(), SEEDS.into());
    seeds.into()
}

/// `consent/vectors/example.json`.
pub fn consent() -> Value {
    let world = World::new();
    let mut book = Book::new(world.vault);
    let mut places = Vec::new();
    let mut append = |book: &mut Book, what: &str, draft: &Draft| {
        book.append(draft);
        places.push(place(book, what, draft));
    };
    let charter = book.draft("charter", world.charter.clone()).signed_by("patient");
    append(&mut book, "charter", &charter);
    let authority =
        book.draft("authority", sign("authority", &world.authority(), &party("patient"))).signed_by("patient");
    append(&mut book, "authority", &authority);
    let leaves = world.collection_leaves(1);
    let directory = book.draft_directory(&world.directory(0, &leaves), &leaves);
    append(&mut book, "directory", &directory);
    let grant = sign("grant", &world.ward().grant, &party("phone"));
    let ward = id_of("grant", &grant);
    let draft = book.draft("grant", grant);
    append(&mut book, "grant", &draft);
    let revocation = map! { 1 => world.vault, 2 => ward, 3 => 1, 4 => NOW };
    let draft = book.draft("revocation", sign("revocation", &revocation, &party("phone")));
    append(&mut book, "revocation", &draft);
    json!({
        "seeds": seeds(&["patient", "next patient", "phone", "home", "mirror", "hospital", "witness", "root 0", "recovery code"]),
        "vault": hex(world.vault),
        "parties": { "patient": hex(key("patient")), "phone": hex(key("phone")), "hospital": hex(key("hospital")) },
        "collections": { "laboratory": hex(world.lab), "imaging": hex(world.imaging) },
        "ledger": places,
        "request": decided(&world, ward),
    })
}

/// One entry with its body, and the ledger's head after it.
fn place(book: &Book, what: &str, draft: &Draft) -> Value {
    let entry = draft.signed();
    let mut place = json!({
        "what": what, "statement": hex(&draft.body), "payload": hex_of(&payload_of(&draft.body)),
        "id": hex(id_of(what, &draft.body)), "salt": hex(draft.salt), "body hash": hex(draft.entry.field(5).bytes()),
        "entry payload": hex_of(&draft.entry), "entry": hex(&entry), "entry id": hex(id_of("entry", &entry)),
        "head": { "size": book.entries().len(), "root": hex(root_of(book.entries())) },
    });
    if let Some(leaves) = &draft.leaves {
        place["collection leaves"] = super::case::hexes(leaves);
    }
    place
}

/// The hospital's request, decided before and after the revocation.
fn decided(world: &World, ward: [u8; 32]) -> Value {
    let request = map! {
        1 => id16("request"), 2 => world.vault, 3 => list![ward], 4 => 3, 5 => map! { 1 => list![world.lab] }, 6 => 1,
        8 => seed("challenge"), 9 => 1, 10 => key("home"), 11 => peer(), 13 => NOW,
    };
    let statement = sign("request", &request, &party("hospital"));
    json!({
        "statement": hex(&statement), "payload": hex_of(&request), "id": hex(id_of("request", &statement)),
        "session": { "node": hex(key("home")), "peer": hex(peer()), "challenge": hex(seed("challenge")), "now": NOW },
        "with the first 4 entries": "permit", "with all 5 entries": 12,
    })
}

/// `protocol/vectors/example.json`.
pub fn protocol() -> Value {
    let world = World::new();
    let deposit = Deposit::small(&world);
    let event = event(&[deposit.record], "hospital", id16("request"), list![seed("a grant")]);
    json!({
        "seeds": seeds(&[
            "root 0", "recovery code", "clinic", "hospital", "home", "hospital/sealing", "run secret", "record secret",
            "meta salt", "salt of the event",
        ]),
        "recovery code": recovery_text(&seed("recovery code")),
        "keys": schedule(&world),
        "run": run(&deposit),
        "record": record(&deposit),
        "package": package(&world),
        "receipt": { "event": hex_of(&event), "node": hex(key("home")), "receipt": hex_of(&receipt(&world, &event)) },
    })
}

fn schedule(world: &World) -> Value {
    let derived = |label| hex(expand(&world.root, label, &[]));
    let epoch = world.epoch_secret(&world.lab, 1, MONTH);
    json!({
        "root": hex(world.root), "vault": hex(world.vault), "inbox secret": derived("inbox"), "audit secret": derived("audit"),
        "collection": hex(world.lab), "generation": 1, "month": MONTH,
        "collection root": hex(collection_root(&world.root, &world.vault, &world.lab, 1)),
        "leaf": hex(world.node(&world.lab, 1, 16, MONTH)), "epoch secret": hex(epoch),
        "epoch key": hex_of(&public(&secret_of(2, epoch))),
    })
}

fn run(deposit: &Deposit) -> Value {
    let statement = deposit.signed_run();
    json!({
        "run secret": hex(deposit.run_secret), "sealed under": hex_of(&deposit.run.up_to(8)),
        "payload": hex_of(&deposit.run), "statement": hex(&statement), "id": hex(id_of("run", &statement)),
    })
}

fn record(deposit: &Deposit) -> Value {
    let (header, plain) = (deposit.signed_header(), padded(&deposit.file));
    json!({
        "file": hex(&deposit.file), "digest": hex(hash(&[&deposit.file])), "record": hex(deposit.record),
        "meta key": hex(deposit.meta_key), "meta": hex_of(&deposit.meta), "sealed meta": hex(&deposit.sealed_meta),
        "body key": hex(deposit.body_key), "body salt": hex(&expand(&deposit.body_key, "body-salt", &[])[..24]),
        "padded length": plain.len(), "sealed body": hex(&deposit.sealed_body), "header payload": hex_of(&deposit.header()),
        "header": hex(&header), "header id": hex(id_of("header", &header)),
    })
}

fn package(world: &World) -> Value {
    let ward = world.ward();
    let items = map! { 1 => Cbor::List(vec![world.month_item(14)]) };
    json!({
        "core": hex_of(&ward.core), "core hash": hex(hash(&[&ward.core.encode()])), "rotation": 0,
        "holder's sealing secret": hex(&hospital().bytes()[..]), "items": hex_of(&items), "package": hex_of(&ward.package),
        "package hash": hex(hash(&[&ward.package.encode()])), "sealed part": hex_of(&ward.sealed_part),
    })
}
