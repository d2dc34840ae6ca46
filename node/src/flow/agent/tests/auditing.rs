//! The full check against a host that rewrites its own trail and signs what it made of it.
//!
//! The liar stands between agent and host and holds the host's log key: it is the host, as far as any signature says.

use std::sync::{Arc, Mutex};

use karute_consent::id::{Salt, StatementId};
use karute_consent::party::Identity;
use karute_consent::request::Request;
use karute_consent::revocation::{RevocationReason, WithdrawalReason};
use karute_consent::statement::sign;
use karute_consent::template::Template;
use karute_consent::time::Timestamp;
use karute_protocol::finding::{Finding, FindingKind};
use karute_protocol::merkle::{Place, TreeHash, TreeHead, prove_inclusion, root_of};
use karute_protocol::message::{Listed, Message, TrailItem};
use karute_protocol::trail::{
    AuditAnswer, CheckpointText, Event, EventKind, Leaf, ListAnswer, ListDigest, Log, Outcome, TrailIndex, TrailNumber,
};
use tokio::io::{DuplexStream, split};
use tokio::sync::mpsc;

use super::cast::*;
use super::lies::pass_on_deaf;
use crate::agent::connect::{Connect, MemoryConnect, MemoryInbound, Stream};
use crate::agent::error::AgentError;
use crate::agent::facility::Facility;
use crate::agent::finding_file::findings;
use crate::agent::patient::Patient;
use crate::flow::agent::audit::audit;
use crate::flow::agent::auditing::{AuditReport, audit_all};
use crate::flow::agent::convict::Complaint;
use crate::flow::agent::list::list;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipts::check_receipts;
use crate::flow::agent::records::records;
use crate::flow::agent::revoke::{Revoke, revoke};
use crate::flow::agent::withdraw::withdraw;
use crate::frame::{Frame, FrameKind, FrameReader, FrameWriter};
use crate::net::TransportSeed;

/// One line of a trail: its time and what it says.
type Told = (Timestamp, Salt, Event);

/// What the liar makes of a trail.
type Rewrite = fn(&mut Vec<Told>);

/// A host that tells another story.
#[derive(Clone, Copy)]
enum Lie {
    /// Of its trail.
    Trail(Rewrite),
    /// It leaves the first record out of lists.
    List,
    /// It says what the host says.
    Nothing,
}

/// The host's log key, which the liar has too.
fn log() -> Identity {
    Identity::from_seed(&[4; 32])
}

fn liar(world: &World, transport: &TransportSeed, lie: Lie) -> Reach {
    let (accept, mut inbound) = mpsc::channel::<MemoryInbound>(16);
    let onward = world.memory(transport);
    tokio::spawn(async move {
        while let Some(MemoryInbound { stream, .. }) = inbound.recv().await {
            let line = Connect::Memory(onward.clone()).open(&[ADDRESS.to_owned()]).await.ok().unwrap();
            let held: Held = Arc::default();
            tokio::spawn(relay(stream, line.stream, lie, held));
        }
    });
    let peer = transport.peer_key().to_bytes();
    Reach::new(Connect::Memory(MemoryConnect::new(peer).with_host(ADDRESS, accept)))
}

/// What the liar holds back until it knows the end.
type Held = Arc<Mutex<(Vec<TrailItem>, Vec<StatementId>, bool)>>;

