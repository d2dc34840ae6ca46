//! Passing a grant on: narrower works, wider is refused on every axis, by the agent and, when the agent is bypassed, by the
//! home host; what is not in the ledger counts nowhere; and a rotation reaches the child through its issuer.
//!
//! ```text
//!   花子 ── guardian {list, read, audit, revoke; lab}, depth 1 ──> G ── {list, read; lab} ──> C
//! ```

use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{CollectionId, PartyKey, Salt, StatementId};
use karute_consent::party::Identity;
use karute_consent::policy::DenyReason;
use karute_consent::purpose::Purpose;
use karute_consent::scope::{Action, Scope};
use karute_consent::statement::{Unverified, sign};
use karute_consent::time::Validity;
use karute_consent::tree::digest_of;
use karute_consent::vault::Nonce;
use karute_node::agent::error::{AgentError, Obstacle};
use karute_protocol::message::{Append, AppendItem, Attach, Fetch, Message};
use karute_protocol::wire::{LedgerSize, Octets};
use karute_tests::world::{Answered, DAY, Wire, guards};

use super::scene::{Scene, anything, imaging, lab};

const READ: [Action; 2] = [Action::List, Action::Read];

/// A scene with a guardian for lab, who may pass it on once.
async fn guarded(seed: u64) -> (Scene, StatementId) {
    let mut scene = Scene::new(seed).await;
    let card = scene.world.facility(G).learns(&scene.link);
    let grant = scene.hanako().grants(guards(&card, &[lab()])).await.unwrap();
    (scene, grant)
}

#[tokio::test]
async fn a_narrower_child_reads_and_only_under_its_whole_chain() {
    let (mut scene, parent) = guarded(170).await;
    let vault = scene.vault;
    let record = scene.has_lab(b"HbA1c 6.1").await;
    let card = scene.world.facility("C").learns(&scene.link);
    let child = scene.world.facility(G).passes_on(vault, parent, &card, &READ, &[lab()]).await.unwrap();
    assert_eq!(scene.world.facility("C").fetches(vault, anything()).await.unwrap()[0].0, record);
    let (mut wire, c) = scene.raw("C").await;
    let chains: [(&[StatementId], DenyReason); 4] = [
        (&[child], DenyReason::BrokenChain),
        (&[child, parent], DenyReason::BrokenChain),
        (&[parent], DenyReason::NotHolder),
        (&[parent, parent], DenyReason::BrokenChain),
    ];
    let mut reasons = Vec::new();
    for (number, (chain, reason)) in chains.into_iter().enumerate() {
        let asked = scene.request(Action::Read, chain, number as u8);
        let request = wire.request(&c, asked, |_| ());
        let request = wire.ask(Fetch { request, acting: None, range: None }).await.unwrap();
        assert!(request.is_refusal(), "chain {number}");
        reasons.push(reason);
    }
    assert_eq!(scene.reasons(c.key()).await, reasons);
    // The week of the child is over before the parent's 90 days.
    scene.world.passes(8 * DAY);
    assert!(scene.world.facility("C").fetches(vault, anything()).await.is_err());
    assert_eq!(scene.world.facility(G).fetches(vault, anything()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_agent_passes_nothing_on_that_it_was_not_given() {
    let (mut scene, parent) = guarded(171).await;
    let vault = scene.vault;
    let card = scene.world.facility("C").learns(&scene.link);
    let g = scene.world.facility(G);
    for (actions, kinds) in [(&READ[..], [imaging()]), (&[Action::Export], [lab()]), (&[Action::Deposit], [lab()])] {
        let refused = g.passes_on(vault, parent, &card, actions, &kinds).await;
        assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::Scope))), "{actions:?}: {refused:?}");
    }
    let child = g.passes_on(vault, parent, &card, &READ, &[lab()]).await.unwrap();
    let card = scene.world.facility("B").learns(&scene.link);
    let deeper = scene.world.facility("C").passes_on(vault, child, &card, &READ, &[lab()]).await;
    assert!(matches!(deeper, Err(AgentError::Impossible(Obstacle::Delegation))), "{deeper:?}");
}

