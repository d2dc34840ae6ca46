//! Ledger deeds: face, append, sync, revoke, child grants.

use karute_consent::grant::Grant;
use karute_consent::id::{Seq, StatementId};
use karute_consent::ledger::EntryKind;
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, sign};
use karute_consent::tree::digest_of;
use karute_protocol::message::{Append, AppendItem, Attach, Face, FaultCode, Message, Revoke, Sync};
use karute_protocol::wire::{LedgerSize, Octets};

use super::cast::*;
use super::world::*;

fn items(answers: &Answers) -> Vec<&karute_protocol::message::Item> {
    let items = answers.messages.iter().filter_map(|message| match message {
        Message::Item(item) => Some(item.as_ref()),
        _ => None,
    });
    items.collect()
}

#[tokio::test]
async fn the_face_shows_charter_and_authorities_and_bare_entries() {
    let world = World::new();
    let mut client = world.client(51).await;
    let patient = Patient::with_vault(&mut client).await;
    let answers = client.ask(Face { vault: patient.vault }).await;
    let items = items(&answers);
    assert_eq!(items.iter().map(|item| item.body.is_some()).collect::<Vec<_>>(), [true, true, false]);
    assert!(items.iter().all(|item| item.attachments.is_none()), "no root packages to strangers");
    let Message::Faced(faced) = answers.last() else { panic!() };
    assert_eq!(faced.size, LedgerSize(3));
}

#[tokio::test]
async fn a_vault_outlives_a_restart() {
    let world = World::new();
    let mut client = world.client(51).await;
    let patient = Patient::with_vault(&mut client).await;
    drop(client);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let world = world.restarted();
    let mut client = world.client(51).await;
    assert_eq!(items(&client.ask(Face { vault: patient.vault }).await).len(), 3);
}

#[tokio::test]
async fn an_append_for_another_size_is_a_conflict_and_changes_nothing() {
    let world = World::new();
    let mut client = world.client(51).await;
    let patient = Patient::with_vault(&mut client).await;
    let (_, mut again) = Patient::first_append();
    client.ask(Attach { bytes: vec![0; 40].into() }).await;
    assert_eq!(client.ask(again.clone()).await.fault(), FaultCode::Conflict);
    again.size = LedgerSize(3);
    assert!(client.ask(again).await.is_refusal(), "a charter has no place here");
    let answers = client.ask(Face { vault: patient.vault }).await;
    assert_eq!(items(&answers).len(), 3);
}

#[tokio::test]
async fn an_append_of_who_may_not_is_refused() {
    let world = World::new();
    let mut client = world.client(51).await;
    let patient = Patient::with_vault(&mut client).await;
    let sealed_part = vec![9; 30];
    let core = patient.core(11, &[Action::Read]);
    let grant = Grant { core, sealed_hash: digest_of(&[&sealed_part]), package_hash: None };
    let forged = sign(grant, &identity(12)).unwrap();
    let item = patient.next_item(EntryKind::Grant, forged.bytes(), forged.id(), std::slice::from_ref(&sealed_part));
    client.ask(Attach { bytes: sealed_part.into() }).await;
    let append = Append { vault: patient.vault, size: LedgerSize(3), items: vec![item], registration: None };
    assert!(client.ask(append).await.is_refusal());
}

#[tokio::test]
async fn an_attachment_that_did_not_come_is_missed() {
    let world = World::new();
    let mut client = world.client(51).await;
    let (_, append) = Patient::first_append();
    assert_eq!(client.ask(append).await.fault(), FaultCode::Malformed);
}

#[tokio::test]
async fn each_party_syncs_its_own_part() {
    let world = World::new();
    let mut client = world.client(51).await;
    let mut patient = Patient::with_vault(&mut client).await;
    let to_a = patient.core(10, &[Action::Deposit]);
    let to_b = patient.core(11, &[Action::List, Action::Read]);
    patient.grant(&mut client, to_a).await;
    patient.grant(&mut client, to_b).await;

    let bodies = async |client: &mut Client, by: u8| {
        let request = client.request(patient.vault, Action::Sync, &[]);
        let answers = client.ask(Sync { request: signed(request, by), from: LedgerSize(0) }).await;
        items(&answers).iter().map(|item| item.body.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&mut client, 3).await, [true; 5], "a device is shown everything");
    assert_eq!(bodies(&mut client, 10).await, [true, true, true, true, false]);
    assert_eq!(bodies(&mut client, 11).await, [true, true, true, false, true]);
    assert_eq!(bodies(&mut client, 12).await, Vec::<bool>::new(), "a stranger is refused");
}

#[tokio::test]
async fn a_revocation_is_ordered_by_the_home_host_and_is_final() {
    let world = World::new();
    let mut client = world.client(51).await;
    let mut patient = Patient::with_vault(&mut client).await;
    let core = patient.core(11, &[Action::List, Action::Read]);
    let grant = patient.grant(&mut client, core).await;
    let forged = patient.revocation(grant, 12);
    assert!(client.ask(Revoke { revocation: forged }).await.is_refusal());
    let request = client.request(patient.vault, Action::Sync, &[]);
    client.ask(Sync { request: signed(request, 3), from: LedgerSize(0) }).await;
    for _ in 0..2 {
        let revocation = patient.revocation(grant, 3);
        let answers = client.ask(Revoke { revocation }).await;
        assert!(matches!(answers.last(), Message::Appended(_)), "{answers:?}");
    }
    let state = world.host.store().ledger(patient.vault).unwrap().unwrap();
    assert!(state.is_revoked(grant));
    assert_eq!(state.size(), 5, "the same revocation is in the ledger once");
    assert_eq!(state.subject(Seq(4)), Some(karute_consent::ledger::Subject::Revocation(grant)));
}

#[tokio::test]
async fn a_child_grant_is_put_into_the_order_by_the_home_host() {
    let world = World::new();
    let mut client = world.client(51).await;
    let mut patient = Patient::with_vault(&mut client).await;
    let mut core = patient.core(11, &[Action::List, Action::Read]);
    core.depth = 1;
    let parent = patient.grant(&mut client, core.clone()).await;
    let child = |by: u8, actions: &[Action], parent: StatementId| {
        let mut core = patient.core(13, actions);
        core.parent = Some(parent);
        let grant = Grant { core, sealed_hash: digest_of(&[&[5; 30]]), package_hash: None };
        let body = sign(grant, &identity(by)).unwrap();
        let item = AppendItem {
            entry: Unverified::from_bytes(Vec::new()),
            salt: salt(),
            body: Octets::from(body.bytes().to_vec()),
            attachments: vec![digest_of(&[&[5; 30]])],
        };
        Append { vault: patient.vault, size: LedgerSize(0), items: vec![item], registration: None }
    };
    client.ask(Attach { bytes: vec![5; 30].into() }).await;
    let widened = child(11, &[Action::List, Action::Read, Action::Audit], parent);
    assert!(client.ask(widened).await.is_refusal());
    let foreign = child(12, &[Action::Read], parent);
    assert!(client.ask(foreign).await.is_refusal());
    let good = child(11, &[Action::Read], parent);
    let answers = client.ask(good).await;
    assert!(matches!(answers.last(), Message::Appended(_)), "{answers:?}");
    let state = world.host.store().ledger(patient.vault).unwrap().unwrap();
    assert!(state.is_holder(key(13)));
}
