//! A host that lies: what it leaves out, changes or takes back is noticed, and nothing of it is kept.

use karute_consent::template::Template;
use karute_protocol::finding::FindingKind;
use karute_protocol::message::{Hello, Message, RecordAnswer, Synced};
use karute_protocol::record::SealedMeta;
use karute_protocol::wire::{LedgerSize, Octets};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, split};
use tokio::sync::mpsc;

use super::cast::*;
use crate::agent::connect::{Connect, MemoryConnect, MemoryInbound, Stream};
use crate::agent::error::{AgentError, HostFault, Unproven};
use crate::flow::agent::audit::audit;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::records::{RecordFilter, records};
use crate::flow::agent::sync::{sync_facility, sync_patient};
use crate::frame::{Frame, FrameKind, FrameReader, FrameWriter};

/// What becomes of a frame on its way from the host; nothing, if it is dropped.
type Lie = fn(Frame) -> Option<Frame>;

/// A way to the host on which every answer passes a liar.
pub(super) fn lying(
    world: &World,
    transport: &crate::net::TransportSeed,
    lie: impl Fn(Frame) -> Option<Frame> + Clone + Send + Sync + 'static,
) -> Reach {
    let (accept, mut inbound) = mpsc::channel::<MemoryInbound>(16);
    let onward = world.memory(transport);
    tokio::spawn(async move {
        while let Some(MemoryInbound { stream, .. }) = inbound.recv().await {
            let line = Connect::Memory(onward.clone()).open(&[ADDRESS.to_owned()]).await.ok().unwrap();
            tokio::spawn(relay(stream, line.stream, lie.clone()));
        }
    });
    let peer = transport.peer_key().to_bytes();
    Reach::new(Connect::Memory(MemoryConnect::new(peer).with_host(ADDRESS, accept)))
}

async fn relay(agent: DuplexStream, host: Box<dyn Stream>, lie: impl Fn(Frame) -> Option<Frame> + Sync) {
    let ((from_agent, to_agent), (from_host, to_host)) = (split(agent), split(host));
    let up = pass_on_deaf(from_agent, to_host);
    let down = async {
        let (mut reader, mut writer) = (FrameReader::new(from_host), FrameWriter::new(to_agent));
        while let Ok(Some(frame)) = reader.next(std::time::Duration::from_secs(60)).await {
            if let Some(frame) = lie(frame) {
                writer.write(&frame).await.unwrap();
                writer.flush().await.unwrap();
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}

/// A liar does not hear which heads others saw of it: an honest host that lacks one of them would stop (P-49).
pub(super) async fn pass_on_deaf(agent: impl AsyncRead + Unpin, host: impl AsyncWrite + Unpin + Send + 'static) {
    let (mut reader, mut writer) = (FrameReader::new(agent), FrameWriter::new(host));
    while let Ok(Some(frame)) = reader.next(std::time::Duration::from_secs(60)).await {
        let heard = match message(&frame) {
            Some(Message::Hello(hello)) => with(frame, Hello { heads: Vec::new(), ..*hello }).unwrap(),
            _ => frame,
        };
        writer.write(&heard).await.unwrap();
        writer.flush().await.unwrap();
    }
}

/// The message in a frame, if it is one.
pub(super) fn message(frame: &Frame) -> Option<Message> {
    (frame.kind == FrameKind::Message).then(|| Message::decode(&frame.payload).unwrap())
}

pub(super) fn with(frame: Frame, message: impl Into<Message>) -> Option<Frame> {
    let message: Message = message.into();
    Some(Frame { payload: message.encode().unwrap().into(), ..frame })
}

fn on_record(frame: Frame, change: fn(RecordAnswer) -> Option<RecordAnswer>) -> Option<Frame> {
    match message(&frame) {
        Some(Message::RecordAnswer(answer)) => change(*answer).and_then(|answer| with(frame, answer)),
        _ => Some(frame),
    }
}

/// A host that took its logs back convicts itself: by how far it was, or by what it signs at a size that it had before.
fn convicted<T: std::fmt::Debug>(result: Result<T, AgentError>) {
    let by = |kind| matches!(kind, FindingKind::Rollback | FindingKind::Equivocation | FindingKind::Inconsistency);
    match result {
        Err(AgentError::Lied { kind, .. }) if by(kind) => {}
        other => panic!("expected the host to be convicted, got {other:?}"),
    }
}

pub(super) fn what<T: std::fmt::Debug>(result: Result<T, AgentError>) -> Unproven {
    match result {
        Err(AgentError::VerificationFailed { what }) => what,
        other => panic!("expected a lie to be noticed, got {other:?}"),
    }
}

#[tokio::test]
async fn a_list_that_leaves_a_record_out_is_noticed() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let files = [world.file("one", 100, 1), world.file("two", 200, 2)];
    put(&mut a, &mut from_a, vault, files.iter().map(|f| record(f, IMAGING)).collect()).await.unwrap();
    let without_first: Lie = |frame| on_record(frame, |answer| (answer.number.0 != 1).then_some(answer));
    let mut liar = lying(&world, &patient.transport(), without_first);
    assert_eq!(what(records(&mut patient, &mut liar, RecordFilter::default()).await), Unproven::Omission);
    let other_number: Lie = |frame| {
        on_record(frame, |mut answer| {
            answer.number.0 += 1;
            Some(answer)
        })
    };
    let mut liar = lying(&world, &patient.transport(), other_number);
    assert_eq!(what(records(&mut patient, &mut liar, RecordFilter::default()).await), Unproven::Omission);
    let other_place: Lie = |frame| {
        on_record(frame, |mut answer| {
            answer.generation.0 += 1;
            Some(answer)
        })
    };
    let mut liar = lying(&world, &patient.transport(), other_place);
    assert_eq!(what(records(&mut patient, &mut liar, RecordFilter::default()).await), Unproven::Record);
}

#[tokio::test]
async fn a_changed_body_or_description_is_noticed_and_leaves_no_file() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut b, _) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    let files = [world.file("one", 300_000, 1), world.file("two", 2_000, 2)];
    put(&mut a, &mut from_a, vault, files.iter().map(|f| record(f, IMAGING)).collect()).await.unwrap();
    let flipped_piece: Lie = |frame| match frame.kind {
        FrameKind::Piece => {
            let mut bytes = frame.payload.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            Some(Frame { payload: bytes.into(), ..frame })
        }
        FrameKind::Message => Some(frame),
    };
    let flipped_inline: Lie = |frame| {
        on_record(frame, |mut answer| {
            if let Some(Octets(bytes)) = &mut answer.body {
                bytes[100] ^= 1;
            }
            Some(answer)
        })
    };
    let flipped_meta: Lie = |frame| {
        on_record(frame, |mut answer| {
            let mut bytes = answer.meta.as_bytes().to_vec();
            bytes[80] ^= 1;
            answer.meta = SealedMeta(Octets(bytes));
            Some(answer)
        })
    };
    for (lie, expected) in
        [(flipped_piece, Unproven::Body), (flipped_inline, Unproven::Body), (flipped_meta, Unproven::Record)]
    {
        let to = world.folder("b");
        let mut liar = lying(&world, &b.transport(), lie);
        assert_eq!(what(get(&mut b, &mut liar, vault, &to).await), expected);
        let partial = std::fs::read_dir(&to)
            .unwrap()
            .any(|entry| entry.unwrap().path().extension().is_some_and(|e| e == "partial"));
        assert!(!partial, "an unfinished file stayed");
        std::fs::remove_dir_all(&to).unwrap();
    }
}

