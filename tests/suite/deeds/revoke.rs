//! Revoking: refused at once, everywhere below, in streams that run; new keys for who remains; and what a revoked holder's
//! old keys are worth afterwards, tried on the ciphertext itself.

use karute_consent::id::StatementId;
use karute_consent::policy::DenyReason;
use karute_consent::revocation::{Revocation, RevocationReason};
use karute_consent::scope::Action;
use karute_consent::statement::sign;
use karute_node::agent::error::AgentError;
use karute_node::frame::FrameKind;
use karute_protocol::message::{Fetch, Message, Revoke};
use karute_tests::world::{deposits_to, guards, wanted};

use super::scene::{Scene, anything, imaging, lab, noise};
use super::thief::{Loot, ciphertext};

#[tokio::test]
async fn a_revoked_grant_is_refused_at_once_in_every_session() {
    let mut scene = Scene::new(70).await;
    let vault = scene.vault;
    let grant = scene.lets_read("B", &[lab()]).await;
    scene.has_lab(b"HbA1c 6.1").await;
    let (mut open, identity) = scene.raw("B").await;
    let ask = |scene: &Scene, id| scene.request(Action::Read, &[grant], id);
    let request = open.request(&identity, ask(&scene, 1), |_| ());
    assert!(!open.ask(Fetch { request, acting: None, range: None }).await.unwrap().is_refusal());
    let revoked = scene.hanako().revokes(grant).await.unwrap();
    let levels = revoked.levels;
    assert!(levels.signed && levels.refused && levels.appended && levels.rotated && levels.resealed, "{revoked:?}");
    let request = open.request(&identity, ask(&scene, 2), |_| ());
    assert!(open.ask(Fetch { request, acting: None, range: None }).await.unwrap().is_refusal());
    let (mut fresh, _) = scene.raw("B").await;
    let request = fresh.request(&identity, ask(&scene, 3), |_| ());
    assert!(fresh.ask(Fetch { request, acting: None, range: None }).await.unwrap().is_refusal());
    scene.world.restarts_host().await;
    assert!(scene.world.facility("B").fetches(vault, wanted(&[])).await.is_err());
    assert_eq!(scene.reasons(identity.key()).await[..2], [DenyReason::Revoked; 2]);
    let twice = scene.hanako().revokes(grant).await;
    assert!(twice.is_err(), "revoking is final: {twice:?}");
}

/// ```text
///   B <── piece ── piece ── piece ──x   refusal        host
///                             ^
///                     花子 revokes here
/// ```
#[tokio::test]
async fn a_body_that_is_on_its_way_ends_when_its_grant_is_revoked() {
    let mut scene = Scene::new(71).await;
    let grant = scene.lets_read("B", &[lab()]).await;
    scene.has_lab(&noise(24 << 20, 71)).await;
    let (mut wire, identity) = scene.raw("B").await;
    let asked = scene.request(Action::Read, &[grant], 1);
    let request = wire.request(&identity, asked, |_| ());
    let fetch = Message::from(Fetch { request, acting: None, range: None }).encode().unwrap();
    let number = wire.send(FrameKind::Message, fetch).await.unwrap();
    // B reads nothing until the revocation is in force: the host stands still after a few pieces, and acknowledges when B
    // has taken the one that was being written.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let (host, vault) = (scene.world.host().clone(), scene.vault);
    let reading = tokio::spawn(async move {
        while !host.store().ledger(vault).unwrap().unwrap().is_revoked(grant) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        wire.answer_to(number).await.unwrap()
    });
    scene.hanako().revokes(grant).await.unwrap();
    let answer = reading.await.unwrap();
    let pieces = answer.frames.iter().filter(|(kind, _)| *kind == FrameKind::Piece).count();
    assert!(matches!(answer.messages().last(), Some(Message::Refusal(_))), "it ends with the one refusal");
    // What was on its way before: the queue of the stream, one piece being written and one waiting for room.
    assert!(pieces <= 6, "{pieces} of 25 pieces came after the revocation");
}

