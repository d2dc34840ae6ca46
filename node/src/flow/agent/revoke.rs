//! Revoking: refused at once, then written into the ledger, then new keys for who remains. It reports how far it came.

use std::collections::BTreeSet;

use karute_consent::id::{CollectionId, StatementId};
use karute_consent::ledger::EntryKind;
use karute_consent::revocation::{Revocation, RevocationReason};
use karute_consent::statement::{Verified, sign};
use karute_protocol::message::{self, Message};
use serde::Serialize;

use crate::agent::error::{AgentError, HostFault, Missing, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::append::{By, Draft, TRIES, append, lost_the_race};
use crate::flow::agent::lines::{text, texts};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::rotate::{finish_turn, turn};
use crate::flow::agent::sync::refresh_patient;
use crate::flow::agent::witnesses::{Witnessing, until_witnessed};

/// What is to be revoked.
#[derive(Clone, Copy, Debug)]
pub struct Revoke {
    /// The grant; every grant below it ends with it.
    pub grant: StatementId,
    /// Why.
    pub reason: RevocationReason,
}

/// How far a revocation came. Nobody can un-read what was read before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Levels {
    /// This device signed it.
    pub signed: bool,
    /// The host took it and refuses the grant from here on.
    pub refused: bool,
    /// It stands in the ledger, where no host can drop it unseen.
    pub appended: bool,
    /// What is deposited from here on is sealed to keys that the revoked holder never had.
    pub rotated: bool,
    /// Who remains has the new keys.
    pub resealed: bool,
    /// The quorum of the vault's witnesses signed a ledger that has it: soon the old keys pass with no depositor.
    pub witnessed: bool,
}

/// What a revocation did.
#[derive(Clone, Debug, Serialize)]
pub struct Revoked {
    /// The grant.
    #[serde(serialize_with = "text")]
    pub grant: StatementId,
    /// How far it came.
    pub levels: Levels,
    /// Collections with a new generation.
    #[serde(serialize_with = "texts")]
    pub rotated: Vec<CollectionId>,
    /// Grants that were given new keys.
    pub resealed: u64,
    /// Entries of the ledger.
    pub size: u64,
    /// What the witnesses said of the ledger that has the revocation.
    pub witnesses: Witnessing,
    /// What kept it from coming further, if something did; the next sync goes on from there.
    pub stopped: Option<String>,
}

/// Revokes a grant. An error means that not even the host's refusal is certain; anything later is told in the levels.
pub async fn revoke(patient: &mut Patient, reach: &mut Reach, end: Revoke) -> Result<Revoked, AgentError> {
    refresh_patient(patient, reach).await?;
    let state = patient.view()?.state()?;
    state.grant(end.grant).ok_or(AgentError::Unknown(Missing::Grant))?;
    if state.is_revoked(end.grant) {
        return Err(AgentError::Impossible(Obstacle::Revoked));
    }
    let touched = state.touched_by(end.grant);
    let issued = patient.ambient().now();
    let revocation = Revocation { vault: patient.view()?.vault(), grant: end.grant, reason: end.reason, issued };
    let revocation = sign(revocation, &patient.device).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    refuse_at_once(patient, reach, &revocation).await?;
    let levels = Levels { signed: true, refused: true, ..Levels::default() };
    let mut revoked = Revoked {
        grant: end.grant,
        levels,
        rotated: Vec::new(),
        resealed: 0,
        size: 0,
        witnesses: Witnessing::default(),
        stopped: None,
    };
    // The home host writes a revocation that it refuses by into the ledger itself.
    let went_on = go_on(patient, reach, &revocation, &mut revoked).await;
    revoked.stopped = went_on.err().map(|error| error.to_string());
    let state = patient.view()?.state()?;
    revoked.levels.appended = state.is_revoked(end.grant);
    let waits = touched.iter().any(|collection| state.is_pending(*collection));
    revoked.levels.rotated = revoked.levels.appended && !waits;
    revoked.levels.resealed = revoked.levels.rotated && revoked.stopped.is_none();
    if revoked.levels.appended {
        match until_witnessed(patient, reach).await {
            Ok(found) => revoked.witnesses = found,
            // That the host lies is told before anything else.
            Err(lied @ AgentError::Lied { .. }) => return Err(lied),
            Err(error) => drop(revoked.stopped.get_or_insert(error.to_string())),
        }
    }
    revoked.levels.witnessed = revoked.witnesses.witnessed_at.is_some();
    revoked.size = patient.view()?.size();
    Ok(revoked)
}

/// Tells the host, which refuses the grant before anything else happens (C-35).
async fn refuse_at_once(
    patient: &Patient,
    reach: &mut Reach,
    revocation: &Verified<Revocation>,
) -> Result<(), AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    match session.ask(message::Revoke { revocation: revocation.to_unverified() }).await? {
        Message::Appended(_) => Ok(()),
        _ => Err(AgentError::Malformed("answer to a revocation")),
    }
}

/// Brings the revocation into the ledger, if the host has not, and gives who remains new keys.
async fn go_on(
    patient: &mut Patient,
    reach: &mut Reach,
    revocation: &Verified<Revocation>,
    revoked: &mut Revoked,
) -> Result<(), AgentError> {
    for _ in 0..TRIES {
        refresh_patient(patient, reach).await?;
        let state = patient.view()?.state()?;
        let (grant, listed) = (revocation.payload().grant, state.is_revoked(revocation.payload().grant));
        let mut waiting: BTreeSet<CollectionId> = state.pending().collect();
        if !listed {
            waiting.extend(state.touched_by(grant));
        }
        let turn = turn(patient, &waiting, revocation.id(), Some(grant))?;
        let mut drafts = turn.first;
        if !listed {
            drafts.insert(0, Draft::new(EntryKind::Revocation, revocation, Vec::new(), By::Device));
        }
        if drafts.is_empty() {
            return Ok(());
        }
        let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
        let session = reach.host(&link, patient.view()?).await?;
        let appended = append(patient, session, drafts, None).await;
        if lost_the_race(&appended) {
            continue;
        }
        appended?;
        revoked.rotated = turn.collections;
        revoked.resealed = turn.resealed;
        return finish_turn(patient, reach, turn.later).await;
    }
    Err(AgentError::Fault(HostFault::Conflict))
}
