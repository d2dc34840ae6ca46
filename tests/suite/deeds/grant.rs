//! Granting: what a grant reaches and what it does not, on every axis; templates; and its end in time.

use karute_consent::category::Category;
use karute_consent::policy::DenyReason;
use karute_consent::scope::Action;
use karute_consent::template::Template;
use karute_consent::time::MonthRange;
use karute_node::agent::error::{AgentError, Obstacle};
use karute_node::flow::agent::grant::NewGrant;
use karute_tests::world::{DAY, deposits_to, kind, reads, reads_records, wanted};

use super::scene::{Scene, imaging, lab};

#[tokio::test]
async fn a_grant_reaches_its_kinds_months_records_and_depositors_and_nothing_else() {
    let mut scene = Scene::new(150).await;
    let vault = scene.vault;
    let card = scene.world.facility("C").learns(&scene.link);
    scene.hanako().grants(deposits_to(&card, &[lab()])).await.unwrap();
    let january = scene.has_lab(b"january, A").await;
    let image = scene.world.facility("A").deposits(vault, b"image", imaging()).await.unwrap();
    let of_c = scene.world.facility("C").deposits(vault, b"january, C", lab()).await.unwrap();
    let this_month = scene.world.now().month();
    scene.world.passes(31 * DAY);
    let february = scene.has_lab(b"february, A").await;
    let (a, card) = (scene.world.facility("A").party(), scene.world.facility("B").learns(&scene.link));
    let months = Some(MonthRange::new(this_month, this_month.next().unwrap()).unwrap());
    let cases = [
        (reads(&card, &[lab()]), vec![january, of_c, february]),
        (reads(&card, &[imaging()]), vec![image]),
        (NewGrant { months, ..reads(&card, &[lab()]) }, vec![january, of_c]),
        (NewGrant { depositors: vec![a], ..reads(&card, &[lab()]) }, vec![january, february]),
        (reads_records(&card, &[february, image]), vec![february, image]),
    ];
    for (number, (new, mut reached)) in cases.into_iter().enumerate() {
        let grant = scene.hanako().grants(new).await.unwrap();
        let query = karute_node::flow::agent::fetch::Query { grant: Some(grant), ..wanted(&[]) };
        let fetched = scene.world.facility("B").fetches(vault, query).await.unwrap();
        let mut got: Vec<_> = fetched.into_iter().map(|(record, _)| record).collect();
        got.sort();
        reached.sort();
        assert_eq!(got, reached, "case {number}");
        scene.hanako().revokes(grant).await.unwrap();
    }
}

#[tokio::test]
async fn a_grant_ends_with_its_time_and_the_trail_says_so() {
    let mut scene = Scene::new(151).await;
    let vault = scene.vault;
    let record = scene.has_lab(b"HbA1c 6.1").await;
    let card = scene.world.facility("B").learns(&scene.link);
    scene.hanako().grants(NewGrant { template: Template::FirstVisit, ..reads(&card, &[lab()]) }).await.unwrap();
    scene.world.passes(DAY - 120);
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap()[0].0, record);
    scene.world.passes(121);
    let refused = scene.world.facility("B").fetches(vault, wanted(&[])).await;
    assert!(matches!(refused, Err(AgentError::Refused)), "{refused:?}");
    let b = scene.world.facility("B").party();
    assert_eq!(scene.reasons(b).await, [DenyReason::Expired]);
}

#[tokio::test]
async fn a_template_keeps_the_patient_from_granting_more_than_it_means() {
    let mut scene = Scene::new(152).await;
    let card = scene.world.facility("B").learns(&scene.link);
    let base = || reads(&card, &[lab()]);
    let wider = [
        NewGrant { days: Some(367), ..base() },
        NewGrant { template: Template::FirstVisit, days: Some(3), ..base() },
        NewGrant { depth: Some(1), ..base() },
        NewGrant { actions: Some(vec![Action::List, Action::Read, Action::Audit]), ..base() },
        NewGrant { kinds: Vec::new(), ..base() },
        NewGrant { card: card[..card.len() - 1].to_vec(), ..base() },
    ];
    for (number, new) in wider.into_iter().enumerate() {
        let refused = scene.hanako().grants(new).await;
        assert!(matches!(refused, Err(AgentError::Impossible(_))), "case {number}: {refused:?}");
    }
    let own = scene.hanako().grants(NewGrant { days: Some(0), ..base() }).await;
    assert!(matches!(own, Err(AgentError::Impossible(Obstacle::Validity))), "{own:?}");
}

#[tokio::test]
async fn nobody_reads_without_a_grant_and_everybody_is_told_the_same() {
    let mut scene = Scene::new(153).await;
    let vault = scene.vault;
    scene.has_lab(b"HbA1c 6.1").await;
    let link = scene.link.clone();
    scene.world.facility("B").learns(&link);
    for name in ["A", "B"] {
        let refused = scene.world.facility(name).fetches(vault, wanted(&[])).await;
        assert!(matches!(refused, Err(AgentError::Refused | AgentError::Unknown(_))), "{name}: {refused:?}");
    }
    let a_new_kind = scene.world.facility("A").deposits(vault, b"teeth", kind(Category::Dental)).await;
    assert!(a_new_kind.is_ok(), "who may deposit may always deposit into the inbox");
}
