//! Roots on their way to devices: sealed to each with every authority, opened after a sync, drawn fresh when a device goes.

use karute_consent::id::{AuthorityNumber, Digest, RootNumber, VaultId};
use karute_consent::ledger::{Body, EntryKind, Item};
use karute_consent::sealing::SealingKey;
use karute_consent::statement::Verified;
use karute_consent::vault::{Authority, Device};
use karute_protocol::hpke::{Entropy, SealingSecret};
use karute_protocol::keys::Root;
use karute_protocol::package::{RootPackageList, check_roots};

use crate::agent::error::{AgentError, Missing, Obstacle, Unproven};
use crate::agent::keep::Kept;
use crate::agent::keyring::Keyring;
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;

/// Seals all roots of the patient to these devices and the recovery key. Gives the digest for the authority and the list.
pub(super) fn root_packages(
    patient: &Patient,
    number: AuthorityNumber,
    devices: &[Device],
    recovery: &SealingKey,
) -> Result<(Digest, Vec<u8>), AgentError> {
    let vault = patient.vault().ok_or(AgentError::Unknown(Missing::Vault))?;
    let mut receivers: Vec<SealingKey> = devices.iter().map(|device| device.sealing_key.clone()).collect();
    receivers.push(recovery.clone());
    let ambient = patient.ambient();
    let entropy = || Entropy::new(ambient.entropy());
    let refused = |_| AgentError::Impossible(Obstacle::Value);
    let list = RootPackageList::seal(&receivers, roots(patient), vault, number, entropy).map_err(refused)?;
    let attachment = list.to_attachment().map_err(refused)?;
    Ok((list.digest().map_err(refused)?, attachment))
}

/// The roots that this device keeps.
pub(super) fn roots(patient: &Patient) -> Vec<Root> {
    let root = |(number, kept): (usize, &Kept)| Root::new(RootNumber(number as u32), kept.copy());
    patient.roots.iter().enumerate().map(root).collect()
}

/// The newest root that this device keeps.
pub(super) fn newest_root(patient: &Patient) -> Result<Root, AgentError> {
    Ok(Root::new(patient.root_number(), patient.root(patient.root_number())?))
}

/// Draws a fresh root. The caller saves after the append that brings it into force, or takes it back.
pub(super) fn draw_root(patient: &mut Patient) {
    let fresh = Kept::new(patient.ambient().secret());
    patient.roots.push(fresh);
}

/// After a sync: takes the roots that the newest authority brings to this device. The caller saves.
pub(super) fn take_roots(patient: &mut Patient) -> Result<(), AgentError> {
    let vault = patient.vault().ok_or(AgentError::Unknown(Missing::Vault))?;
    let in_force = patient.view()?.state()?.authority().map(|authority| authority.payload().root_number);
    if in_force.is_some_and(|number| patient.roots.len() as u32 == number.0 + 1) {
        return Ok(());
    }
    let opened = open_roots(patient.view()?, vault, &patient.sealing)?;
    patient.roots = opened.iter().map(|root| Kept::new(root.seed().clone())).collect();
    Ok(())
}

/// The roots in the newest authority's list, opened with the key of a device or of a recovery code.
pub(super) fn open_roots(view: &VaultView, vault: VaultId, secret: &SealingSecret) -> Result<Vec<Root>, AgentError> {
    let (authority, item) = newest_authority(view)?;
    let attachment = item.attachments.as_ref().and_then(|all| all.first());
    let attachment = attachment.ok_or(AgentError::Unknown(Missing::Key))?;
    let authority = authority.payload();
    let mut receivers: Vec<SealingKey> = authority.devices.iter().map(|device| device.sealing_key.clone()).collect();
    receivers.push(authority.recovery.clone());
    let refused = |_| AgentError::unproven(Unproven::Package);
    let list = RootPackageList::from_attachment(attachment, &receivers).map_err(refused)?;
    let roots = list.open(secret, vault, authority.number).map_err(|_| AgentError::Unknown(Missing::Key))?;
    let inbox_fits = roots.last().is_some_and(|root| {
        root.number() == authority.root_number
            && root.inbox_secret().public() == authority.inbox
            && root.audit_secret().public() == authority.audit
    });
    // P-34: a root that this vault never had must not take the place of one that opens what is there.
    let state = view.state()?;
    let keys_of = |number| state.root_keys(number).map(|keys| (keys.inbox.clone(), keys.audit.clone()));
    check_roots(&roots, keys_of).map_err(refused)?;
    if inbox_fits { Ok(roots) } else { Err(AgentError::unproven(Unproven::Package)) }
}

fn newest_authority(view: &VaultView) -> Result<(Verified<Authority>, &Item), AgentError> {
    for item in view.items().iter().rev() {
        let (entry, body) = item.open().map_err(|_| AgentError::unproven(Unproven::Ledger))?;
        if entry.payload().kind == EntryKind::Authority
            && let Some(Body::Authority(authority)) = body
        {
            return Ok((*authority, item));
        }
    }
    Err(AgentError::Unknown(Missing::Vault))
}

/// Everything that this device can open.
pub(super) fn device_keyring(patient: &Patient) -> Result<Keyring, AgentError> {
    let view = patient.view()?;
    let generations = view.generations().iter().map(|(place, facts)| (*place, facts.root)).collect();
    Ok(Keyring::of_roots(view.vault(), roots(patient), generations))
}
