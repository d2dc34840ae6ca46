//! Ledgers that grow by edited entries, and requests that are decided under them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::{CollectionId, StatementId};
use karute_consent::ledger::{Item, LedgerState, View};
use karute_consent::policy::{Clock, Memory, Session, decide};
use karute_consent::request::Request;
use karute_consent::statement::{Unverified, Verified};
use karute_consent::time::Timestamp;
use serde_bytes::ByteBuf;

use super::edit::{change_bytes, edit_some};
use super::good;
use super::source::Source;
use super::statements::SIGNERS;
use crate::vectors::book::{Book, Draft, body_hash};
use crate::vectors::cast::{NOW, id16, party};
use crate::vectors::cbor::Cbor;
use crate::vectors::forge::{payload_of, sign};
use crate::vectors::ledger::rotation;
use crate::vectors::scene::{Scene, opaque, partner_core};
use crate::vectors::world::World;
use crate::{list, map};

/// Items as they arrive: an array of them, applied in a row under each view.
pub fn ledger_items(data: &[u8]) {
    let Ok(items) = from_bytes::<Vec<Item>>(data, data.len()) else { return };
    assert_eq!(to_bytes(&items).as_deref(), Ok(data), "one spelling");
    for view in VIEWS {
        let _ = LedgerState::replay(&items, view);
        let mut state = BASE.state.clone();
        for item in &items {
            apply(&mut state, item, view);
        }
    }
}

/// A vault with grants grows by a few entries, whose bodies and places are edited and signed again.
pub fn ledger(data: &[u8]) {
    let mut source = Source::new(data);
    let (mut state, mut book) = (BASE.state.clone(), BASE.scene.book.clone());
    for turn in 0..6 {
        if source.is_empty() {
            return;
        }
        let draft = draft(&mut source, &book, turn);
        let mut item = item_of(&draft);
        if source.byte() == 1 {
            change_attachments(&mut item, &mut source);
        }
        let all_views = source.byte().is_multiple_of(4);
        let clones = all_views.then(|| (state.clone(), state.clone()));
        let taken = apply(&mut state, &item, View::Whole);
        if let Some((mut as_host, mut as_holder)) = clones {
            assert!(!apply(&mut as_host, &item, View::Append) || taken, "a device takes what its host appended");
            assert!(!taken || apply(&mut as_holder, &item, View::Part), "a holder takes what a device took");
        }
        if taken {
            book.append(&draft);
        }
    }
}

/// Applies an item. What is refused changes nothing; what is taken is one entry more.
fn apply(state: &mut LedgerState, item: &Item, view: View) -> bool {
    let before = face(state);
    match state.apply(item, view) {
        Ok(()) => {
            assert_eq!(state.size(), before.0 + 1);
            assert!(state.time() >= before.2, "C-25");
            assert!(before.5.is_subset(&revoked(state)), "revoking is final"); // I-12
            true
        }
        Err(_) => {
            assert_eq!(face(state), before, "a refused entry changes nothing");
            false
        }
    }
}

type Ids = std::collections::BTreeSet<StatementId>;

fn face(state: &LedgerState) -> (u64, StatementId, Timestamp, StatementId, StatementId, Ids, Vec<CollectionId>) {
    let pending = state.pending().collect();
    let (directory, authority) = (state.directory_id(), state.authority_id());
    (state.size(), state.last(), state.time(), directory, authority, revoked(state), pending)
}

fn revoked(state: &LedgerState) -> Ids {
    state.grants().map(|grant| grant.statement.id()).filter(|id| state.is_revoked(*id)).collect()
}

/// An entry whose body is made from a good one by edits.
fn draft(source: &mut Source<'_>, book: &Book, turn: u64) -> Draft {
    let (kind, mut payload, by, entry_by) = body(source, turn);
    edit_some(&mut payload, source, 3);
    let by = if source.byte() == 1 { source.name(&SIGNERS) } else { by };
    let leaves = (kind == "directory").then(|| leaves(source));
    if let (Some(leaves), 0) = (&leaves, source.byte()) {
        payload.set(3, crate::vectors::tree::root_of(leaves));
        payload.set(4, leaves.len() as u64);
    }
    let mut draft = Draft { leaves, ..book.draft(kind, sign(kind, &payload, &party(by))) };
    draft.by = if source.byte() == 1 { source.name(&SIGNERS) } else { entry_by };
    if source.byte() == 1 {
        edit_some(&mut draft.entry, source, 2);
        if source.byte() == 1 {
            change_bytes(&mut draft.body, source);
            let hash = body_hash(&draft.salt, &draft.body);
            if let Cbor::Map(_) = draft.entry {
                draft.entry.set(5, hash);
            }
        }
    }
    draft
}

/// Type, payload, its signer and the signer of its entry.
fn body(source: &mut Source<'_>, turn: u64) -> (&'static str, Cbor, &'static str, &'static str) {
    let scene = &BASE.scene;
    let world = scene.world;
    let grants = [scene.ward, scene.below, scene.store, scene.guardian, scene.single, scene.study];
    match source.byte() % 7 {
        0 => {
            let holder = source.name(&["dentist", "specialist", "hospital", "partner"]);
            let mut core = world.core(holder, list![2, 3], &[world.lab], 1);
            core.set(9, id16(&format!("nonce of turn {turn}")));
            ("grant", opaque(core), "phone", "phone")
        }
        1 => {
            let mut core = partner_core(scene);
            core.set(9, id16(&format!("nonce of turn {turn}")));
            ("grant", opaque(core), "study", "home")
        }
        2 => {
            let grant = *source.one_of(&grants);
            let by = source.name(&["phone", "guardian", "hospital"]);
            let payload = map! { 1 => world.vault, 2 => grant, 3 => 1, 4 => NOW };
            ("revocation", payload, by, if by == "phone" { "phone" } else { "home" })
        }
        3 => ("directory", world.directory(1 + turn, &[]), "phone", "phone"),
        4 => ("authority", BASE.authority.clone().with(2, 1 + turn), "patient", "patient"),
        5 => ("rotation", rotation(scene).with(3, 1 + turn), "phone", "phone"),
        _ => {
            let payload = map! { 1 => world.vault, 2 => list![id16("record")], 3 => 1, 4 => NOW };
            ("erasure", payload, "phone", "phone")
        }
    }
}

