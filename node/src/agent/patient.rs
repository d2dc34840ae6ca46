//! The patient's agent on one device: its keys, the vault's roots, and the verified copy of the vault's ledger.
//!
//! Trusted for everything: who holds an unlocked patient agent holds the vault. Sealed at rest under the passphrase. The
//! recovery code is never stored; the identity key is on the first device only (and on one that recovered the vault).

use std::collections::BTreeMap;
use std::path::Path;

use karute_consent::id::{PartyKey, RootNumber, VaultId};
use karute_consent::party::Identity;
use karute_consent::sealing::Suite;
use karute_protocol::hpke::SealingSecret;
use karute_protocol::trail::CheckpointText;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use zeroize::Zeroizing;

use crate::agent::error::{AgentError, Missing};
use crate::agent::keep::{Keep, Kept};
use crate::agent::link::{JoinText, VaultLink};
use crate::agent::view::{VaultView, ViewAtRest};
use crate::ambient::Ambient;
use crate::failure::Failure;
use crate::net::TransportSeed;
use crate::passphrase::Passphrase;

/// A patient's agent on one device.
pub struct Patient {
    pub(crate) keep: Keep,
    name: String,
    transport: Kept,
    /// This device's signing key.
    pub(crate) device: Identity,
    /// What is sealed to this device.
    pub(crate) sealing: SealingSecret,
    /// The identity key, where this device holds it.
    pub(crate) identity: Option<Identity>,
    link: Option<VaultLink>,
    /// Root n at place n.
    pub(crate) roots: Vec<Kept>,
    /// Names of parties, from cards seen.
    labels: BTreeMap<PartyKey, String>,
    /// Newest checkpoint of the trail that an audit accepted.
    pub(crate) trail: Option<CheckpointText>,
    view: Option<VaultView>,
}

/// Everything but the ledger copy, as it is sealed in the keystore.
#[derive(SerializeIndexed, DeserializeIndexed)]
struct AtRest {
    #[serde(index = 1)]
    version: u8,
    #[serde(index = 2)]
    name: String,
    #[serde(index = 3)]
    transport: Kept,
    #[serde(index = 4)]
    device: Kept,
    #[serde(index = 5)]
    sealing: Kept,
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    identity: Option<Kept>,
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    link: Option<VaultLink>,
    #[serde(index = 8)]
    roots: Vec<Kept>,
    #[serde(index = 9)]
    labels: Vec<Label>,
    #[serde(index = 10, skip_serializing_if = "Option::is_none")]
    trail: Option<CheckpointText>,
}

/// A party's name as its card gave it.
#[derive(SerializeIndexed, DeserializeIndexed)]
struct Label {
    #[serde(index = 1)]
    party: PartyKey,
    #[serde(index = 2)]
    name: String,
}

impl Patient {
    /// Makes a device with new keys in a new folder. It has no vault.
    pub fn create_in(path: &Path, passphrase: &Passphrase, ambient: &Ambient, name: &str) -> Result<Self, Failure> {
        let mut patient = Self::in_memory(ambient, name);
        patient.keep = Keep::create(path, passphrase, ambient, &patient.at_rest())?;
        Ok(patient)
    }

    /// Opens the device in a folder.
    pub fn open_in(path: &Path, passphrase: &Passphrase, ambient: &Ambient) -> Result<Self, Failure> {
        let (keep, at_rest) = Keep::open::<AtRest>(path, passphrase, ambient)?;
        Ok(Self::from_rest(keep, at_rest)?)
    }

    /// A device with new keys that ends with the process.
    pub fn in_memory(ambient: &Ambient, name: &str) -> Self {
        Self {
            keep: Keep::in_memory(ambient),
            name: name.to_owned(),
            transport: Kept::new(ambient.secret()),
            device: Identity::from_seed(&ambient.secret()),
            sealing: SealingSecret::new(Suite::XWing, ambient.secret()),
            identity: None,
            link: None,
            roots: Vec::new(),
            labels: BTreeMap::new(),
            trail: None,
            view: None,
        }
    }

    fn from_rest(keep: Keep, rest: AtRest) -> Result<Self, AgentError> {
        let mut patient = Self {
            keep,
            name: rest.name,
            transport: rest.transport,
            device: Identity::from_seed(&rest.device.0),
            sealing: SealingSecret::new(Suite::XWing, rest.sealing.copy()),
            identity: rest.identity.map(|seed| Identity::from_seed(&seed.0)),
            link: rest.link,
            roots: rest.roots,
            labels: rest.labels.into_iter().map(|label| (label.party, label.name)).collect(),
            trail: rest.trail,
            view: None,
        };
        if let Some(vault) = patient.vault() {
            let kept: Option<ViewAtRest> = patient.keep.state(VIEW, vault)?;
            patient.view = kept.map(|kept| VaultView::from_rest(vault, kept)).transpose()?;
        }
        Ok(patient)
    }

