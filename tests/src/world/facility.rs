//! A facility in a world (or a guardian, or a researcher): the real agent with its way to the host, and its deeds as
//! sentences.

use std::path::{Path, PathBuf};

use karute_consent::card::CardKind;
use karute_consent::category::Kind;
use karute_consent::id::{PartyKey, RecordId, StatementId, VaultId};
use karute_consent::purpose::Purpose;
use karute_consent::revocation::WithdrawalReason;
use karute_consent::scope::Action;
use karute_consent::sealing::Suite;
use karute_node::agent::error::AgentError;
use karute_node::agent::facility::{Facility, NewFacility};
use karute_node::agent::link::VaultLink;
use karute_node::ambient::Ambient;
use karute_node::flow::agent::delegate::{Delegate, delegate};
use karute_node::flow::agent::deposit::{Deposited, NewRecord, deposit};
use karute_node::flow::agent::fetch::{Query, fetch};
use karute_node::flow::agent::lines::{Fetched, Records};
use karute_node::flow::agent::list::list;
use karute_node::flow::agent::reach::Reach;
use karute_node::flow::agent::sync::{FacilitySync, sync_facility};
use karute_node::flow::agent::withdraw::withdraw;
use karute_node::net::TransportSeed;

/// A facility with its way to the host.
pub struct FacilityEnd {
    /// The real agent.
    pub agent: Facility,
    /// Its way to the host.
    pub reach: Reach,
    folder: PathBuf,
    /// Files written so far.
    files: u32,
}

impl FacilityEnd {
    pub(super) fn new(
        name: &str,
        ambient: Ambient,
        reach: impl FnOnce(&TransportSeed) -> Reach,
        folder: &Path,
    ) -> Self {
        let kind = match name {
            name if name.starts_with("guardian") => CardKind::Guardian,
            name if name.starts_with("research") => CardKind::Researcher,
            _ => CardKind::Facility,
        };
        // Both suites are met in every world: facility A has the classical one.
        let suite = if name == "A" { Suite::X25519 } else { Suite::XWing };
        let new = NewFacility { kind, name: name.to_owned(), suite, addresses: Vec::new(), evidence: None };
        let agent = Facility::in_memory(&ambient, new).expect("a card within its limits");
        let reach = reach(&agent.transport());
        Self { agent, reach, folder: folder.to_owned(), files: 0 }
    }

    /// The facility's key.
    pub fn party(&self) -> PartyKey {
        self.agent.party()
    }

    /// Its signed card.
    pub fn card(&self) -> &[u8] {
        self.agent.card_bytes()
    }

    /// Remembers a vault; gives the card that its patient needs to grant anything.
    pub fn learns(&mut self, link: &VaultLink) -> Vec<u8> {
        self.agent.learn(link).expect("an agent in memory remembers");
        self.card().to_vec()
    }

    /// Brings its copy of a vault's ledger up to date.
    pub async fn syncs(&mut self, vault: VaultId) -> Result<FacilitySync, AgentError> {
        sync_facility(&mut self.agent, &mut self.reach, vault).await
    }

    /// Writes a file into the facility's folder and describes it as a record of a kind.
    pub fn writes(&mut self, bytes: &[u8], of: Kind) -> NewRecord {
        self.files += 1;
        let path = self.folder.join(format!("file-{}", self.files));
        std::fs::write(&path, bytes).expect("a file can be written");
        NewRecord {
            path,
            title: format!("record {}", self.files),
            category: of.category,
            sensitivity: of.sensitivity,
            media_type: "application/octet-stream".to_owned(),
            service_date: Some("2027-01-15".to_owned()),
            author: None,
            labels: Vec::new(),
            file_name: None,
            supersedes: None,
        }
    }

    /// Deposits one record of a kind.
    pub async fn deposits(&mut self, vault: VaultId, bytes: &[u8], of: Kind) -> Result<RecordId, AgentError> {
        let file = self.writes(bytes, of);
        self.deposits_files(vault, vec![file]).await.map(|done| done.records[0].record)
    }

    /// Deposits files.
    pub async fn deposits_files(&mut self, vault: VaultId, files: Vec<NewRecord>) -> Result<Deposited, AgentError> {
        deposit(&mut self.agent, &mut self.reach, vault, files, &mut |_| ()).await
    }

    /// Lists what it may.
    pub async fn lists(&mut self, vault: VaultId, query: Query) -> Result<Records, AgentError> {
        list(&mut self.agent, &mut self.reach, vault, query).await
    }

    /// Fetches what it may; gives each record's bytes.
    pub async fn fetches(&mut self, vault: VaultId, query: Query) -> Result<Vec<(RecordId, Vec<u8>)>, AgentError> {
        let to = tempfile::tempdir_in(&self.folder).expect("a folder to fetch into");
        let fetched = self.fetches_to(vault, query, to.path()).await?;
        let bytes = |done: Fetched| (done.record, std::fs::read(done.path).expect("what was fetched can be read"));
        Ok(fetched.into_iter().map(bytes).collect())
    }

    /// Fetches what it may into a folder.
    pub async fn fetches_to(&mut self, vault: VaultId, query: Query, to: &Path) -> Result<Vec<Fetched>, AgentError> {
        fetch(&mut self.agent, &mut self.reach, vault, query, to, &mut |_| ()).await
    }

    /// Withdraws records of its own.
    pub async fn withdraws(&mut self, vault: VaultId, records: &[RecordId]) -> Result<(), AgentError> {
        let reason = WithdrawalReason::Misfiled;
        withdraw(&mut self.agent, &mut self.reach, vault, records.to_vec(), reason).await.map(|_| ())
    }

    /// Passes a grant on, with the same kinds and at most `actions`, for a week.
    pub async fn passes_on(
        &mut self,
        vault: VaultId,
        parent: StatementId,
        card: &[u8],
        actions: &[Action],
        kinds: &[Kind],
    ) -> Result<StatementId, AgentError> {
        let terms = Delegate {
            parent,
            card: card.to_vec(),
            actions: actions.to_vec(),
            kinds: kinds.to_vec(),
            months: None,
            records: Vec::new(),
            days: Some(7),
            uses: None,
            depth: Some(0),
            language: "ja".to_owned(),
            text: "相談のために記録を共有します。".to_owned(),
        };
        delegate(&mut self.agent, &mut self.reach, vault, terms).await.map(|granted| granted.grant)
    }
}

/// Everything of these kinds for treatment; no kinds: everything in reach.
pub fn wanted(kinds: &[Kind]) -> Query {
    Query {
        kinds: kinds.to_vec(),
        months: None,
        records: Vec::new(),
        purpose: Some(Purpose::Treatment),
        grant: None,
        acting: None,
    }
}