#[tokio::test]
async fn a_ledger_that_is_taken_back_or_cut_short_is_noticed() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    sync_facility(&mut b, &mut from_b, vault).await.unwrap();
    let old = world.rolled_back();
    granted(&mut patient, &mut home, &b, Template::FirstVisit, &[IMAGING]).await;
    sync_facility(&mut b, &mut from_b, vault).await.unwrap();
    let size = patient.view().unwrap().size();
    world.ambient.advance(120); // long enough for what it acknowledged to have to be there
    let mut back = lying(&old, &patient.transport(), Some);
    convicted(sync_patient(&mut patient, &mut back).await);
    let mut back = lying(&old, &b.transport(), Some);
    convicted(sync_facility(&mut b, &mut back, vault).await);
    assert_eq!(patient.view().unwrap().size(), size, "nothing was forgotten");

    granted(&mut patient, &mut home, &b, Template::FirstVisit, &[IMAGING]).await;
    let short: Lie = |frame| match message(&frame) {
        Some(Message::Item(_)) => None,
        Some(Message::Synced(synced)) => with(frame, Synced { size: LedgerSize(synced.size.0 - 1), ..*synced }),
        _ => Some(frame),
    };
    let mut liar = lying(&world, &b.transport(), short);
    assert!(matches!(what(sync_facility(&mut b, &mut liar, vault).await), Unproven::OlderHead | Unproven::Checkpoint));
}

#[tokio::test]
async fn another_node_is_not_taken_for_the_host() {
    let world = World::new();
    let (mut patient, _, _) = world.patient().await;
    let other = World::with_log(5);
    let mut elsewhere = other.reach(&patient.transport());
    assert_eq!(what(sync_patient(&mut patient, &mut elsewhere).await), Unproven::Node);
}

#[tokio::test]
async fn a_trail_with_a_gap_or_without_a_receipted_event_is_noticed() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let file = world.file("one", 100, 1);
    put(&mut a, &mut from_a, vault, vec![record(&file, IMAGING)]).await.unwrap();
    let gap: Lie = |frame| match message(&frame) {
        Some(Message::TrailItem(item)) if item.leaf.number.0 == 2 => None,
        _ => Some(frame),
    };
    let mut liar = lying(&world, &patient.transport(), gap);
    assert_eq!(what(audit(&mut patient, &mut liar).await), Unproven::TrailGap);
    let old = world.rolled_back();
    granted(&mut patient, &mut home, &a, Template::Deposit, &[LAB]).await;
    let before = audit(&mut patient, &mut home).await.unwrap();
    assert_eq!((before.checks.not_shorter, before.checks.receipts_missing), (true, 0));
    let mut back = old.reach(&patient.transport());
    let stopped = audit(&mut patient, &mut back).await;
    assert!(matches!(stopped, Err(AgentError::Fault(HostFault::Storage))), "a copy that is shown what it lacks stops");
}