/// Collection leaves of the first, second or third generation, edited.
fn leaves(source: &mut Source<'_>) -> Vec<Vec<u8>> {
    let mut leaves = source.one_of(&BASE.leaves).clone();
    let at = source.place(leaves.len());
    edit_some(&mut leaves[at], source, 2);
    leaves.iter().map(Cbor::encode).collect()
}

fn item_of(draft: &Draft) -> Item {
    let leaves = |leaves: &Vec<Vec<u8>>| {
        let list = Cbor::List(leaves.iter().map(|leaf| Cbor::Bytes(leaf.clone())).collect());
        vec![ByteBuf::from(list.encode())]
    };
    Item {
        entry: Unverified::from_bytes(draft.signed()),
        salt: Some(karute_consent::id::Salt::from_bytes(draft.salt)),
        body: Some(draft.body.clone()),
        attachments: draft.leaves.as_ref().map(leaves),
    }
}

fn change_attachments(item: &mut Item, source: &mut Source<'_>) {
    match item.attachments.as_mut().and_then(|attachments| attachments.first_mut()) {
        Some(first) => change_bytes(first, source),
        None => item.attachments = Some(vec![ByteBuf::from(source.take(64).to_vec())]),
    }
}

/// A request, edited and signed again, is decided; a revocation and the end of a grant never help it (C-53).
pub fn decision(data: &[u8]) {
    let mut source = Source::new(data);
    let asked = source.one_of(&BASE.requests);
    let mut payload = payload_of(&asked.0);
    edit_some(&mut payload, &mut source, 4);
    let by = party(source.name(&["hospital", "specialist", "guardian", "phone", "study", "pharmacy"]));
    let request: Verified<Request> = match Unverified::from_bytes(sign("request", &payload, &by)).verify() {
        Ok(request) => request,
        Err(_) => return,
    };
    let mut session = asked.1.clone();
    if source.byte() == 1 {
        session.sequence = Some(source.number());
    }
    let spent = |id| (StatementId::from_bytes(id), u32::from(source.byte() % 8));
    let spent: BTreeMap<_, _> = [BASE.scene.study, BASE.scene.single].map(spent).into();
    let memory = Memory { spent, resumed: None, asks_waiting: u32::from(source.byte()) };
    let now = Timestamp::from_secs(NOW + u64::from(source.byte()));
    let clock = Clock { now, committed: now };
    let first = decide(&request, &BASE.state, &session, &memory, clock).is_ok();
    let after = decide(&request, &BASE.revoked, &session, &memory, clock).is_ok();
    assert!(first || !after, "a revocation permits nothing");
    // Half a year on, every grant of these ledgers has ended, and the request is as fresh.
    let end = now.plus_secs(200 * 86_400);
    payload.set(13, end.secs());
    let Ok(late) = Unverified::<Request>::from_bytes(sign("request", &payload, &by)).verify() else { return };
    let ended = decide(&late, &BASE.state, &session, &memory, Clock { now: end, committed: end });
    assert!(ended.is_err() || request.payload().chain.is_empty(), "a grant that has ended permits nothing");
}

const VIEWS: [View; 3] = [View::Append, View::Whole, View::Part];

/// What every ledger begins with.
struct Base {
    scene: Scene<'static>,
    state: LedgerState,
    revoked: LedgerState,
    authority: Cbor,
    leaves: [Vec<Cbor>; 3],
    requests: Vec<(Vec<u8>, Session)>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let world: &'static World = Box::leak(Box::new(World::new()));
    let replay = |name| LedgerState::replay(&good::items(name), View::Whole).expect("a good vector");
    Base {
        scene: Scene::new(world),
        state: replay(crate::vectors::ledger::BASE),
        revoked: replay(crate::vectors::ledger::REVOKED),
        authority: world.authority(),
        leaves: [1, 2, 3].map(|generation| world.collection_leaves(generation)),
        requests: good::inputs("decide").map(|input| (good::bytes(input, "request"), session(&input["env"]))).collect(),
    }
});

fn session(env: &serde_json::Value) -> Session {
    Session {
        node: karute_consent::id::NodeId::from_bytes(good::fixed(env, "node")),
        peer: good::bytes(env, "peer"),
        challenge: karute_consent::id::Challenge::from_bytes(good::fixed(env, "challenge")),
        sequence: env["last_sequence"].as_u64(),
    }
}

/// The item of a good vector that stands last in the ledger of this name, encoded as a list of one.
pub(super) fn items_seed(name: &str, from: usize) -> Vec<u8> {
    let items = good::items(name).split_off(from);
    to_bytes(&items).expect("items can be encoded")
}

/// The vault of these ledgers.
pub(super) fn vault() -> karute_consent::id::VaultId {
    BASE.state.vault()
}

/// A party's copy of the ledger of this name, as it lies at rest.
pub(super) fn view_seed(name: &str) -> Vec<u8> {
    let items = Cbor::decode(&items_seed(name, 0));
    crate::map! { 1 => Cbor::Bool(true), 2 => items, 4 => list![], 5 => list![] }.encode()
}
