//! The patient audits: pulls the whole trail of the vault and checks that nothing is missing, changed or out of place.
//!
//! A receipt held from earlier must be found in the trail, at its number and place. A trail that shrank since the last audit is
//! caught; that it only grew in between is shown by the receipts, since a host sends no consistency proof.

use karute_consent::id::{NodeId, PartyKey, RecordId, RootNumber, StatementId};
use karute_consent::scope::Action;
use karute_consent::time::Timestamp;
use karute_protocol::keys::Root;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::{Audit, Message, TrailItem};
use karute_protocol::particulars::ActingPerson;
use karute_protocol::trail::{Event, EventKind, Log, Receipt, TrailNumber, verify_event};
use serde::Serialize;

use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::patient::Patient;
use crate::agent::trail_file::TrailFile;
use crate::flow::agent::lines::{text, text_if, texts};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::permitted;
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

/// An audited trail.
#[derive(Clone, Debug, Serialize)]
pub struct Trail {
    /// The events, by number.
    pub lines: Vec<TrailLine>,
    /// What was checked.
    pub checks: TrailChecks,
    /// The host's signed word on its trail.
    pub checkpoint: String,
    /// All of it as a trail file, for who checks offline.
    #[serde(skip)]
    pub evidence: Vec<u8>,
}

/// Pulls and checks the trail of the vault.
pub async fn audit(patient: &mut Patient, reach: &mut Reach) -> Result<Trail, AgentError> {
    refresh_patient(patient, reach).await?;
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let node = session.node();
    let wanted = Wanted::own(Action::Audit);
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let mut pending = session.start(Audit { request: request.to_unverified(), from: TrailNumber(1) }).await?;
    let (mut items, mut own_receipt): (Vec<TrailItem>, Option<Receipt>) = (Vec::new(), None);
    let checkpoint = loop {
        match pending.message().await? {
            message @ Message::Permitted(_) => {
                own_receipt = Some(permitted(message, patient.view()?, request.payload(), node)?.receipt);
            }
            Message::TrailItem(item) => items.push(*item),
            Message::Listed(listed) => break listed.checkpoint,
            _ => return Err(AgentError::Malformed("answer to an audit")),
        }
    };
    let head = checkpoint.verify(Log::Trail, node).map_err(|_| AgentError::unproven(Unproven::Checkpoint))?;
    check_items(patient, &items, &head)?;
    let not_shorter = check_growth(patient, &head, node)?;
    let (receipts_found, receipts_missing) = check_receipts(patient, &items, node)?;
    if let Some(receipt) = own_receipt {
        keep_receipt(&mut patient.keep, &receipt)?;
    }
    patient.trail = Some(checkpoint.clone());
    patient.save()?;
    let vault = patient.view()?.vault();
    let lines: Vec<TrailLine> = items.iter().map(|item| line(patient, item)).collect::<Result<_, _>>()?;
    let checks = TrailChecks { gapless: true, proofs: true, not_shorter, receipts_found, receipts_missing };
    let file = TrailFile::new(vault, node, checkpoint.clone(), items);
    let evidence = file.to_bytes().map_err(|_| AgentError::Malformed("trail"))?;
    Ok(Trail { lines, checks, checkpoint: checkpoint.0, evidence })
}

/// Numbers from 1 without gap, each of this vault and under the checkpoint.
fn check_items(patient: &Patient, items: &[TrailItem], head: &TreeHead) -> Result<(), AgentError> {
    let vault = patient.view()?.vault();
    for (place, item) in items.iter().enumerate() {
        if item.leaf.number != TrailNumber(place as u64 + 1) || item.leaf.vault != vault {
            return Err(AgentError::unproven(Unproven::TrailGap));
        }
        verify_event(&item.leaf, &item.salt, &item.event, item.index, &item.proof, head)
            .map_err(|_| AgentError::unproven(Unproven::Proof))?;
    }
    Ok(())
}

/// Whether the trail is at least as long as at the last audit.
fn check_growth(patient: &Patient, head: &TreeHead, node: NodeId) -> Result<bool, AgentError> {
    let Some(before) = &patient.trail else { return Ok(true) };
    let Ok(before) = before.verify(Log::Trail, node) else { return Ok(true) }; // of another host, before a move
    Ok(before.size < head.size || before == *head)
}

/// How many receipts held here stand in the trail, and how many do not.
fn check_receipts(patient: &Patient, items: &[TrailItem], node: NodeId) -> Result<(u64, u64), AgentError> {
    let (mut found, mut missing) = (0, 0);
    for receipt in patient.keep.receipts::<Receipt>()? {
        if receipt.leaf.vault != patient.view()?.vault() || receipt.verify(node).is_err() {
            continue;
        }
        let place = usize::try_from(receipt.leaf.number.0.saturating_sub(1)).unwrap_or(usize::MAX);
        match items.get(place) {
            Some(item) if item.leaf == receipt.leaf && item.index == receipt.index => found += 1,
            _ => missing += 1,
        }
    }
    Ok((found, missing))
}

fn line(patient: &Patient, item: &TrailItem) -> Result<TrailLine, AgentError> {
    let Event { kind, party, request, chain, action, purpose, records, count, outcome, acting, .. } = &item.event;
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
    Ok(TrailLine {
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
    })
}
