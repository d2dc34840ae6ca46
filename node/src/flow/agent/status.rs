//! What a device knows of its vault without asking anybody.

use karute_consent::category::{Category, Sensitivity};
use karute_consent::id::{CollectionId, Generation, NodeId, PartyKey, VaultId};
use karute_consent::time::Timestamp;
use karute_consent::vault::HostRole;
use serde::Serialize;

use crate::agent::error::{AgentError, Missing};
use crate::agent::patient::Patient;
use crate::flow::agent::collections::kinds_by_collection;
use crate::flow::agent::grants::standing;
use crate::flow::agent::lines::{GrantState, text, text_if};
use crate::flow::agent::witnesses::{Witnessing, witnessing};

/// The state of a vault as this device last saw it.
#[derive(Clone, Debug, Serialize)]
pub struct PatientStatus {
    /// The vault.
    #[serde(serialize_with = "text")]
    pub vault: VaultId,
    /// Its link.
    pub link: String,
    /// Entries of the ledger.
    pub size: u64,
    /// Devices in force.
    pub devices: Vec<DeviceLine>,
    /// Hosts in force.
    pub hosts: Vec<HostLine>,
    /// Collections.
    pub collections: Vec<CollectionLine>,
    /// Grants in force now.
    pub grants_active: u64,
    /// Whether this device can take in and remove devices.
    pub holds_identity: bool,
    /// Who vouches for the ledger, and since when.
    pub witnesses: Witnessing,
    /// Findings kept here: proofs that a node or a witness lied.
    pub findings: u64,
}

/// A device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceLine {
    /// Its key.
    #[serde(serialize_with = "text")]
    pub key: PartyKey,
    /// Whether it is this one.
    pub this: bool,
    /// When it was taken in.
    pub added: Timestamp,
}

/// A host.
#[derive(Clone, Debug, Serialize)]
pub struct HostLine {
    /// The node.
    #[serde(serialize_with = "text")]
    pub node: NodeId,
    /// What it is to the vault.
    #[serde(serialize_with = "text")]
    pub role: HostRole,
    /// Where it can be reached.
    pub addresses: Vec<String>,
}

/// A collection.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionLine {
    /// The collection.
    #[serde(serialize_with = "text")]
    pub collection: CollectionId,
    /// What it holds.
    #[serde(serialize_with = "text_if")]
    pub category: Option<Category>,
    /// How careful to be with it.
    #[serde(serialize_with = "text_if")]
    pub sensitivity: Option<Sensitivity>,
    /// Its generation.
    #[serde(serialize_with = "text")]
    pub generation: Generation,
    /// Whether it waits for new keys.
    pub pending: bool,
}

/// What this device knows of the vault.
pub fn patient_status(patient: &Patient, now: Timestamp) -> Result<PatientStatus, AgentError> {
    let view = patient.view()?;
    let state = view.state()?;
    let authority = state.authority().ok_or(AgentError::Unknown(Missing::Vault))?.payload();
    let kinds = kinds_by_collection(patient)?;
    let collections = view.leaves().into_iter().flat_map(|leaves| leaves.iter()).map(|leaf| {
        let kind = kinds.get(&leaf.collection);
        CollectionLine {
            collection: leaf.collection,
            category: kind.map(|kind| kind.category),
            sensitivity: kind.map(|kind| kind.sensitivity),
            generation: leaf.generation,
            pending: state.is_pending(leaf.collection),
        }
    });
    let mut grants_active = 0;
    for grant in state.grants() {
        grants_active += u64::from(standing(view, grant, now)? == GrantState::Active);
    }
    let device = |device: &karute_consent::vault::Device| DeviceLine {
        key: device.key,
        this: device.key == patient.device(),
        added: device.added,
    };
    let host = |host: &karute_consent::vault::Host| HostLine {
        node: host.node,
        role: host.role,
        addresses: host.addresses.clone(),
    };
    Ok(PatientStatus {
        vault: view.vault(),
        link: patient.link().map(ToString::to_string).unwrap_or_default(),
        size: view.size(),
        devices: authority.devices.iter().map(device).collect(),
        hosts: authority.hosts.iter().map(host).collect(),
        collections: collections.collect(),
        grants_active,
        holds_identity: patient.holds_identity(),
        witnesses: witnessing(&patient.keep, view)?,
        findings: patient.keep.findings()?.len() as u64,
    })
}
