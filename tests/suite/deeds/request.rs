//! Asking for access: through the mailbox or as text; approved, narrowed or declined; and what a mailbox takes.

use karute_consent::ask::AskEnvelope;
use karute_consent::encoding::to_bytes;
use karute_consent::id::{AskId, PartyKey};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::statement::sign;
use karute_consent::tree::digest_of;
use karute_node::agent::error::{AgentError, HostFault, Unproven};
use karute_node::flow::agent::approve::{Approve, Narrow, approve, decline};
use karute_node::flow::agent::ask::{AskText, Wish, ask, ask_text};
use karute_node::flow::agent::lines::{AskLine, Granted};
use karute_node::flow::agent::requests::{read_ask, requests};
use karute_protocol::hpke::Sealed;
use karute_protocol::message::{self, FaultCode, Message};
use karute_tests::world::{FacilityEnd, PatientEnd, wanted};

use super::depositor::fault;
use super::scene::{Scene, imaging, lab};

fn wish() -> Wish {
    Wish {
        actions: vec![Action::List, Action::Read],
        kinds: vec![lab(), imaging()],
        months: None,
        purpose: Purpose::Treatment,
        days: 30,
        note: "次回の診察のため".to_owned(),
    }
}

async fn asks(scene: &mut Scene, name: &str) -> Result<AskText, AgentError> {
    let (vault, link) = (scene.vault, scene.link.clone());
    let end = scene.world.facility(name);
    end.learns(&link);
    let FacilityEnd { agent, reach, .. } = end;
    ask(agent, reach, vault, wish()).await
}

async fn waiting(scene: &mut Scene) -> Vec<AskLine> {
    let PatientEnd { agent, reach, .. } = scene.hanako();
    requests(agent, reach).await.unwrap()
}

async fn approves(scene: &mut Scene, ask: &str, narrowed: Option<Narrow>) -> Result<Granted, AgentError> {
    let PatientEnd { agent, reach, .. } = scene.hanako();
    let text = "診療のために記録を共有します。".to_owned();
    approve(agent, reach, Approve { ask: ask.to_owned(), narrowed, language: "ja".to_owned(), text }).await
}

/// ```text
///   B ── may I read lab and imaging for 30 days? ──> mailbox ──> 花子: lab only, 7 days ──> B is told, and reads lab
/// ```
#[tokio::test]
async fn an_ask_that_is_narrowed_gives_what_was_left_and_the_facility_is_told() {
    let mut scene = Scene::new(100).await;
    let vault = scene.vault;
    let seen = scene.has_lab(b"lab").await;
    scene.world.facility("A").deposits(vault, b"image", imaging()).await.unwrap();
    let asked = asks(&mut scene, "B").await.unwrap();
    let lines = waiting(&mut scene).await;
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!((line.ask, line.from, line.already), (asked.ask, scene.world.facility("B").party(), Some(2)));
    assert_eq!((line.note.as_str(), line.days, line.purpose), ("次回の診察のため", 30, Purpose::Treatment));

    let narrow = Narrow { kinds: Some(vec![lab()]), days: Some(7), ..Narrow::default() };
    let granted = approves(&mut scene, &asked.ask.to_string(), Some(narrow)).await.unwrap();
    assert_eq!(granted.kinds, [lab()]);
    let told = scene.world.facility("B").syncs(vault).await.unwrap();
    let answers: Vec<_> = told.answers.iter().map(|line| (line.ask, line.outcome.to_string(), line.grant)).collect();
    assert_eq!(answers, [(asked.ask, "narrower".to_owned(), Some(granted.grant))]);
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap(), [(seen, b"lab".to_vec())]);
    let wider = scene.world.facility("B").fetches(vault, wanted(&[imaging()])).await;
    assert!(wider.is_err(), "{wider:?}");
    assert!(waiting(&mut scene).await.is_empty(), "what was answered waits no more");
}

#[tokio::test]
async fn an_ask_that_is_declined_gives_nothing_and_the_facility_is_told() {
    let mut scene = Scene::new(101).await;
    let vault = scene.vault;
    scene.has_lab(b"lab").await;
    let asked = asks(&mut scene, "B").await.unwrap();
    let PatientEnd { agent, reach, .. } = scene.hanako();
    decline(agent, reach, &asked.ask.to_string()).await.unwrap();
    let told = scene.world.facility("B").syncs(vault).await.unwrap();
    let answers: Vec<_> = told.answers.iter().map(|line| (line.ask, line.outcome.to_string(), line.grant)).collect();
    assert_eq!(answers, [(asked.ask, "declined".to_owned(), None)]);
    assert!(scene.world.facility("B").fetches(vault, wanted(&[])).await.is_err());
}

