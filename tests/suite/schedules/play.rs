//! Plays one schedule and judges it.
//!
//! ```text
//!   readers ── request ──> host ── frames ──> transport        every byte is stamped when the transport takes it
//!   revoker ── revocation ──> host ── acknowledgement ──>      stamped before the transport is given its first byte
//! ```
//! What was permitted under the revoked grant, or below it, has only stamps below that of the acknowledgement.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use karute_consent::id::{PartyKey, RecordId, StatementId};
use karute_consent::ledger::EntryKind;
use karute_consent::party::Identity;
use karute_consent::scope::Action;
use karute_node::frame::FrameId;
use karute_protocol::message::frame::FrameKind;
use karute_protocol::message::{Fault, FaultCode, Fetch, List, Message, Revoke, Sync};
use karute_protocol::wire::LedgerSize;
use karute_tests::world::seed_of;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ground::{Ground, Seat};
use super::plan::{Asks, By, Plan, Reader, When};
use super::stream::{Handed, Log, Pace};

/// How an answer ended on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With its last message.
    Whole,
    /// With the refusal.
    Refused,
    /// The stream was cut off.
    Cut,
}

/// What is to be found in the trail of one party: whether anything of it was refused.
pub(super) struct Ended {
    pub(super) party: PartyKey,
    pub(super) end: End,
    /// Whether its grant was revoked.
    pub(super) revoked: bool,
}

/// What came of a schedule.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) wrong: String,
    pub(super) ended: Vec<Ended>,
    /// Bytes of revoked answers that were handed over before the acknowledgement, and behind it.
    pub(super) before: u64,
    pub(super) behind: u64,
}

/// A reader at work.
struct Sitting {
    reader: Reader,
    party: PartyKey,
    seat: Seat,
    number: FrameId,
}

/// The holder of the grant at a level of a schedule's chain.
pub(super) fn holder(plan: &Plan, level: usize) -> Identity {
    Identity::from_seed(&seed_of(plan.seed, &format!("holder {level}")))
}

/// Plays the schedule of a chain of grants, root first.
pub(super) async fn play(ground: &Ground, plan: &Plan, chain: &[StatementId]) -> Outcome {
    let records: BTreeSet<RecordId> = ground
        .records
        .iter()
        .enumerate()
        .filter(|(place, _)| plan.records >> place & 1 == 1)
        .map(|(_, r)| r.0)
        .collect();
    let mut seats = Vec::new();
    for (number, reader) in plan.readers.iter().enumerate() {
        let name = format!("reader {} {number}", plan.seed);
        let pace = if reader.level < plan.revoked { reader.pace.that_ends() } else { reader.pace };
        seats.push((*reader, ground.seat(&name, reader.pipe, pace).await));
    }
    let log = seats[0].1.log.clone();
    let revoking = revoke_when(ground, plan, chain, &log);
    let reading = async {
        if plan.when == When::Before {
            // The revocation is on its way, not more: it is sent while the requests are being signed.
            tokio::task::yield_now().await;
        }
        let mut sittings = Vec::new();
        for (reader, seat) in seats {
            sittings.push(sit_down(ground, plan, chain, &records, reader, seat).await);
        }
        let mut ended = Vec::new();
        for sitting in sittings {
            ended.push(sitting.await.expect("no reader panics"));
        }
        ended
    };
    let (acknowledged, sittings) = tokio::join!(revoking, reading);
    let mut outcome = Outcome::default();
    for sitting in &sittings {
        judge(ground, plan, &records, sitting, acknowledged, &mut outcome);
    }
    outcome
}

impl Pace {
    /// The same, for a reader whom nobody cuts off: it reads to the end.
    fn that_ends(self) -> Self {
        if let Self::Stop(_) = self { Self::Fast } else { self }
    }
}

/// Sends the request of a reader, and reads what comes until it is whole or the host has ended the session.
async fn sit_down(
    ground: &Ground,
    plan: &Plan,
    chain: &[StatementId],
    records: &BTreeSet<RecordId>,
    reader: Reader,
    mut seat: Seat,
) -> JoinHandle<Sitting> {
    let identity = holder(plan, reader.level);
    let chain = &chain[..=reader.level];
    let message = match reader.asks {
        Asks::Fetch => {
            let request = ground.request(&mut seat, &identity, Action::Read, chain, Some(records.clone()));
            Message::from(Fetch { request, acting: None, range: None })
        }
        Asks::List => {
            let request = ground.request(&mut seat, &identity, Action::List, chain, None);
            List { request, acting: None }.into()
        }
        Asks::Sync => {
            let request = ground.request(&mut seat, &identity, Action::Sync, &[], None);
            let from = LedgerSize(ground.state().size().saturating_sub(20));
            Sync { request, from }.into()
        }
    };
    let number = seat.sends(message).await;
    tokio::spawn(async move {
        let mut seat = seat;
        seat.has_what_comes(number).await;
        Sitting { reader, party: identity.key(), seat, number }
    })
}