/// What a bypassed agent could sign: a child of `parent` for C, like the parent but for reading only.
async fn core(scene: &mut Scene, parent: StatementId) -> GrantCore {
    let collection = scene.collection_of(lab()).await;
    let holder = scene.world.facility("C").party();
    let now = scene.world.now();
    GrantCore {
        vault: scene.vault,
        holder,
        scope: Scope {
            actions: READ.into(),
            collections: [collection].into(),
            months: None,
            records: None,
            depositors: None,
        },
        purposes: [Purpose::FamilyRequest].into(),
        validity: Validity::new(now, now.plus_secs(DAY)).unwrap(),
        uses: None,
        depth: 0,
        parent: Some(parent),
        nonce: Nonce::from_bytes([3; 16]),
    }
}

/// Sends a child grant that was made by hand; the home host is to put it into the ledger.
async fn appends(scene: &Scene, wire: &mut Wire, by: &Identity, core: GrantCore) -> (StatementId, Answered) {
    let sealed_part = vec![1; 40];
    let grant = Grant { core, sealed_hash: digest_of(&[&sealed_part]), package_hash: None };
    let grant = sign(grant, by).unwrap();
    wire.ask(Attach { bytes: Octets(sealed_part.clone()) }).await.unwrap();
    let item = AppendItem {
        entry: Unverified::from_bytes(Vec::new()),
        salt: Salt::from_bytes([5; 32]),
        body: Octets(grant.bytes().to_vec()),
        attachments: vec![digest_of(&[&sealed_part])],
    };
    let append = Append { vault: scene.vault, size: LedgerSize(0), items: vec![item], registration: None };
    (grant.id(), wire.ask(append).await.unwrap())
}

#[tokio::test]
async fn a_wider_child_is_refused_by_the_host_on_every_axis() {
    let (mut scene, parent) = guarded(172).await;
    let elsewhere = scene.collection_of(imaging()).await;
    let good = core(&mut scene, parent).await;
    let (now, b) = (scene.world.now(), scene.world.facility("B").party());
    type Widen = Box<dyn Fn(&mut GrantCore)>;
    let collection = move |core: &mut GrantCore| core.scope.collections.extend([elsewhere]);
    let wider: Vec<(&str, Widen)> = vec![
        ("an action", Box::new(|core| core.scope.actions.extend([Action::Deposit]))),
        ("a collection", Box::new(collection)),
        ("another collection", Box::new(|core| core.scope.collections = [CollectionId::from_bytes([9; 16])].into())),
        ("a purpose", Box::new(|core| core.purposes.extend([Purpose::Treatment]))),
        ("another purpose", Box::new(|core| core.purposes = [Purpose::Research].into())),
        ("a later end", Box::new(move |core| core.validity = Validity::new(now, now.plus_secs(91 * DAY)).unwrap())),
        ("the same depth", Box::new(|core| core.depth = 1)),
        ("a deeper depth", Box::new(|core| core.depth = 4)),
        ("no parent", Box::new(|core| core.parent = None)),
        ("an unknown parent", Box::new(|core| core.parent = Some(StatementId::from_bytes([8; 32])))),
    ];
    let (mut wire, g) = scene.raw(G).await;
    for (what, widen) in &wider {
        let mut core = good.clone();
        widen(&mut core);
        let (id, answer) = appends(&scene, &mut wire, &g, core).await;
        assert!(answer.is_refusal() || matches!(answer.first(), Some(Message::Fault(_))), "{what}: {answer:?}");
        assert!(scene.world.host().store().ledger(scene.vault).unwrap().unwrap().grant(id).is_none(), "{what}");
    }
    // Signed by somebody else than the holder of the parent.
    let (mut of_b, b_key) = scene.raw("B").await;
    assert_eq!(b_key.key(), b);
    let (_, answer) = appends(&scene, &mut of_b, &b_key, good.clone()).await;
    assert!(answer.is_refusal(), "{answer:?}");
    // The trial itself is good: the same child, not widened, is taken.
    let (id, answer) = appends(&scene, &mut wire, &g, good).await;
    assert!(matches!(answer.first(), Some(Message::Appended(_))), "{answer:?}");
    assert!(scene.world.host().store().ledger(scene.vault).unwrap().unwrap().grant(id).is_some());
}

