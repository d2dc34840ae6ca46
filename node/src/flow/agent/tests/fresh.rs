//! Nothing is sealed unless whoever has to vouches for the newest keys (P-47).
//!
//! The vault's witnesses sign in the relay between facility and host: it makes the cosignatures that the test wants.

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::VaultId;
use karute_consent::party::Identity;
use karute_consent::template::Template;
use karute_consent::time::Timestamp;
use karute_protocol::cosignature::{WitnessKey, cosign};
use karute_protocol::freshness::Stale;
use karute_protocol::message::Message;
use karute_protocol::trail::CheckpointText;
use std::time::Duration;

use super::cast::*;
use super::lies::{lying, message, what, with};
use crate::agent::error::{AgentError, Unproven};
use crate::agent::facility::Facility;
use crate::agent::freshness::VouchedBy;
use crate::agent::patient::Patient;
use crate::flow::agent::deposit::Deposited;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::records::{RecordFilter, records};
use crate::flow::agent::sync::sync_patient;
use crate::flow::agent::witnesses::{witness_set, witnessing};

const PSYCHIATRY: Kind = Kind { category: Category::Imaging, sensitivity: Sensitivity::Sensitive };

/// Signatures of witnesses: whose, how many seconds ago, and whether they are right.
type Signed = &'static [(u8, u64, bool)];

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[100 + n; 32])
}

fn key(n: u8) -> WitnessKey {
    WitnessKey { name: format!("w{n}").parse().unwrap(), party: identity(n).party() }
}

fn cosigned(text: &CheckpointText, signed: Signed, now: Timestamp) -> CheckpointText {
    let body = text.body().unwrap();
    let mut all = text.0.clone();
    for (n, ago, right) in signed {
        let of = if *right { body.as_str() } else { "another text\n" };
        all.push_str(&cosign(of, &key(*n).name, &identity(*n), now.minus_secs(*ago)));
    }
    CheckpointText(all)
}

/// A vault with three witnesses, two of whom have to sign, and a facility that may deposit there.
async fn witnessed_world() -> (World, Patient, Facility, VaultId) {
    let world = World::new();
    let mut patient = Patient::in_memory(&world.ambient, "Hanako");
    let mut home = world.reach(&patient.transport()).with_patience(Duration::ZERO);
    let set = witness_set(&[key(1), key(2), key(3)], None).unwrap();
    world.vault_of(&mut patient, &mut home, set).await;
    let (a, _) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING, PSYCHIATRY]).await;
    let vault = patient.vault().unwrap();
    (world, patient, a, vault)
}

fn vouching(world: &World, facility: &Facility, signed: Signed) -> Reach {
    let ambient = world.ambient.clone();
    let lie = move |frame: crate::frame::Frame| match message(&frame) {
        Some(Message::HeadsFound(mut found)) => {
            found.ledger_checkpoint = found.ledger_checkpoint.map(|text| cosigned(&text, signed, ambient.now()));
            with(frame, *found)
        }
        _ => Some(frame),
    };
    lying(world, &facility.transport(), lie).with_patience(Duration::ZERO)
}

async fn deposits(
    world: &World,
    a: &mut Facility,
    vault: VaultId,
    kind: Kind,
    signed: Signed,
) -> Result<Deposited, AgentError> {
    let mut reach = vouching(world, a, signed);
    let file = world.file("one", 100, 1);
    put(a, &mut reach, vault, vec![record(&file, kind)]).await
}

fn stale(result: Result<Deposited, AgentError>) -> Stale {
    match result {
        Err(AgentError::NotFresh(why)) => why.stale().clone(),
        other => panic!("expected a refusal to seal, got {other:?}"),
    }
}

const HOUR: u64 = 3_600;

#[tokio::test]
async fn a_day_for_everyday_kinds_and_a_quarter_of_an_hour_for_sensitive_ones() {
    let (world, mut patient, mut a, vault) = witnessed_world().await;
    let quorum = |result: Result<Deposited, AgentError>| matches!(stale(result), Stale::NotWitnessed { quorum: 2, .. });
    let signed: Signed = &[(1, 25 * HOUR, true), (2, 25 * HOUR, true)];
    assert!(quorum(deposits(&world, &mut a, vault, IMAGING, signed).await));
    let signed: Signed = &[(1, 23 * HOUR, true), (2, 10, true)];
    assert!(quorum(deposits(&world, &mut a, vault, PSYCHIATRY, signed).await), "the second newest counts");
    let mut home = world.reach(&patient.transport()).with_patience(Duration::ZERO);
    let seen = records(&mut patient, &mut home, RecordFilter::default()).await.unwrap();
    assert!(seen.records.is_empty(), "nothing was sealed");
    let done = deposits(&world, &mut a, vault, IMAGING, signed).await.unwrap();
    let fresh = done.freshness.unwrap();
    assert_eq!((fresh.by, fresh.quorum), (VouchedBy::Witnesses, 2));
    assert_eq!(fresh.witnessed_at, NOW.minus_secs(23 * HOUR));
}

