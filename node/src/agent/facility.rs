//! A facility's agent: its party key, its sealing key, the secret its record ids come from, and what it knows of each vault.
//!
//! Trusted for what it was granted and no more. Sealed at rest under the passphrase; losing the folder loses the grants,
//! since they are sealed to the key in it.

use std::collections::BTreeMap;
use std::path::Path;

use karute_consent::card::{Card, CardKind};
use karute_consent::id::{PartyKey, RotationSequence, StatementId, VaultId};
use karute_consent::party::Identity;
use karute_consent::sealing::Suite;
use karute_consent::statement::{Unverified, Verified, sign};
use karute_protocol::hpke::SealingSecret;
use karute_protocol::run::Run;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::agent::error::{AgentError, Missing, Obstacle, Unproven};
use crate::agent::keep::{Keep, Kept};
use crate::agent::link::VaultLink;
use crate::agent::patient::VIEW;
use crate::agent::view::{VaultView, ViewAtRest};
use crate::ambient::Ambient;
use crate::failure::Failure;
use crate::net::TransportSeed;
use crate::passphrase::Passphrase;

/// A facility's agent.
pub struct Facility {
    pub(crate) keep: Keep,
    transport: Kept,
    /// The party's own key.
    pub(crate) identity: Identity,
    /// What is sealed to the party.
    pub(crate) sealing: SealingSecret,
    /// Where record ids come from.
    pub(crate) record_secret: Kept,
    card: Verified<Card>,
    vaults: BTreeMap<VaultId, Known>,
}

/// What a new facility says of itself.
pub struct NewFacility {
    /// What kind of party.
    pub kind: CardKind,
    /// Its name, as people know it.
    pub name: String,
    /// Which suite its sealing key is of.
    pub suite: Suite,
    /// Where its own node can be reached, if it has one.
    pub addresses: Vec<String>,
    /// What others say about it; opaque.
    pub evidence: Option<Vec<u8>>,
}

/// What a facility knows of one vault.
pub struct Known {
    /// Where the vault is.
    pub(crate) link: VaultLink,
    /// The verified copy of its ledger, as far as it is shown.
    pub(crate) view: VaultView,
    /// Runs whose records are not all stored.
    pub(crate) runs: Vec<KeptRun>,
    /// Grants that this facility passed on.
    pub(crate) children: Vec<Child>,
}

/// A grant that was passed on: its holder must be given later keys too.
#[derive(SerializeIndexed, DeserializeIndexed)]
pub struct Child {
    /// The child grant.
    #[serde(index = 1)]
    pub grant: StatementId,
    /// Its holder's card.
    #[serde(index = 2)]
    pub card: Unverified<Card>,
    /// The last rotation whose keys were passed on.
    #[serde(index = 3)]
    pub passed: RotationSequence,
}

/// A run that may have to go on after a cut.
#[derive(SerializeIndexed, DeserializeIndexed)]
pub struct KeptRun {
    /// The run as it was signed.
    #[serde(index = 1)]
    pub run: Unverified<Run>,
    /// Its secret.
    #[serde(index = 2)]
    pub secret: Kept,
}

#[derive(SerializeIndexed, DeserializeIndexed)]
struct AtRest {
    #[serde(index = 1)]
    version: u8,
    #[serde(index = 2)]
    transport: Kept,
    #[serde(index = 3)]
    identity: Kept,
    #[serde(index = 4)]
    suite: u8,
    #[serde(index = 5)]
    sealing: Kept,
    #[serde(index = 6)]
    record_secret: Kept,
    #[serde(index = 7)]
    card: Unverified<Card>,
    #[serde(index = 8)]
    links: Vec<VaultLink>,
}

#[derive(SerializeIndexed, DeserializeIndexed)]
struct ChildrenAtRest {
    #[serde(index = 1)]
    children: Vec<Child>,
}

#[derive(SerializeIndexed, DeserializeIndexed)]
struct RunsAtRest {
    #[serde(index = 1)]
    runs: Vec<KeptRun>,
}

impl Facility {
    /// Makes a facility with new keys in a new folder.
    pub fn create_in(
        path: &Path,
        passphrase: &Passphrase,
        ambient: &Ambient,
        new: NewFacility,
    ) -> Result<Self, Failure> {
        let mut facility = Self::in_memory(ambient, new)?;
        facility.keep = Keep::create(path, passphrase, ambient, &facility.at_rest())?;
        Ok(facility)
    }

    /// Opens the facility in a folder.
    pub fn open_in(path: &Path, passphrase: &Passphrase, ambient: &Ambient) -> Result<Self, Failure> {
        let (keep, at_rest) = Keep::open::<AtRest>(path, passphrase, ambient)?;
        Ok(Self::from_rest(keep, at_rest)?)
    }

    /// A facility with new keys that ends with the process.
    pub fn in_memory(ambient: &Ambient, new: NewFacility) -> Result<Self, AgentError> {
        let identity = Identity::from_seed(&ambient.secret());
        let sealing = SealingSecret::new(new.suite, ambient.secret());
        let card = Card {
            kind: new.kind,
            name: new.name,
            sealing_key: sealing.public(),
            issued: ambient.now(),
            evidence: new.evidence,
            addresses: Some(new.addresses).filter(|addresses| !addresses.is_empty()),
        };
        let card = sign(card, &identity).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
        Ok(Self {
            keep: Keep::in_memory(ambient),
            transport: Kept::new(ambient.secret()),
            identity,
            sealing,
            record_secret: Kept::new(ambient.secret()),
            card,
            vaults: BTreeMap::new(),
        })
    }