/// Waits for the moment, revokes, and gives the stamp before the first byte of the acknowledgement.
async fn revoke_when(ground: &Ground, plan: &Plan, chain: &[StatementId], log: &Log) -> u64 {
    let mut seat = ground.seat(&format!("revoker {}", plan.seed), 64 << 10, Pace::Fast).await;
    if let When::After(bytes) = plan.when {
        // A reader that stalls or stops never gets so far.
        let _ = timeout(MOMENT, log.reaches(log.len() + bytes)).await;
    }
    let grant = chain[plan.revoked];
    loop {
        let message = match plan.by {
            By::Append => {
                let body = ground.revocation(grant, &ground.device());
                Message::from(ground.append(EntryKind::Revocation, &body, &[], &ground.device()))
            }
            _ => Revoke { revocation: ground.revocation(grant, &revoker(ground, plan)).to_unverified() }.into(),
        };
        let number = seat.sends(message).await;
        let answered = seat.wire.answer_to(number).await.expect("a revocation is answered");
        match answered.first() {
            Some(Message::Appended(_)) => return acknowledged(&seat.log, number),
            // Another schedule's entry came first.
            Some(Message::Fault(fault)) if *fault == (Fault { code: FaultCode::Conflict }) => {}
            other => panic!("{plan:?}: {other:?}"),
        }
    }
}

fn revoker(ground: &Ground, plan: &Plan) -> Identity {
    match plan.by {
        By::Guardian => Identity::from_seed(&ground.guardian.0.to_seed()),
        By::Issuer if plan.revoked > 0 => holder(plan, plan.revoked - 1),
        _ => ground.device(),
    }
}

/// The stamp before the first byte of the acknowledgement under this number.
pub(super) fn acknowledged(log: &Log, number: FrameId) -> u64 {
    let frames = log.frames();
    let acknowledgement = frames.iter().find(|frame| frame.number == number.0 && frame.tag() == Some(APPENDED));
    acknowledgement.expect("it was read").begun
}

fn judge(
    ground: &Ground,
    plan: &Plan,
    records: &BTreeSet<RecordId>,
    sitting: &Sitting,
    acknowledged: u64,
    outcome: &mut Outcome,
) {
    let Sitting { reader, party, seat, number } = sitting;
    let frames = seat.log.answer(*number);
    let end = end_of(&frames);
    let mut wrong = |what: &str| {
        let _ = writeln!(outcome.wrong, "{plan:?}\n  {reader:?}: {what}");
    };
    let whole = if reader.asks == Asks::Fetch {
        let expected = ground.expected(records);
        let got: Vec<&Handed> = frames.iter().filter(|frame| is_content(frame)).collect();
        if !is_beginning(&got, &expected) {
            wrong("what was handed over is no beginning of the answer");
        }
        got.len() == expected.len() && got.iter().all(|frame| frame.whole)
    } else {
        true
    };
    if end == End::Whole && !whole {
        wrong("the answer ended before it was whole");
    }
    let revoked = reader.level >= plan.revoked;
    if !revoked && end != End::Whole {
        wrong(&format!("nobody revoked its grant, but it ended {end:?}"));
    }
    if end == End::Cut && reader.pace == Pace::Fast {
        wrong("a reader who reads was cut off");
    }
    // A sync goes on after the revocation, without the packages of the grant; a refusal is permitted to everybody.
    let rests_on_grant = |frame: &&Handed| match reader.asks {
        Asks::Sync => frame.tag() == Some(PACKAGE),
        _ => frame.tag() != Some(REFUSAL),
    };
    for frame in frames.iter().filter(rests_on_grant).filter(|_| revoked) {
        if frame.done > acknowledged {
            outcome.behind += frame.payload.len() as u64;
        } else {
            outcome.before += frame.payload.len() as u64;
        }
    }
    if reader.asks != Asks::Sync {
        outcome.ended.push(Ended { party: *party, end, revoked });
    }
}

pub(super) fn end_of(frames: &[Handed]) -> End {
    match frames.last() {
        Some(last) if last.whole && last.tag() == Some(REFUSAL) => End::Refused,
        Some(last) if last.whole && matches!(last.tag(), Some(ENDED | SYNCED | LISTED)) => End::Whole,
        _ => End::Cut,
    }
}

fn is_content(frame: &Handed) -> bool {
    frame.kind == FrameKind::Piece || frame.tag() == Some(RECORD)
}

/// Whether frames are the first of those expected, the last of them perhaps not whole.
fn is_beginning(got: &[&Handed], expected: &[&(FrameKind, Vec<u8>)]) -> bool {
    got.len() <= expected.len()
        && got.iter().zip(expected).all(|(got, (kind, payload))| {
            let same = if got.whole { got.payload == *payload } else { payload.starts_with(&got.payload) };
            got.kind == *kind && same
        })
}

/// Longest wait for the bytes after which a revocation is to land.
const MOMENT: Duration = Duration::from_millis(100);
const REFUSAL: u8 = 8;
const APPENDED: u8 = 10;
const PACKAGE: u8 = 16;
const SYNCED: u8 = 18;
const RECORD: u8 = 28;
const ENDED: u8 = 30;
const LISTED: u8 = 34;
