//! Devices: a second one opens everything; a removed one is refused, and its old keys open nothing that comes later.

use karute_consent::id::RecordId;
use karute_node::agent::error::{AgentError, Missing, Obstacle};
use karute_node::flow::agent::device::{approve_device, finish_join, join_text};
use karute_tests::world::{PatientEnd, wanted};

use super::scene::{Scene, imaging, lab, noise};
use super::thief::{Loot, ciphertext};

/// Takes the tablet in.
async fn takes_tablet_in(scene: &mut Scene) {
    let join = join_text(&scene.world.patient(TABLET).agent);
    let link = scene.link.clone();
    let PatientEnd { agent, reach, .. } = scene.hanako();
    approve_device(agent, reach, &join).await.unwrap();
    let PatientEnd { agent, reach, .. } = scene.world.patient(TABLET);
    finish_join(agent, reach, &link).await.unwrap();
}

async fn opens_all(scene: &mut Scene, device: &str, records: &[(RecordId, &[u8])]) {
    let listed = scene.world.patient(device).lists().await.unwrap();
    assert_eq!((listed.records.len(), listed.closed, listed.complete), (records.len(), 0, true), "{device}");
    for (record, bytes) in records {
        assert!(scene.world.patient(device).reads(*record).await.unwrap() == *bytes, "{device}");
    }
}

#[tokio::test]
async fn a_second_device_opens_every_record_of_old_and_new_generations_and_the_inbox() {
    let mut scene = Scene::new(80).await;
    let vault = scene.vault;
    let out = scene.lets_read("C", &[lab()]).await;
    let first = scene.has_lab(b"first generation").await;
    scene.hanako().revokes(out).await.unwrap();
    let second = scene.has_lab(b"second generation").await;
    let large = noise(300_000, 80);
    let image = scene.world.facility("A").deposits(vault, &large, imaging()).await.unwrap();
    takes_tablet_in(&mut scene).await;
    let third = scene.has_lab(b"after it joined").await;
    let all: [(RecordId, &[u8]); 4] =
        [(first, b"first generation"), (second, b"second generation"), (image, &large), (third, b"after it joined")];
    opens_all(&mut scene, TABLET, &all).await;
    opens_all(&mut scene, "hanako", &all).await;
    // It grants like the first one, and cannot take devices in: the identity key is on the other.
    let card = scene.world.facility("B").learns(&scene.link);
    scene.world.patient(TABLET).grants(karute_tests::world::reads(&card, &[lab()])).await.unwrap();
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap().len(), 3);
    let join = join_text(&scene.world.patient("hanako/phone").agent);
    let PatientEnd { agent, reach, .. } = scene.world.patient(TABLET);
    let refused = approve_device(agent, reach, &join).await;
    assert!(matches!(refused, Err(AgentError::Unknown(Missing::Identity))), "{refused:?}");
}

#[tokio::test]
async fn a_device_that_was_never_taken_in_gets_nothing() {
    let mut scene = Scene::new(81).await;
    let link = scene.link.clone();
    let PatientEnd { agent, reach, .. } = scene.world.patient(TABLET);
    let refused = finish_join(agent, reach, &link).await;
    assert!(matches!(refused, Err(AgentError::Refused)), "{refused:?}");
    assert!(scene.world.patient(TABLET).agent.vault().is_none());
}

/// ```text
///   hanako (identity) ── takes in ──> tablet ── removes ──x
///   record 1 ........................ both open it
///   record 2 (after) ................ hanako opens it; the tablet's keys do not, with the whole disk of the host
/// ```
#[tokio::test]
async fn a_removed_device_is_refused_and_its_old_keys_open_nothing_new() {
    let mut scene = Scene::new(82).await;
    let vault = scene.vault;
    scene.lets_read("B", &[lab()]).await;
    takes_tablet_in(&mut scene).await;
    let before = scene.has_lab(b"before").await;
    let tablet = scene.world.patient(TABLET).device();
    let sealing = sealing_of(&scene, tablet);
    let changed = scene.hanako().removes(tablet).await.unwrap();
    assert_eq!((changed.rotated.len(), changed.resealed), (2, 1), "a fresh root, all collections: {changed:?}");

    for refused in [
        scene.world.patient(TABLET).syncs().await.err(),
        scene.world.patient(TABLET).reads(before).await.err(),
        scene.world.patient(TABLET).audits().await.err(),
    ] {
        assert!(matches!(refused, Some(AgentError::Refused)), "{refused:?}");
    }
    let card = scene.world.facility("C").learns(&scene.link);
    let granted = scene.world.patient(TABLET).grants(karute_tests::world::reads(&card, &[lab()])).await;
    assert!(granted.is_err(), "it grants nothing");
    let after = scene.has_lab(b"after").await;
    let inbox = scene.world.facility("A").deposits(vault, b"unsorted", karute_tests::world::kind(OTHER)).await.unwrap();
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap().len(), 2, "who remains reads on");

    let mut loot = Loot::of_device(&scene.world, vault, &scene.world.stolen_sealing_key(TABLET, &sealing));
    assert!(!loot.secrets.is_empty());
    let sealed = ciphertext(&mut scene, "hanako", before).await;
    assert!(loot.opens(&sealed), "what it could read before stays read");
    for later in [after, inbox] {
        let sealed = ciphertext(&mut scene, "hanako", later).await;
        assert!(!loot.opens(&sealed), "a removed device opens what came later");
    }
    let own = scene.hanako().device();
    let mut of_hanako = Loot::of_device(&scene.world, vault, &{
        let sealing = sealing_of(&scene, own);
        scene.world.stolen_sealing_key("hanako", &sealing)
    });
    let sealed = ciphertext(&mut scene, "hanako", after).await;
    assert!(of_hanako.opens(&sealed), "the trial itself is good");
}

#[tokio::test]
async fn the_last_device_is_not_removed() {
    let mut scene = Scene::new(83).await;
    let own = scene.hanako().device();
    let refused = scene.hanako().removes(own).await;
    assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::LastDevice))), "{refused:?}");
}

/// The sealing key that the authority in force has for a device.
fn sealing_of(scene: &Scene, device: karute_consent::id::PartyKey) -> karute_consent::sealing::SealingKey {
    let state = scene.world.host().store().ledger(scene.vault).unwrap().unwrap();
    let authority = state.authority().unwrap().payload().clone();
    authority.devices.into_iter().find(|known| known.key == device).unwrap().sealing_key
}

const TABLET: &str = "hanako/tablet";
const OTHER: karute_consent::category::Category = karute_consent::category::Category::Dental;
