//! Recovery: an empty machine, the printed code and the vault's link. The code leads to the roots and to the next identity
//! key; afterwards every earlier device is out, the root is fresh, and only the new code recovers.

use karute_consent::id::VaultId;
use karute_consent::ledger::EntryKind;
use karute_consent::party::Identity;
use karute_consent::statement::sign;
use karute_consent::vault::{Authority, Device, commit_to_next};
use karute_protocol::recovery::RecoveryCode;
use serde::Serialize;

use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::agent::keep::Kept;
use crate::agent::link::VaultLink;
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;
use crate::flow::agent::append::{By, Draft, append};
use crate::flow::agent::fresh::vouched_view;
use crate::flow::agent::lines::text;
use crate::flow::agent::pull::pull;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::roots::{draw_root, newest_root, open_roots, root_packages};
use crate::flow::agent::rotate::rotate_pending;
use crate::flow::agent::sync::refresh_patient;

/// A vault that is back.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    /// The vault.
    #[serde(serialize_with = "text")]
    pub vault: VaultId,
    /// Entries of the ledger.
    pub size: u64,
    /// Collections whose records can be opened again.
    pub collections: u64,
    /// Grants that were given new keys.
    pub resealed: u64,
}

/// Takes the vault back on this device. `new` is the code that recovers from here on: the caller has shown it before, since
/// the old one is void once this succeeds.
///
/// This machine remembers nothing of the ledger, so the vault's witnesses have to say that it is the newest: an older one
/// would bring back grants that were revoked since (P-47).
pub async fn recover(
    patient: &mut Patient,
    reach: &mut Reach,
    link: &VaultLink,
    old: &RecoveryCode,
    new: &RecoveryCode,
) -> Result<Recovered, AgentError> {
    recover_by(patient, reach, link, (old, new), Asked::Witnesses).await
}

/// The same where the vault's witnesses are gone for good: the node's word on its ledger is all there is.
pub async fn recover_without_witnesses(
    patient: &mut Patient,
    reach: &mut Reach,
    link: &VaultLink,
    old: &RecoveryCode,
    new: &RecoveryCode,
) -> Result<Recovered, AgentError> {
    recover_by(patient, reach, link, (old, new), Asked::NodeAlone).await
}

/// Who has to say that the ledger is the newest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Witnesses,
    NodeAlone,
}

async fn recover_by(
    patient: &mut Patient,
    reach: &mut Reach,
    link: &VaultLink,
    (old, new): (&RecoveryCode, &RecoveryCode),
    asked: Asked,
) -> Result<Recovered, AgentError> {
    if patient.vault().is_some() {
        return Err(AgentError::Impossible(Obstacle::VaultExists));
    }
    let identity = old.next_identity();
    let view = read_as_next_identity(patient, reach, link, &identity).await?;
    if !view.state()?.is_next_identity(identity.key()) {
        return Err(AgentError::Impossible(Obstacle::OtherRecoveryCode));
    }
    if asked == Asked::Witnesses {
        vouched_view(&mut patient.keep, reach, link, &view).await?;
    }
    let roots = open_roots(&view, link.vault(), &old.sealing_secret())?;
    let before = view.state()?.authority().ok_or(AgentError::Unknown(Missing::Vault))?.payload().clone();
    patient.adopt(link.clone());
    *patient.view_mut()? = view;
    patient.roots = roots.iter().map(|root| Kept::new(root.seed().clone())).collect();
    draw_root(patient);
    patient.identity = Some(identity);
    let taken = take_over(patient, reach, link, &before, new).await;
    // From here on this device is the vault's only one and sees everything: if the host took the authority, even if its
    // answer was lost. While nobody can say, the keys stay here: the old code may be void already.
    let settled = match taken {
        Ok(()) | Err(AgentError::Unreachable(_)) => see_everything(patient, reach, link).await,
        other => other,
    };
    if let Err(error) = settled {
        if !matches!(error, AgentError::Unreachable(_)) {
            patient.disown();
            patient.save()?;
        }
        return Err(error);
    }
    let vault = link.vault();
    patient.save()?;
    patient.save_view()?;
    let resealed = rotate_pending(patient, reach).await?;
    let view = patient.view()?;
    let collections = view.leaves().map_or(0, |leaves| leaves.len() as u64);
    Ok(Recovered { vault, size: view.size(), collections, resealed })
}

/// Reads the whole ledger as a device, on a new session.
async fn see_everything(patient: &mut Patient, reach: &mut Reach, link: &VaultLink) -> Result<(), AgentError> {
    *patient.view_mut()? = VaultView::new_whole(link.vault());
    reach.hang_up();
    refresh_patient(patient, reach).await.map(|_| ())
}

/// Reads the ledger as the committed next identity key, which is shown the root packages.
async fn read_as_next_identity(
    patient: &Patient,
    reach: &mut Reach,
    link: &VaultLink,
    identity: &Identity,
) -> Result<VaultView, AgentError> {
    let mut view = VaultView::new(link.vault());
    let session = reach.host(link, &view).await?;
    let node = session.node();
    let pulled = pull(session, patient.ambient(), identity, &view, None).await;
    let pulled = pulled.map_err(|not| match AgentError::from(not) {
        AgentError::Refused => AgentError::Impossible(Obstacle::OtherRecoveryCode),
        other => other,
    })?;
    pulled.accept(&mut view)?;
    if view.home() == Some(node) { Ok(view) } else { Err(crate::agent::error::Unproven::Node.into()) }
}

/// Appends the authority that makes the recovered key the identity and this device the only one.
async fn take_over(
    patient: &mut Patient,
    reach: &mut Reach,
    link: &VaultLink,
    before: &Authority,
    new: &RecoveryCode,
) -> Result<(), AgentError> {
    let number = before.number.next().ok_or(AgentError::Impossible(Obstacle::Limit))?;
    let added = patient.ambient().now();
    let devices = vec![Device { key: patient.device(), sealing_key: patient.sealing.public(), added }];
    let recovery = new.sealing_secret().public();
    let (roots, list) = root_packages(patient, number, &devices, &recovery)?;
    let newest = newest_root(patient)?;
    let identity = patient.identity.as_ref().ok_or(AgentError::Unknown(Missing::Identity))?;
    let authority = Authority {
        vault: before.vault,
        number,
        identity: identity.key(),
        next: commit_to_next(new.next_identity().key()),
        devices,
        hosts: before.hosts.clone(),
        inbox: newest.inbox_secret().public(),
        audit: newest.audit_secret().public(),
        recovery,
        root_number: newest.number(),
        roots,
        witness_set: None,
    };
    let authority = sign(authority, identity).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    let draft = Draft::new(EntryKind::Authority, &authority, vec![list], By::Identity);
    patient.save()?;
    let session = reach.host(link, patient.view()?).await?;
    append(patient, session, vec![draft], None).await.map(|_| ())
}
