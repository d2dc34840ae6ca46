//! Witnesses: the host has its logs cosigned, answers for its newest heads, and stops when it is shown that its store is
//! not the one it was. The witnesses are real ones, asked within the process.

use std::path::Path;
use std::time::Duration;

use karute_consent::id::VaultId;
use karute_consent::party::Identity;
use karute_consent::scope::Action;
use karute_consent::time::Timestamp;
use karute_consent::vault::WitnessSet;
use karute_protocol::cosignature::{Witnessing, witnessed};
use karute_protocol::merkle::{TreeHash, TreeHead, verify_consistency};
use karute_protocol::message::{FaultCode, Heads, HeadsFound, Message, Sync};
use karute_protocol::trail::{CheckpointText, HeadNonce, Log, SignedTreeHead};
use karute_protocol::wire::LedgerSize;
use karute_tests::world::{Wire, World, deposits_to};

use super::scene::{Scene, lab};

const WITNESSES: [&str; 3] = ["w1", "w2", "w3"];

/// A vault of 花子 with three witnesses, of which two are needed.
struct Watched {
    world: World,
    vault: VaultId,
    set: WitnessSet,
    nonces: u8,
}

impl Watched {
    async fn new(seed: u64) -> Self {
        Self::in_world(World::new(seed).await).await
    }

    async fn in_world(mut world: World) -> Self {
        let set = world.witness_set(&WITNESSES, 2);
        let vault = world.patient("hanako").creates_vault_with(&[lab()], set.clone()).await.unwrap();
        Self { world, vault, set, nonces: 0 }
    }

    /// A raw session of 花子's device in which a request about the vault was permitted.
    async fn session(&mut self) -> Wire {
        let device = self.world.patient("hanako").device();
        let transport = self.world.patient("hanako").agent.transport();
        let key = self.world.stolen_key("hanako", device);
        let mut wire = self.world.wire_of(&transport).await;
        self.syncs(&mut wire, &key).await;
        wire
    }

    async fn syncs(&mut self, wire: &mut Wire, key: &Identity) -> CheckpointText {
        self.nonces += 1;
        let asked = karute_consent::request::Request {
            id: karute_consent::id::RequestId::from_bytes([self.nonces; 16]),
            vault: self.vault,
            chain: Vec::new(),
            action: Action::Sync,
            selector: Default::default(),
            purpose: karute_consent::purpose::Purpose::PatientRequest,
            acting_hash: None,
            challenge: wire.challenge,
            sequence: 0,
            node: wire.node,
            peer: Vec::new(),
            head: None,
            time: self.world.now(),
            resumes: None,
        };
        let request = wire.request(key, asked, |_| ());
        let answered = wire.ask(Sync { request, from: LedgerSize(0) }).await.unwrap();
        match answered.messages().last() {
            Some(Message::Synced(synced)) => synced.checkpoint,
            other => panic!("no sync but {other:?}"),
        }
    }

    /// Asks for the heads in a session of its own; the signed words must be about what was asked.
    async fn heads(&mut self) -> HeadsFound {
        let mut wire = self.session().await;
        self.nonces += 1;
        let nonce = HeadNonce::from_bytes([self.nonces; 32]);
        heads(&mut wire, nonce, Some(self.vault), &[]).await
    }

    /// The checkpoint of the ledger in the answer, by the witness set.
    async fn witnessing(&mut self) -> Witnessing {
        let found = self.heads().await;
        let text = found.ledger_checkpoint.unwrap();
        let head = text.verify(Log::Ledger(self.vault), self.world.node()).unwrap();
        let word = SignedTreeHead::verify(found.ledger.unwrap(), Log::Ledger(self.vault), self.world.node()).unwrap();
        assert_eq!(word.payload().head(), head);
        witnessed(&text, &self.set).unwrap()
    }

    /// A facility that knows the vault.
    fn card(&mut self, name: &str) -> Vec<u8> {
        let link = self.world.patient("hanako").link();
        self.world.facility(name).learns(&link)
    }

    fn now(&self) -> Timestamp {
        self.world.now()
    }
}

