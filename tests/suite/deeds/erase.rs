//! Erasing: the patient lets the sealed bytes go. The ledger and the trail keep that it happened.

use karute_consent::id::RecordId;
use karute_node::agent::error::AgentError;
use karute_protocol::message::TombstoneReason;
use karute_protocol::trail::EventKind;
use karute_tests::world::wanted;

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