    fn at_rest(&self) -> AtRest {
        AtRest {
            version: 1,
            name: self.name.clone(),
            transport: Kept::new(self.transport.copy()),
            device: Kept::new(self.device.to_seed()),
            sealing: Kept::new(self.sealing.bytes().clone()),
            identity: self.identity.as_ref().map(|identity| Kept::new(identity.to_seed())),
            link: self.link.clone(),
            roots: self.roots.iter().map(|root| Kept::new(root.copy())).collect(),
            labels: self.labels.iter().map(|(party, name)| Label { party: *party, name: name.clone() }).collect(),
            trail: self.trail.clone(),
        }
    }

    /// Writes keys, roots and labels to the folder.
    pub(crate) fn save(&self) -> Result<(), AgentError> {
        self.keep.save_secrets(&self.at_rest())
    }

    /// Writes the ledger copy to the folder.
    pub(crate) fn save_view(&mut self) -> Result<(), AgentError> {
        let Some(view) = &self.view else { return Ok(()) };
        let (vault, rest) = (view.vault(), view.at_rest());
        self.keep.put(VIEW, vault, &rest)
    }

    /// Lets the folder go, so that another process may use it. What happens from here on is kept in memory only.
    pub(crate) fn let_go(&mut self) -> Result<(), AgentError> {
        let mut keep = Keep::in_memory(self.ambient());
        *keep.heads_mut() = std::mem::take(self.keep.heads_mut());
        if let Some(link) = &self.link {
            keep.put_ledger_seen(link.vault(), &self.keep.ledger_seen(link.vault())?)?;
        }
        self.keep = keep;
        Ok(())
    }

    /// Takes a vault as this patient's own; the caller saves.
    pub(crate) fn adopt(&mut self, link: VaultLink) {
        self.view = Some(VaultView::new_whole(link.vault()));
        self.link = Some(link);
    }

    /// Forgets a vault that never came to be; the caller saves.
    pub(crate) fn disown(&mut self) {
        self.view = None;
        self.link = None;
        self.roots.clear();
        self.identity = None;
    }

    /// What is kept at rest: evidence above all.
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// Clock and randomness.
    pub fn ambient(&self) -> &Ambient {
        self.keep.ambient()
    }

    /// The seed of this device's transport key.
    pub fn transport(&self) -> TransportSeed {
        TransportSeed::new(*self.transport.0)
    }

    /// The patient's name, as grants tell it to holders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This device's key.
    pub fn device(&self) -> PartyKey {
        self.device.key()
    }

    /// What a device that holds the identity key needs to take this one in.
    pub fn join_text(&self) -> JoinText {
        JoinText { key: self.device.key(), sealing_key: self.sealing.public() }
    }

    /// The vault, once there is one.
    pub fn vault(&self) -> Option<VaultId> {
        self.link.as_ref().map(VaultLink::vault)
    }

    /// The vault's link, for facilities and further devices.
    pub fn link(&self) -> Option<&VaultLink> {
        self.link.as_ref()
    }

    /// Whether this device can take in and remove devices.
    pub fn holds_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// The verified copy of the ledger.
    pub fn view(&self) -> Result<&VaultView, AgentError> {
        self.view.as_ref().ok_or(AgentError::Unknown(Missing::Vault))
    }

    pub(crate) fn view_mut(&mut self) -> Result<&mut VaultView, AgentError> {
        self.view.as_mut().ok_or(AgentError::Unknown(Missing::Vault))
    }

    /// A party's name, if a card of it was seen.
    pub fn label(&self, party: PartyKey) -> Option<&str> {
        self.labels.get(&party).map(String::as_str)
    }

    /// Remembers a party's name from its verified card; the caller saves.
    pub(crate) fn set_label(&mut self, party: PartyKey, name: &str) {
        self.labels.insert(party, name.to_owned());
    }

    /// The number of the newest root.
    pub(crate) fn root_number(&self) -> RootNumber {
        RootNumber(self.roots.len().saturating_sub(1) as u32)
    }

    /// The root with this number.
    pub(crate) fn root(&self, number: RootNumber) -> Result<Zeroizing<[u8; 32]>, AgentError> {
        self.roots.get(number.0 as usize).map(Kept::copy).ok_or(AgentError::Unknown(Missing::Key))
    }
}

/// The name of the ledger copy in the folder.
pub(crate) const VIEW: &str = "view";