#[tokio::test]
async fn sensitive_records_are_sealed_when_the_witnesses_saw_the_vault_just_now() {
    let (world, _, mut a, vault) = witnessed_world().await;
    let signed: Signed = &[(1, 600, true), (3, 800, true)];
    deposits(&world, &mut a, vault, PSYCHIATRY, signed).await.unwrap();
}

#[tokio::test]
async fn one_witness_twice_is_one_witness() {
    let (world, _, mut a, vault) = witnessed_world().await;
    let signed: Signed = &[(1, 10, true), (1, 20, true)];
    let Stale::NotWitnessed { seen, .. } = stale(deposits(&world, &mut a, vault, IMAGING, signed).await) else {
        panic!("another reason");
    };
    assert_eq!(seen.iter().filter(|(_, time)| time.is_some()).count(), 1);
    let stranger: Signed = &[(1, 10, true), (9, 10, true)];
    assert!(matches!(stale(deposits(&world, &mut a, vault, IMAGING, stranger).await), Stale::NotWitnessed { .. }));
    assert!(matches!(stale(deposits(&world, &mut a, vault, IMAGING, &[]).await), Stale::NotWitnessed { .. }));
}

#[tokio::test]
async fn a_wrong_line_under_a_witness_s_name_refuses_all_of_it() {
    let (world, _, mut a, vault) = witnessed_world().await;
    let signed: Signed = &[(1, 10, true), (2, 10, true), (3, 10, false)];
    assert_eq!(what(deposits(&world, &mut a, vault, IMAGING, signed).await), Unproven::Cosignature);
}

#[tokio::test]
async fn cosignatures_are_gathered_over_several_answers() {
    let (world, _, mut a, vault) = witnessed_world().await;
    let first: Signed = &[(1, 10, true)];
    assert!(matches!(stale(deposits(&world, &mut a, vault, IMAGING, first).await), Stale::NotWitnessed { .. }));
    let second: Signed = &[(2, 5, true)];
    deposits(&world, &mut a, vault, IMAGING, second).await.unwrap();
}

#[tokio::test]
async fn what_was_fresh_is_judged_again_when_time_has_passed() {
    let (world, _, mut a, vault) = witnessed_world().await;
    let signed: Signed = &[(1, 10, true), (2, 10, true)];
    deposits(&world, &mut a, vault, IMAGING, signed).await.unwrap();
    // The host has no way to the witnesses any more; what they signed before holds for a day.
    deposits(&world, &mut a, vault, IMAGING, &[]).await.unwrap();
    world.ambient.advance(25 * HOUR);
    assert!(matches!(stale(deposits(&world, &mut a, vault, IMAGING, &[]).await), Stale::NotWitnessed { .. }));
}

#[tokio::test]
async fn without_witnesses_the_host_s_word_of_just_now_counts_and_it_is_said() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let file = world.file("one", 100, 1);
    let done = put(&mut a, &mut from_a, vault, vec![record(&file, IMAGING)]).await.unwrap();
    let fresh = done.freshness.unwrap();
    assert_eq!((fresh.by, fresh.quorum, fresh.witnessed_at), (VouchedBy::Host, 0, NOW));
    for ahead in [true, false] {
        let off = move |frame: crate::frame::Frame| match message(&frame) {
            Some(Message::HeadsFound(mut found)) => {
                if let Some(word) = &mut found.ledger {
                    let mut said = word.clone().verify().unwrap().into_payload();
                    let time = said.time;
                    said.time = if ahead { time.plus_secs(121) } else { time.minus_secs(121) };
                    *word =
                        karute_consent::statement::sign(said, &Identity::from_seed(&[4; 32])).unwrap().to_unverified();
                }
                with(frame, *found)
            }
            _ => Some(frame),
        };
        let mut liar = lying(&world, &a.transport(), off);
        let refused = put(&mut a, &mut liar, vault, vec![record(&file, IMAGING)]).await;
        assert_eq!(stale(refused), Stale::HostClock { secs: 121 });
    }
}

#[tokio::test]
async fn the_patient_sees_which_witness_signed_when() {
    let (world, mut patient, _, _) = witnessed_world().await;
    let ambient = world.ambient.clone();
    let lie = move |frame: crate::frame::Frame| match message(&frame) {
        Some(Message::HeadsFound(mut found)) => {
            let signed: Signed = &[(2, 30, true)];
            found.ledger_checkpoint = found.ledger_checkpoint.map(|text| cosigned(&text, signed, ambient.now()));
            with(frame, *found)
        }
        _ => Some(frame),
    };
    let mut reach = lying(&world, &patient.transport(), lie);
    sync_patient(&mut patient, &mut reach).await.unwrap();
    let found = witnessing(&patient.keep, patient.view().unwrap()).unwrap();
    assert_eq!((found.quorum, found.witnesses.len(), found.count(), found.witnessed_at), (2, 3, 1, None));
    let signed = found.witnesses.iter().find(|line| line.seen.is_some()).unwrap();
    assert_eq!((signed.name.as_str(), signed.seen), ("w2", Some(NOW.minus_secs(30))));
    assert_eq!(signed.vkey, key(2).to_string());
}
