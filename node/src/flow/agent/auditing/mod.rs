//! The patient's full check of the host: its trail, its list, its log, against the ledger and the receipts held here.
//!
//! What the host signed and contradicts itself by becomes a finding, which anybody can check. It goes on after a lie, so
//! that the report is whole. A receipt that shows a host's deed is worth more the more parties keep theirs: a lie told to
//! one party alone is seen when its receipts meet another's.

mod by_ledger;
mod deposits;
mod examine;
mod trail;

use karute_protocol::trail::Receipt;
use serde::Serialize;

pub(in crate::flow::agent) use trail::{Pulled, held_of, pull_trail};

use self::deposits::{look_for_deposits, whole_list};
use crate::agent::error::{AgentError, Missing};
use crate::agent::patient::Patient;
use crate::flow::agent::check_receipts::{Compared, compare_with_log};
use crate::flow::agent::convict::{Complaint, FindingLine, Noted, convict};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::sync::refresh_patient;

/// What a full check found.
#[derive(Clone, Debug)]
pub struct AuditReport {
    /// How much was looked at.
    pub checks: AuditChecks,
    /// Proven lies.
    pub findings: Vec<FindingLine>,
    /// What is wrong without a proof for others.
    pub complaints: Vec<Complaint>,
}

/// How much a full check looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditChecks {
    /// Events of the trail.
    pub events: u64,
    /// Events whose content was erased.
    pub erased: u64,
    /// Receipts held here that this host gave.
    pub receipts_held: u64,
    /// Sizes of the trail that it signed in them, and that its newest head extends.
    pub heads_extended: u64,
    /// Events that were judged again by their grants.
    pub events_judged: u64,
    /// Confirmed deposits that were looked for in the list.
    pub deposits_looked_for: u64,
}

/// Checks everything that a device can check of its host.
pub async fn audit_all(patient: &mut Patient, reach: &mut Reach) -> Result<AuditReport, AgentError> {
    let (mut noted, mut checks) = (Noted::default(), AuditChecks::default());
    let refreshed = refresh_patient(patient, reach).await;
    noted.step(&patient.keep, refreshed)?;
    let pulled = pull_trail(patient, reach).await?;
    let held = held_of(patient, pulled.node())?;
    let mut examined = pulled.examine(patient, &held)?;
    if pulled.judge(patient).is_err() || !examined.complaints.is_empty() {
        // What went on meanwhile may be explained by what is new in the ledger.
        let refreshed = refresh_patient(patient, reach).await;
        noted.step(&patient.keep, refreshed)?;
        examined = pulled.examine(patient, &held)?;
    }
    noted.step(&patient.keep, pulled.judge(patient))?;
    let trail = pulled.receipts();
    let listed = whole_list(patient, reach).await;
    if let Some(list) = noted.step(&patient.keep, listed)? {
        let all: Vec<&Receipt> = trail.iter().chain(&held).collect();
        checks.deposits_looked_for = look_for_deposits(pulled.node(), &all, &list, &mut examined);
    }
    // All of the trail is under one checkpoint.
    let signed: Vec<&Receipt> = held.iter().chain(trail.first()).chain([&pulled.own]).collect();
    let compared = compare_signed(patient, reach, &signed).await;
    if let Some(compared) = noted.step(&patient.keep, compared)? {
        checks.heads_extended = compared.extended.len() as u64;
        examined.lies.extend(compared.lies);
        examined.complaints.extend(compared.complaints);
    }
    checks.events = pulled.file.items.len() as u64;
    checks.erased = pulled.file.items.iter().filter(|item| item.event.is_none()).count() as u64;
    checks.receipts_held = held.len() as u64;
    checks.events_judged = examined.judged;
    noted.findings.extend(convict(&mut patient.keep, &examined.lies)?);
    noted.complaints.extend(examined.complaints);
    let (findings, complaints) = noted.settle();
    keep_receipt(&mut patient.keep, &pulled.own)?;
    if findings.is_empty() && complaints.is_empty() {
        patient.trail = Some(pulled.file.checkpoint.clone());
        patient.save()?;
    }
    Ok(AuditReport { checks, findings, complaints })
}

async fn compare_signed(patient: &Patient, reach: &mut Reach, signed: &[&Receipt]) -> Result<Compared, AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    compare_with_log(session, patient.ambient(), signed).await
}
