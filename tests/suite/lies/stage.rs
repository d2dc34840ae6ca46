//! What has happened before the lie: 花子 and her tablet, two depositors of whom one has never read the ledger, a reader,
//! one who was one, a guardian, and the sheet of paper. Three witnesses, two of whom must have seen the newest state.
//!
//! ```text
//!   A: lab 1, lab 2, image, lab 3, 3 taken back ── C reads ── [old copy] ── C revoked ── A: lab 4 ── tablet grants twice
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use karute_consent::category::{Category, Kind};
use karute_consent::id::{Generation, RecordId, StatementId, VaultId};
use karute_node::agent::link::VaultLink;
use karute_node::ambient::Ambient;
use karute_node::cosign::{Connect, MemoryWitnesses, Pace, Witnesses};
use karute_node::flow::agent::auditing::audit_all;
use karute_node::flow::host::{Host, Registration, keep_cosigned};
use karute_tests::liar::copy::{copy_folder, open_host};
use karute_tests::liar::{Liar, Lie};
use karute_tests::world::{DAY, World, deposits_to, guards, kind, reads, wanted};
use tempfile::TempDir;

use super::Came;
use super::roles::{Role, play};

/// A world with a liar in the place of its host, honest so far.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) liar: Liar,
    pub(super) vault: VaultId,
    pub(super) link: VaultLink,
    /// Every record that is in the vault, with its bytes.
    pub(super) truth: BTreeMap<RecordId, Vec<u8>>,
    /// Sealed after the revocation.
    pub(super) later: RecordId,
    /// C's grant, revoked.
    pub(super) revoked: StatementId,
    /// The host as it was before the revocation.
    pub(super) old: Arc<Host>,
    /// Where a deposit is filed since the revocation.
    pub(super) generation: Option<Generation>,
    others: u32,
    folders: Vec<TempDir>,
}

/// Everybody's names.
pub(super) const CAST: [&str; 5] = ["A", "D", "B", "C", "guardian"];
pub(super) const WITNESSES: [&str; 3] = ["w1", "w2", "w3"];

impl Stage {
    /// With three witnesses and a quorum of two.
    pub(super) async fn new(seed: u64) -> Self {
        Self::with_quorum(seed, Some(2)).await
    }

    /// Without witnesses, or with this quorum of three.
    pub(super) async fn with_quorum(seed: u64, quorum: Option<u8>) -> Self {
        let mut world = World::with_witnesses(seed, if quorum.is_some() { &WITNESSES } else { &[] }).await;
        let liar = Liar::new(world.log_key(), world.host().clone());
        for name in ["taro", "hanako", "hanako/tablet", "hanako/new"] {
            let end = world.patient(name);
            end.reach = liar.reach(&end.agent.transport()).with_patience(PATIENCE);
        }
        for name in CAST {
            let end = world.facility(name);
            end.reach = liar.reach(&end.agent.transport()).with_patience(PATIENCE);
        }
        let set = quorum.map(|quorum| world.witness_set(&WITNESSES, quorum)).unwrap_or_default();
        let vault = world.patient("hanako").creates_vault_with(&[lab(), imaging()], set).await.unwrap();
        let link = world.patient("hanako").link();
        let old = world.host().clone();
        let (truth, revoked) = (BTreeMap::new(), StatementId::NONE);
        let later = RecordId::from_bytes([0; 16]);
        let (generation, others, folders) = (None, 0, Vec::new());
        let mut stage = Self { world, liar, vault, link, truth, later, revoked, old, generation, others, folders };
        stage.happens().await;
        stage
    }

    async fn happens(&mut self) {
        let vault = self.vault;
        let cards: Vec<Vec<u8>> = CAST.map(|name| self.world.facility(name).learns(&self.link)).into();
        let hanako = self.world.patient("hanako");
        for depositor in &cards[..2] {
            hanako.grants(deposits_to(depositor, &[lab(), imaging()])).await.unwrap();
        }
        hanako.grants(reads(&cards[2], &[lab(), imaging()])).await.unwrap();
        self.revoked = hanako.grants(reads(&cards[3], &[lab(), imaging()])).await.unwrap();
        hanako.grants(guards(&cards[4], &[lab(), imaging()])).await.unwrap();
        for (bytes, of) in [(b"HbA1c 6.1".to_vec(), lab()), (b"HbA1c 5.9".to_vec(), lab()), (image(), imaging())] {
            self.deposits(&bytes, of).await;
        }
        let mistaken = self.world.facility("A").deposits(vault, b"somebody else's", lab()).await.unwrap();
        self.world.facility("A").withdraws(vault, &[mistaken]).await.unwrap();
        for name in ["B", "C", "guardian"] {
            self.world.facility(name).fetches(vault, anything()).await.unwrap();
        }
        let (hanako, tablet) = self.world.devices("hanako", "hanako/tablet");
        hanako.takes_in(tablet).await.unwrap();
        hanako.lists().await.unwrap();
        self.world.passes(120);
        self.old = self.copies_host(None).await;
        let revoked = self.revoked;
        self.world.patient("hanako").revokes(revoked).await.unwrap();
        self.later = self.deposits(b"HbA1c 5.7", lab()).await;
        let hanako = self.world.patient("hanako");
        audit_all(&mut hanako.agent, &mut hanako.reach).await.unwrap();
        self.world.facility("B").lists(vault, anything()).await.unwrap();
        self.world.facility("guardian").lists(vault, anything()).await.unwrap();
        let tablet = self.world.patient("hanako/tablet");
        tablet.syncs().await.unwrap();
        let report = audit_all(&mut tablet.agent, &mut tablet.reach).await.unwrap();
        assert!(report.findings.is_empty() && report.complaints.is_empty(), "{report:?}");
        self.world.passes(120);
    }

