//! Withdrawing: a depositor takes back what it misfiled. The record is gone, its place is not.

use karute_consent::id::RecordId;
use karute_consent::revocation::{Withdrawal, WithdrawalReason};
use karute_consent::statement::sign;
use karute_node::agent::error::AgentError;
use karute_protocol::message::{TombstoneReason, Withdraw};
use karute_tests::world::{deposits_to, wanted};

use super::scene::{Scene, files_below, lab, noise};

#[tokio::test]
async fn a_withdrawn_record_leaves_a_tombstone_and_no_sealed_byte() {
    let mut scene = Scene::new(120).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    let (small, large) = (scene.has_lab(b"misfiled").await, scene.has_lab(&noise(200_000, 120)).await);
    let kept = scene.has_lab(b"kept").await;
    let bodies = scene.world.home().folder().join("bodies");
    assert_eq!(files_below(&bodies).len(), 2);
    scene.world.facility("A").withdraws(vault, &[small, large]).await.unwrap();
    assert!(files_below(&bodies).is_empty(), "the sealed body is gone from the disk");
    let listed = scene.world.facility("B").lists(vault, wanted(&[])).await.unwrap();
    assert_eq!((listed.records.len(), listed.gone.len(), listed.complete), (1, 2, true));
    assert!(listed.gone.iter().all(|gone| gone.reason == TombstoneReason::Withdrawn));
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap()[0].0, kept);
    scene.world.restarts_host().await;
    assert_eq!(scene.records().await, (vec![kept], true));
}

#[tokio::test]
async fn nobody_withdraws_what_another_deposited() {
    let mut scene = Scene::new(121).await;
    let vault = scene.vault;
    let of_a = scene.has_lab(b"of A").await;
    let card = scene.world.facility("C").learns(&scene.link);
    scene.hanako().grants(deposits_to(&card, &[lab()])).await.unwrap();
    let of_c = scene.world.facility("C").deposits(vault, b"of C", lab()).await.unwrap();
    for records in [vec![of_a], vec![of_a, of_c], vec![RecordId::from_bytes([1; 16])]] {
        let refused = scene.world.facility("C").withdraws(vault, &records).await;
        assert!(matches!(refused, Err(AgentError::Refused)), "{refused:?}");
    }
    assert_eq!(scene.records().await.0.len(), 2, "not even its own one of the mixed list is gone");
    // Neither does the patient's device: it erases, by a statement of the ledger.
    let (transport, device) = (scene.hanako().agent.transport(), scene.hanako().device());
    let device = scene.world.stolen_key("hanako", device);
    let mut wire = scene.world.wire_of(&transport).await;
    let withdrawal =
        Withdrawal { vault, records: [of_a].into(), reason: WithdrawalReason::Misfiled, issued: scene.world.now() };
    let withdrawal = sign(withdrawal, &device).unwrap().to_unverified();
    assert!(wire.ask(Withdraw { withdrawal }).await.unwrap().is_refusal());
}

#[tokio::test]
async fn a_file_that_was_withdrawn_does_not_come_back_by_itself() {
    let mut scene = Scene::new(122).await;
    let vault = scene.vault;
    let record = scene.has_lab(b"misfiled").await;
    scene.world.facility("A").withdraws(vault, &[record]).await.unwrap();
    let again = scene.world.facility("A").writes(b"misfiled", lab());
    // P-31: the host answers with the old receipt. What the depositor does about it is its own matter.
    let line = scene.world.facility("A").deposits_files(vault, vec![again]).await.unwrap().records.remove(0);
    assert!(line.existing && line.record == record, "{line:?}");
    assert_eq!(scene.records().await.0, Vec::<RecordId>::new());
}
