//! Purposes: a grant is for what it says, and a request says what it is for.

use karute_consent::policy::DenyReason;
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::template::Template;
use karute_node::flow::agent::fetch::Query;
use karute_node::flow::agent::grant::NewGrant;
use karute_protocol::message::{Fetch, List};
use karute_protocol::particulars::ActingPerson;
use karute_tests::world::{reads, wanted};

use super::scene::{Scene, lab};

#[tokio::test]
async fn every_purpose_but_the_granted_one_is_refused_alike() {
    let mut scene = Scene::new(140).await;
    let grant = scene.lets_read("B", &[lab()]).await;
    scene.has_lab(b"for treatment").await;
    let (mut wire, identity) = scene.raw("B").await;
    let mut refused = Vec::new();
    for number in 1..=7 {
        let purpose = Purpose::from_number(number).unwrap();
        let asked = scene.request(Action::Read, &[grant], number);
        let request = wire.request(&identity, asked, |request| request.purpose = purpose);
        let answer = wire.ask(Fetch { request, acting: None, range: None }).await.unwrap();
        assert_eq!(answer.is_refusal(), purpose != Purpose::Treatment, "{purpose}");
        if answer.is_refusal() {
            refused.push(answer);
        }
        let asked = scene.request(Action::List, &[grant], 100 + number);
        let request = wire.request(&identity, asked, |request| request.purpose = purpose);
        let answer = wire.ask(List { request, acting: None }).await.unwrap();
        assert_eq!(answer.is_refusal(), purpose != Purpose::Treatment, "{purpose}");
    }
    assert!(refused.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(scene.reasons(identity.key()).await, [DenyReason::PurposeNotGranted; 12]);
}

#[tokio::test]
async fn a_researcher_reads_for_research_only() {
    let mut scene = Scene::new(141).await;
    let vault = scene.vault;
    scene.has_lab(b"one of many").await;
    let card = scene.world.facility("researcher").learns(&scene.link);
    let study = NewGrant { template: Template::Study, ..reads(&card, &[lab()]) };
    scene.hanako().grants(study).await.unwrap();
    let research = || Query { purpose: Some(Purpose::Research), ..wanted(&[]) };
    assert_eq!(scene.world.facility("researcher").fetches(vault, research()).await.unwrap().len(), 1);
    assert!(scene.world.facility("researcher").fetches(vault, wanted(&[])).await.is_err());
}

#[tokio::test]
async fn who_sat_at_the_desk_is_read_by_the_patient_and_not_by_the_host() {
    let mut scene = Scene::new(142).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    scene.has_lab(b"HbA1c 6.1").await;
    let acting = ActingPerson { name: "佐藤医師".into(), role: "physician".into(), reason: "受診".into() };
    let query = Query { acting: Some(acting), ..wanted(&[]) };
    scene.world.facility("B").fetches(vault, query).await.unwrap();
    let trail = scene.hanako().audits().await.unwrap();
    let person = trail.lines.iter().find_map(|line| line.acting.as_ref()).unwrap();
    assert_eq!((person.name.as_str(), person.reason.as_str()), ("佐藤医師", "受診"));
    let folder = scene.world.home().folder().clone();
    for path in super::scene::files_below(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let name = "佐藤医師".as_bytes();
        assert!(!bytes.windows(name.len()).any(|window| window == name), "{}", path.display());
    }
}
