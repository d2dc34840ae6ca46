//! The world itself: what is played in it is real, the same seed plays the same history, and a host that ends comes back.

use karute_consent::category::Category;
use karute_tests::world::{DAY, START, World, deposits_to, kind, reads, wanted};

#[tokio::test]
async fn a_deposit_is_read_by_who_was_granted_it_across_a_restart_of_the_host() {
    let lab = kind(Category::Lab);
    let mut world = World::new(1).await;
    let vault = world.patient("hanako").creates_vault(&[lab]).await.unwrap();
    let link = world.patient("hanako").link();
    let (a, b) = (world.facility("A").learns(&link), world.facility("B").learns(&link));
    world.patient("hanako").grants(deposits_to(&a, &[lab])).await.unwrap();
    let record = world.facility("A").deposits(vault, b"HbA1c 6.1", lab).await.unwrap();
    assert_eq!(world.patient("hanako").reads(record).await.unwrap(), b"HbA1c 6.1");

    assert!(world.facility("B").fetches(vault, wanted(&[])).await.is_err());
    let grant = world.patient("hanako").grants(reads(&b, &[lab])).await.unwrap();
    world.restarts_host().await;
    world.passes(DAY);
    assert_eq!(world.now(), START.plus_secs(DAY));
    let fetched = world.facility("B").fetches(vault, wanted(&[])).await.unwrap();
    assert_eq!(fetched, [(record, b"HbA1c 6.1".to_vec())]);

    let revoked = world.patient("hanako").revokes(grant).await.unwrap();
    assert!(revoked.levels.appended && revoked.levels.rotated, "{revoked:?}");
    assert!(world.facility("B").fetches(vault, wanted(&[])).await.is_err());
    let trail = world.patient("hanako").audits().await.unwrap();
    assert!(trail.checks.gapless && trail.checks.proofs);
}

#[tokio::test]
async fn a_stolen_key_is_the_owners_key() {
    let mut world = World::new(2).await;
    let party = world.facility("A").party();
    assert_eq!(world.stolen_key("A", party).key(), party);
    let vault = world.patient("hanako").creates_vault(&[]).await.unwrap();
    let identity = world.host().store().ledger(vault).unwrap().unwrap().identity();
    assert_eq!(world.stolen_key("hanako", identity).key(), identity);
}
