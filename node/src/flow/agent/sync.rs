//! Syncing: a device or a facility brings its copy of the ledger up to date, and believes nothing that does not extend it.

use karute_consent::ask::Outcome;
use karute_consent::id::{AskId, CollectionId, StatementId, VaultId};
use karute_consent::request::Head;
use serde::Serialize;

use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::facility::Facility;
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;
use crate::flow::agent::append::{TRIES, append, lost_the_race};
use crate::flow::agent::collections::{directory_is_due, next_directory};
use crate::flow::agent::grants::facility_grants;
use crate::flow::agent::holding::check_packages;
use crate::flow::agent::lines::{GrantLine, text, text_if, texts};
use crate::flow::agent::pass_on::pass_on;
use crate::flow::agent::pull::{NotPulled, Pulled, pull, pull_face};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::refile::refile;
use crate::flow::agent::roots::take_roots;
use crate::flow::agent::rotate::rotate_pending;
use crate::flow::agent::session::Session;
use crate::flow::agent::settle::{Accepted, Settled, refused_ledger, settle};
use crate::flow::agent::witnesses::{Witnessing, witnessing};

/// What a device's sync did.
#[derive(Clone, Debug, Serialize)]
pub struct PatientSync {
    /// Entries of the ledger.
    pub size: u64,
    /// Entries that were new here.
    pub new_entries: u64,
    /// Runs that were filed from the inbox into their collections.
    pub refiled: u64,
    /// Grants that were given new keys, since somebody else revoked one.
    pub resealed: u64,
    /// Collections that wait for new keys.
    #[serde(serialize_with = "texts")]
    pub pending: Vec<CollectionId>,
    /// Seconds between the host's clock and this one, if they are too many.
    pub clock_off_secs: Option<u64>,
}

/// What a facility's sync found.
#[derive(Clone, Debug, Serialize)]
pub struct FacilitySync {
    /// Entries of the ledger.
    pub size: u64,
    /// Grants that this facility holds.
    pub grants: Vec<GrantLine>,
    /// Answers to its asks.
    pub answers: Vec<AskAnswerLine>,
    /// Key packages that open and whose keys are the directory's.
    pub packages: u64,
    /// Packages that were sealed on to holders of child grants.
    pub passed_on: u64,
    /// Grants whose keys do not hold: something is wrong, at the patient's or on the way.
    #[serde(serialize_with = "texts")]
    pub complaints: Vec<StatementId>,
    /// Who vouches for the ledger, and since when.
    pub witnesses: Witnessing,
    /// Findings kept here: proofs that a node or a witness lied.
    pub findings: u64,
    /// Seconds between the host's clock and this one, if they are too many.
    pub clock_off_secs: Option<u64>,
}

/// The patient's answer to an ask.
#[derive(Clone, Debug, Serialize)]
pub struct AskAnswerLine {
    /// The ask.
    #[serde(serialize_with = "text")]
    pub ask: AskId,
    /// What came of it.
    #[serde(serialize_with = "text")]
    pub outcome: Outcome,
    /// The grant that came of it.
    #[serde(serialize_with = "text_if")]
    pub grant: Option<StatementId>,
}

/// Brings a device up to date; then does what only a device can: new keys where they are due, the inbox filed.
pub async fn sync_patient(patient: &mut Patient, reach: &mut Reach) -> Result<PatientSync, AgentError> {
    let new_entries = refresh_patient(patient, reach).await?;
    let resealed = rotate_pending(patient, reach).await?;
    renew_directory(patient, reach).await?;
    let refiled = refile(patient, reach).await?;
    let settled = settle_patient(patient, reach).await?;
    let view = patient.view()?;
    let pending = view.state()?.pending().collect();
    let clock_off_secs = settled.clock_off_secs;
    Ok(PatientSync { size: view.size(), new_entries, refiled, resealed, pending, clock_off_secs })
}

