//! Recovery: an empty machine, the printed code and the vault's link bring every record back; the lost device is out, and
//! the old code is void.

use karute_node::agent::error::{AgentError, Obstacle};
use karute_node::flow::agent::create::fresh_recovery_code;
use karute_node::flow::agent::recover::{Recovered, recover};
use karute_protocol::recovery::RecoveryCode;
use karute_tests::world::{PatientEnd, wanted};

use super::scene::{Scene, imaging, lab, noise};
use super::thief::{Loot, ciphertext};

/// Recovers on a device of this name with a printed code; gives the new code, too.
async fn recovers(scene: &mut Scene, device: &str, printed: &str) -> Result<(Recovered, String), AgentError> {
    let link = scene.link.clone();
    let PatientEnd { agent, reach, .. } = scene.world.patient(device);
    let new = fresh_recovery_code(agent.ambient());
    let old = RecoveryCode::from_text(printed).unwrap();
    let text = new.to_text().to_string();
    recover(agent, reach, &link, &old, &new).await.map(|done| (done, text))
}

/// ```text
///   hanako: lost.   the sheet of paper ──> hanako/new: everything is there
///   hanako comes back ──x       the sheet again ──x       the new sheet ──> ok
/// ```
#[tokio::test]
async fn an_empty_machine_opens_every_record_and_the_lost_device_is_out() {
    let mut scene = Scene::new(90).await;
    let vault = scene.vault;
    let printed = scene.hanako().code.as_ref().unwrap().to_string();
    scene.lets_read("B", &[lab()]).await;
    let out = scene.lets_read("C", &[lab()]).await;
    let large = noise(200_000, 90);
    let mut all = vec![(scene.has_lab(b"first generation").await, b"first generation".to_vec())];
    scene.hanako().revokes(out).await.unwrap();
    all.push((scene.has_lab(b"second generation").await, b"second generation".to_vec()));
    all.push((scene.world.facility("A").deposits(vault, &large, imaging()).await.unwrap(), large));

    let typed = printed.to_uppercase().replace('-', " ");
    let (back, new_code) = recovers(&mut scene, NEW, &typed).await.unwrap();
    assert_eq!(back.collections, 2);
    let listed = scene.world.patient(NEW).lists().await.unwrap();
    assert_eq!((listed.records.len(), listed.closed, listed.complete), (3, 0, true));
    for (record, bytes) in &all {
        assert!(scene.world.patient(NEW).reads(*record).await.unwrap() == *bytes);
    }
    let lost = scene.hanako().syncs().await;
    assert!(matches!(lost, Err(AgentError::Refused)), "{lost:?}");
    let mailed = scene.has_lab(b"after the loss").await;
    assert_eq!(scene.world.patient(NEW).reads(mailed).await.unwrap(), b"after the loss");
    assert_eq!(scene.world.facility("B").fetches(vault, wanted(&[])).await.unwrap().len(), 3, "grants stay in force");

    let again = recovers(&mut scene, "hanako/third", &printed).await.map(|_| ());
    assert!(matches!(again, Err(AgentError::Impossible(Obstacle::OtherRecoveryCode))), "{again:?}");
    recovers(&mut scene, "hanako/third", &new_code).await.unwrap();
    assert_eq!(scene.world.patient("hanako/third").lists().await.unwrap().records.len(), 4);
    let out = scene.world.patient(NEW).syncs().await;
    assert!(matches!(out, Err(AgentError::Refused)), "{out:?}");
}

#[tokio::test]
async fn the_old_code_and_the_lost_device_open_nothing_that_comes_later() {
    let mut scene = Scene::new(91).await;
    let vault = scene.vault;
    let printed = scene.hanako().code.as_ref().unwrap().to_string();
    let old_code = RecoveryCode::from_text(&printed).unwrap();
    let device = scene.hanako().device();
    let lost_key = {
        let state = scene.world.host().store().ledger(vault).unwrap().unwrap();
        let devices = state.authority().unwrap().payload().devices.clone();
        devices.into_iter().find(|known| known.key == device).unwrap().sealing_key
    };
    let before = scene.has_lab(b"before").await;
    recovers(&mut scene, NEW, &printed).await.unwrap();
    let after = scene.has_lab(b"after").await;
    let before = ciphertext(&mut scene, NEW, before).await;
    let after = ciphertext(&mut scene, NEW, after).await;
    let lost = scene.world.stolen_sealing_key("hanako", &lost_key);
    for (who, secret) in [("the old code", old_code.sealing_secret()), ("the lost device", lost)] {
        let mut loot = Loot::of_device(&scene.world, vault, &secret);
        assert!(loot.opens(&before), "{who}: what was open before stays so");
        assert!(!loot.opens(&after), "{who} opens what came later");
    }
}

#[tokio::test]
async fn a_wrong_or_misspelt_code_recovers_nothing() {
    let mut scene = Scene::new(92).await;
    let printed = scene.hanako().code.as_ref().unwrap().to_string();
    for (at, letter) in printed.char_indices().filter(|(_, letter)| letter.is_ascii_alphanumeric()).skip(17) {
        let other = if letter == 'a' { 'b' } else { 'a' };
        let mut misspelt = printed.clone();
        misspelt.replace_range(at..=at, &other.to_string());
        assert!(RecoveryCode::from_text(&misspelt).is_err(), "{letter} at {at} became {other}");
    }
    assert!(RecoveryCode::from_text(&printed[..printed.len() - 1]).is_err());
    let other = fresh_recovery_code(scene.hanako().agent.ambient()).to_text().to_string();
    let refused = recovers(&mut scene, NEW, &other).await.map(|_| ());
    assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::OtherRecoveryCode))), "{refused:?}");
    assert!(scene.world.patient(NEW).agent.vault().is_none());
    scene.hanako().syncs().await.unwrap();
}

const NEW: &str = "hanako/new";