#[tokio::test]
async fn nobody_approves_more_than_was_asked() {
    let mut scene = Scene::new(102).await;
    let asked = asks(&mut scene, "B").await.unwrap().ask.to_string();
    let more = [
        Narrow { days: Some(31), ..Narrow::default() },
        Narrow { actions: Some(vec![Action::List, Action::Read, Action::Audit]), ..Narrow::default() },
        Narrow {
            kinds: Some(vec![karute_tests::world::kind(karute_consent::category::Category::Dental)]),
            ..Narrow::default()
        },
        Narrow { kinds: Some(Vec::new()), ..Narrow::default() },
    ];
    for narrow in more {
        let refused = approves(&mut scene, &asked, Some(narrow.clone())).await;
        assert!(matches!(refused, Err(AgentError::Impossible(_))), "{narrow:?}: {refused:?}");
    }
    assert_eq!(waiting(&mut scene).await.len(), 1, "it still waits");
}

#[tokio::test]
async fn an_ask_as_text_is_read_offline_and_a_changed_one_is_not() {
    let mut scene = Scene::new(103).await;
    let vault = scene.vault;
    scene.has_lab(b"lab").await;
    let link = scene.link.clone();
    scene.world.facility("B").learns(&link);
    let text = ask_text(&scene.world.facility("B").agent, wish()).unwrap().text;
    assert_eq!(read_ask(&text).unwrap().from, scene.world.facility("B").party());
    for (at, letter) in text.char_indices().skip("karute:ask:".len()).step_by(11) {
        let mut changed = text.clone();
        changed.replace_range(at..=at, if letter == 'A' { "Q" } else { "A" });
        assert!(read_ask(&changed).is_err(), "letter {at} was changed and nobody noticed");
    }
    approves(&mut scene, &text, None).await.unwrap();
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_ask_for_another_vault_is_refused_by_the_patients_own_device() {
    let mut scene = Scene::new(104).await;
    let other = scene.world.patient("taro").creates_vault(&[lab()]).await.unwrap();
    let link = scene.world.patient("taro").link();
    let end = scene.world.facility("B");
    end.learns(&link);
    let FacilityEnd { agent, reach, .. } = end;
    let text = ask(agent, reach, other, wish()).await.unwrap().text;
    let refused = approves(&mut scene, &text, None).await;
    assert!(matches!(refused, Err(AgentError::VerificationFailed { what: Unproven::Ask })), "{refused:?}");
}

#[tokio::test]
async fn an_ask_with_somebody_elses_card_is_not_shown() {
    let mut scene = Scene::new(105).await;
    let (mut wire, b) = scene.raw("B").await;
    let card = scene.world.facility("C").agent.card().to_unverified();
    let now = scene.world.now();
    let ask = karute_consent::ask::Ask {
        id: AskId::from_bytes([5; 16]),
        vault: Some(scene.vault),
        actions: [Action::Read].into(),
        categories: [lab()].into(),
        months: None,
        purpose: Purpose::Treatment,
        days: 3,
        card,
        issued: now,
        note: String::new(),
    };
    // C-54: it cannot even be signed in our own types; in the mailbox it is an envelope around something else.
    assert!(sign(ask, &b).is_err());
    let answer = wire.ask(envelope(&scene, &b, 5)).await.unwrap();
    assert!(matches!(answer.first(), Some(Message::Done(_))), "{answer:?}");
    assert!(waiting(&mut scene).await.is_empty(), "what does not open is not shown");
}

#[tokio::test]
async fn a_mailbox_takes_four_asks_of_a_sender_and_64_in_all() {
    let mut scene = Scene::new(106).await;
    for _ in 0..4 {
        asks(&mut scene, "B").await.unwrap();
    }
    let fifth = asks(&mut scene, "B").await;
    assert!(matches!(fifth, Err(AgentError::Fault(HostFault::Limit))), "{fifth:?}");
    let (mut wire, _) = scene.raw("C").await;
    for number in 4..64u8 {
        let sender = Identity::from_seed(&[number; 32]);
        let answer = wire.ask(envelope(&scene, &sender, number)).await.unwrap();
        assert!(matches!(answer.first(), Some(Message::Done(_))), "ask {number}: {answer:?}");
    }
    let full = wire.ask(envelope(&scene, &Identity::from_seed(&[200; 32]), 200)).await.unwrap();
    assert_eq!(fault(&full), FaultCode::Limit);
    // A sender above its own limit learns nothing of how full the box is, and what waits is still read.
    assert_eq!(waiting(&mut scene).await.len(), 4);
    let first: Vec<PartyKey> = waiting(&mut scene).await.iter().map(|line| line.from).collect();
    assert_eq!(first, [scene.world.facility("B").party(); 4]);
}

/// An ask whose letter opens nothing, in a good envelope.
fn envelope(scene: &Scene, sender: &Identity, number: u8) -> message::Ask {
    let sealed = Sealed::new(karute_consent::sealing::Suite::X25519, vec![number; 32], vec![number; 64]).unwrap();
    let sealed_hash = digest_of(&[&to_bytes(&sealed).unwrap()]);
    let id = AskId::from_bytes([number; 16]);
    let envelope = AskEnvelope { id, vault: scene.vault, sealed_hash, issued: scene.world.now() };
    message::Ask { envelope: sign(envelope, sender).unwrap().to_unverified(), sealed }
}