async fn relay(agent: DuplexStream, host: Box<dyn Stream>, lie: Lie, held: Held) {
    let ((from_agent, to_agent), (from_host, to_host)) = (split(agent), split(host));
    let up = pass_on_deaf(from_agent, to_host);
    let down = async {
        let (mut reader, mut writer) = (FrameReader::new(from_host), FrameWriter::new(to_agent));
        while let Ok(Some(frame)) = reader.next(std::time::Duration::from_secs(60)).await {
            for frame in told(frame, lie, &held) {
                writer.write(&frame).await.unwrap();
            }
            writer.flush().await.unwrap();
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}

fn told(frame: Frame, lie: Lie, held: &Held) -> Vec<Frame> {
    let message = (frame.kind == FrameKind::Message).then(|| Message::decode(&frame.payload).unwrap());
    let mut held = held.lock().unwrap();
    let messages: Vec<Message> = match (message, lie) {
        (Some(Message::TrailItem(item)), Lie::Trail(_)) => {
            held.0.push(*item);
            return Vec::new();
        }
        (Some(Message::Listed(listed)), Lie::Trail(rewrite)) if listed.audit.is_some() => {
            retell(std::mem::take(&mut held.0), *listed, rewrite)
        }
        (Some(Message::RecordAnswer(answer)), Lie::List) => {
            if !std::mem::replace(&mut held.2, true) {
                return Vec::new();
            }
            held.1.push(answer.header.clone().verify().unwrap().id());
            return vec![frame];
        }
        (Some(Message::Tombstone(_)), Lie::List) => {
            held.1.push(StatementId::NONE);
            return vec![frame];
        }
        (Some(Message::Listed(listed)), Lie::List) if listed.answer.is_some() => {
            let said = listed.answer.clone().unwrap().verify().unwrap().into_payload();
            let mut digest = ListDigest::new();
            held.1.iter().for_each(|id| digest.record(*id));
            let answer = ListAnswer { digest: digest.finish(), time: said.time.plus_secs(100), ..said };
            let answer = Some(sign(answer, &log()).unwrap().to_unverified());
            vec![Listed { answer, ..*listed }.into()]
        }
        _ => return vec![frame],
    };
    let again = |message: Message| Frame { payload: message.encode().unwrap().into(), ..frame.clone() };
    messages.into_iter().map(again).collect()
}

/// The same trail after the rewriting: numbered, proven and signed anew, a little later.
fn retell(items: Vec<TrailItem>, listed: Listed, rewrite: Rewrite) -> Vec<Message> {
    let said = listed.audit.unwrap().verify().unwrap().into_payload();
    let mut story: Vec<Told> =
        items.into_iter().map(|item| (item.leaf.time, item.salt.unwrap(), item.event.unwrap())).collect();
    rewrite(&mut story);
    let leaf = |(place, (time, salt, event)): (usize, &Told)| {
        Leaf::new(said.vault, TrailNumber(place as u64 + 1), *time, event, salt).unwrap()
    };
    let leaves: Vec<Leaf> = story.iter().enumerate().map(leaf).collect();
    let hashes: Vec<TreeHash> = leaves.iter().map(|leaf| leaf.hash().unwrap()).collect();
    let stored = |place: Place| {
        let (start, len) = ((place.index as usize) << place.level, 1 << place.level);
        hashes.get(start..start + len).map(root_of)
    };
    let (size, root) = (leaves.len() as u64, root_of(&hashes));
    let mut messages: Vec<Message> = Vec::new();
    for (place, (leaf, (_, salt, event))) in leaves.iter().zip(&story).enumerate() {
        let (index, proof) = (TrailIndex(place as u64), prove_inclusion(place as u64, size, stored).unwrap());
        let item = TrailItem { leaf: *leaf, salt: Some(*salt), event: Some(event.clone()), index, proof };
        messages.push(item.into());
    }
    let answer = AuditAnswer { count: TrailNumber(size), time: said.time.plus_secs(100), size, root, ..said };
    let checkpoint = CheckpointText::sign(Log::Trail, TreeHead { size, root }, &log());
    let audit = Some(sign(answer, &log()).unwrap().to_unverified());
    messages.push(Listed { answer: None, checkpoint, audit }.into());
    messages
}

/// A vault with a deposit of A's and two readings of B's under a grant that was then revoked, and an audit before.
async fn eventful() -> (World, Patient, Reach, Facility, Facility) {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let grant = granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await.grant;
    let files = [world.file("one", 100, 1), world.file("two", 200, 2)];
    put(&mut a, &mut from_a, vault, files.iter().map(|f| record(f, IMAGING)).collect()).await.unwrap();
    get(&mut b, &mut from_b, vault, &world.folder("b")).await.unwrap();
    audit(&mut patient, &mut home).await.unwrap();
    revoke(&mut patient, &mut home, Revoke { grant, reason: RevocationReason::Wish }).await.unwrap();
    (world, patient, home, a, b)
}

fn kinds(report: &AuditReport) -> Vec<FindingKind> {
    report.findings.iter().map(|line| line.verdict.kind).collect()
}

/// What the full check finds when the host lies so.
async fn caught(lie: Lie) -> Vec<FindingKind> {
    let (world, mut patient, _, _, _) = eventful().await;
    let mut reach = liar(&world, &patient.transport(), lie);
    let report = audit_all(&mut patient, &mut reach).await.unwrap();
    let kept = findings(&patient.keep).unwrap();
    assert_eq!(kept.len(), report.findings.len());
    for kept in kept {
        let read = Finding::from_bytes(&kept.finding.to_bytes().unwrap()).unwrap();
        assert_eq!(read.verify().unwrap(), kept.verdict);
        assert_eq!(kept.verdict.accused, log().key());
    }
    kinds(&report)
}

fn read_of(story: &mut [Told]) -> &mut Told {
    story.iter_mut().find(|(_, _, event)| event.kind == EventKind::Read && event.outcome == Outcome(0)).unwrap()
}

#[tokio::test]
async fn an_honest_host_is_not_accused() {
    let (world, mut patient, mut home, mut a, mut b) = eventful().await;
    let vault = patient.vault().unwrap();
    for _ in 0..2 {
        let report = audit_all(&mut patient, &mut home).await.unwrap();
        assert_eq!(kinds(&report), []);
        assert_eq!(report.complaints, []);
        let checks = report.checks;
        assert!(checks.events > 10 && checks.events_judged >= 4 && checks.receipts_held >= 1, "{checks:?}");
        assert_eq!(checks.deposits_looked_for, 2);
        assert!(checks.heads_extended >= 2, "{checks:?}");
    }
    for facility in [&mut a, &mut b] {
        let mut reach = world.reach(&facility.transport());
        let report = check_receipts(facility, &mut reach, vault).await.unwrap();
        assert!(report.findings.is_empty() && report.complaints.is_empty(), "{:?}", report.complaints);
        assert!(report.checked > 0 && report.confirmed == report.checked, "{report:?}");
    }
}

#[tokio::test]
async fn a_withdrawn_record_was_not_dropped() {
    let (world, mut patient, mut home, mut a, _) = eventful().await;
    let vault = patient.vault().unwrap();
    let listed = records(&mut patient, &mut home, Default::default()).await.unwrap();
    let mut from_a = world.reach(&a.transport());
    let record = listed.records[0].record;
    withdraw(&mut a, &mut from_a, vault, vec![record], WithdrawalReason::Misfiled).await.unwrap();
    let report = audit_all(&mut patient, &mut home).await.unwrap();
    assert_eq!((kinds(&report), report.checks.deposits_looked_for), (vec![], 2));
    assert_eq!(report.complaints, []);
}

#[tokio::test]
async fn an_entry_that_was_changed_is_found() {
    let changed: Rewrite = |story| {
        let audited = story.iter_mut().find(|(_, _, event)| event.kind == EventKind::Audit).unwrap();
        audited.2.count = 7;
    };
    assert!(caught(Lie::Trail(changed)).await.contains(&FindingKind::RewrittenEntry));
}

#[tokio::test]
async fn an_entry_that_was_left_out_is_found() {
    let cut: Rewrite = |story| {
        let audited = story.iter().position(|(_, _, event)| event.kind == EventKind::Audit).unwrap();
        story.truncate(audited);
    };
    assert!(caught(Lie::Trail(cut)).await.contains(&FindingKind::MissingEntry));
}

#[tokio::test]
async fn a_reading_after_the_revocation_is_found() {
    let later: Rewrite = |story| {
        let read = story.iter().position(|(_, _, event)| event.kind == EventKind::Read).unwrap();
        let read = story.remove(read);
        story.push(read);
    };
    assert!(caught(Lie::Trail(later)).await.contains(&FindingKind::ServedAfterRevocation));
}

#[tokio::test]
async fn a_reading_beyond_its_grant_is_found() {
    let late: Rewrite = |story| {
        let read = story.iter().position(|(_, _, event)| event.kind == EventKind::Read).unwrap();
        for (time, _, _) in &mut story[read..] {
            *time = time.plus_secs(400 * 86_400);
        }
    };
    assert!(caught(Lie::Trail(late)).await.contains(&FindingKind::BeyondGrant));
}

#[tokio::test]
async fn a_time_that_runs_back_is_found() {
    let back: Rewrite = |story| {
        let last = story.last_mut().unwrap();
        last.0 = last.0.minus_secs(1);
    };
    assert!(caught(Lie::Trail(back)).await.contains(&FindingKind::TimeRunsBack));
}

#[tokio::test]
async fn a_reading_that_nobody_asked_for_is_found() {
    let forged: Rewrite = |story| read_of(story).2.party = Identity::from_seed(&[99; 32]).key();
    assert!(caught(Lie::Trail(forged)).await.contains(&FindingKind::ForgedEntry));
    let unsigned: Rewrite = |story| read_of(story).2.request_statement = None;
    assert!(caught(Lie::Trail(unsigned)).await.contains(&FindingKind::ForgedEntry));
}

#[tokio::test]
async fn another_trail_than_the_log_has_is_found() {
    // Nothing in it contradicts a receipt held here: the log that is shown to others does.
    let hidden: Rewrite = |story| {
        let read = story.iter().rposition(|(_, _, event)| event.kind == EventKind::GrantSync).unwrap();
        story.remove(read);
    };
    let kinds = caught(Lie::Trail(hidden)).await;
    let of_log = [FindingKind::Equivocation, FindingKind::Inconsistency];
    assert!(kinds.iter().any(|kind| of_log.contains(kind)), "{kinds:?}");
}

#[tokio::test]
async fn a_deposit_that_is_no_longer_there_is_found() {
    assert_eq!(caught(Lie::List).await, [FindingKind::DroppedDeposit]);
}

#[tokio::test]
async fn a_reading_that_is_told_twice_is_complained_of() {
    let (world, mut patient, _, _, _) = eventful().await;
    let twice: Rewrite = |story| {
        let read = story.iter().position(|(_, _, event)| event.kind == EventKind::Read).unwrap();
        let again = story[read].clone();
        story.insert(read + 1, again);
    };
    let mut reach = liar(&world, &patient.transport(), Lie::Trail(twice));
    let report = audit_all(&mut patient, &mut reach).await.unwrap();
    let again = |complaint: &Complaint| matches!(complaint, Complaint::ToldAgain { .. });
    assert!(report.complaints.iter().any(again), "{:?}", report.complaints);
}

/// What no finding proves to others, and what the patient must know all the same.
#[tokio::test]
async fn a_stranger_and_a_decision_on_another_ledger_are_complained_of() {
    let (world, mut patient, _, _, _) = eventful().await;
    let bare: Rewrite = |story| {
        let read = read_of(story);
        let asked = read.2.request_statement.clone().unwrap().verify().unwrap().into_payload();
        let stranger = Identity::from_seed(&[98; 32]);
        let asked = sign(Request { chain: Vec::new(), ..asked }, &stranger).unwrap();
        read.2.chain.clear();
        read.2.party = stranger.key();
        read.2.request_statement = Some(asked.to_unverified());
        read.2.head.size = 1;
    };
    let mut reach = liar(&world, &patient.transport(), Lie::Trail(bare));
    let report = audit_all(&mut patient, &mut reach).await.unwrap();
    let has = |wanted: fn(&Complaint) -> bool| report.complaints.iter().any(wanted);
    assert!(has(|complaint| matches!(complaint, Complaint::Stranger { .. })), "{:?}", report.complaints);
    assert!(has(|complaint| matches!(complaint, Complaint::OtherLedger { .. })), "{:?}", report.complaints);
}

#[tokio::test]
async fn the_readable_trail_ends_with_the_lie_too() {
    let (world, mut patient, _, _, _) = eventful().await;
    let forged: Rewrite = |story| read_of(story).2.request_statement = None;
    let mut reach = liar(&world, &patient.transport(), Lie::Trail(forged));
    match audit(&mut patient, &mut reach).await {
        Err(AgentError::Lied { kind, accused, .. }) => {
            assert_eq!((kind, accused), (FindingKind::ForgedEntry, log().key()));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_log_that_was_taken_back_contradicts_receipts() {
    let (world, mut patient, _, _, mut b) = eventful().await;
    let vault = patient.vault().unwrap();
    let old = world.rolled_back();
    // What happens from here on is not in the copy.
    let mut home = world.reach(&patient.transport());
    for _ in 0..4 {
        audit(&mut patient, &mut home).await.unwrap();
    }
    let mut from_b = world.reach(&b.transport());
    let refused = list(&mut b, &mut from_b, vault, everything()).await;
    assert!(refused.is_err(), "the grant is revoked");
    check_receipts(&mut b, &mut from_b, vault).await.unwrap();
    world.ambient.advance(1);
    let mut back = liar(&old, &b.transport(), Lie::Nothing);
    let report = check_receipts(&mut b, &mut back, vault).await.unwrap();
    let kinds: Vec<FindingKind> = report.findings.iter().map(|line| line.verdict.kind).collect();
    assert_eq!(kinds, [FindingKind::Rollback], "{:?}", report.complaints);
}