async fn heads(wire: &mut Wire, nonce: HeadNonce, vault: Option<VaultId>, sizes: &[u64]) -> HeadsFound {
    let asked = Heads { nonce, vault, sizes: sizes.iter().copied().collect() };
    match wire.ask(asked).await.and_then(|answered| answered.first()) {
        Some(Message::HeadsFound(found)) => *found,
        other => panic!("no heads but {other:?}"),
    }
}

fn cosigned(witnessing: &Witnessing) -> usize {
    witnessing.each.iter().filter(|(_, time)| time.is_some()).count()
}

/// Waits for what a task of the host does by itself.
async fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come about");
}

#[tokio::test]
async fn a_ledger_is_witnessed_by_two_of_three_while_one_is_away() {
    let mut watched = Watched::new(601).await;
    watched.world.witness("w3").stops().await;
    watched.world.passes(120); // what was cosigned before is not fresh
    let witnessing = watched.witnessing().await;
    assert_eq!(witnessing.at, Some(watched.now()));
}

#[tokio::test]
async fn a_head_that_does_not_change_is_cosigned_again_after_a_minute_and_not_before() {
    let mut watched = Watched::new(602).await;
    let first = watched.witnessing().await.at.unwrap();
    let asked: usize = WITNESSES.iter().map(|name| watched.world.witness(name).asked()).sum();
    watched.world.passes(59);
    assert_eq!(watched.witnessing().await.at, Some(first));
    assert_eq!(WITNESSES.iter().map(|name| watched.world.witness(name).asked()).sum::<usize>(), asked);
    watched.world.passes(2);
    assert_eq!(watched.witnessing().await.at, Some(watched.now()));
}

#[tokio::test]
async fn below_the_quorum_the_answer_has_what_there_is() {
    let mut watched = Watched::new(603).await;
    watched.witnessing().await;
    watched.world.witness("w1").stops().await;
    watched.world.witness("w2").stops().await;
    let card = watched.card("A");
    watched.world.patient("hanako").grants(deposits_to(&card, &[lab()])).await.unwrap();
    let witnessing = watched.witnessing().await;
    assert_eq!((witnessing.at, cosigned(&witnessing)), (None, 1));
    watched.world.witness("w1").starts();
    assert_eq!(watched.witnessing().await.at, Some(watched.now()));
}

#[tokio::test]
async fn cosignatures_outlive_a_restart_and_stand_under_the_same_head() {
    let mut watched = Watched::new(604).await;
    let at = watched.witnessing().await.at.unwrap();
    for name in WITNESSES {
        watched.world.witness(name).stops().await;
    }
    watched.world.restarts_host().await;
    assert_eq!(watched.witnessing().await.at, Some(at));
    let (device, vault) = (watched.world.patient("hanako").device(), watched.vault);
    let key = watched.world.stolen_key("hanako", device);
    let mut wire = watched.session().await;
    let text = watched.syncs(&mut wire, &key).await;
    assert!(text.verify(Log::Ledger(vault), watched.world.node()).is_ok());
    assert_eq!(witnessed(&text, &watched.set).unwrap().at, Some(at));
}

#[tokio::test]
async fn many_who_ask_at_once_cost_each_witness_one_request() {
    let mut watched = Watched::new(605).await;
    watched.witnessing().await;
    watched.world.passes(100);
    let before: Vec<usize> = WITNESSES.iter().map(|name| watched.world.witness(name).asked()).collect();
    let mut wires = Vec::new();
    for _ in 0..16 {
        wires.push(watched.session().await);
    }
    let vault = Some(watched.vault);
    let asking = wires.iter_mut().map(|wire| heads(wire, HeadNonce::from_bytes([9; 32]), vault, &[]));
    let found = futures::future::join_all(asking).await;
    let now = watched.now();
    for found in found {
        assert_eq!(witnessed(&found.ledger_checkpoint.unwrap(), &watched.set).unwrap().at, Some(now));
    }
    for (name, before) in WITNESSES.iter().zip(before) {
        assert!(watched.world.witness(name).asked() <= before + 1);
    }
}

