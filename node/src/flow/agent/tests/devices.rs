//! Two devices, a lost one, and a vault that comes back from its printed code.

use karute_consent::revocation::RevocationReason;
use karute_consent::template::Template;
use karute_protocol::recovery::RecoveryCode;

use super::cast::*;
use crate::agent::error::{AgentError, Obstacle};
use crate::agent::patient::Patient;
use crate::ambient::Ambient;
use crate::flow::agent::create::fresh_recovery_code;
use crate::flow::agent::device::{approve_device, finish_join, join_text, remove_device};
use crate::flow::agent::grants::grants_signed_by;
use crate::flow::agent::records::{RecordFilter, records};
use crate::flow::agent::recover::recover;
use crate::flow::agent::revoke::{Revoke, revoke};
use crate::flow::agent::sync::sync_patient;
use crate::passphrase::Passphrase;

#[tokio::test]
async fn a_second_device_reads_all_and_after_its_removal_nothing_that_comes() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    let file = world.file("one", 100, 1);
    put(&mut a, &mut from_a, vault, vec![record(&file, IMAGING)]).await.unwrap();

    let mut second = Patient::in_memory(&world.ambient, "Hanako");
    let mut from_second = world.reach(&second.transport());
    let link = patient.link().unwrap().clone();
    assert!(matches!(finish_join(&mut second, &mut from_second, &link).await, Err(AgentError::Refused)));
    let joined = approve_device(&mut patient, &mut home, &join_text(&second)).await.unwrap();
    finish_join(&mut second, &mut from_second, &joined.link.parse().unwrap()).await.unwrap();
    let seen = records(&mut second, &mut from_second, RecordFilter::default()).await.unwrap();
    assert_eq!((seen.records.len(), seen.closed), (1, 0));
    assert!(!second.holds_identity());

    let own = patient.device();
    let refused = remove_device(&mut patient, &mut home, own).await;
    assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::LastDevice))));
    let removed = remove_device(&mut patient, &mut home, second.device()).await.unwrap();
    assert_eq!((removed.rotated.len(), removed.resealed), (1, 1));
    assert!(matches!(sync_patient(&mut second, &mut from_second).await, Err(AgentError::Refused)));
    let later = world.file("two", 200, 2);
    put(&mut a, &mut from_a, vault, vec![record(&later, IMAGING)]).await.unwrap();
    assert_eq!(get(&mut b, &mut from_b, vault, &world.folder("b")).await.unwrap().len(), 2);
    let seen = records(&mut patient, &mut home, RecordFilter::default()).await.unwrap();
    assert_eq!((seen.records.len(), seen.closed), (2, 0));
}

#[tokio::test]
async fn what_a_removed_device_granted_stays_in_force_and_is_listed_until_revoked() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let (b, _) = world.facility("Hospital B", &patient);
    let (thief, _) = world.facility("Thief", &patient);
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    let mut second = Patient::in_memory(&world.ambient, "Hanako");
    let mut from_second = world.reach(&second.transport());
    let joined = approve_device(&mut patient, &mut home, &join_text(&second)).await.unwrap();
    finish_join(&mut second, &mut from_second, &joined.link.parse().unwrap()).await.unwrap();
    let stolen = granted(&mut second, &mut from_second, &thief, Template::OngoingCare, &[IMAGING]).await;
    remove_device(&mut patient, &mut home, second.device()).await.unwrap();
    let still = grants_signed_by(&patient, second.device(), world.ambient.now()).unwrap();
    assert_eq!(still.iter().map(|line| line.grant).collect::<Vec<_>>(), [stolen.grant]);
    let end = Revoke { grant: stolen.grant, reason: RevocationReason::KeyExposed };
    revoke(&mut patient, &mut home, end).await.unwrap();
    assert!(grants_signed_by(&patient, second.device(), world.ambient.now()).unwrap().is_empty());
}

#[tokio::test]
async fn an_empty_machine_recovers_every_record_with_the_printed_code_and_only_once() {
    let world = World::new();
    let (mut patient, mut home, code) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING, LAB]).await;
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    let files = [(world.file("i", 100, 1), IMAGING), (world.file("l", 200, 2), LAB)];
    put(&mut a, &mut from_a, vault, files.iter().map(|(f, k)| record(f, *k)).collect()).await.unwrap();
    let printed = code.to_text();
    let link = patient.link().unwrap().clone();

    let mut fresh = Patient::in_memory(&world.ambient, "Hanako");
    let mut from_fresh = world.reach(&fresh.transport());
    let wrong = fresh_recovery_code(&world.ambient);
    let new = fresh_recovery_code(&world.ambient);
    let refused = recover(&mut fresh, &mut from_fresh, &link, &wrong, &new).await;
    assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::OtherRecoveryCode))), "{refused:?}");
    let read = RecoveryCode::from_text(&printed.to_uppercase()).unwrap();
    let back = recover(&mut fresh, &mut from_fresh, &link, &read, &new).await.unwrap();
    assert_eq!((back.collections, back.resealed), (2, 1));
    let seen = records(&mut fresh, &mut from_fresh, RecordFilter::default()).await.unwrap();
    assert_eq!((seen.records.len(), seen.closed, seen.complete), (2, 0, true));
    assert!(fresh.holds_identity());
    assert!(matches!(sync_patient(&mut patient, &mut home).await, Err(AgentError::Refused)), "the old device is out");
    let later = world.file("later", 300, 3);
    put(&mut a, &mut from_a, vault, vec![record(&later, IMAGING)]).await.unwrap();
    assert_eq!(get(&mut b, &mut from_b, vault, &world.folder("b")).await.unwrap().len(), 2);

    let mut third = Patient::in_memory(&world.ambient, "Hanako");
    let mut from_third = world.reach(&third.transport());
    let newer = fresh_recovery_code(&world.ambient);
    let old = recover(&mut third, &mut from_third, &link, &code, &newer).await;
    assert!(matches!(old, Err(AgentError::Impossible(Obstacle::OtherRecoveryCode))));
    recover(&mut third, &mut from_third, &link, &new, &newer).await.unwrap();
}

#[tokio::test]
async fn a_patient_and_a_facility_outlive_their_process() {
    let world = World::new();
    let passphrase = || Passphrase::new(zeroize::Zeroizing::new("correct horse".to_owned())).ok().unwrap();
    let ambient: &Ambient = &world.ambient;
    let path = world.folder("patient");
    let mut patient = Patient::create_in(&path, &passphrase(), ambient, "Hanako").ok().unwrap();
    let mut home = world.reach(&patient.transport());
    let code = fresh_recovery_code(ambient);
    let new = crate::flow::agent::create::CreateVault {
        host: ADDRESS.into(),
        registration: None,
        kinds: vec![IMAGING],
        witnesses: Default::default(),
    };
    crate::flow::agent::create::create_vault(&mut patient, &mut home, new, &code).await.unwrap();
    let (vault, size) = (patient.vault(), patient.view().unwrap().size());
    drop(patient);
    let mut patient = Patient::open_in(&path, &passphrase(), ambient).ok().unwrap();
    assert_eq!((patient.vault(), patient.view().unwrap().size()), (vault, size));
    let (a, _) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
}