#[tokio::test]
async fn a_child_that_is_not_in_the_ledger_counts_nowhere() {
    let (mut scene, parent) = guarded(173).await;
    scene.has_lab(b"HbA1c 6.1").await;
    let core = core(&mut scene, parent).await;
    let (_, g) = scene.raw(G).await;
    let unregistered = sign(Grant { core, sealed_hash: digest_of(&[b"x"]), package_hash: None }, &g).unwrap().id();
    let (mut wire, c) = scene.raw("C").await;
    let asked = scene.request(Action::Read, &[parent, unregistered], 1);
    let request = wire.request(&c, asked, |request| request.purpose = Purpose::FamilyRequest);
    let answer = wire.ask(Fetch { request, acting: None, range: None }).await.unwrap();
    assert!(answer.is_refusal());
    assert!(scene.reasons(c.key()).await.is_empty(), "C is nobody to this vault: it is only counted");
    assert_eq!(scene.world.host().strangers_refused(), 1);
    // The same by somebody the vault knows, so that the trail keeps the reason.
    let (mut wire, a) = scene.raw("A").await;
    let asked = scene.request(Action::Read, &[parent, unregistered], 2);
    let request = wire.request(&a, asked, |request| request.purpose = Purpose::FamilyRequest);
    assert!(wire.ask(Fetch { request, acting: None, range: None }).await.unwrap().is_refusal());
    assert_eq!(scene.reasons(a.key()).await, [DenyReason::UnknownGrant]);
}

#[tokio::test]
async fn after_a_rotation_the_issuer_passes_the_new_keys_on() {
    let (mut scene, parent) = guarded(174).await;
    let vault = scene.vault;
    scene.has_lab(b"old").await;
    let card = scene.world.facility("C").learns(&scene.link);
    scene.world.facility(G).passes_on(vault, parent, &card, &READ, &[lab()]).await.unwrap();
    let out = scene.lets_read("B", &[lab()]).await;
    scene.hanako().revokes(out).await.unwrap();
    scene.has_lab(b"new").await;
    let early = scene.world.facility("C").fetches(vault, anything()).await.unwrap();
    assert_eq!(early.len(), 1, "C has not got the new key yet; what it has, it reads");
    assert_eq!(scene.world.facility(G).syncs(vault).await.unwrap().passed_on, 1);
    assert_eq!(scene.world.facility("C").fetches(vault, anything()).await.unwrap().len(), 2);
    assert_eq!(scene.world.facility(G).syncs(vault).await.unwrap().passed_on, 0, "once is enough");
}

#[tokio::test]
async fn a_child_outlives_neither_its_parents_time_nor_its_issuers_removal_from_the_chain() {
    let (mut scene, parent) = guarded(175).await;
    let vault = scene.vault;
    scene.has_lab(b"HbA1c 6.1").await;
    let card = scene.world.facility("C").learns(&scene.link);
    let child = scene.world.facility(G).passes_on(vault, parent, &card, &READ, &[lab()]).await.unwrap();
    // The issuer takes its own child back, and the patient any.
    let (mut wire, g) = scene.raw(G).await;
    let issued = scene.world.now();
    let reason = karute_consent::revocation::RevocationReason::Mistake;
    let revocation = karute_consent::revocation::Revocation { vault, grant: child, reason, issued };
    let revocation = sign(revocation, &g).unwrap().to_unverified();
    let answer = wire.ask(karute_protocol::message::Revoke { revocation }).await.unwrap();
    assert!(matches!(answer.first(), Some(Message::Appended(_))), "{answer:?}");
    assert!(scene.world.facility("C").fetches(vault, anything()).await.is_err());
    let c: PartyKey = scene.world.facility("C").party();
    assert!(
        scene
            .hanako()
            .audits()
            .await
            .unwrap()
            .lines
            .iter()
            .all(|line| line.party != c || line.outcome == 0 || line.outcome == 12)
    );
}

const G: &str = "guardian";
