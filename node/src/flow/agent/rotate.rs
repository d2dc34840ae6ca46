//! Rotation: new generations for the collections whose keys a revoked holder or a removed device has, and new packages for
//! every direct holder who remains. Never under an old key.

use std::collections::BTreeSet;

use karute_consent::id::{CollectionId, RotationSequence, StatementId};
use karute_consent::ledger::{EntryKind, LedgerGrant, LedgerState};
use karute_consent::limits::ATTACHMENTS_MAX;
use karute_consent::revocation::{RotatedCollection, Rotation, RotationPackage};
use karute_consent::statement::sign;
use karute_protocol::hpke::{Entropy, Sealed};
use karute_protocol::package::{CoreDigest, Package, package_hash};

use crate::agent::error::{AgentError, HostFault, Missing, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::append::{By, Draft, TRIES, append, lost_the_race};
use crate::flow::agent::collections::next_directory;
use crate::flow::agent::grants::{particulars_for_patient, standing};
use crate::flow::agent::holding::package_bytes;
use crate::flow::agent::lines::GrantState;
use crate::flow::agent::packing::nodes_for_rotation;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::sync::refresh_patient;

/// Drafts of a rotation.
pub(super) struct Turn {
    /// Directory and first rotation, to be appended after their cause and together with it.
    pub(super) first: Vec<Draft>,
    /// Further rotations, for more holders than one append has room for; each is an append of its own.
    pub(super) later: Vec<Draft>,
    /// Collections with a new generation.
    pub(super) collections: Vec<CollectionId>,
    /// Grants with new keys.
    pub(super) resealed: u64,
}

/// Drafts new generations for `collections` and packages for who remains, `ended` and what is below it excepted.
pub(super) fn turn(
    patient: &Patient,
    collections: &BTreeSet<CollectionId>,
    cause: StatementId,
    ended: Option<StatementId>,
) -> Result<Turn, AgentError> {
    let there: BTreeSet<CollectionId> = match patient.view()?.leaves() {
        Some(leaves) => leaves.iter().map(|leaf| leaf.collection).filter(|id| collections.contains(id)).collect(),
        None => BTreeSet::new(),
    };
    if there.is_empty() {
        return Ok(Turn { first: Vec::new(), later: Vec::new(), collections: Vec::new(), resealed: 0 });
    }
    let directory = next_directory(patient, &[], &there)?;
    let rotated = directory.rotated;
    let mut remaining = remaining(patient, &rotated, ended)?;
    let resealed = remaining.len() as u64;
    let room = ATTACHMENTS_MAX.saturating_sub(1 + rotated.len()).max(1);
    let mut sequence = patient.view()?.state()?.rotation();
    let rest = remaining.split_off(room.min(remaining.len()));
    let first = vec![directory.draft, rotation(patient, cause, &mut sequence, &rotated, &remaining)?];
    let mut later = Vec::new();
    for some in rest.chunks(ATTACHMENTS_MAX) {
        later.push(rotation(patient, cause, &mut sequence, &rotated, some)?);
    }
    Ok(Turn { first, later, collections: rotated.iter().map(|new| new.collection).collect(), resealed })
}

/// Appends the further rotations of a turn, each over a session of its own, since attachments are counted by session.
pub(super) async fn finish_turn(patient: &mut Patient, reach: &mut Reach, later: Vec<Draft>) -> Result<(), AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    for draft in later {
        reach.hang_up();
        let session = reach.host(&link, patient.view()?).await?;
        append(patient, session, vec![draft], None).await?;
    }
    Ok(())
}