    async fn deposits(&mut self, bytes: &[u8], of: Kind) -> RecordId {
        let vault = self.vault;
        let file = self.world.facility("A").writes(bytes, of);
        let done = self.world.facility("A").deposits_files(vault, vec![file]).await.unwrap();
        let record = done.records[0].record;
        self.truth.insert(record, bytes.to_vec());
        if of == lab() {
            self.generation = done.records[0].generation;
        }
        record
    }

    /// A host over a copy of the node's folder as it is now, by another clock if one is given.
    pub(super) async fn copies_host(&mut self, clock: Option<Ambient>) -> Arc<Host> {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(self.world.home().folder(), folder.path()).unwrap();
        let ambient = clock.unwrap_or_else(|| self.world.host().ambient().clone());
        // It asks no witness: of one it would hear that it is an old copy, and stop.
        let witnesses = Witnesses::new(Vec::new(), Connect::memory(MemoryWitnesses::default()), Pace::default());
        let host = open_host(folder.path(), &self.world.log_key(), ambient, Registration::Open, witnesses)
            .expect("a copy opens");
        tokio::spawn(keep_cosigned(host.clone()));
        self.folders.push(folder);
        host
    }

    /// From here on the host lies so.
    pub(super) async fn begins(&mut self, lie: Lie) {
        match lie {
            Lie::HidesARevocation | Lie::RestoresAnOldDisk => {
                let old = self.old.clone();
                self.world.passes(DAY + 1); // until then what the witnesses signed of the older ledger is fresh (P-47)
                if lie == Lie::HidesARevocation {
                    self.grows(&old).await;
                }
                self.liar.shows(&old);
            }
            Lie::ServesAfterRevocation => {
                let old = self.old.clone();
                let c = self.world.facility("C").agent.transport();
                self.liar.shows_to(&c, &old);
            }
            Lie::TurnsItsClockBack | Lie::TurnsItsClockForward => {
                let now = self.world.now();
                let then = if lie == Lie::TurnsItsClockBack { now.minus_secs(DAY) } else { now.plus_secs(DAY) };
                let host = self.copies_host(Some(Ambient::fixed(then, 77))).await;
                self.liar.shows(&host);
            }
            Lie::ForksTheLog => {
                let other = self.copies_host(None).await;
                let own = self.world.host().clone();
                self.grows(&own).await;
                self.others_see_it().await;
                self.grows(&other).await;
                self.liar.shows(&other);
            }
            Lie::ShowsAnothersLedger => {
                let other = self.world.patient("taro").creates_vault(&[lab()]).await.unwrap();
                let link = self.world.patient("taro").link();
                let card = self.world.facility("A").learns(&link);
                self.world.patient("taro").grants(deposits_to(&card, &[lab()])).await.unwrap();
                self.world.facility("A").syncs(other).await.unwrap();
            }
            _ => {}
        }
        self.liar.lies(lie);
        self.hang_up();
    }

    /// Everybody who knows the vault sees the host as it is.
    async fn others_see_it(&mut self) {
        let vault = self.vault;
        for name in ["hanako", "hanako/tablet"] {
            self.world.patient(name).syncs().await.unwrap();
        }
        for name in ["A", "B", "guardian"] {
            self.world.facility(name).syncs(vault).await.unwrap();
        }
    }

    /// Somebody else makes a host's trail longer than it ever was on another one.
    pub(super) async fn grows(&mut self, host: &Arc<Host>) {
        let beyond = self.world.host().store().trail_head().size.max(host.store().trail_head().size) + 5;
        self.others += 1;
        let name = format!("other-{}", self.others);
        let end = self.world.patient(&name);
        let transport = end.agent.transport();
        end.reach = self.liar.reach(&transport);
        self.liar.shows_to(&transport, host);
        end.creates_vault(&[lab()]).await.unwrap();
        while host.store().trail_head().size < beyond {
            self.world.patient(&name).lists().await.unwrap();
        }
    }

    fn hang_up(&mut self) {
        for name in ["taro", "hanako", "hanako/tablet", "hanako/new"] {
            self.world.patient(name).reach.hang_up();
        }
        for name in CAST {
            self.world.facility(name).reach.hang_up();
        }
    }

    /// One role does what it does; gives what came of it and a word on why.
    pub(super) async fn plays(&mut self, role: Role, lie: Lie) -> (Came, String) {
        let went = play(self, role, lie).await;
        (went.came(self), format!("{went:?}"))
    }
}

pub(super) fn lab() -> Kind {
    kind(Category::Lab)
}

pub(super) fn imaging() -> Kind {
    kind(Category::Imaging)
}

/// Whatever is in reach.
pub(super) fn anything() -> karute_node::flow::agent::fetch::Query {
    karute_node::flow::agent::fetch::Query { purpose: None, ..wanted(&[]) }
}

/// A body that comes in pieces, no half of which is like another.
fn image() -> Vec<u8> {
    (0..300_000u32).flat_map(|place| place.wrapping_mul(2_654_435_761).to_le_bytes()).take(300_000).collect()
}

/// How long a deed waits for witnesses here.
const PATIENCE: Duration = Duration::from_millis(400);
