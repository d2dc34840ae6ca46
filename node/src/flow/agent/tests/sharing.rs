//! Deposit, grant, fetch, revoke, audit, between a patient and facilities.

use karute_consent::id::CollectionId;
use karute_consent::purpose::Purpose;
use karute_consent::revocation::{ErasureReason, RevocationReason, WithdrawalReason};
use karute_consent::scope::Action;
use karute_consent::template::Template;
use karute_protocol::particulars::ActingPerson;

use super::cast::*;
use crate::agent::error::{AgentError, Obstacle};
use crate::flow::agent::approve::{Approve, Narrow, approve, decline};
use crate::flow::agent::ask::{Wish, ask, ask_text};
use crate::flow::agent::audit::audit;
use crate::flow::agent::delegate::{Delegate, delegate};
use crate::flow::agent::erase::{Doomed, erase};
use crate::flow::agent::fetch::{Query, fetch};
use crate::flow::agent::grant::{NewGrant, grant};
use crate::flow::agent::grants::grants;
use crate::flow::agent::lines::{Destination, GrantState};
use crate::flow::agent::list::list;
use crate::flow::agent::receipts::receipts;
use crate::flow::agent::records::{RecordFilter, records};
use crate::flow::agent::requests::{read_ask, requests};
use crate::flow::agent::revoke::{Levels, Revoke, revoke};
use crate::flow::agent::show::show;
use crate::flow::agent::status::patient_status;
use crate::flow::agent::sync::{sync_facility, sync_patient};
use crate::flow::agent::withdraw::withdraw;

#[tokio::test]
async fn what_one_hospital_deposits_another_reads_under_a_grant_and_not_after_its_end() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING, LAB]).await;

    let small = world.file("small.json", 900, 1);
    let large = world.file("large.dcm", 3_000_000, 2);
    let files = vec![record(&small, LAB), record(&large, IMAGING)];
    let stored = put(&mut a, &mut from_a, vault, files.clone()).await.unwrap();
    assert!(stored.records.iter().all(|line| !line.existing && !line.inbox && line.number == Some(1)), "{stored:?}");
    let again = put(&mut a, &mut from_a, vault, files).await.unwrap();
    assert!(again.records.iter().all(|line| line.existing));
    assert_eq!(again.records[0].record, stored.records[0].record);
    assert!(!receipts(&a, vault).unwrap().is_empty());

    let seen = records(&mut patient, &mut home, RecordFilter::default()).await.unwrap();
    assert_eq!((seen.records.len(), seen.closed, seen.complete), (2, 0, true));
    assert_eq!(seen.records[0].labels, ["a", "b"]);
    assert_eq!(seen.records[0].depositor_name.as_deref(), Some("Hospital A"));

    let to = world.folder("b");
    assert!(matches!(get(&mut b, &mut from_b, vault, &to).await, Err(AgentError::Refused)), "before any grant");
    let read = granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING, LAB]).await;
    let synced = sync_facility(&mut b, &mut from_b, vault).await.unwrap();
    assert_eq!((synced.packages, synced.complaints.len()), (1, 0));
    assert_eq!(synced.grants[0].state, GrantState::Active);
    let person = ActingPerson { name: "Dr. Sato".into(), role: "physician".into(), reason: "visit".into() };
    let query = Query { acting: Some(person), ..everything() };
    let fetched = fetch(&mut b, &mut from_b, vault, query, &to, &mut |_| {}).await.unwrap();
    assert_eq!(fetched.len(), 2);
    assert_eq!(std::fs::read(to.join("small.json")).unwrap(), std::fs::read(&small).unwrap());
    assert_eq!(std::fs::read(to.join("large.dcm")).unwrap(), std::fs::read(&large).unwrap());
    assert!(to.join("large.dcm.proof").exists() && !to.join("large.dcm.partial").exists());
    // What stands there already is not overwritten, unless it is the same record.
    std::fs::write(to.join("small.json"), b"notes").unwrap();
    std::fs::remove_file(to.join("small.json.proof")).unwrap();
    let again = get(&mut b, &mut from_b, vault, &to).await.unwrap();
    assert!(again.iter().any(|line| line.path == to.join("large.dcm")));
    assert_eq!(std::fs::read(to.join("small.json")).unwrap(), b"notes");
    let listed = list(&mut b, &mut from_b, vault, everything()).await.unwrap();
    assert_eq!((listed.records.len(), listed.complete), (2, true));

    let ended =
        revoke(&mut patient, &mut home, Revoke { grant: read.grant, reason: RevocationReason::Wish }).await.unwrap();
    let all = Levels { signed: true, refused: true, appended: true, rotated: true, resealed: true, witnessed: false };
    assert_eq!((ended.levels, ended.rotated.len(), ended.stopped), (all, 2, None));
    let refused = get(&mut b, &mut from_b, vault, &world.folder("b2")).await;
    assert!(matches!(refused, Err(AgentError::Refused)), "{refused:?}");
    assert_eq!(grants(&patient, world.ambient.now()).unwrap()[1].state, GrantState::Revoked);

    let trail = audit(&mut patient, &mut home).await.unwrap();
    assert!(trail.checks.gapless && trail.checks.not_shorter);
    assert!(trail.checks.receipts_found > 0);
    assert_eq!(trail.checks.receipts_missing, 0);
    let read_by_b =
        trail.lines.iter().find(|line| line.party == b.party() && line.action == Some(Action::Read)).unwrap();
    assert_eq!(read_by_b.acting.as_ref().unwrap().name, "Dr. Sato");
    assert_eq!(read_by_b.count, 2);
}

