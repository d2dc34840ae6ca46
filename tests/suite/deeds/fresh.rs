//! Freshness: a host that hides a revocation cannot have new records sealed to the keys of before, for longer than the
//! witnesses' last word holds. Hosts, witnesses and agents are the real ones; the lie is a copy of the host's own disk.

use std::path::{Path, PathBuf};

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::{StatementId, VaultId};
use karute_node::agent::error::AgentError;
use karute_node::agent::freshness::VouchedBy;
use karute_node::flow::agent::witnesses::set_witnesses;
use karute_protocol::freshness::Stale;
use karute_tests::world::{World, deposits_to, reads};

use super::scene::{Scene, files_below, lab};

const SENSITIVE_LAB: Kind = Kind { category: Category::Lab, sensitivity: Sensitivity::Sensitive };
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// 花子's vault with witnesses w1, w2 and w3, two of which have to sign; A may deposit everyday and sensitive lab data.
struct Watched {
    world: World,
    vault: VaultId,
}

impl Watched {
    async fn new(seed: u64) -> Self {
        let mut world = World::new(seed).await;
        let set = world.witness_set(&["w1", "w2", "w3"], 2);
        let kinds = [lab(), SENSITIVE_LAB];
        let vault = world.patient("hanako").creates_vault_with(&kinds, set).await.unwrap();
        let mut watched = Self { world, vault };
        watched.may_deposit("A").await;
        watched
    }

    async fn may_deposit(&mut self, name: &str) -> StatementId {
        let link = self.world.patient("hanako").link();
        let card = self.world.facility(name).learns(&link);
        let kinds = [lab(), SENSITIVE_LAB];
        self.world.patient("hanako").grants(deposits_to(&card, &kinds)).await.unwrap()
    }

    async fn may_read(&mut self, name: &str) -> StatementId {
        let link = self.world.patient("hanako").link();
        let card = self.world.facility(name).learns(&link);
        self.world.patient("hanako").grants(reads(&card, &[lab(), SENSITIVE_LAB])).await.unwrap()
    }

    async fn deposits(&mut self, name: &str, bytes: &[u8], of: Kind) -> Result<(), AgentError> {
        let vault = self.vault;
        self.world.facility(name).deposits(vault, bytes, of).await.map(drop)
    }

    async fn stop_witnesses(&mut self, names: &[&str]) {
        for name in names {
            self.world.witness(name).stops().await;
        }
    }

    /// How many records the patient sees.
    async fn records(&mut self) -> usize {
        self.world.patient("hanako").lists().await.unwrap().records.len()
    }

    /// Copies the host's disk, or puts a copy back in its place.
    async fn with_disk(&mut self, deed: impl FnOnce(&PathBuf)) {
        self.world.home().restart_after(deed).await;
        self.world.restarts_host().await; // hangs everybody up
    }
}

fn stale(result: Result<(), AgentError>) -> Stale {
    match result {
        Err(AgentError::NotFresh(why)) => why.stale().clone(),
        other => panic!("expected a refusal to seal, got {other:?}"),
    }
}

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

/// ```text
///   host      A granted --- C granted --- [copy of its disk] --- B revoked, new keys
///   witnesses      signed                                        signed
///   later, the host goes on with the copy: C, who knows no better, is shown the keys that B has
/// ```
#[tokio::test]
async fn a_host_that_hides_a_revocation_gets_nothing_sealed_once_the_witnesses_word_is_old() {
    let mut watched = Watched::new(1).await;
    let reader = watched.may_read("B").await;
    watched.may_deposit("C").await;
    watched.world.patient("hanako").syncs().await.unwrap(); // the witnesses sign this state
    let saved = watched.world.folder().join("saved");
    watched.with_disk(|disk| copy(disk, &saved)).await;
    let revoked = watched.world.patient("hanako").revokes(reader).await.unwrap();
    assert!(revoked.levels.witnessed, "{:?}", revoked.witnesses);
    watched
        .with_disk(|disk| {
            std::fs::remove_dir_all(disk).unwrap();
            copy(&saved, disk);
        })
        .await;

    watched.world.passes(16 * MINUTE);
    assert!(matches!(stale(watched.deposits("C", b"one", SENSITIVE_LAB).await), Stale::NotWitnessed { .. }));
    watched.world.passes(24 * HOUR);
    assert!(matches!(stale(watched.deposits("C", b"two", lab()).await), Stale::NotWitnessed { .. }));
}

#[tokio::test]
async fn a_depositor_that_saw_the_new_state_is_never_shown_the_old_one() {
    let mut watched = Watched::new(2).await;
    let reader = watched.may_read("B").await;
    let saved = watched.world.folder().join("saved");
    watched.with_disk(|disk| copy(disk, &saved)).await;
    watched.world.patient("hanako").revokes(reader).await.unwrap();
    let vault = watched.vault;
    watched.world.facility("A").syncs(vault).await.unwrap();
    watched
        .with_disk(|disk| {
            std::fs::remove_dir_all(disk).unwrap();
            copy(&saved, disk);
        })
        .await;
    let refused = watched.deposits("A", b"one", lab()).await;
    // An honest program whose disk was put back stops when A's hello shows it; a liar would be convicted or refused.
    assert!(matches!(
        refused,
        Err(AgentError::Fault(_) | AgentError::Lied { .. } | AgentError::VerificationFailed { .. })
    ));
}

