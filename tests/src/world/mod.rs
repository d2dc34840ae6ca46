//! The world in which karute is tried: a real host over a real store in a folder, real agents, real frames, and an
//! in-memory network. Only the clock and the randomness are made up: the clock is moved by hand, and every byte of
//! randomness comes from the world's seed, so that a history runs the same way twice.
//!
//! The cast are the patients 花子 and 太郎, the facilities A, B and C, a guardian and a researcher; each has a key of its
//! own, a clock of its own (moved together unless a test says otherwise) and a way to the host. A party appears when it
//! is first named:
//!
//! ```ignore
//! let mut world = World::new(1).await;
//! let lab = kind(Category::Lab);
//! let vault = world.patient("hanako").creates_vault(&[lab]).await?;
//! let link = world.patient("hanako").link();
//! let card = world.facility("A").learns(&link);
//! world.patient("hanako").grants(deposits_to(card, &[lab])).await?;
//! let record = world.facility("A").deposits(vault, b"HbA1c 6.1", lab).await?;
//! ```

mod facility;
mod host;
mod keys;
mod patient;
mod wire;
mod witness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::{NodeId, PartyKey};
use karute_consent::party::Identity;
use karute_consent::sealing::SealingKey;
use karute_consent::time::Timestamp;
use karute_consent::vault::{Witness, WitnessSet};
use karute_node::agent::connect::{Connect, Line, MemoryConnect, MemoryInbound};
use karute_node::ambient::Ambient;
use karute_node::cosign::MemoryWitnesses;
use karute_node::flow::agent::reach::Reach;
use karute_node::flow::host::Host;
use karute_node::net::TransportSeed;
use karute_protocol::hpke::SealingSecret;
use tempfile::TempDir;
use tokio::sync::mpsc;

pub use facility::{FacilityEnd, wanted};
use host::Asked;
pub use host::Home;
pub use keys::{number_of, seed_of};
pub use patient::{PatientEnd, deposits_to, guards, reads, reads_records};
pub use wire::{Answered, Wire};
pub use witness::WitnessPost;

/// How long a deed waits for witnesses: in one process they answer at once or never.
const PATIENCE: Duration = Duration::from_millis(500);

/// When every world begins: 2027-01-15T08:00:00Z, in the middle of month 684.
pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Where the host of a world is reached.
pub const ADDRESS: &str = "memory:home";
/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// A host, its cast and what lies between them.
pub struct World {
    seed: u64,
    folder: TempDir,
    home: Home,
    connect: mpsc::Sender<MemoryInbound>,
    patients: BTreeMap<String, PatientEnd>,
    facilities: BTreeMap<String, FacilityEnd>,
    witnesses: BTreeMap<String, WitnessPost>,
    network: MemoryWitnesses,
}

impl World {
    /// A world with a running host and nobody else yet. What is random in it follows from `seed`.
    pub async fn new(seed: u64) -> Self {
        Self::with_witnesses(seed, &[]).await
    }

    /// A world in which the host's custodian chose these witnesses: they cosign its trail. A vault may name them, or
    /// others.
    pub async fn with_witnesses(seed: u64, chosen: &[&str]) -> Self {
        Self::new_in(seed, chosen, tempfile::tempdir().expect("a folder for the world")).await
    }

    /// The same in a folder of the caller's choice.
    pub async fn new_in(seed: u64, chosen: &[&str], folder: TempDir) -> Self {
        let (connect, arriving) = mpsc::channel(ARRIVING_MAX);
        let ambient = Ambient::fixed(START, number_of(seed, "host"));
        let log = Identity::from_seed(&seed_of(seed, "host/log"));
        let network = MemoryWitnesses::default();
        let place = folder.path().join("cast");
        let raise = |name: &&str| (name.to_string(), raise_witness(seed, name, START, &place, &network));
        let witnesses: BTreeMap<String, WitnessPost> = chosen.iter().map(raise).collect();
        let asked = Asked { chosen: witnesses.values().map(WitnessPost::end).collect(), network: network.clone() };
        let home = Home::start(folder.path().join("host"), log, ambient, arriving, asked).await;
        let (patients, facilities) = (BTreeMap::new(), BTreeMap::new());
        Self { seed, folder, home, connect, patients, facilities, witnesses, network }
    }

    /// A device of a patient. Another device of the same patient has another name, as in `"hanako/tablet"`.
    pub fn patient(&mut self, name: &str) -> &mut PatientEnd {
        if !self.patients.contains_key(name) {
            let ambient = self.ambient_of(name);
            let end = PatientEnd::new(name, ambient, |transport| self.reach(transport), &self.folder_of(name));
            self.patients.insert(name.to_owned(), end);
        }
        self.patients.get_mut(name).expect("it was put there")
    }

    /// A facility, or whoever holds grants: a name that begins with `guardian` or `research` is of that kind.
    pub fn facility(&mut self, name: &str) -> &mut FacilityEnd {
        if !self.facilities.contains_key(name) {
            let ambient = self.ambient_of(name);
            let end = FacilityEnd::new(name, ambient, |transport| self.reach(transport), &self.folder_of(name));
            self.facilities.insert(name.to_owned(), end);
        }
        self.facilities.get_mut(name).expect("it was put there")
    }

    /// A witness, which vaults may name. The host's custodian chose it only if the world began with it.
    pub fn witness(&mut self, name: &str) -> &mut WitnessPost {
        if !self.witnesses.contains_key(name) {
            let place = self.folder.path().join("cast");
            let post = raise_witness(self.seed, name, self.now(), &place, &self.network);
            self.witnesses.insert(name.to_owned(), post);
        }
        self.witnesses.get_mut(name).expect("it was put there")
    }