#[tokio::test]
async fn after_a_rotation_who_remains_reads_what_comes_later_and_the_revoked_holder_has_no_key() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    let (c, _) = world.facility("Hospital C", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    let out = granted(&mut patient, &mut home, &c, Template::OngoingCare, &[IMAGING]).await;
    let first = world.file("first", 500, 1);
    put(&mut a, &mut from_a, vault, vec![record(&first, IMAGING)]).await.unwrap();
    let ended = revoke(&mut patient, &mut home, Revoke { grant: out.grant, reason: RevocationReason::CareEnded })
        .await
        .unwrap();
    assert_eq!(ended.resealed, 1);
    let second = world.file("second", 600, 2);
    let stored = put(&mut a, &mut from_a, vault, vec![record(&second, IMAGING)]).await.unwrap();
    assert_eq!(stored.records[0].generation.unwrap().0, 2);
    let synced = sync_facility(&mut b, &mut from_b, vault).await.unwrap();
    assert_eq!((synced.packages, synced.complaints.len()), (2, 0));
    let to = world.folder("b");
    assert_eq!(get(&mut b, &mut from_b, vault, &to).await.unwrap().len(), 2);
    assert_eq!(std::fs::read(to.join("second")).unwrap(), std::fs::read(second).unwrap());
    // A grant made later opens the old generation too.
    let (mut d, mut from_d) = world.facility("Hospital D", &patient);
    granted(&mut patient, &mut home, &d, Template::FirstVisit, &[IMAGING]).await;
    assert_eq!(get(&mut d, &mut from_d, vault, &world.folder("d")).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_ask_is_read_narrowed_and_answered_and_another_declined() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut b, mut from_b) = world.facility("Clinic B", &patient);
    let wish = Wish {
        actions: vec![Action::List, Action::Read],
        kinds: vec![IMAGING, LAB],
        months: None,
        purpose: Purpose::Treatment,
        days: 30,
        note: "your visit".into(),
    };
    let text = ask_text(&b, wish.clone()).unwrap().text;
    assert_eq!(read_ask(&text).unwrap().name, "Clinic B");
    assert!(read_ask(&text[..text.len() - 4]).is_err());
    let first = ask(&mut b, &mut from_b, vault, wish.clone()).await.unwrap();
    let second = ask(&mut b, &mut from_b, vault, wish).await.unwrap();
    let waiting = requests(&mut patient, &mut home).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!((waiting[0].name.as_str(), waiting[0].already), ("Clinic B", Some(0)));
    let kinds = Some(vec![LAB]);
    let narrowed = Some(Narrow { kinds, days: Some(7), ..Narrow::default() });
    let approval =
        Approve { ask: first.ask.to_string(), narrowed, language: "ja".into(), text: "同意します".into() };
    let granted = approve(&mut patient, &mut home, approval).await.unwrap();
    assert_eq!(granted.kinds, [LAB]);
    assert!(decline(&mut patient, &mut home, &second.ask.to_string()).await.unwrap().told);
    assert!(!decline(&mut patient, &mut home, &text).await.unwrap().told, "of a text the host knows nothing");
    let wider = Narrow { days: Some(400), ..Narrow::default() };
    let approval = Approve { ask: text, narrowed: Some(wider), language: "ja".into(), text: "x".into() };
    let refused = approve(&mut patient, &mut home, approval).await;
    assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::Scope))));
    let synced = sync_facility(&mut b, &mut from_b, vault).await.unwrap();
    let mut outcomes: Vec<String> = synced.answers.iter().map(|line| line.outcome.to_string()).collect();
    outcomes.sort_unstable(); // they come by the ids of their asks, which are random
    assert_eq!(outcomes, ["declined", "narrower"]);
    assert_eq!(synced.grants[0].kinds, [LAB]);
}

