//! Erasing: the patient lets the sealed bytes go. The ledger and the trail keep that it happened.

use karute_consent::id::{RecordId, TrailNumber, VaultId};
use karute_consent::party::Identity;
use karute_consent::revocation::{Erasure, ErasureReason};
use karute_consent::statement::sign;
use karute_node::agent::error::{AgentError, Unproven};
use karute_node::agent::trail_file::TrailFile;
use karute_node::flow::agent::receipts::receipts;
use karute_node::frame::FrameKind;
use karute_protocol::message::{Message, Tombstone, TombstoneReason, TrailItem};
use karute_protocol::trail::{EventKind, Receipt};
use karute_protocol::wire::Octets;
use karute_tests::world::{START, wanted};

use super::middle::rewriting;
use super::scene::{Scene, files_below, lab, noise};

/// The files below the host's folder that hold these bytes.
fn lies_on_disk(scene: &mut Scene, bytes: &[u8]) -> Vec<std::path::PathBuf> {
    let folder = scene.world.home().folder().clone();
    let holds = |path: &std::path::PathBuf| {
        let content = std::fs::read(path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    };
    files_below(&folder).into_iter().filter(holds).collect()
}

#[tokio::test]
async fn an_erased_record_leaves_a_tombstone_and_no_sealed_byte_in_journal_and_bodies() {
    let mut scene = Scene::new(130).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    let (small, large) = (scene.has_lab(b"to go").await, scene.has_lab(&noise(200_000, 130)).await);
    let kept = scene.has_lab(b"to stay").await;
    let sealed = super::thief::ciphertext(&mut scene, "hanako", small).await.body.unwrap();
    let canary = sealed[sealed.len() - 48..].to_vec();
    assert!(!lies_on_disk(&mut scene, &canary).is_empty(), "the trial itself is good");
    scene.hanako().erases(&[small, large]).await.unwrap();
    // The index is made anew from the journal: an old page of the one before may hold the bytes until it is used again.
    scene.world.home().restart_after(|folder| std::fs::remove_dir_all(folder.join("sled")).unwrap()).await;
    assert_eq!(lies_on_disk(&mut scene, &canary), Vec::<std::path::PathBuf>::new());
    scene.hanako().reach.hang_up();
    scene.world.facility("B").reach.hang_up();
    let bodies = scene.world.home().folder().join("bodies");
    assert!(files_below(&bodies).is_empty());
    let listed = scene.world.facility("B").lists(vault, wanted(&[])).await.unwrap();
    assert_eq!((listed.records.len(), listed.complete), (1, true));
    assert!(listed.gone.len() == 2 && listed.gone.iter().all(|gone| gone.reason == TombstoneReason::Erased));
    assert_eq!(scene.records().await.0, [kept]);
    assert!(scene.hanako().reads(small).await.is_err());
    let trail = scene.hanako().audits().await.unwrap();
    assert_eq!(trail.lines.iter().filter(|line| line.kind == EventKind::Erasure).count(), 1);
}

#[tokio::test]
async fn only_a_device_in_force_erases_and_unknown_records_erase_nothing() {
    let mut scene = Scene::new(131).await;
    let record = scene.has_lab(b"stays").await;
    let unknown = scene.hanako().erases(&[RecordId::from_bytes([9; 16])]).await;
    assert!(!matches!(unknown, Err(AgentError::VerificationFailed { .. })), "{unknown:?}");
    assert_eq!(scene.records().await, (vec![record], true));
    // An erased record is not erased again, and comes not back with the same file.
    scene.hanako().erases(&[record]).await.unwrap();
    let vault = scene.vault;
    let again = scene.world.facility("A").writes(b"stays", lab());
    let line = scene.world.facility("A").deposits_files(vault, vec![again]).await.unwrap().records.remove(0);
    assert!(line.existing, "{line:?}");
    assert_eq!(scene.records().await.0, Vec::<RecordId>::new());
}

/// P-40
#[tokio::test]
async fn an_erased_event_keeps_its_number_and_its_proofs_and_says_nothing_more() {
    let mut scene = Scene::new(132).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    scene.has_lab(b"one").await;
    scene.world.facility("B").lists(vault, wanted(&[])).await.unwrap();
    let before = scene.hanako().audits().await.unwrap();
    let event = before.lines.iter().find(|line| line.kind == EventKind::List).unwrap().number;
    let held = receipts(&scene.world.facility("B").agent, vault).unwrap();
    assert!(held.iter().any(|receipt| receipt.number == event), "B holds the receipt of what it listed");
    // Who listed is told by the signed request, which stands nowhere else.
    let file = TrailFile::from_bytes(&before.evidence).unwrap();
    let TrailItem { leaf, salt, event: told, index, proof } = file.items[event as usize - 1].clone();
    let (salt, told) = (salt.unwrap(), told.unwrap());
    let kept = Receipt { leaf, salt, event: told, index, proof, checkpoint: file.checkpoint.clone() };
    let canary = kept.event.request_statement.as_ref().unwrap().bytes().to_vec();
    assert!(!lies_on_disk(&mut scene, &canary).is_empty(), "the trial itself is good");
    let erased = scene.hanako().erases_events(&[event]).await.unwrap();
    assert_eq!(erased.events, [event]);
    let after = scene.hanako().audits().await.unwrap();
    assert_eq!(after.erased.iter().map(|line| line.number).collect::<Vec<_>>(), [event]);
    assert!(after.lines.iter().all(|line| line.number != event));
    assert_eq!(after.checks.receipts_missing, 0);
    assert!(after.lines.iter().any(|line| line.number == erased.number && line.kind == EventKind::Erasure));
    let whole = TrailFile::from_bytes(&after.evidence).unwrap().verify().unwrap();
    assert_eq!(whole.erased, [TrailNumber(event)]);
    kept.verify(file.node).unwrap(); // what somebody kept stays evidence
    scene.world.home().restart_after(|folder| std::fs::remove_dir_all(folder.join("sled")).unwrap()).await;
    assert_eq!(lies_on_disk(&mut scene, &canary), Vec::<std::path::PathBuf>::new());
    scene.hanako().reach.hang_up();
    let again = scene.hanako().audits().await.unwrap();
    assert_eq!((again.erased.len(), again.checks.receipts_missing), (1, 0));
}

/// P-40
#[tokio::test]
async fn a_host_that_hides_what_an_event_says_is_noticed() {
    let mut scene = Scene::new(133).await;
    scene.has_lab(b"one").await;
    scene.hanako().audits().await.unwrap();
    let transport = scene.hanako().agent.transport();
    let mut hidden = false;
    let reach = rewriting(&scene.world, &transport, move |mut frame| {
        let message = (frame.kind == FrameKind::Message).then(|| Message::decode(&frame.payload).unwrap());
        if let Some(Message::TrailItem(item)) = message
            && !std::mem::replace(&mut hidden, true)
        {
            let item = TrailItem { salt: None, event: None, ..*item };
            frame.payload = Message::from(item).encode().unwrap().into();
        }
        vec![frame]
    });
    scene.hanako().reach = reach;
    let refused = scene.hanako().audits().await.map(|trail| trail.checks);
    assert!(matches!(refused, Err(AgentError::VerificationFailed { what: Unproven::EventMissing })), "{refused:?}");
}

/// P-42
#[tokio::test]
async fn a_tombstone_that_nobody_signed_for_is_noticed() {
    let mut scene = Scene::new(134).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    let (gone, mine) = (scene.has_lab(b"to go").await, scene.has_lab(b"stays").await);
    scene.hanako().erases(&[gone]).await.unwrap();
    scene.world.facility("A").withdraws(vault, &[mine]).await.unwrap();
    let listed = scene.world.facility("B").lists(vault, wanted(&[])).await.unwrap();
    assert_eq!(listed.gone.len(), 2);
    let forged = sign_erasure(vault);
    let transport = scene.world.facility("B").agent.transport();
    for (what, reason) in [("another's erasure", TombstoneReason::Erased), ("another kind", TombstoneReason::Withdrawn)]
    {
        let forged = forged.clone();
        let reach = rewriting(&scene.world, &transport, move |mut frame| {
            let message = (frame.kind == FrameKind::Message).then(|| Message::decode(&frame.payload).unwrap());
            if let Some(Message::Tombstone(tombstone)) = message {
                let tombstone = Tombstone { reason, statement: Some(Octets(forged.clone())), ..*tombstone };
                frame.payload = Message::from(tombstone).encode().unwrap().into();
            }
            vec![frame]
        });
        scene.world.facility("B").reach = reach;
        let refused = scene.world.facility("B").lists(vault, wanted(&[])).await.map(|listed| listed.gone.len());
        assert!(
            matches!(refused, Err(AgentError::VerificationFailed { what: Unproven::Tombstone })),
            "{what}: {refused:?}"
        );
    }
}

/// An erasure that no device of the vault signed.
fn sign_erasure(vault: VaultId) -> Vec<u8> {
    let records = [RecordId::from_bytes([1; 16])].into();
    let (reason, issued) = (ErasureReason::Wish, START);
    let erasure = Erasure { vault, records, reason, issued, events: None };
    sign(erasure, &Identity::from_seed(&[9; 32])).unwrap().bytes().to_vec()
}