    /// Where the witnesses are, for another host that asks them.
    pub fn witness_network(&self) -> MemoryWitnesses {
        self.network.clone()
    }

    /// The host's log key.
    pub fn log_key(&self) -> Identity {
        Identity::from_seed(&seed_of(self.seed, "host/log"))
    }

    /// A witness set of these witnesses, as a charter names it.
    pub fn witness_set(&mut self, names: &[&str], quorum: u8) -> WitnessSet {
        let mut witnesses: Vec<Witness> = names.iter().map(|name| self.witness(name).card()).collect();
        witnesses.sort_by_key(|witness| witness.key);
        WitnessSet { witnesses, quorum }
    }

    /// A device and a facility at once.
    pub fn both(&mut self, patient: &str, facility: &str) -> (&mut PatientEnd, &mut FacilityEnd) {
        self.patient(patient);
        self.facility(facility);
        let ends = (self.patients.get_mut(patient), self.facilities.get_mut(facility));
        (ends.0.expect("it was named"), ends.1.expect("it was named"))
    }

    /// Two devices at once.
    pub fn devices(&mut self, one: &str, other: &str) -> (&mut PatientEnd, &mut PatientEnd) {
        self.patient(one);
        self.patient(other);
        let (mut first, mut second) = (None, None);
        for (name, end) in &mut self.patients {
            match name {
                name if name == one => first = Some(end),
                name if name == other => second = Some(end),
                _ => {}
            }
        }
        (first.expect("it was named"), second.expect("two names are two devices"))
    }

    /// The running host.
    pub fn host(&self) -> &Arc<Host> {
        self.home.host()
    }

    /// The running host's folder, accept loop and clock.
    pub fn home(&mut self) -> &mut Home {
        &mut self.home
    }

    /// The host's node id.
    pub fn node(&self) -> NodeId {
        self.home.host().node()
    }

    /// The host's clock.
    pub fn now(&self) -> Timestamp {
        self.home.host().ambient().now()
    }

    /// Lets time pass for everybody.
    pub fn passes(&self, secs: u64) {
        self.ambients().for_each(|ambient| assert!(ambient.advance(secs), "a hand-moved clock"));
    }

    /// Sets every clock, backwards too.
    pub fn is_now(&self, moment: Timestamp) {
        self.ambients().for_each(|ambient| assert!(ambient.set(moment), "a hand-moved clock"));
    }

    /// Ends the host, cuts every session, and opens it again from its folder.
    pub async fn restarts_host(&mut self) {
        self.home.restart().await;
        self.patients.values_mut().for_each(|end| end.reach.hang_up());
        self.facilities.values_mut().for_each(|end| end.reach.hang_up());
    }

    /// A stream to the host from somebody with this transport key. Nobody proves anything else.
    pub async fn line_of(&self, transport: &TransportSeed) -> Line {
        let connect = self.connect_of(transport);
        connect.open(&[ADDRESS.to_owned()]).await.expect("the host takes streams")
    }

    /// A raw session with the host from somebody with this transport key.
    pub async fn wire_of(&self, transport: &TransportSeed) -> Wire {
        Wire::hello(self.line_of(transport).await).await
    }

    /// A way to the host for an agent with this transport key.
    pub fn reach(&self, transport: &TransportSeed) -> Reach {
        Reach::new(self.connect_of(transport)).with_patience(PATIENCE)
    }

    /// The private half of a cast member's key, drawn again from that member's own randomness: what a thief of the key
    /// would hold. `name` is the cast member's.
    pub fn stolen_key(&self, name: &str, key: PartyKey) -> Identity {
        keys::find(&Ambient::fixed(START, number_of(self.seed, name)), key)
    }

    /// The private half of a cast member's sealing key, as [`World::stolen_key`].
    pub fn stolen_sealing_key(&self, name: &str, key: &SealingKey) -> SealingSecret {
        keys::find_sealing(&Ambient::fixed(START, number_of(self.seed, name)), key)
    }

    /// A folder of this world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The way to the host for whoever has this transport key, for something that is to lie between an agent and the host.
    pub fn connect_of(&self, transport: &TransportSeed) -> Connect {
        let peer = transport.peer_key().to_bytes();
        Connect::Memory(MemoryConnect::new(peer).with_host(ADDRESS, self.connect.clone()))
    }

    fn ambient_of(&self, name: &str) -> Ambient {
        Ambient::fixed(self.now(), number_of(self.seed, name))
    }

    fn folder_of(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join("cast").join(name);
        std::fs::create_dir_all(&folder).expect("a folder for each of the cast");
        folder
    }

    fn ambients(&self) -> impl Iterator<Item = &Ambient> {
        let patients = self.patients.values().map(|end| end.agent.ambient());
        let facilities = self.facilities.values().map(|end| end.agent.ambient());
        let witnesses = self.witnesses.values().map(WitnessPost::ambient);
        patients.chain(facilities).chain(witnesses).chain([self.home.host().ambient()])
    }
}

fn raise_witness(seed: u64, name: &str, now: Timestamp, place: &Path, network: &MemoryWitnesses) -> WitnessPost {
    let ambient = Ambient::fixed(now, number_of(seed, name));
    WitnessPost::new(name, seed_of(seed, name), &place.join(name), ambient, network.clone())
}

/// A kind of data of normal sensitivity.
pub fn kind(category: Category) -> Kind {
    Kind { category, sensitivity: Sensitivity::Normal }
}

/// Streams that wait while the host is down.
const ARRIVING_MAX: usize = 64;
