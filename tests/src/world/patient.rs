//! A patient's device in a world: the real agent with its way to the host, and its deeds as sentences.

use std::path::{Path, PathBuf};

use karute_consent::category::Kind;
use karute_consent::id::{PartyKey, RecordId, StatementId, TrailNumber, VaultId};
use karute_consent::revocation::{ErasureReason, RevocationReason};
use karute_consent::template::Template;
use karute_consent::vault::WitnessSet;
use karute_node::agent::error::AgentError;
use karute_node::agent::link::VaultLink;
use karute_node::agent::patient::Patient;
use karute_node::ambient::Ambient;
use karute_node::flow::agent::audit::{Trail, audit};
use karute_node::flow::agent::create::{CreateVault, create_vault, fresh_recovery_code};
use karute_node::flow::agent::device::{DeviceChanged, approve_device, finish_join, join_text, remove_device};
use karute_node::flow::agent::erase::{Doomed, Erased, erase};
use karute_node::flow::agent::grant::{NewGrant, grant};
use karute_node::flow::agent::lines::{Destination, Records};
use karute_node::flow::agent::reach::Reach;
use karute_node::flow::agent::records::{RecordFilter, records};
use karute_node::flow::agent::revoke::{Revoke, Revoked, revoke};
use karute_node::flow::agent::show::show;
use karute_node::flow::agent::sync::{PatientSync, sync_patient};
use karute_node::net::TransportSeed;
use zeroize::Zeroizing;

use super::ADDRESS;

/// A device of a patient.
pub struct PatientEnd {
    /// The real agent.
    pub agent: Patient,
    /// Its way to the host.
    pub reach: Reach,
    /// The recovery code of the vault that this device created, as it was printed.
    pub code: Option<Zeroizing<String>>,
    folder: PathBuf,
}

impl PatientEnd {
    pub(super) fn new(
        name: &str,
        ambient: Ambient,
        reach: impl FnOnce(&TransportSeed) -> Reach,
        folder: &Path,
    ) -> Self {
        let agent = Patient::in_memory(&ambient, name);
        let reach = reach(&agent.transport());
        Self { agent, reach, code: None, folder: folder.to_owned() }
    }

    /// The patient's name.
    pub fn name(&self) -> &str {
        self.agent.name()
    }

    /// This device's key.
    pub fn device(&self) -> PartyKey {
        self.agent.device()
    }

    /// The vault, which must be there.
    pub fn vault(&self) -> VaultId {
        self.agent.vault().expect("a vault was created or joined")
    }

    /// The vault's link.
    pub fn link(&self) -> VaultLink {
        self.agent.link().expect("a vault was created or joined").clone()
    }

    /// Creates the vault at the world's host, with collections for these kinds and no witnesses.
    pub async fn creates_vault(&mut self, kinds: &[Kind]) -> Result<VaultId, AgentError> {
        self.creates_vault_with(kinds, WitnessSet::default()).await
    }

    /// The same, with witnesses.
    pub async fn creates_vault_with(&mut self, kinds: &[Kind], witnesses: WitnessSet) -> Result<VaultId, AgentError> {
        let code = fresh_recovery_code(self.agent.ambient());
        self.code = Some(code.to_text());
        let new = CreateVault { host: ADDRESS.to_owned(), registration: None, kinds: kinds.to_vec(), witnesses };
        create_vault(&mut self.agent, &mut self.reach, new, &code).await.map(|created| created.vault)
    }

    /// Brings the device up to date.
    pub async fn syncs(&mut self) -> Result<PatientSync, AgentError> {
        sync_patient(&mut self.agent, &mut self.reach).await
    }

    /// Grants.
    pub async fn grants(&mut self, new: NewGrant) -> Result<StatementId, AgentError> {
        grant(&mut self.agent, &mut self.reach, new).await.map(|granted| granted.grant)
    }

    /// Revokes a grant, as is the patient's wish.
    pub async fn revokes(&mut self, grant: StatementId) -> Result<Revoked, AgentError> {
        revoke(&mut self.agent, &mut self.reach, Revoke { grant, reason: RevocationReason::Wish }).await
    }

    /// Erases records.
    pub async fn erases(&mut self, records: &[RecordId]) -> Result<Erased, AgentError> {
        let doomed = Doomed { records: records.iter().copied().collect(), ..Doomed::default() };
        erase(&mut self.agent, &mut self.reach, doomed, ErasureReason::Wish).await
    }

    /// Has what events of the trail say erased.
    pub async fn erases_events(&mut self, events: &[u64]) -> Result<Erased, AgentError> {
        let doomed = Doomed { events: events.iter().copied().map(TrailNumber).collect(), ..Doomed::default() };
        erase(&mut self.agent, &mut self.reach, doomed, ErasureReason::Wish).await
    }

    /// Lists all records of the vault.
    pub async fn lists(&mut self) -> Result<Records, AgentError> {
        records(&mut self.agent, &mut self.reach, RecordFilter::default()).await
    }

    /// Fetches a record of the own vault; gives its bytes.
    pub async fn reads(&mut self, record: RecordId) -> Result<Vec<u8>, AgentError> {
        let to = tempfile::tempdir_in(&self.folder).expect("a folder to read into");
        let destination = Destination::Folder(to.path().to_owned());
        let fetched = show(&mut self.agent, &mut self.reach, record, destination, &mut |_| ()).await?;
        Ok(std::fs::read(fetched.path).expect("what was fetched can be read"))
    }

    /// Reads the trail.
    pub async fn audits(&mut self) -> Result<Trail, AgentError> {
        audit(&mut self.agent, &mut self.reach).await
    }

    /// Takes another device in. This one holds the identity key.
    pub async fn takes_in(&mut self, other: &mut PatientEnd) -> Result<DeviceChanged, AgentError> {
        let join = join_text(&other.agent);
        let changed = approve_device(&mut self.agent, &mut self.reach, &join).await?;
        finish_join(&mut other.agent, &mut other.reach, &self.link()).await?;
        Ok(changed)
    }

    /// Removes a device. This one holds the identity key.
    pub async fn removes(&mut self, device: PartyKey) -> Result<DeviceChanged, AgentError> {
        remove_device(&mut self.agent, &mut self.reach, device).await
    }
}

/// A grant by template to the party of a card; what a template leaves open is not limited.
fn by_template(card: &[u8], template: Template, kinds: &[Kind]) -> NewGrant {
    NewGrant {
        card: card.to_vec(),
        template,
        actions: None,
        kinds: kinds.to_vec(),
        months: None,
        records: Vec::new(),
        depositors: Vec::new(),
        purposes: None,
        days: None,
        uses: None,
        depth: None,
        obligations: Vec::new(),
        language: "ja".to_owned(),
        text: "診療のために記録を共有します。".to_owned(),
    }
}

/// Ongoing care: list and read these kinds for 90 days.
pub fn reads(card: &[u8], kinds: &[Kind]) -> NewGrant {
    by_template(card, Template::OngoingCare, kinds)
}

/// A referral: list and read single records for 30 days; it may be passed on once.
pub fn reads_records(card: &[u8], records: &[RecordId]) -> NewGrant {
    NewGrant { records: records.to_vec(), depth: Some(1), ..by_template(card, Template::Referral, &[]) }
}

/// Deposit these kinds for 90 days.
pub fn deposits_to(card: &[u8], kinds: &[Kind]) -> NewGrant {
    by_template(card, Template::Deposit, kinds)
}

/// A guardian: list, read, audit and revoke.
pub fn guards(card: &[u8], kinds: &[Kind]) -> NewGrant {
    by_template(card, Template::Guardian, kinds)
}
