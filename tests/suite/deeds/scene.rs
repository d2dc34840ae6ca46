//! How most deeds begin: 花子 has a vault, hospital A may deposit into it, hospital B knows it.

use karute_consent::category::{Category, Kind};
use karute_consent::id::{CollectionId, PartyKey, RecordId, StatementId, VaultId};
use karute_consent::party::Identity;
use karute_consent::policy::DenyReason;
use karute_consent::purpose::Purpose;
use karute_consent::request::{Request, Selector};
use karute_consent::scope::Action;
use karute_node::agent::link::VaultLink;
use karute_node::flow::agent::fetch::Query;
use karute_tests::world::{PatientEnd, Wire, World, deposits_to, kind, reads, wanted};

/// Everyday data that most deeds are about.
pub(super) fn lab() -> Kind {
    kind(Category::Lab)
}

/// Another kind of data.
pub(super) fn imaging() -> Kind {
    kind(Category::Imaging)
}

/// A world in which `hanako` has a vault with collections for lab and imaging, and `A` may deposit both for 90 days.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) vault: VaultId,
    pub(super) link: VaultLink,
    /// A's grant.
    pub(super) deposit: StatementId,
}

impl Scene {
    pub(super) async fn new(seed: u64) -> Self {
        let mut world = World::new(seed).await;
        let vault = world.patient("hanako").creates_vault(&[lab(), imaging()]).await.unwrap();
        let link = world.patient("hanako").link();
        let a = world.facility("A").learns(&link);
        let deposit = world.patient("hanako").grants(deposits_to(&a, &[lab(), imaging()])).await.unwrap();
        Self { world, vault, link, deposit }
    }

    /// The patient's first device.
    pub(super) fn hanako(&mut self) -> &mut PatientEnd {
        self.world.patient("hanako")
    }

    /// Lets a facility list and read these kinds for 90 days.
    pub(super) async fn lets_read(&mut self, name: &str, kinds: &[Kind]) -> StatementId {
        let card = self.world.facility(name).learns(&self.link);
        self.hanako().grants(reads(&card, kinds)).await.unwrap()
    }

    /// A deposits one lab record.
    pub(super) async fn has_lab(&mut self, bytes: &[u8]) -> RecordId {
        let vault = self.vault;
        self.world.facility("A").deposits(vault, bytes, lab()).await.unwrap()
    }

    /// The collection of a kind of data, as the patient's device sees it.
    pub(super) async fn collection_of(&mut self, of: Kind) -> CollectionId {
        self.hanako().syncs().await.unwrap();
        let now = self.world.now();
        let status = karute_node::flow::agent::status::patient_status(&self.hanako().agent, now).unwrap();
        let mut lines = status.collections.iter();
        let wanted = (Some(of.category), Some(of.sensitivity));
        lines.find(|line| (line.category, line.sensitivity) == wanted).unwrap().collection
    }

    /// Ids of all records that the patient sees, and whether the list is complete.
    pub(super) async fn records(&mut self) -> (Vec<RecordId>, bool) {
        let listed = self.hanako().lists().await.unwrap();
        (listed.records.iter().map(|line| line.record).collect(), listed.complete)
    }

    /// Why the host refused a party, in the order of the trail, which must be whole.
    pub(super) async fn reasons(&mut self, party: PartyKey) -> Vec<DenyReason> {
        let trail = self.hanako().audits().await.unwrap();
        assert!(trail.checks.gapless && trail.checks.proofs && trail.checks.not_shorter, "{:?}", trail.checks);
        let refused = trail.lines.iter().filter(|line| line.party == party && line.outcome != 0);
        refused.map(|line| DenyReason::from_number(line.outcome).unwrap()).collect()
    }

    /// A raw session of a facility, and its identity key.
    pub(super) async fn raw(&mut self, name: &str) -> (Wire, Identity) {
        let (transport, party) = {
            let end = self.world.facility(name);
            (end.agent.transport(), end.party())
        };
        (self.world.wire_of(&transport).await, self.world.stolen_key(name, party))
    }

    /// A request of a raw session, as good as can be.
    pub(super) fn request(&self, action: Action, chain: &[StatementId], id: u8) -> Request {
        Request {
            id: karute_consent::id::RequestId::from_bytes([id; 16]),
            vault: self.vault,
            chain: chain.to_vec(),
            action,
            selector: Selector::default(),
            purpose: Purpose::Treatment,
            acting_hash: None,
            challenge: karute_consent::id::Challenge::from_bytes([0; 32]),
            sequence: 0,
            node: self.world.node(),
            peer: Vec::new(),
            head: None,
            time: self.world.now(),
            resumes: None,
        }
    }
}

/// Whatever is in reach, for the purpose that the grant is for.
pub(super) fn anything() -> Query {
    Query { purpose: None, ..wanted(&[]) }
}

/// A file that does not compress and differs with `salt`.
pub(super) fn noise(len: usize, salt: u64) -> Vec<u8> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next());
    }
    bytes.truncate(len);
    bytes
}

/// Files below a folder, with their sizes.
pub(super) fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}
