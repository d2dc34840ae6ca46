//! The patient watches the trail: each event as it happens, checked as it comes.
//!
//! Each is proven to a checkpoint of the host, has the number after the one before (those between were erased, and the
//! ledger says so), is not older than the one before (P-38), and carries its request (P-39). A cut is not the end: the
//! watch goes on from the last number. While it only watches it holds no lock on the agent's folder, so that the patient can
//! act on what is seen; what proves a lie is found by an audit, which keeps it.

use std::convert::Infallible;
use std::time::Duration;

use karute_consent::id::NodeId;
use karute_consent::scope::Action;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::{Message, News, TrailItem, Watch};
use karute_protocol::trail::{Event, EventKind, Leaf, Log, TrailIndex, TrailNumber};

use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::patient::Patient;
use crate::flow::agent::audit::{TrailLine, line};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::permitted;
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::sync::refresh_patient;

/// Is told each event, with the patient as far as the ledger is known by then.
pub type Tell<'a> = &'a mut dyn FnMut(&Patient, &TrailLine) -> Result<(), AgentError>;

/// How far the trail was seen.
#[derive(Default)]
struct Seen {
    /// The number that comes next; 0 for that of the watch itself.
    next: TrailNumber,
    last: Option<(Leaf, TrailIndex)>,
    head: Option<TreeHead>,
    /// The host permitted it once: from then on a cut is waited out.
    permitted: bool,
}

/// Tells each event of the vault from a number on, or from now on. Ends only when something is wrong.
pub async fn watch(
    patient: &mut Patient,
    reach: &mut Reach,
    from: Option<u64>,
    tell: Tell<'_>,
) -> Result<Infallible, AgentError> {
    let mut seen = Seen { next: TrailNumber(from.unwrap_or(0)), ..Seen::default() };
    let mut pause = PAUSE_MIN;
    loop {
        let known = seen.next;
        match watch_once(patient, reach, &mut seen, tell).await {
            Ok(()) => {}
            Err(AgentError::Unreachable(_)) if seen.permitted => {
                pause = if seen.next == known { PAUSE_MAX.min(pause * 2) } else { PAUSE_MIN };
            }
            Err(other) => return Err(other),
        }
        reach.hang_up();
        tokio::time::sleep(pause).await;
    }
}

/// Watches until the host ends it or the line is cut.
async fn watch_once(
    patient: &mut Patient,
    reach: &mut Reach,
    seen: &mut Seen,
    tell: Tell<'_>,
) -> Result<(), AgentError> {
    refresh_patient(patient, reach).await?;
    // The ledger is read on beside the watch: what the host sends for this must not wait behind events.
    let mut beside = reach.beside();
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let node = session.node();
    let wanted = Wanted::own(Action::Audit);
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let mut pending = session.start(Watch { request: request.to_unverified(), from: seen.next }).await?;
    let own = permitted(pending.message().await?, patient.view()?, request.payload(), node)?.receipt;
    keep_receipt(&mut patient.keep, &own)?;
    if !seen.permitted {
        seen.permitted = true;
        patient.let_go()?;
    }
    if seen.next == TrailNumber(0) {
        seen.next = own.leaf.number;
    }
    loop {
        match pending.message_within(SILENCE).await? {
            Message::News(news) => {
                if let Some(line) = take(patient, &mut beside, seen, *news, node).await? {
                    tell(patient, &line)?;
                }
            }
            Message::End(_) => return Ok(()),
            _ => return Err(AgentError::Malformed("answer to a watch")),
        }
    }
}

/// Checks an event, and reads on in the ledger where it says that this grew.
async fn take(
    patient: &mut Patient,
    beside: &mut Reach,
    seen: &mut Seen,
    news: News,
    node: NodeId,
) -> Result<Option<TrailLine>, AgentError> {
    let News { item, checkpoint } = news;
    let head = checkpoint.verify(Log::Trail, node).map_err(|_| AgentError::unproven(Unproven::Checkpoint))?;
    let grew = seen.head.as_ref().is_none_or(|before| before.size < head.size || *before == head);
    if !grew {
        return Err(AgentError::unproven(Unproven::ShorterTrail));
    }
    check(patient, seen, &item, &head, node)?;
    let ledger = patient.view()?.state()?.size();
    let appended = |event: &Event| event.kind == EventKind::LedgerAppend && event.head.size >= ledger;
    if item.event.as_ref().is_some_and(appended) || item.leaf.number != seen.next {
        refresh_patient(patient, beside).await?;
    }
    check_gap(patient, seen.next, item.leaf.number)?;
    let line = line(patient, &item)?;
    seen.next = TrailNumber(item.leaf.number.0 + 1);
    (seen.last, seen.head) = (Some((item.leaf, item.index)), Some(head));
    Ok(line)
}

/// What an event shows by itself and beside the one before.
fn check(patient: &Patient, seen: &Seen, item: &TrailItem, head: &TreeHead, node: NodeId) -> Result<(), AgentError> {
    let vault = patient.view()?.vault();
    let event = item.verify(head).map_err(|_| AgentError::unproven(Unproven::Proof))?;
    let event = event.ok_or(AgentError::unproven(Unproven::EventMissing))?;
    if item.leaf.vault != vault || item.leaf.number < seen.next {
        return Err(AgentError::unproven(Unproven::TrailGap));
    }
    let in_order = |(leaf, index): &(Leaf, TrailIndex)| leaf.time <= item.leaf.time && *index < item.index;
    if !seen.last.as_ref().is_none_or(in_order) {
        return Err(AgentError::unproven(Unproven::TrailOrder)); // P-38
    }
    event.check_request(vault, node).map_err(|_| AgentError::unproven(Unproven::Unasked))?; // P-39
    Ok(())
}

/// What was left out has been erased (P-40).
fn check_gap(patient: &Patient, from: TrailNumber, to: TrailNumber) -> Result<(), AgentError> {
    let state = patient.view()?.state()?;
    let erased = (from.0..to.0).all(|number| state.is_event_erased(TrailNumber(number)));
    if erased { Ok(()) } else { Err(AgentError::unproven(Unproven::TrailGap)) }
}

/// A host ends a watch after an hour; a line that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(3660);
/// Pause before a watch is asked for again.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest one, while the host cannot be reached.
const PAUSE_MAX: Duration = Duration::from_secs(30);