#[tokio::test]
async fn a_revocation_is_shown_to_the_witnesses_before_anybody_asks() {
    let mut watched = Watched::new(606).await;
    let card = watched.card("A");
    let grant = watched.world.patient("hanako").grants(deposits_to(&card, &[lab()])).await.unwrap();
    watched.world.patient("hanako").revokes(grant).await.unwrap();
    let (host, log) = (watched.world.host().clone(), Log::Ledger(watched.vault));
    let newest = host.store().ledger_head(watched.vault).unwrap();
    until(|| host.store().cosigned(log).is_some_and(|cosigned| cosigned.head == newest)).await;
}

#[tokio::test]
async fn the_heads_of_a_ledger_are_for_who_has_a_right_in_it_and_those_of_the_trail_for_everybody() {
    let mut watched = Watched::new(607).await;
    watched.heads().await;
    let transport = watched.world.facility("stranger").agent.transport();
    let mut wire = watched.world.wire_of(&transport).await;
    let nonce = HeadNonce::from_bytes([3; 32]);
    for vault in [watched.vault, VaultId::from_bytes([7; 32])] {
        let asked = Heads { nonce, vault: Some(vault), sizes: [].into() };
        assert!(wire.ask(asked).await.unwrap().is_refusal());
    }
    let size = watched.world.host().store().trail_head().size;
    let sizes = [0, 1, 2, size, size + 1];
    let old = |size| watched.world.host().store().trail_head_at(size).unwrap();
    let olds = sizes.map(old);
    let found = heads(&mut wire, nonce, None, &sizes).await;
    let word = SignedTreeHead::verify(found.trail, Log::Trail, watched.world.node()).unwrap();
    assert_eq!((word.payload().nonce, word.payload().size), (nonce, size));
    assert_eq!(found.proofs.iter().map(Vec::is_empty).collect::<Vec<_>>(), [true, false, false, true, true]);
    for (old, proof) in olds.into_iter().flatten().zip(&found.proofs) {
        verify_consistency(&old, &word.payload().head(), proof).unwrap();
    }
    assert!(found.ledger.is_none() && found.ledger_checkpoint.is_none());
}

#[tokio::test]
async fn the_trail_is_cosigned_by_all_that_the_custodian_chose() {
    let mut watched = Watched::in_world(World::with_witnesses(608, &WITNESSES).await).await;
    watched.witnessing().await;
    let (host, set) = (watched.world.host().clone(), watched.set.clone());
    let all = |text: &CheckpointText| witnessed(text, &set).is_ok_and(|witnessing| cosigned(&witnessing) == 3);
    until(|| {
        let (newest, kept) = (host.store().trail_head(), host.store().cosigned(Log::Trail));
        kept.is_some_and(|kept| kept.head.size == newest.size && all(&kept.text))
    })
    .await;
    let found = watched.heads().await;
    assert!(all(&found.trail_checkpoint));
    let notes = host.witnesses().notes();
    assert!(notes.len() == 3 && notes.iter().all(|note| note.error.is_none() && note.cosigned > 0), "{notes:?}");
}