/// Does the rotation that somebody else's revocation or a device's removal left to do. Answers how many grants have new keys.
pub(super) async fn rotate_pending(patient: &mut Patient, reach: &mut Reach) -> Result<u64, AgentError> {
    for _ in 0..TRIES {
        let state = patient.view()?.state()?;
        let waiting: BTreeSet<CollectionId> = state.pending().filter(|id| state.leaf(*id).is_some()).collect();
        if waiting.is_empty() {
            return Ok(0);
        }
        let turn = turn(patient, &waiting, last_cause(state), None)?;
        let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
        let session = reach.host(&link, patient.view()?).await?;
        let appended = append(patient, session, turn.first, None).await;
        if lost_the_race(&appended) {
            refresh_patient(patient, reach).await?;
            continue;
        }
        appended?;
        finish_turn(patient, reach, turn.later).await?;
        return Ok(turn.resealed);
    }
    Err(AgentError::Fault(HostFault::Conflict))
}

/// The newest revocation, or the authority when there is none.
fn last_cause(state: &LedgerState) -> StatementId {
    let revoked = state.grants().filter_map(|grant| Some((grant.seq, grant.revoked_by?))).max();
    revoked.map_or(state.authority_id(), |(_, revocation)| revocation)
}

/// Every direct holder of collection keys among `rotated` whose grant is or will be in force, ascending by grant.
fn remaining<'p>(
    patient: &'p Patient,
    rotated: &[RotatedCollection],
    ended: Option<StatementId>,
) -> Result<Vec<&'p LedgerGrant>, AgentError> {
    let (view, now) = (patient.view()?, patient.ambient().now());
    let state = view.state()?;
    let mut remaining = Vec::new();
    for grant in state.grants() {
        let ends =
            ended.is_some_and(|ended| state.lineage(grant.statement.id()).any(|above| above.statement.id() == ended));
        let remains = !ends && matches!(standing(view, grant, now)?, GrantState::Active | GrantState::NotYet);
        let direct = grant.core().parent.is_none();
        let touched = rotated.iter().any(|new| grant.core().scope.collections.contains(&new.collection));
        if remains && direct && touched && grant.core().scope.holds_collection_keys() {
            remaining.push(grant);
        }
    }
    Ok(remaining)
}

fn package(
    patient: &Patient,
    grant: &LedgerGrant,
    rotated: &[RotatedCollection],
    sequence: RotationSequence,
) -> Result<Sealed, AgentError> {
    let words = particulars_for_patient(patient, grant)?.ok_or(AgentError::Unknown(Missing::Key))?;
    let card = words.holder_card.verify_by(grant.holder()).map_err(|_| AgentError::Impossible(Obstacle::Card))?;
    let value = || AgentError::Impossible(Obstacle::Value);
    let package = Package::new(nodes_for_rotation(patient, grant.core(), rotated)?).map_err(|_| value())?;
    let core = CoreDigest(grant.core().digest().map_err(|_| value())?);
    let entropy = Entropy::new(patient.ambient().entropy());
    package.seal(&card.payload().sealing_key, core, sequence, entropy).map_err(|_| value())
}

/// One rotation with packages for these grants, which are ascending.
fn rotation(
    patient: &Patient,
    cause: StatementId,
    sequence: &mut RotationSequence,
    rotated: &[RotatedCollection],
    grants: &[&LedgerGrant],
) -> Result<Draft, AgentError> {
    let value = || AgentError::Impossible(Obstacle::Value);
    *sequence = sequence.next().ok_or_else(value)?;
    let mut packages = Vec::with_capacity(grants.len());
    let mut attachments = Vec::with_capacity(grants.len());
    for grant in grants {
        let package = package(patient, grant, rotated, *sequence)?;
        let package_hash = package_hash(&package).map_err(|_| value())?;
        packages.push(RotationPackage { grant: grant.statement.id(), package_hash });
        attachments.push(package_bytes(&package)?);
    }
    let (vault, sequence) = (patient.view()?.vault(), *sequence);
    let rotation = Rotation { vault, cause, sequence, collections: rotated.to_vec(), packages };
    let rotation = sign(rotation, &patient.device).map_err(|_| value())?;
    Ok(Draft::new(EntryKind::Rotation, &rotation, attachments, By::Device))
}