/// Asks the host, and through it the witnesses, about the newest head of the vault's ledger. A session that has shown no
/// right in the vault yet, as after a cut, begins with reading it.
pub(super) async fn settle_patient(patient: &mut Patient, reach: &mut Reach) -> Result<Settled, AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    if reach.host(&link, patient.view()?).await?.is_new() {
        refresh_patient(patient, reach).await?;
    }
    let accepted = Accepted::of(patient.view()?)?;
    let session = reach.host(&link, patient.view()?).await?;
    settle(session, &mut patient.keep, accepted.as_ref()).await
}

/// The same for a facility.
pub(super) async fn settle_facility(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
) -> Result<Settled, AgentError> {
    let known = facility.known(vault)?;
    if reach.host(known.link(), known.view()).await?.is_new() {
        refresh_facility(facility, reach, vault).await?;
    }
    let known = facility.known(vault)?;
    let accepted = Accepted::of(known.view())?;
    let session = reach.host(known.link(), known.view()).await?;
    settle(session, &mut facility.keep, accepted.as_ref()).await
}

/// Reads the ledger and takes roots; nothing is written to the vault.
pub(super) async fn refresh_patient(patient: &mut Patient, reach: &mut Reach) -> Result<u64, AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let floor = patient.view()?.head();
    let accepted = Accepted::of(patient.view()?)?;
    if !patient.view()?.is_whole() {
        *patient.view_mut()? = VaultView::new_whole(link.vault()); // what a recovery that was cut off left
    }
    reach.tell(patient.keep.heads().gossip(patient.view()?.home()));
    let session = reach.host(&link, patient.view()?).await?;
    let pulled = match read_on(patient, session, floor).await {
        Ok(pulled) => pulled,
        Err(not) => return Err(refused_ledger(session, &mut patient.keep, accepted.as_ref(), not).await),
    };
    let node = session.node();
    let new_entries = pulled.accept(patient.view_mut()?)?;
    if patient.view()?.home() != Some(node) {
        return Err(AgentError::unproven(Unproven::Node));
    }
    if new_entries > 0 {
        let before = patient.roots.len();
        take_roots(patient)?;
        if patient.roots.len() != before {
            patient.save()?;
        }
        patient.save_view()?;
    }
    settle(session, &mut patient.keep, None).await?;
    Ok(new_entries)
}

/// Reads what follows the known part. Where that does not fit, the whole ledger is read: it shows what the host did.
async fn read_on(patient: &Patient, session: &mut Session, floor: Option<Head>) -> Result<Pulled, NotPulled> {
    let (ambient, device) = (patient.ambient(), &patient.device);
    let not = match pull(session, ambient, device, patient.view()?, floor).await {
        Err(NotPulled::Failed(AgentError::VerificationFailed { what: Unproven::Ledger })) if floor.is_some() => {
            AgentError::unproven(Unproven::Ledger)
        }
        other => return other,
    };
    let whole = VaultView::new_whole(patient.view()?.vault());
    match pull(session, ambient, device, &whole, floor).await {
        Err(other @ NotPulled::OtherLedger { .. }) => Err(other),
        _ => Err(not.into()),
    }
}

/// Gives every collection keys for the coming months where few are left.
async fn renew_directory(patient: &mut Patient, reach: &mut Reach) -> Result<(), AgentError> {
    for _ in 0..TRIES {
        if !directory_is_due(patient)? {
            return Ok(());
        }
        let directory = next_directory(patient, &[], &Default::default())?;
        let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
        let session = reach.host(&link, patient.view()?).await?;
        let appended = append(patient, session, vec![directory.draft], None).await;
        if !lost_the_race(&appended) {
            return appended.map(|_| ());
        }
        refresh_patient(patient, reach).await?;
    }
    Ok(())
}