#[tokio::test]
async fn single_records_are_granted_by_their_own_keys_and_once() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut p, mut from_p) = world.facility("Pharmacy", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[LAB]).await;
    let files = [world.file("one", 100, 1), world.file("two", 200, 2)];
    let stored = put(&mut a, &mut from_a, vault, files.iter().map(|f| record(f, LAB)).collect()).await.unwrap();
    let wanted = stored.records[1].record;
    let new = NewGrant { records: vec![wanted], ..terms(&p, Template::Pharmacy, &[]) };
    grant(&mut patient, &mut home, new).await.unwrap();
    let to = world.folder("p");
    let fetched = get(&mut p, &mut from_p, vault, &to).await.unwrap();
    assert_eq!((fetched.len(), fetched[0].record), (1, wanted));
    assert!(matches!(get(&mut p, &mut from_p, vault, &to).await, Err(AgentError::Refused)), "one use only");
}

#[tokio::test]
async fn the_inbox_takes_what_has_no_collection_and_the_next_sync_files_it() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let file = world.file("lab", 300, 1);
    let stored = put(&mut a, &mut from_a, vault, vec![record(&file, LAB)]).await.unwrap();
    assert!(stored.records[0].inbox);
    let before = records(&mut patient, &mut home, RecordFilter::default()).await.unwrap();
    assert!(before.records[0].in_inbox && before.records[0].collection == CollectionId::INBOX);
    assert_eq!(sync_patient(&mut patient, &mut home).await.unwrap().refiled, 1);
    assert_eq!(sync_patient(&mut patient, &mut home).await.unwrap().refiled, 0);
    let after = records(&mut patient, &mut home, RecordFilter { kinds: vec![LAB], months: None }).await.unwrap();
    assert_eq!((after.records.len(), after.records[0].in_inbox), (1, false));
    let to = Destination::File(world.folder("own"));
    let own = show(&mut patient, &mut home, stored.records[0].record, to, &mut |_| {}).await.unwrap();
    assert_eq!(std::fs::read(own.path).unwrap(), std::fs::read(file).unwrap());
    let status = patient_status(&patient, world.ambient.now()).unwrap();
    assert_eq!((status.collections.len(), status.grants_active), (2, 1));
}