/// ```text
///   花子 ──> B (guardian, depth 1) ──> C       revoking B ends C
/// ```
#[tokio::test]
async fn what_was_passed_on_falls_with_its_parent() {
    let mut scene = Scene::new(72).await;
    let vault = scene.vault;
    let card = scene.world.facility("guardian").learns(&scene.link);
    let grant = scene.hanako().grants(guards(&card, &[lab()])).await.unwrap();
    scene.has_lab(b"HbA1c 6.1").await;
    let card = scene.world.facility("C").learns(&scene.link);
    let actions = [Action::List, Action::Read];
    scene.world.facility("guardian").passes_on(vault, grant, &card, &actions, &[lab()]).await.unwrap();
    assert_eq!(scene.world.facility("C").fetches(vault, anything()).await.unwrap().len(), 1);
    scene.hanako().revokes(grant).await.unwrap();
    let refused = scene.world.facility("C").fetches(vault, anything()).await;
    assert!(matches!(refused, Err(AgentError::Refused | AgentError::Unknown(_))), "{refused:?}");
    let raw = raw_read(&mut scene, "C", &[grant]).await;
    assert_eq!(raw, [DenyReason::NotHolder], "not even by naming the parent alone");
}

/// One raw read under a chain; gives why it was refused.
async fn raw_read(scene: &mut Scene, name: &str, chain: &[StatementId]) -> Vec<DenyReason> {
    let (mut wire, identity) = scene.raw(name).await;
    let asked = scene.request(Action::Read, chain, 99);
    let request = wire.request(&identity, asked, |_| ());
    let answer = wire.ask(Fetch { request, acting: None, range: None }).await.unwrap();
    assert!(answer.is_refusal(), "{answer:?}");
    scene.reasons(identity.key()).await.into_iter().rev().take(1).collect()
}

/// ```text
///            old record          new record
///   B stays      reads              reads
///   C is out   had read it       its keys open nothing, on the ciphertext itself
/// ```
#[tokio::test]
async fn who_remains_reads_old_and_new_and_the_revoked_holders_keys_open_nothing_new() {
    let mut scene = Scene::new(73).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    let out = scene.lets_read("C", &[lab()]).await;
    let old = scene.has_lab(b"old").await;
    assert_eq!(scene.world.facility("C").fetches(vault, wanted(&[])).await.unwrap().len(), 1);
    let revoked = scene.hanako().revokes(out).await.unwrap();
    assert_eq!(revoked.rotated.len(), 1, "the other collection was not touched: {revoked:?}");
    let new = scene.has_lab(b"new").await;
    let mut both = scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap();
    both.sort();
    let mut expected = vec![(old, b"old".to_vec()), (new, b"new".to_vec())];
    expected.sort();
    assert_eq!(both, expected);

    let key = scene.world.facility("C").agent.card().payload().sealing_key.clone();
    let stolen = scene.world.stolen_sealing_key("C", &key);
    let mut loot = Loot::of_holder(&scene.world, vault, &stolen);
    let (old, new) = (ciphertext(&mut scene, "hanako", old).await, ciphertext(&mut scene, "hanako", new).await);
    assert!(loot.opens(&old), "what it could read before, its keys still open: nobody can un-read");
    assert!(!loot.opens(&new), "a revoked holder opens what was deposited after the rotation");
    // The same keys in the hands of who remains open both: the trial itself is good.
    let key = scene.world.facility("B").agent.card().payload().sealing_key.clone();
    let mut of_b = Loot::of_holder(&scene.world, vault, &scene.world.stolen_sealing_key("B", &key));
    assert!(of_b.opens(&old) && of_b.opens(&new));
}

