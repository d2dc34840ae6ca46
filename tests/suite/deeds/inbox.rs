//! The inbox: what cannot be filed yet waits there, sealed to the patient alone, and the patient's next sync files it.

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::CollectionId;
use karute_consent::template::Template;
use karute_node::agent::error::AgentError;
use karute_tests::world::{DAY, kind, wanted};

use super::scene::{Scene, lab, noise};

#[tokio::test]
async fn a_kind_without_a_collection_waits_in_the_inbox_and_the_next_sync_files_it() {
    let mut scene = Scene::new(110).await;
    let vault = scene.vault;
    let dental = kind(Category::Dental);
    let large = noise(150_000, 110);
    let mut stored = Vec::new();
    for bytes in [b"short".to_vec(), large] {
        let new = scene.world.facility("A").writes(&bytes, dental);
        let line = scene.world.facility("A").deposits_files(vault, vec![new]).await.unwrap().records.remove(0);
        assert!(line.inbox && line.collection == Some(CollectionId::INBOX), "{line:?}");
        stored.push((line.record, bytes));
    }
    for (record, bytes) in &stored {
        assert!(scene.hanako().reads(*record).await.unwrap() == *bytes, "the patient reads it in the inbox already");
    }
    assert_eq!(scene.hanako().syncs().await.unwrap().refiled, 2, "one run each");
    assert_eq!(scene.hanako().syncs().await.unwrap().refiled, 0);
    let listed = scene.hanako().lists().await.unwrap();
    assert!(listed.complete && listed.records.iter().all(|line| !line.in_inbox && line.category == dental.category));
    assert_eq!(listed.gone.len(), 2, "tombstones where they lay");
    for (record, bytes) in &stored {
        assert!(scene.hanako().reads(*record).await.unwrap() == *bytes);
    }
    // From now on there is a collection: a grant reaches what was filed into it.
    scene.lets_read("B", &[dental]).await;
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_same_file_again_after_it_was_filed_is_still_one_record() {
    let mut scene = Scene::new(111).await;
    let vault = scene.vault;
    let dental = kind(Category::Dental);
    let first = scene.world.facility("A").deposits(vault, b"once", dental).await.unwrap();
    scene.hanako().syncs().await.unwrap();
    let again = scene.world.facility("A").writes(b"once", dental);
    let line = scene.world.facility("A").deposits_files(vault, vec![again]).await.unwrap().records.remove(0);
    assert!(line.existing && line.record == first && !line.inbox, "{line:?}");
}

#[tokio::test]
async fn normal_and_sensitive_are_filed_apart() {
    let mut scene = Scene::new(112).await;
    let vault = scene.vault;
    let sensitive = Kind { category: Category::Lab, sensitivity: Sensitivity::Sensitive };
    scene.has_lab(b"normal").await;
    let hidden = scene.world.facility("A").deposits(vault, b"sensitive", sensitive).await.unwrap();
    scene.hanako().syncs().await.unwrap();
    scene.lets_read("B", &[lab()]).await;
    let seen = scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap();
    assert!(seen.len() == 1 && seen[0].0 != hidden, "{seen:?}");
    let asked = scene.world.facility("B").fetches(vault, wanted(&[sensitive])).await;
    assert!(matches!(asked, Err(AgentError::Unknown(_) | AgentError::Refused)), "{asked:?}");
}

#[tokio::test]
async fn a_holder_never_reaches_the_inbox() {
    let mut scene = Scene::new(113).await;
    let vault = scene.vault;
    let dental = kind(Category::Dental);
    let card = scene.world.facility("B").learns(&scene.link);
    let all = karute_node::flow::agent::grant::NewGrant {
        template: Template::OngoingCare,
        ..karute_tests::world::reads(&card, &[lab(), dental])
    };
    scene.hanako().grants(all).await.unwrap();
    // The grant made the collection; a deposit under A's older grant, which does not name it, goes into the inbox.
    let new = scene.world.facility("A").writes(b"unsorted", dental);
    let line = scene.world.facility("A").deposits_files(vault, vec![new]).await.unwrap().records.remove(0);
    assert!(line.inbox, "{line:?}");
    assert!(scene.world.facility("B").fetches(vault, wanted(&[])).await.is_err(), "nothing is in reach yet");
    scene.hanako().syncs().await.unwrap();
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_waited_over_months_keeps_its_month_of_deposit() {
    let mut scene = Scene::new(114).await;
    let vault = scene.vault;
    let month = scene.world.now().month();
    let record = scene.world.facility("A").deposits(vault, b"january", kind(Category::Dental)).await.unwrap();
    scene.world.passes(60 * DAY);
    scene.hanako().syncs().await.unwrap();
    let listed = scene.hanako().lists().await.unwrap();
    let line = listed.records.iter().find(|line| line.record == record).unwrap();
    assert_eq!((line.month, line.in_inbox), (month, false));
    assert_eq!(scene.hanako().reads(record).await.unwrap(), b"january");
}
