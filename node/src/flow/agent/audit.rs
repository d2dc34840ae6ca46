//! The patient reads the trail: all of it, checked, so that nothing is missing, changed or out of place.
//!
//! A receipt held from earlier must be found in the trail, at its number and place. What contradicts what the host signed
//! is a lie: see [`auditing`](crate::flow::agent::auditing), which checks all that a device can check.

use karute_consent::id::{NodeId, PartyKey, RecordId, RootNumber, StatementId};
use karute_consent::scope::Action;
use karute_consent::time::Timestamp;
use karute_protocol::keys::Root;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::TrailItem;
use karute_protocol::particulars::ActingPerson;
use karute_protocol::trail::{Event, EventKind, Log, Receipt};
use serde::Serialize;

use crate::agent::error::AgentError;
use crate::agent::patient::Patient;
use crate::agent::trail_file::TrailFile;
use crate::flow::agent::auditing::{Pulled, held_of, pull_trail};
use crate::flow::agent::convict::{convict, refuse_liar};
use crate::flow::agent::lines::{text, text_if, texts};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::sync::refresh_patient;

/// One event of the trail.
#[derive(Clone, Debug, Serialize)]
pub struct TrailLine {
    /// Its number in this vault, from 1 without gap.
    pub number: u64,
    /// When, by the host's clock.
    pub time: Timestamp,
    /// What was done.
    #[serde(serialize_with = "text")]
    pub kind: EventKind,
    /// Who acted.
    #[serde(serialize_with = "text")]
    pub party: PartyKey,
    /// That party's name, where a card of it was seen; this device and the host by what they are.
    pub party_name: Option<String>,
    /// What was asked for.
    #[serde(serialize_with = "text_if")]
    pub action: Option<Action>,
    /// What for, as a code.
    pub purpose: Option<String>,
    /// Records, the first 64 of them.
    #[serde(serialize_with = "texts")]
    pub records: Vec<RecordId>,
    /// Records in all.
    pub count: u64,
    /// 0, or the number of the deny reason.
    pub outcome: u8,
    /// Who sat at the desk, and why, as the reader said.
    pub acting: Option<Acting>,
    /// The grants that were used, root first.
    #[serde(serialize_with = "texts")]
    pub chain: Vec<StatementId>,
}

/// Who sat at a reader's desk.
#[derive(Clone, Debug, Serialize)]
pub struct Acting {
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// The reason.
    pub reason: String,
}

/// What an audit checked.
#[derive(Clone, Debug, Serialize)]
pub struct TrailChecks {
    /// Numbers count from 1 to the last without gap.
    pub gapless: bool,
    /// Every event is under the host's signed checkpoint.
    pub proofs: bool,
    /// The trail is not shorter than at the last audit, and not another one of the same length.
    pub not_shorter: bool,
    /// Receipts held here that stand in the trail at their place.
    pub receipts_found: u64,
    /// Receipts held here that do not: the host changed its trail.
    pub receipts_missing: u64,
}

/// An event whose content was erased by the patient's order; that there was one stays proven.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ErasedLine {
    /// Its number in this vault.
    pub number: u64,
    /// When, by the host's clock.
    pub time: Timestamp,
}

/// An audited trail.
#[derive(Clone, Debug, Serialize)]
pub struct Trail {
    /// The events, by number.
    pub lines: Vec<TrailLine>,
    /// Events whose content was erased, by number.
    pub erased: Vec<ErasedLine>,
    /// What was checked.
    pub checks: TrailChecks,
    /// The host's signed word on its trail.
    pub checkpoint: String,
    /// All of it as a trail file, for who checks offline.
    #[serde(skip)]
    pub evidence: Vec<u8>,
}

/// Pulls and checks the trail of the vault. A lie that it proves ends the deed, and its proof is kept.
pub async fn audit(patient: &mut Patient, reach: &mut Reach) -> Result<Trail, AgentError> {
    refresh_patient(patient, reach).await?;
    let pulled = pull_trail(patient, reach).await?;
    let held = held_of(patient, pulled.node())?;
    let examined = pulled.examine(patient, &held)?;
    refuse_liar(&convict(&mut patient.keep, &examined.lies)?)?;
    let whole = pulled.judge(patient)?;
    let Pulled { file, own, .. } = pulled;
    let not_shorter = check_growth(patient, &whole.head, file.node)?;
    let (receipts_found, receipts_missing) = count_held(&held, &file);
    keep_receipt(&mut patient.keep, &own)?;
    patient.trail = Some(file.checkpoint.clone());
    patient.save()?;
    let lines = file.items.iter().filter_map(|item| line(patient, item).transpose()).collect::<Result<_, _>>()?;
    let gone = file.items.iter().filter(|item| item.event.is_none());
    let erased = gone.map(|item| ErasedLine { number: item.leaf.number.0, time: item.leaf.time }).collect();
    let checks = TrailChecks { gapless: true, proofs: true, not_shorter, receipts_found, receipts_missing };
    let evidence = file.to_bytes().map_err(|_| AgentError::Malformed("trail"))?;
    Ok(Trail { lines, erased, checks, checkpoint: file.checkpoint.0, evidence })
}

/// Whether the trail is at least as long as at the last audit.
fn check_growth(patient: &Patient, head: &TreeHead, node: NodeId) -> Result<bool, AgentError> {
    let Some(before) = &patient.trail else { return Ok(true) };
    let Ok(before) = before.verify(Log::Trail, node) else { return Ok(true) }; // of another host, before a move
    Ok(before.size < head.size || before == *head)
}

/// How many receipts held here stand in the trail, and how many do not.
fn count_held(held: &[Receipt], file: &TrailFile) -> (u64, u64) {
    let own = held.iter().filter(|receipt| receipt.leaf.vault == file.vault);
    let (found, missing): (Vec<_>, Vec<_>) = own.partition(|receipt| {
        let place = usize::try_from(receipt.leaf.number.0.saturating_sub(1)).unwrap_or(usize::MAX);
        file.items.get(place).is_some_and(|item| item.leaf == receipt.leaf && item.index == receipt.index)
    });
    (found.len() as u64, missing.len() as u64)
}

/// An event as a line; nothing for one that was erased.
pub(super) fn line(patient: &Patient, item: &TrailItem) -> Result<Option<TrailLine>, AgentError> {
    let Some(event) = &item.event else { return Ok(None) };
    let Event { kind, party, request, chain, action, purpose, records, count, outcome, acting, .. } = event;
    let vault = patient.view()?.vault();
    let mut person = None;
    if let (Some(sealed), Some(request)) = (acting, request) {
        for number in (0..patient.roots.len() as u32).rev() {
            let root = Root::new(RootNumber(number), patient.root(RootNumber(number))?);
            if let Ok(opened) = ActingPerson::open(sealed, &root.audit_secret(), vault, *request) {
                person = Some(Acting { name: opened.name, role: opened.role, reason: opened.reason });
                break;
            }
        }
    }
    Ok(Some(TrailLine {
        number: item.leaf.number.0,
        time: item.leaf.time,
        kind: *kind,
        party: *party,
        party_name: patient.label(*party).map(str::to_owned),
        action: *action,
        purpose: purpose.map(|purpose| purpose.to_string()),
        records: records.clone(),
        count: *count,
        outcome: outcome.0,
        acting: person,
        chain: chain.clone(),
    }))
}