/// ```text
///   花子 ── guardian {list, read, audit, revoke} ──> G       G revokes C while no device of 花子 is there
///   花子 ── ongoing care ──> B, C                            until one comes: lab is pending, A files into the inbox
/// ```
#[tokio::test]
async fn a_guardians_revocation_leaves_the_rotation_pending_and_others_are_served() {
    let mut scene = Scene::new(74).await;
    let vault = scene.vault;
    let card = scene.world.facility("guardian").learns(&scene.link);
    scene.hanako().grants(guards(&card, &[lab(), imaging()])).await.unwrap();
    scene.lets_read("B", &[lab()]).await;
    let out = scene.lets_read("C", &[lab()]).await;
    let old = scene.has_lab(b"old").await;
    revokes_raw(&mut scene, "guardian", out).await;

    assert!(scene.world.facility("C").fetches(vault, wanted(&[])).await.is_err());
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap(), [(old, b"old".to_vec())]);
    let waiting = scene.world.facility("A").writes(b"meanwhile", lab());
    let stored = scene.world.facility("A").deposits_files(vault, vec![waiting]).await.unwrap().records.remove(0);
    assert!(stored.inbox, "a pending collection takes nothing: {stored:?}");
    let image = scene.world.facility("A").writes(b"image", imaging());
    let image = scene.world.facility("A").deposits_files(vault, vec![image]).await.unwrap().records.remove(0);
    assert!(!image.inbox, "the other collection is in force");
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap().len(), 1);

    let synced = scene.hanako().syncs().await.unwrap();
    assert_eq!((synced.refiled, synced.pending.len()), (1, 0), "{synced:?}");
    let seen = scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap();
    assert_eq!(seen.len(), 2, "re-filed under new keys that B was given");
    let later = scene.has_lab(b"later").await;
    let key = scene.world.facility("C").agent.card().payload().sealing_key.clone();
    let mut loot = Loot::of_holder(&scene.world, vault, &scene.world.stolen_sealing_key("C", &key));
    for record in [stored.record, later] {
        let sealed = ciphertext(&mut scene, "hanako", record).await;
        assert!(!loot.opens(&sealed), "C opens what came after its end");
    }
}

#[tokio::test]
async fn a_guardian_revokes_nothing_beyond_its_collections_and_a_holder_without_the_right_nothing() {
    let mut scene = Scene::new(75).await;
    let card = scene.world.facility("guardian").learns(&scene.link);
    scene.hanako().grants(guards(&card, &[lab()])).await.unwrap();
    let wide = scene.lets_read("C", &[lab(), imaging()]).await;
    scene.lets_read("B", &[lab(), imaging()]).await;
    for name in ["guardian", "B", "A", "stranger"] {
        let answer = sends_revocation(&mut scene, name, wide).await;
        assert!(answer.is_refusal(), "{name}: {answer:?}");
    }
    let vault = scene.vault;
    scene.has_lab(b"still there").await;
    assert_eq!(scene.world.facility("C").fetches(vault, wanted(&[])).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_depositor_whose_grant_is_revoked_deposits_nothing_more() {
    let mut scene = Scene::new(76).await;
    let (vault, deposit) = (scene.vault, scene.deposit);
    scene.has_lab(b"before").await;
    let revoked = scene.hanako().revokes(deposit).await.unwrap();
    assert!(revoked.rotated.is_empty(), "a depositor has no keys to rotate away from: {revoked:?}");
    assert!(scene.world.facility("A").deposits(vault, b"after", lab()).await.is_err());
    let card = scene.world.facility("A").card().to_vec();
    scene.hanako().grants(deposits_to(&card, &[lab()])).await.unwrap();
    scene.has_lab(b"again").await;
    assert_eq!(scene.records().await.0.len(), 2);
}

async fn sends_revocation(scene: &mut Scene, name: &str, grant: StatementId) -> karute_tests::world::Answered {
    let (vault, issued) = (scene.vault, scene.world.now());
    let (mut wire, identity) = scene.raw(name).await;
    let revocation = Revocation { vault, grant, reason: RevocationReason::Wish, issued };
    let revocation = sign(revocation, &identity).unwrap().to_unverified();
    wire.ask(Revoke { revocation }).await.unwrap()
}

async fn revokes_raw(scene: &mut Scene, name: &str, grant: StatementId) {
    let answer = sends_revocation(scene, name, grant).await;
    assert!(matches!(answer.first(), Some(Message::Appended(_))), "{answer:?}");
}