/// Copies a folder as it is.
fn copies(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copies(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// Puts an old copy of the host's folder in the place of the newer one.
async fn puts_back(world: &mut World, old: &Path) {
    let old = old.to_owned();
    world
        .home()
        .restart_after(move |folder| {
            std::fs::remove_dir_all(folder).unwrap();
            copies(&old, folder);
        })
        .await;
}

/// ```text
///   host ── checkpoint of 20 ──> 花子        the folder of before is put back        花子 ── shows it ──> host stops
/// ```
#[tokio::test]
async fn a_store_that_was_put_back_serves_nobody_once_it_is_shown_the_newer_head() {
    let mut scene = Scene::new(609).await;
    scene.has_lab(b"one").await;
    let old = scene.world.folder().join("old");
    scene.world.home().restart_after(|folder| copies(folder, &old)).await;
    scene.world.restarts_host().await;
    scene.has_lab(b"two").await;
    let newer = scene.world.host().store().trail_checkpoint().unwrap();
    let transport = scene.hanako().agent.transport();
    puts_back(&mut scene.world, &old).await;
    let node = scene.world.node();
    let older = scene.world.host().store().trail_checkpoint().unwrap();
    assert!(older.verify(Log::Trail, node).unwrap().size < newer.verify(Log::Trail, node).unwrap().size);

    // A head that it has, and one that somebody else made up, change nothing.
    let forged = CheckpointText::sign(Log::Trail, fork_of(99), &Identity::from_seed(&[8; 32]));
    let forged = CheckpointText(forged.0.replace(&forged.0[13..77], &node.to_string()));
    let line = scene.world.line_of(&transport).await;
    let (_, answer) = Wire::hello_with(line, vec![older, forged]).await;
    assert!(matches!(answer, Some(Message::Welcome(_))), "{answer:?}");

    let line = scene.world.line_of(&transport).await;
    let (_, answer) = Wire::hello_with(line, vec![newer]).await;
    let is_storage =
        |answer: &Option<Message>| matches!(answer, Some(Message::Fault(fault)) if fault.code == FaultCode::Storage);
    assert!(is_storage(&answer), "{answer:?}");
    assert!(scene.world.host().is_put_back());
    for _ in 0..2 {
        let line = scene.world.line_of(&transport).await;
        let (_, answer) = Wire::hello_with(line, Vec::new()).await;
        assert!(is_storage(&answer), "{answer:?}");
        scene.world.restarts_host().await;
    }
}

#[tokio::test]
async fn a_store_that_was_put_back_is_noticed_by_its_witnesses_alone() {
    let mut watched = Watched::in_world(World::with_witnesses(610, &WITNESSES).await).await;
    let old = watched.world.folder().join("old");
    watched.world.home().restart_after(|folder| copies(folder, &old)).await;
    watched.world.restarts_host().await;
    watched.world.patient("hanako").syncs().await.unwrap();
    let card = watched.card("A");
    watched.world.patient("hanako").grants(deposits_to(&card, &[lab()])).await.unwrap();
    let host = watched.world.host().clone();
    until(|| host.store().cosigned(Log::Trail).is_some_and(|kept| kept.head.size == host.store().trail_head().size))
        .await;
    drop(host);
    puts_back(&mut watched.world, &old).await;
    // Another thing happens than the first time.
    let card = watched.card("B");
    let _ = watched.world.patient("hanako").grants(deposits_to(&card, &[lab()])).await;
    let host = watched.world.host().clone();
    until(|| host.is_put_back()).await;
}

fn fork_of(number: u8) -> TreeHead {
    TreeHead { size: 1000, root: TreeHash([number; 32]) }
}

#[tokio::test]
async fn checkpoints_of_other_nodes_are_handed_on_and_two_of_one_size_both() {
    let world = World::new(611).await;
    let other = Identity::from_seed(&karute_tests::world::seed_of(611, "another node"));
    let (one, fork) =
        (CheckpointText::sign(Log::Trail, fork_of(1), &other), CheckpointText::sign(Log::Trail, fork_of(2), &other));
    let older = CheckpointText::sign(Log::Trail, TreeHead { size: 7, root: TreeHash([9; 32]) }, &other);
    let spoiled = CheckpointText(one.0.replace("1000", "1001"));
    let stranger = karute_node::net::TransportSeed::new(karute_tests::world::seed_of(611, "client"));
    let shows = async |heads: Vec<CheckpointText>| {
        let (_, answer) = Wire::hello_with(world.line_of(&stranger).await, heads).await;
        let Some(Message::Welcome(welcome)) = answer else { panic!("no welcome but {answer:?}") };
        welcome.heads
    };
    assert_eq!(shows(vec![spoiled, older.clone()]).await, std::slice::from_ref(&older));
    assert_eq!(shows(vec![one.clone(), older]).await, std::slice::from_ref(&one));
    assert_eq!(shows(vec![fork.clone()]).await, [one, fork]);
}