#[tokio::test]
async fn while_all_witnesses_are_down_their_last_word_holds_for_its_time() {
    let mut watched = Watched::new(3).await;
    watched.deposits("A", b"one", SENSITIVE_LAB).await.unwrap();
    watched.stop_witnesses(&["w1", "w2", "w3"]).await;
    watched.deposits("A", b"two", SENSITIVE_LAB).await.unwrap();
    watched.world.passes(20 * MINUTE);
    assert!(matches!(stale(watched.deposits("A", b"three", SENSITIVE_LAB).await), Stale::NotWitnessed { .. }));
    watched.deposits("A", b"four", lab()).await.unwrap();
    watched.world.passes(24 * HOUR);
    assert!(matches!(stale(watched.deposits("A", b"five", lab()).await), Stale::NotWitnessed { .. }));
    assert_eq!(watched.records().await, 3, "reading needs no witness");
    watched.world.witness("w1").starts();
    assert!(matches!(stale(watched.deposits("A", b"six", lab()).await), Stale::NotWitnessed { .. }), "one of three");
    watched.world.witness("w3").starts();
    watched.deposits("A", b"seven", SENSITIVE_LAB).await.unwrap();
}

#[tokio::test]
async fn a_revocation_says_how_many_witnesses_have_seen_it() {
    let mut watched = Watched::new(4).await;
    let (first, second) = (watched.may_read("B").await, watched.may_read("D").await);
    let revoked = watched.world.patient("hanako").revokes(first).await.unwrap();
    assert!(revoked.levels.witnessed && revoked.witnesses.count() >= 2, "{:?}", revoked.witnesses);
    watched.stop_witnesses(&["w1", "w2"]).await;
    let revoked = watched.world.patient("hanako").revokes(second).await.unwrap();
    assert!(revoked.levels.appended && revoked.levels.rotated, "witnesses hold nothing up");
    assert!(!revoked.levels.witnessed, "one of three is no quorum");
    assert_eq!(revoked.witnesses.quorum, 2);
}

#[tokio::test]
async fn a_depositor_whose_clock_is_behind_believes_the_witnesses_and_one_ahead_does_not_seal() {
    let mut watched = Watched::new(5).await;
    watched.may_deposit("C").await;
    watched.world.passes(5 * MINUTE); // so that the grants are in force by either clock
    let now = watched.world.now();
    watched.world.facility("A").agent.ambient().set(now.minus_secs(100));
    watched.deposits("A", b"one", SENSITIVE_LAB).await.unwrap();
    watched.stop_witnesses(&["w1", "w2", "w3"]).await;
    watched.world.passes(14 * MINUTE);
    let now = watched.world.now();
    watched.world.facility("C").agent.ambient().set(now.plus_secs(100));
    assert!(matches!(stale(watched.deposits("C", b"two", SENSITIVE_LAB).await), Stale::NotWitnessed { .. }));
    watched.world.facility("C").agent.ambient().set(now);
    watched.deposits("C", b"two", SENSITIVE_LAB).await.unwrap();
}

#[tokio::test]
async fn new_witnesses_count_from_their_entry_on_and_the_old_ones_no_more() {
    let mut watched = Watched::new(6).await;
    let set = watched.world.witness_set(&["w4", "w5", "w6"], 2);
    let end = watched.world.patient("hanako");
    let changed = set_witnesses(&mut end.agent, &mut end.reach, set).await.unwrap();
    assert!(changed.now.witnessed_at.is_some(), "the new ones signed: {:?}", changed.now);
    assert!(changed.now.witnesses.iter().all(|line| ["w4", "w5", "w6"].contains(&&line.name[..2])));
    watched.stop_witnesses(&["w1", "w2", "w3"]).await;
    watched.deposits("A", b"one", SENSITIVE_LAB).await.unwrap();
    watched.stop_witnesses(&["w4", "w5", "w6"]).await;
    for name in ["w1", "w2", "w3"] {
        watched.world.witness(name).starts();
    }
    watched.world.passes(16 * MINUTE);
    assert!(matches!(stale(watched.deposits("A", b"two", SENSITIVE_LAB).await), Stale::NotWitnessed { .. }));
}

#[tokio::test]
async fn without_witnesses_the_deposit_and_every_status_say_so() {
    let mut scene = Scene::new(7).await;
    let vault = scene.vault;
    let file = scene.world.facility("A").writes(b"one", lab());
    let done = scene.world.facility("A").deposits_files(vault, vec![file]).await.unwrap();
    let fresh = done.freshness.unwrap();
    assert_eq!((fresh.by, fresh.quorum), (VouchedBy::Host, 0));
    let sync = scene.world.facility("A").syncs(vault).await.unwrap();
    assert_eq!((sync.witnesses.quorum, sync.witnesses.witnesses.len()), (0, 0));
    let now = scene.world.now();
    let status = karute_node::flow::agent::status::patient_status(&scene.hanako().agent, now).unwrap();
    assert_eq!((status.witnesses.quorum, status.findings), (0, 0));
    let reader = scene.lets_read("B", &[lab()]).await;
    assert!(!scene.hanako().revokes(reader).await.unwrap().levels.witnessed);
}
