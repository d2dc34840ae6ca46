//! Who takes part: one host, one patient, as many facilities as a test needs, and a folder for files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use karute_consent::card::CardKind;
use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::VaultId;
use karute_consent::party::Identity;
use karute_consent::sealing::Suite;
use karute_consent::template::Template;
use karute_consent::time::Timestamp;
use karute_consent::vault::WitnessSet;
use karute_protocol::recovery::RecoveryCode;
use tokio::sync::mpsc;

use crate::agent::connect::{Connect, MemoryConnect, MemoryInbound};
use crate::agent::error::AgentError;
use crate::agent::facility::{Facility, NewFacility};
use crate::agent::patient::Patient;
use crate::ambient::Ambient;
use crate::flow::agent::create::{CreateVault, create_vault, fresh_recovery_code};
use crate::flow::agent::deposit::{Deposited, NewRecord, deposit};
use crate::flow::agent::fetch::{Query, fetch};
use crate::flow::agent::grant::{NewGrant, grant};
use crate::flow::agent::lines::{Fetched, Granted};
use crate::flow::agent::reach::Reach;
use crate::flow::host::session::serve;
use crate::flow::host::{Host, Registration};
use crate::net::PeerKey;
use crate::vault::bodies::BodyLimits;
use crate::vault::{Store, StoreSettings};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(super) const ADDRESS: &str = "home";

pub(super) const IMAGING: Kind = Kind { category: Category::Imaging, sensitivity: Sensitivity::Normal };
pub(super) const LAB: Kind = Kind { category: Category::Lab, sensitivity: Sensitivity::Normal };

/// A host and a clock.
pub(super) struct World {
    pub(super) ambient: Ambient,
    pub(super) folder: tempfile::TempDir,
    accept: mpsc::Sender<MemoryInbound>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_log(4)
    }

    /// A world whose host has another log key.
    pub(super) fn with_log(log: u8) -> Self {
        Self::over(tempfile::tempdir().unwrap(), Ambient::fixed(NOW, 11), log)
    }

    /// The same host as it is now, beside the one that goes on: what a copy of its disk gives.
    pub(super) fn rolled_back(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&self.folder.path().join("node"), &folder.path().join("node"));
        Self::over(folder, self.ambient.clone(), 4)
    }

    fn over(folder: tempfile::TempDir, ambient: Ambient, log: u8) -> Self {
        let seed = [log; 32];
        let entropy = Arc::new(|bytes: &mut [u8]| getrandom::fill(bytes).unwrap());
        let settings = StoreSettings {
            folder: folder.path().join("node"),
            log: Identity::from_seed(&seed),
            entropy,
            bodies: BodyLimits::default(),
        };
        let store = Store::open(settings, &mut |_| {}).unwrap().0;
        let host = Host::new(store, Identity::from_seed(&seed), Registration::Open, ambient.clone());
        let (accept, mut inbound) = mpsc::channel::<MemoryInbound>(16);
        tokio::spawn(async move {
            while let Some(MemoryInbound { peer, stream }) = inbound.recv().await {
                let peer = PeerKey::from_bytes(&peer).unwrap();
                tokio::spawn(serve(host.clone(), peer, stream));
            }
        });
        Self { ambient, folder, accept }
    }

    /// A way to the host for an agent with this transport key.
    pub(super) fn reach(&self, transport: &crate::net::TransportSeed) -> Reach {
        Reach::new(Connect::Memory(self.memory(transport)))
    }

    pub(super) fn memory(&self, transport: &crate::net::TransportSeed) -> MemoryConnect {
        MemoryConnect::new(transport.peer_key().to_bytes()).with_host(ADDRESS, self.accept.clone())
    }

    /// A patient with a vault.
    pub(super) async fn patient(&self) -> (Patient, Reach, RecoveryCode) {
        let mut patient = Patient::in_memory(&self.ambient, "Hanako");
        let mut reach = self.reach(&patient.transport());
        let code = self.vault_of(&mut patient, &mut reach, WitnessSet::default()).await;
        (patient, reach, code)
    }

    /// A vault for a patient, with these witnesses.
    pub(super) async fn vault_of(
        &self,
        patient: &mut Patient,
        reach: &mut Reach,
        witnesses: WitnessSet,
    ) -> RecoveryCode {
        let code = fresh_recovery_code(&self.ambient);
        let new = CreateVault { host: ADDRESS.into(), registration: None, kinds: vec![IMAGING], witnesses };
        create_vault(patient, reach, new, &code).await.unwrap();
        code
    }

    /// A facility that knows the vault.
    pub(super) fn facility(&self, name: &str, patient: &Patient) -> (Facility, Reach) {
        let new = NewFacility {
            kind: CardKind::Facility,
            name: name.into(),
            suite: Suite::XWing,
            addresses: Vec::new(),
            evidence: None,
        };
        let mut facility = Facility::in_memory(&self.ambient, new).unwrap();
        facility.learn(patient.link().unwrap()).unwrap();
        let reach = self.reach(&facility.transport());
        (facility, reach)
    }

    /// A file with bytes that `seed` determines.
    pub(super) fn file(&self, name: &str, len: usize, seed: u64) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut bytes = vec![0; len];
        Ambient::fixed(NOW, seed).fill(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

pub(super) fn record(path: &Path, kind: Kind) -> NewRecord {
    NewRecord {
        path: path.to_owned(),
        title: format!("title of {}", path.file_name().unwrap().to_string_lossy()),
        category: kind.category,
        sensitivity: kind.sensitivity,
        media_type: "application/octet-stream".into(),
        service_date: Some("2026-11-02".into()),
        author: Some("Dr. Ito".into()),
        labels: vec!["b".into(), "a".into()],
        file_name: Some(path.file_name().unwrap().to_string_lossy().into_owned()),
        supersedes: None,
    }
}

pub(super) fn terms(facility: &Facility, template: Template, kinds: &[Kind]) -> NewGrant {
    NewGrant {
        card: facility.card_bytes().to_vec(),
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
        language: "en".into(),
        text: "I agree.\nFor my care.".into(),
    }
}

pub(super) async fn granted(
    patient: &mut Patient,
    reach: &mut Reach,
    facility: &Facility,
    template: Template,
    kinds: &[Kind],
) -> Granted {
    grant(patient, reach, terms(facility, template, kinds)).await.unwrap()
}

pub(super) async fn put(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    files: Vec<NewRecord>,
) -> Result<Deposited, AgentError> {
    deposit(facility, reach, vault, files, &mut |_| {}).await
}

pub(super) fn everything() -> Query {
    Query { kinds: Vec::new(), months: None, records: Vec::new(), purpose: None, grant: None, acting: None }
}

pub(super) async fn get(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    to: &Path,
) -> Result<Vec<Fetched>, AgentError> {
    fetch(facility, reach, vault, everything(), to, &mut |_| {}).await
}
