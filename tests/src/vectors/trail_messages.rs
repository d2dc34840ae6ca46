//! Messages about trail and heads: 32, 34, 36, 41, 43, 44, 46 (protocol/SPEC.md section 10).

use serde_json::json;

use super::case::{Case, Fault, hex};
use super::cast::{NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::events::answered;
use super::forge::sign;
use super::messages::message;
use super::notes::{checkpoint, trail_origin};
use super::remains::{removal, tombstone};
use super::requests::peer;
use super::trail;
use super::world::World;
use crate::{faults, list, map};

type Put = fn(&World) -> Vec<u8>;

/// The cases.
pub fn cases(world: &World) -> Vec<Case> {
    let input = |payload: Vec<u8>| json!({ "payload": hex(payload) });
    let good = good(world).into_iter().map(|(name, payload)| {
        let tag = payload[0];
        Case::good("message", "P-28", name, input(payload)).gives(json!({ "tag": tag }))
    });
    let faults = faults![Put;
        "P-42" "message" tombstone_of_an_erased_record_without_the_erasure,
        "P-42" "message" tombstone_of_a_withdrawn_record_without_the_withdrawal,
        "P-42" "message" tombstone_of_a_moved_record_with_an_erasure,
        "P-28" "message" end_of_a_list_and_of_an_audit_at_once,
        "P-28" "message" trail_item_with_a_salt_and_no_event,
        "P-28" "message" trail_item_with_an_event_and_no_salt,
        "P-28" "message" trail_item_with_fifty_hashes,
        "C-06" "encoding" trail_item_without_a_leaf,
        "P-28" "message" heads_asked_with_sixty_five_sizes,
        "C-06" "encoding" heads_asked_with_a_short_nonce,
        "C-10" "encoding" heads_asked_with_sizes_out_of_order,
        "C-06" "encoding" heads_asked_without_sizes,
        "C-06" "encoding" watch_that_does_not_say_from_where,
        "P-28" "message" heads_with_sixty_five_proofs,
        "P-28" "message" heads_with_a_proof_of_fifty_hashes,
        "P-28" "message" ledger_head_without_its_checkpoint,
        "P-28" "message" ledger_checkpoint_without_its_head,
        "C-06" "encoding" heads_without_a_checkpoint,
        "P-28" "message" news_of_a_salt_without_its_event,
        "C-06" "encoding" news_without_a_checkpoint,
    ];
    let bad = faults
        .into_iter()
        .map(|Fault { name, rule, stage, put }| Case::bad("message", rule, stage, &name, input(put(world))));
    good.chain(bad).collect()
}

fn good(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    let (erasure, withdrawal) = (gone(world, "erasure", "phone"), gone(world, "withdrawal", "clinic"));
    let listed = sign(
        "list-answer",
        &map! { 1 => world.vault, 2 => seed("a request"), 3 => list![], 4 => NOW, 5 => seed("ids") },
        &party("home"),
    );
    let ledger = heads().with(4, head(&format!("karute/ledger/{}", hex(world.vault)))).with(5, note());
    vec![
        ("tombstone-of-an-erased-record", message(32, tombstone(world, 1).with(5, erasure))),
        ("tombstone-of-a-withdrawn-record", message(32, tombstone(world, 2).with(5, withdrawal))),
        ("tombstone-of-a-moved-record", message(32, tombstone(world, 3))),
        ("end-of-a-list", message(34, map! { 1 => listed, 2 => note() })),
        ("end-of-an-audit", message(34, map! { 2 => note(), 3 => audited(world) })),
        ("trail-item", message(36, item(world))),
        ("trail-item-of-an-erased-event", message(36, erased(world))),
        ("heads-asked", message(41, asked())),
        (
            "heads-asked-of-a-vault-with-earlier-sizes",
            message(41, asked().with(2, world.vault).with(3, list![0, 4, 7])),
        ),
        ("watch-from-the-eighth-event", message(43, watch(world))),
        ("heads-of-a-trail", message(44, heads())),
        ("heads-of-a-trail-and-a-ledger", message(44, ledger)),
        ("heads-with-proofs-one-of-them-empty", message(44, heads().with(3, list![list![], list![seed("a hash")]]))),
        ("news-of-an-event", message(46, map! { 1 => item(world), 2 => note() })),
        ("news-of-an-event-that-is-erased-already", message(46, map! { 1 => erased(world), 2 => note() })),
    ]
}

fn note() -> String {
    checkpoint(&trail_origin("home"), 7, &seed("a root"), &party("home"))
}

fn head(origin: &str) -> Vec<u8> {
    let head = map! { 1 => origin, 2 => 7, 3 => seed("a root"), 4 => NOW, 5 => seed("a nonce") };
    sign("tree-head", &head, &party("home"))
}

fn heads() -> Cbor {
    map! { 1 => head(&trail_origin("home")), 2 => note(), 3 => list![] }
}

fn asked() -> Cbor {
    map! { 1 => seed("a nonce"), 3 => list![] }
}

fn watch(world: &World) -> Cbor {
    let request = map! {
        1 => id16("request"), 2 => world.vault, 3 => list![], 4 => 4, 5 => Cbor::Map(Vec::new()), 6 => 6,
        8 => seed("challenge"), 9 => 7, 10 => key("home"), 11 => peer(), 13 => NOW,
    };
    map! { 1 => sign("request", &request, &party("phone")), 2 => 8 }
}

fn audited(world: &World) -> Vec<u8> {
    let answer = map! { 1 => world.vault, 2 => seed("a request"), 3 => 4, 4 => NOW, 5 => 7, 6 => seed("a root") };
    sign("audit-answer", &answer, &party("home"))
}

fn gone(world: &World, kind: &str, by: &str) -> Vec<u8> {
    removal(kind, world.vault, list![id16("record")], by)
}

fn item(world: &World) -> Cbor {
    trail::receipt(world, &answered(world, 4, 3)).up_to(5)
}

fn without(mut map: Cbor, fields: &[u64]) -> Cbor {
    fields.iter().for_each(|field| map.leave_away(*field));
    map
}

fn erased(world: &World) -> Cbor {
    without(item(world), &[2, 3])
}

fn hashes(count: usize) -> Cbor {
    Cbor::List(vec![Cbor::from(seed("a hash")); count])
}

fn tombstone_of_an_erased_record_without_the_erasure(world: &World) -> Vec<u8> {
    message(32, tombstone(world, 1))
}

fn tombstone_of_a_withdrawn_record_without_the_withdrawal(world: &World) -> Vec<u8> {
    message(32, tombstone(world, 2))
}

fn tombstone_of_a_moved_record_with_an_erasure(world: &World) -> Vec<u8> {
    message(32, tombstone(world, 3).with(5, gone(world, "erasure", "phone")))
}

fn end_of_a_list_and_of_an_audit_at_once(world: &World) -> Vec<u8> {
    let listed = map! { 1 => world.vault, 2 => seed("a request"), 3 => list![], 4 => NOW, 5 => seed("ids") };
    message(34, map! { 1 => sign("list-answer", &listed, &party("home")), 2 => note(), 3 => audited(world) })
}

fn trail_item_with_a_salt_and_no_event(world: &World) -> Vec<u8> {
    message(36, without(item(world), &[3]))
}

fn trail_item_with_an_event_and_no_salt(world: &World) -> Vec<u8> {
    message(36, without(item(world), &[2]))
}

fn trail_item_with_fifty_hashes(world: &World) -> Vec<u8> {
    message(36, item(world).with(5, hashes(50)))
}

fn trail_item_without_a_leaf(world: &World) -> Vec<u8> {
    message(36, without(item(world), &[1]))
}

fn heads_asked_with_sixty_five_sizes(_: &World) -> Vec<u8> {
    message(41, asked().with(3, (0..65).map(Cbor::Uint).collect::<Vec<_>>()))
}

fn heads_asked_with_a_short_nonce(_: &World) -> Vec<u8> {
    message(41, asked().with(1, &seed("a nonce")[..31]))
}

fn heads_asked_with_sizes_out_of_order(_: &World) -> Vec<u8> {
    message(41, asked().with(3, list![7, 4]))
}

fn heads_asked_without_sizes(_: &World) -> Vec<u8> {
    message(41, without(asked(), &[3]))
}

fn watch_that_does_not_say_from_where(world: &World) -> Vec<u8> {
    message(43, without(watch(world), &[2]))
}

fn heads_with_sixty_five_proofs(_: &World) -> Vec<u8> {
    message(44, heads().with(3, vec![list![]; 65]))
}

fn heads_with_a_proof_of_fifty_hashes(_: &World) -> Vec<u8> {
    message(44, heads().with(3, list![hashes(50)]))
}

fn ledger_head_without_its_checkpoint(world: &World) -> Vec<u8> {
    message(44, heads().with(4, head(&format!("karute/ledger/{}", hex(world.vault)))))
}

fn ledger_checkpoint_without_its_head(_: &World) -> Vec<u8> {
    message(44, heads().with(5, note()))
}

fn heads_without_a_checkpoint(_: &World) -> Vec<u8> {
    message(44, without(heads(), &[2]))
}

fn news_of_a_salt_without_its_event(world: &World) -> Vec<u8> {
    message(46, map! { 1 => without(item(world), &[3]), 2 => note() })
}

fn news_without_a_checkpoint(world: &World) -> Vec<u8> {
    message(46, map! { 1 => item(world) })
}