#[tokio::test]
async fn withdrawn_and_erased_records_leave_tombstones() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let files = [world.file("one", 100, 1), world.file("two", 200, 2), world.file("three", 300, 3)];
    let stored = put(&mut a, &mut from_a, vault, files.iter().map(|f| record(f, IMAGING)).collect()).await.unwrap();
    let ids: Vec<_> = stored.records.iter().map(|line| line.record).collect();
    withdraw(&mut a, &mut from_a, vault, vec![ids[0]], WithdrawalReason::Misfiled).await.unwrap();
    erase(&mut patient, &mut home, Doomed { records: [ids[1]].into(), ..Doomed::default() }, ErasureReason::Wish)
        .await
        .unwrap();
    let left = records(&mut patient, &mut home, RecordFilter::default()).await.unwrap();
    assert_eq!((left.records.len(), left.gone.len(), left.complete), (1, 2, true));
    assert_eq!(left.records[0].record, ids[2]);
    let (mut other, mut from_other) = world.facility("Hospital X", &patient);
    granted(&mut patient, &mut home, &other, Template::Deposit, &[IMAGING]).await;
    let refused = withdraw(&mut other, &mut from_other, vault, vec![ids[2]], WithdrawalReason::Other).await;
    assert!(matches!(refused, Err(AgentError::Refused)));
}

#[tokio::test]
async fn a_guardian_passes_on_less_and_the_child_reads_it() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut g, mut from_g) = world.facility("Guardian", &patient);
    let (mut c, mut from_c) = world.facility("Care home", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING, LAB]).await;
    let guardian = granted(&mut patient, &mut home, &g, Template::Guardian, &[IMAGING, LAB]).await;
    let files = [(world.file("i", 100, 1), IMAGING), (world.file("l", 200, 2), LAB)];
    put(&mut a, &mut from_a, vault, files.iter().map(|(f, k)| record(f, *k)).collect()).await.unwrap();
    let wish = Delegate {
        parent: guardian.grant,
        card: c.card_bytes().to_vec(),
        actions: vec![Action::List, Action::Read],
        kinds: vec![LAB],
        months: None,
        records: Vec::new(),
        days: Some(5),
        uses: None,
        depth: None,
        language: "en".into(),
        text: "for the week".into(),
    };
    let child = delegate(&mut g, &mut from_g, vault, wish.clone()).await.unwrap();
    assert_eq!(child.kinds, [LAB]);
    let fetched = get(&mut c, &mut from_c, vault, &world.folder("c")).await.unwrap();
    assert_eq!(fetched.len(), 1);
    let again = Delegate { parent: child.grant, card: a.card_bytes().to_vec(), ..wish };
    let refused = delegate(&mut c, &mut from_c, vault, again).await;
    assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::Delegation))));
    sync_patient(&mut patient, &mut home).await.unwrap();
    assert_eq!(grants(&patient, world.ambient.now()).unwrap().len(), 3);
    // After a rotation the guardian seals the new keys on, so that the child reads what comes later.
    let (x, _) = world.facility("Hospital X", &patient);
    let other = granted(&mut patient, &mut home, &x, Template::FirstVisit, &[LAB]).await;
    revoke(&mut patient, &mut home, Revoke { grant: other.grant, reason: RevocationReason::Mistake }).await.unwrap();
    let later = world.file("later", 400, 4);
    put(&mut a, &mut from_a, vault, vec![record(&later, LAB)]).await.unwrap();
    assert_eq!(get(&mut c, &mut from_c, vault, &world.folder("c1")).await.unwrap().len(), 1);
    assert_eq!(sync_facility(&mut g, &mut from_g, vault).await.unwrap().passed_on, 1);
    assert_eq!(sync_facility(&mut g, &mut from_g, vault).await.unwrap().passed_on, 0);
    assert_eq!(get(&mut c, &mut from_c, vault, &world.folder("c1")).await.unwrap().len(), 2);
    // The end of the parent is the end of the child.
    revoke(&mut patient, &mut home, Revoke { grant: guardian.grant, reason: RevocationReason::Wish }).await.unwrap();
    assert!(get(&mut c, &mut from_c, vault, &world.folder("c2")).await.is_err());
}
