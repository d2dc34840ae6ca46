//! Watching: events as they become durable, until the permit or the host ends.

use karute_consent::id::StatementId;
use karute_consent::policy::DenyReason;
use karute_consent::scope::Action;
use karute_protocol::message::{self, Message, News};
use karute_protocol::trail::{EventKind, Log, TrailNumber};

use super::cast::*;
use super::world::*;

async fn begin(client: &mut Client, patient: &Patient, chain: &[StatementId], by: u8, from: u64) -> u64 {
    let request = client.request(patient.vault, Action::Audit, chain);
    client.send(message::Watch { request: signed(request, by), from: TrailNumber(from) }).await;
    let (_, _, payload) = client.frame().await.unwrap();
    let Ok(Message::Permitted(permitted)) = Message::decode(&payload) else { panic!("not permitted") };
    permitted.receipt.leaf.number.0
}

async fn next(client: &mut Client) -> Message {
    let (_, _, payload) = client.frame().await.unwrap();
    Message::decode(&payload).unwrap()
}

async fn news(client: &mut Client) -> News {
    match next(client).await {
        Message::News(news) => *news,
        other => panic!("no news but {other:?}"),
    }
}

#[tokio::test]
async fn every_event_is_told_as_it_happens_and_proven_by_itself() {
    let world = World::new();
    let mut device = world.client(51).await;
    let mut patient = Patient::with_vault(&mut device).await;
    let mut watcher = world.client(52).await;
    let own = begin(&mut watcher, &patient, &[], 3, 0).await;
    let first = news(&mut watcher).await;
    assert_eq!((first.item.leaf.number.0, first.item.event.as_ref().unwrap().kind), (own, EventKind::Audit));
    for number in own + 1..own + 4 {
        let core = patient.core(number as u8, &[Action::Read]);
        patient.grant(&mut device, core).await;
        let News { item, checkpoint } = news(&mut watcher).await;
        let head = checkpoint.verify(Log::Trail, world.host.node()).unwrap();
        let event = item.verify(&head).unwrap().unwrap();
        assert_eq!((item.leaf.number.0, event.kind), (number, EventKind::LedgerAppend));
    }
    let mut late = world.client(53).await;
    begin(&mut late, &patient, &[], 3, 1).await;
    for number in 1..own + 4 {
        assert_eq!(news(&mut late).await.item.leaf.number.0, number, "from the beginning, without gap");
    }
    world.host.close();
    while !matches!(next(&mut watcher).await, Message::End(_)) {}
}

#[tokio::test]
async fn a_watch_ends_with_its_grant_and_does_not_tell_what_ended_it() {
    let world = World::new();
    let mut device = world.client(51).await;
    let mut patient = Patient::with_vault(&mut device).await;
    let core = patient.core(11, &[Action::Audit]);
    let grant = patient.grant(&mut device, core).await;
    let mut watcher = world.client(52).await;
    let own = begin(&mut watcher, &patient, &[grant], 11, 0).await;
    assert_eq!(news(&mut watcher).await.item.leaf.number.0, own);
    let revocation = patient.revocation(grant, 3);
    let answers = device.ask(message::Revoke { revocation }).await;
    assert!(matches!(answers.last(), Message::Appended(_)), "{answers:?}");
    assert!(matches!(next(&mut watcher).await, Message::Refusal(_)), "nothing of what came behind the revocation");
    begin(&mut device, &patient, &[], 3, own + 2).await;
    let event = news(&mut device).await.item.event.unwrap();
    assert_eq!((event.kind, event.outcome.0), (EventKind::Refusal, DenyReason::Revoked.number()));
    assert_eq!((event.party, event.chain), (key(11), vec![grant]));
}

#[tokio::test]
async fn a_party_without_audit_watches_nothing() {
    let world = World::new();
    let mut device = world.client(51).await;
    let mut patient = Patient::with_vault(&mut device).await;
    let core = patient.core(11, &[Action::Read]);
    let grant = patient.grant(&mut device, core).await;
    let mut reader = world.client(52).await;
    let request = reader.request(patient.vault, Action::Audit, &[grant]);
    reader.send(message::Watch { request: signed(request, 11), from: TrailNumber(1) }).await;
    assert!(matches!(next(&mut reader).await, Message::Refusal(_)));
}