    fn from_rest(keep: Keep, rest: AtRest) -> Result<Self, AgentError> {
        let suite = Suite::from_number(rest.suite).ok_or(AgentError::Malformed("suite of the own key"))?;
        let mut vaults = BTreeMap::new();
        for link in rest.links {
            let vault = link.vault();
            let view = match keep.state::<ViewAtRest>(VIEW, vault)? {
                Some(kept) => VaultView::from_rest(vault, kept)?,
                None => VaultView::new(vault),
            };
            let runs = keep.state::<RunsAtRest>(RUNS, vault)?.map_or_else(Vec::new, |kept| kept.runs);
            let children = keep.state::<ChildrenAtRest>(CHILDREN, vault)?.map_or_else(Vec::new, |kept| kept.children);
            vaults.insert(vault, Known { link, view, runs, children });
        }
        Ok(Self {
            keep,
            transport: rest.transport,
            identity: Identity::from_seed(&rest.identity.0),
            sealing: SealingSecret::new(suite, rest.sealing.copy()),
            record_secret: rest.record_secret,
            card: rest.card.verify().map_err(|_| AgentError::unproven(Unproven::Statement))?,
            vaults,
        })
    }

    fn at_rest(&self) -> AtRest {
        AtRest {
            version: 1,
            transport: Kept::new(self.transport.copy()),
            identity: Kept::new(self.identity.to_seed()),
            suite: self.sealing.suite().number(),
            sealing: Kept::new(self.sealing.bytes().clone()),
            record_secret: Kept::new(self.record_secret.copy()),
            card: self.card.to_unverified(),
            links: self.vaults.values().map(|known| known.link.clone()).collect(),
        }
    }

    /// Writes what is known of a vault to the folder.
    pub(crate) fn save_view(&mut self, vault: VaultId) -> Result<(), AgentError> {
        let Some(known) = self.vaults.get(&vault) else { return Ok(()) };
        let rest = known.view.at_rest();
        self.keep.put(VIEW, vault, &rest)
    }

    /// Writes the open runs of a vault to the folder.
    pub(crate) fn save_runs(&mut self, vault: VaultId) -> Result<(), AgentError> {
        let Some(known) = self.vaults.get_mut(&vault) else { return Ok(()) };
        let rest = RunsAtRest { runs: std::mem::take(&mut known.runs) };
        let kept = self.keep.put(RUNS, vault, &rest);
        known.runs = rest.runs;
        kept
    }

    /// Writes to the folder which grants were passed on.
    pub(crate) fn save_children(&mut self, vault: VaultId) -> Result<(), AgentError> {
        let Some(known) = self.vaults.get_mut(&vault) else { return Ok(()) };
        let rest = ChildrenAtRest { children: std::mem::take(&mut known.children) };
        let kept = self.keep.put(CHILDREN, vault, &rest);
        known.children = rest.children;
        kept
    }

    /// Forgets the open runs of a vault: all their records are stored.
    pub(crate) fn forget_runs(&mut self, vault: VaultId) -> Result<(), AgentError> {
        self.known_mut(vault)?.runs.clear();
        self.save_runs(vault)
    }

    /// Remembers a vault by its link; a known vault takes the link's addresses.
    pub fn learn(&mut self, link: &VaultLink) -> Result<VaultId, AgentError> {
        let vault = link.vault();
        match self.vaults.get_mut(&vault) {
            Some(known) => known.link = link.clone(),
            None => {
                let (runs, children) = (Vec::new(), Vec::new());
                let known = Known { link: link.clone(), view: VaultView::new(vault), runs, children };
                self.vaults.insert(vault, known);
            }
        }
        self.keep.save_secrets(&self.at_rest())?;
        Ok(vault)
    }

    /// What is kept at rest: evidence above all.
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// Clock and randomness.
    pub fn ambient(&self) -> &Ambient {
        self.keep.ambient()
    }

    /// The seed of this facility's transport key.
    pub fn transport(&self) -> TransportSeed {
        TransportSeed::new(*self.transport.0)
    }

    /// The facility's key.
    pub fn party(&self) -> PartyKey {
        self.identity.key()
    }

    /// Its name, as its card says.
    pub fn name(&self) -> &str {
        &self.card.payload().name
    }

    /// Its signed card.
    pub fn card(&self) -> &Verified<Card> {
        &self.card
    }

    /// Its signed card as it is handed out.
    pub fn card_bytes(&self) -> &[u8] {
        self.card.bytes()
    }

    /// The links of all vaults it knows.
    pub fn links(&self) -> impl Iterator<Item = &VaultLink> {
        self.vaults.values().map(|known| &known.link)
    }

    /// What is known of a vault.
    pub fn known(&self, vault: VaultId) -> Result<&Known, AgentError> {
        self.vaults.get(&vault).ok_or(AgentError::Unknown(Missing::VaultLink))
    }

    pub(crate) fn known_mut(&mut self, vault: VaultId) -> Result<&mut Known, AgentError> {
        self.vaults.get_mut(&vault).ok_or(AgentError::Unknown(Missing::VaultLink))
    }
}

impl Known {
    /// Where the vault is.
    pub fn link(&self) -> &VaultLink {
        &self.link
    }

    /// The verified copy of its ledger, as far as it is shown to this facility.
    pub fn view(&self) -> &VaultView {
        &self.view
    }
}

const RUNS: &str = "runs";
const CHILDREN: &str = "children";