/// Brings a facility's copy of a vault's ledger up to date and checks the keys it was given (P-09).
pub async fn sync_facility(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
) -> Result<FacilitySync, AgentError> {
    refresh_facility(facility, reach, vault).await?;
    let passed_on = pass_on(facility, reach, vault).await?;
    let checked = check_packages(facility, reach, vault).await?;
    let settled = settle_facility(facility, reach, vault).await?;
    let view = facility.known(vault)?.view();
    let answers = view.answers.iter().filter_map(|answer| {
        let answer = answer.clone().verify().ok()?;
        let of = answer.payload();
        let by_device = of.vault == vault && view.was_device(answer.signer());
        by_device.then_some(AskAnswerLine { ask: of.ask, outcome: of.outcome, grant: of.grant })
    });
    Ok(FacilitySync {
        size: view.size(),
        answers: answers.collect(),
        grants: facility_grants(facility, vault, facility.ambient().now())?,
        packages: checked.good,
        passed_on,
        complaints: checked.bad,
        witnesses: witnessing(&facility.keep, view)?,
        findings: facility.keep.findings()?.len() as u64,
        clock_off_secs: settled.clock_off_secs,
    })
}

/// Reads what this facility is shown of the ledger.
///
/// Whoever was a stranger when it first read gets later what concerns it: where the known part does not suffice to judge what
/// is new, the ledger is read from its beginning, and must still extend the highest head seen.
pub(super) async fn refresh_facility(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
) -> Result<u64, AgentError> {
    let known = facility.known(vault)?;
    reach.tell(facility.keep.heads().gossip(known.view().home()));
    let session = reach.host(known.link(), known.view()).await?;
    let node = session.node();
    let before = (known.view().size(), known.view().packages.len(), known.view().answers.len());
    let accepted = Accepted::of(known.view())?;
    let pulled = match read_part(facility, session, vault).await {
        Ok(pulled) => pulled,
        Err(not) => return Err(refused_ledger(session, &mut facility.keep, accepted.as_ref(), not).await),
    };
    let new_entries = match pulled {
        Part::After(pulled) => pulled.accept(&mut facility.known_mut(vault)?.view)?,
        Part::Anew(pulled, mut fresh) => {
            let known = facility.known_mut(vault)?;
            fresh.packages = std::mem::take(&mut known.view.packages);
            fresh.answers = std::mem::take(&mut known.view.answers);
            pulled.accept(&mut fresh)?;
            known.view = *fresh;
            known.view.size()
        }
    };
    if facility.known(vault)?.view().home() != Some(node) {
        return Err(AgentError::unproven(Unproven::Node));
    }
    let view = facility.known(vault)?.view();
    if before != (view.size(), view.packages.len(), view.answers.len()) {
        facility.save_view(vault)?;
    }
    settle(session, &mut facility.keep, None).await?;
    Ok(new_entries)
}

/// What a facility read.
enum Part {
    /// What follows the known part.
    After(Pulled),
    /// Everything that it is shown, for a view that is empty.
    Anew(Pulled, Box<VaultView>),
}

async fn read_part(facility: &Facility, session: &mut Session, vault: VaultId) -> Result<Part, NotPulled> {
    let (known, ambient, me) = (facility.known(vault)?, facility.ambient(), &facility.identity);
    if known.view().state().is_ok_and(|state| state.is_holder(facility.party())) {
        match pull(session, ambient, me, known.view(), None).await {
            Err(NotPulled::Failed(AgentError::VerificationFailed { what: Unproven::Ledger })) => {}
            other => return other.map(Part::After),
        }
    }
    let fresh = VaultView::new(vault);
    let pulled = pull(session, ambient, me, &fresh, known.view().head()).await?;
    Ok(Part::Anew(pulled, Box::new(fresh)))
}

/// Reads charter and authorities of a vault that this facility has no right in yet.
pub(super) async fn meet(facility: &mut Facility, reach: &mut Reach, vault: VaultId) -> Result<(), AgentError> {
    if facility.known(vault)?.view().size() > 0 {
        return Ok(());
    }
    let known = facility.known(vault)?;
    reach.tell(facility.keep.heads().gossip(None));
    let session = reach.host(known.link(), known.view()).await?;
    let pulled = pull_face(session, known.view()).await?;
    pulled.accept(&mut facility.known_mut(vault)?.view)?;
    facility.save_view(vault)?;
    settle(session, &mut facility.keep, None).await.map(|_| ()) // no request about the vault was permitted yet
}
