//! Devices: a second one is taken in by the one that holds the identity key; a lost one is removed with a fresh root, so that
//! what comes later is sealed to keys it never had.

use karute_consent::id::{CollectionId, PartyKey};
use karute_consent::ledger::EntryKind;
use karute_consent::sealing::SealingKey;
use karute_consent::statement::sign;
use karute_consent::vault::{Authority, Device, WitnessSet};
use serde::Serialize;

use crate::agent::error::{AgentError, HostFault, Missing, Obstacle};
use crate::agent::link::{JoinText, VaultLink};
use crate::agent::patient::Patient;
use crate::flow::agent::append::{By, Draft, TRIES, append, lost_the_race};
use crate::flow::agent::lines::{text, texts};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::roots::{draw_root, newest_root, root_packages};
use crate::flow::agent::rotate::rotate_pending;
use crate::flow::agent::sync::{PatientSync, refresh_patient, sync_patient};

/// What changed in the set of devices.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceChanged {
    /// The device that came or went.
    #[serde(serialize_with = "text")]
    pub key: PartyKey,
    /// Entries of the ledger.
    pub size: u64,
    /// The vault's link, for the device that came.
    pub link: String,
    /// Collections with a new generation.
    #[serde(serialize_with = "texts")]
    pub rotated: Vec<CollectionId>,
    /// Grants that were given new keys.
    pub resealed: u64,
}

/// What a new device shows the one that holds the identity key: `karute:join:…`.
pub fn join_text(patient: &Patient) -> String {
    patient.join_text().to_string()
}

/// Takes a device in. It then finishes with the vault's link.
pub async fn approve_device(patient: &mut Patient, reach: &mut Reach, join: &str) -> Result<DeviceChanged, AgentError> {
    let join: JoinText = join.parse()?;
    let added = patient.ambient().now();
    let changed = change(patient, reach, move |edited| {
        edited.devices.retain(|device| device.key != join.key);
        edited.devices.push(Device { key: join.key, sealing_key: join.sealing_key.clone(), added });
        edited.devices.sort_by_key(|device| device.key);
        Ok(())
    })
    .await?;
    Ok(DeviceChanged::new(join.key, changed))
}

/// On a new device: takes the vault on and reads everything.
pub async fn finish_join(
    patient: &mut Patient,
    reach: &mut Reach,
    link: &VaultLink,
) -> Result<PatientSync, AgentError> {
    if patient.vault().is_some_and(|vault| vault != link.vault()) {
        return Err(AgentError::Impossible(Obstacle::VaultExists));
    }
    patient.adopt(link.clone());
    let joined = refresh_patient(patient, reach).await;
    if let Err(error) = joined {
        patient.disown();
        return Err(error);
    }
    patient.save()?;
    sync_patient(patient, reach).await
}

/// Removes a device: a fresh root, new generations for all collections, new packages for every grant that remains.
pub async fn remove_device(
    patient: &mut Patient,
    reach: &mut Reach,
    key: PartyKey,
) -> Result<DeviceChanged, AgentError> {
    if key == patient.device() {
        return Err(AgentError::Impossible(Obstacle::LastDevice));
    }
    let changed = change(patient, reach, move |edited| {
        let before = edited.devices.len();
        edited.devices.retain(|device| device.key != key);
        edited.root = Root::Fresh;
        if edited.devices.len() == before { Err(AgentError::Unknown(Missing::Device)) } else { Ok(()) }
    })
    .await;
    let mut changed = match changed {
        Ok(changed) => DeviceChanged::new(key, changed),
        Err(error) => {
            patient.roots.truncate(in_force(patient));
            return Err(error);
        }
    };
    patient.save()?;
    changed.rotated = patient.view()?.state()?.pending().collect();
    changed.resealed = rotate_pending(patient, reach).await?;
    changed.size = patient.view()?.size();
    Ok(changed)
}

/// What the next authority has that the one in force has not.
pub(super) struct Edited {
    pub(super) devices: Vec<Device>,
    /// Other witnesses; absent: those in force stay.
    pub(super) witness_set: Option<WitnessSet>,
    root: Root,
}

/// Whether an authority brings a fresh root.
enum Root {
    Stays,
    Fresh,
}

/// An authority that was appended.
pub(super) struct Changed {
    /// Entries of the ledger.
    pub(super) size: u64,
    link: String,
}

impl DeviceChanged {
    fn new(key: PartyKey, Changed { size, link }: Changed) -> Self {
        Self { key, size, link, rotated: Vec::new(), resealed: 0 }
    }
}

/// Appends the authority that `edit` makes of the one in force.
pub(super) async fn change(
    patient: &mut Patient,
    reach: &mut Reach,
    edit: impl Fn(&mut Edited) -> Result<(), AgentError>,
) -> Result<Changed, AgentError> {
    if !patient.holds_identity() {
        return Err(AgentError::Unknown(Missing::Identity));
    }
    for _ in 0..TRIES {
        patient.roots.truncate(in_force(patient)); // a root that lost the race must not be taken for one in force
        refresh_patient(patient, reach).await?;
        let before = patient.view()?.state()?.authority().ok_or(AgentError::Unknown(Missing::Vault))?.payload().clone();
        let mut edited = Edited { devices: before.devices.clone(), witness_set: None, root: Root::Stays };
        edit(&mut edited)?;
        if let Root::Fresh = edited.root {
            draw_root(patient);
        }
        let draft = authority_after(patient, &before, edited)?;
        let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
        let session = reach.host(&link, patient.view()?).await?;
        let appended = append(patient, session, vec![draft], None).await;
        if lost_the_race(&appended) {
            continue;
        }
        appended?;
        return Ok(Changed { size: patient.view()?.size(), link: link.to_string() });
    }
    Err(AgentError::Fault(HostFault::Conflict))
}

/// Roots that the authority in force knows of.
fn in_force(patient: &Patient) -> usize {
    let authority = patient.view().ok().and_then(|view| view.state().ok()?.authority());
    authority.map_or(0, |authority| authority.payload().root_number.0 as usize + 1)
}

/// The authority after `before` with what was edited and the newest root kept here, signed by the identity key.
fn authority_after(patient: &Patient, before: &Authority, edited: Edited) -> Result<Draft, AgentError> {
    let Edited { devices, witness_set, .. } = edited;
    let number = before.number.next().ok_or(AgentError::Impossible(Obstacle::Limit))?;
    let recovery: &SealingKey = &before.recovery;
    let (roots, list) = root_packages(patient, number, &devices, recovery)?;
    let newest = newest_root(patient)?;
    let authority = Authority {
        vault: before.vault,
        number,
        identity: before.identity,
        next: before.next,
        devices,
        hosts: before.hosts.clone(),
        inbox: newest.inbox_secret().public(),
        audit: newest.audit_secret().public(),
        recovery: recovery.clone(),
        root_number: newest.number(),
        roots,
        witness_set,
    };
    let identity = patient.identity.as_ref().ok_or(AgentError::Unknown(Missing::Identity))?;
    let authority = sign(authority, identity).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    Ok(Draft::new(EntryKind::Authority, &authority, vec![list], By::Identity))
}
