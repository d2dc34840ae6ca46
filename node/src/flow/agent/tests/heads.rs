//! A host that lies about what is newest. It holds its own log key, so every signature holds; what it signed before does
//! not let it.

use karute_consent::id::NodeId;
use karute_consent::party::Identity;
use karute_consent::statement::Unverified;
use karute_consent::template::Template;
use karute_consent::time::Timestamp;
use karute_protocol::finding::{Finding, FindingKind};
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::message::{HeadsFound, Message, Welcome};
use karute_protocol::trail::{CheckpointText, HeadNonce, Log, SignedTreeHead};

use super::cast::*;
use super::lies::{lying, message, what, with};
use crate::agent::error::{AgentError, Unproven};
use crate::agent::patient::Patient;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::sync::sync_patient;
use crate::frame::Frame;

/// The host's log key.
fn log() -> Identity {
    Identity::from_seed(&[4; 32])
}

fn node_of(identity: &Identity) -> NodeId {
    NodeId::from_bytes(*identity.key().as_bytes())
}

/// Another answer to 41 in the place of the host's.
fn on_heads(frame: Frame, change: impl FnOnce(&mut HeadsFound)) -> Option<Frame> {
    match message(&frame) {
        Some(Message::HeadsFound(mut found)) => {
            change(&mut found);
            with(frame, *found)
        }
        _ => Some(frame),
    }
}

/// The host's word, changed and signed anew.
fn resign(word: &mut Unverified<SignedTreeHead>, by: &Identity, change: impl FnOnce(&mut SignedTreeHead)) {
    let mut said = word.clone().verify().unwrap().into_payload();
    change(&mut said);
    *word = karute_consent::statement::sign(said, by).unwrap().to_unverified();
}

/// The finding that a deed ended with, checked as whoever gets it would.
fn convicted<T: std::fmt::Debug>(patient: &Patient, result: Result<T, AgentError>) -> FindingKind {
    let Err(AgentError::Lied { kind, accused, .. }) = result else { panic!("not convicted: {result:?}") };
    assert_eq!(accused, log().key());
    let kept = patient.keep.findings().unwrap();
    let found = kept.iter().map(|(_, bytes)| Finding::from_bytes(bytes).unwrap().verify().unwrap());
    assert!(found.into_iter().any(|verdict| verdict.kind == kind && verdict.accused == accused));
    kind
}

/// A patient that settled with the host once.
async fn settled(world: &World) -> (Patient, Reach) {
    let (mut patient, mut home, _) = world.patient().await;
    sync_patient(&mut patient, &mut home).await.unwrap();
    home.hang_up();
    (patient, home)
}

fn held(patient: &Patient) -> TreeHead {
    patient.keep.heads().trail(node_of(&log())).unwrap().word().unwrap().head()
}

#[tokio::test]
async fn a_trail_that_was_taken_back_convicts_the_host() {
    let world = World::new();
    let (mut patient, _) = settled(&world).await;
    let before = held(&patient);
    let mut liar = lying(&world, &patient.transport(), |frame| {
        on_heads(frame, |found| {
            let smaller = TreeHead { size: 1, root: TreeHash([9; 32]) };
            resign(&mut found.trail, &log(), |said| {
                (said.size, said.root, said.time) = (smaller.size, smaller.root, said.time.plus_secs(1));
            });
            found.trail_checkpoint = CheckpointText::sign(Log::Trail, smaller, &log());
        })
    });
    let result = sync_patient(&mut patient, &mut liar).await;
    assert_eq!(convicted(&patient, result), FindingKind::Rollback);
    assert_eq!(held(&patient), before, "the greater head stays");
}

#[tokio::test]
async fn two_roots_of_one_size_convict_the_host() {
    let world = World::new();
    let (mut patient, _) = settled(&world).await;
    let size = held(&patient).size;
    let mut liar = lying(&world, &patient.transport(), move |frame| {
        on_heads(frame, |found| {
            resign(&mut found.trail, &log(), |said| (said.size, said.root) = (size, TreeHash([9; 32])));
        })
    });
    let result = sync_patient(&mut patient, &mut liar).await;
    assert_eq!(convicted(&patient, result), FindingKind::Equivocation);
}

#[tokio::test]
async fn a_head_that_is_not_shown_to_extend_the_last_one_convicts_the_host() {
    let world = World::new();
    let (mut patient, _) = settled(&world).await;
    let mut liar = lying(&world, &patient.transport(), |frame| {
        on_heads(frame, |found| found.proofs.iter_mut().for_each(|proof| proof.push(TreeHash([9; 32]))))
    });
    let result = sync_patient(&mut patient, &mut liar).await;
    assert_eq!(convicted(&patient, result), FindingKind::Inconsistency);
    let mut liar = lying(&world, &patient.transport(), |frame| on_heads(frame, |found| found.proofs.clear()));
    assert!(matches!(sync_patient(&mut patient, &mut liar).await, Err(AgentError::Malformed(_))));
}

#[tokio::test]
async fn a_word_that_answers_another_question_is_not_taken() {
    let world = World::new();
    let (mut patient, mut home) = settled(&world).await;
    let other_nonce = |frame| {
        on_heads(frame, |found| resign(&mut found.trail, &log(), |said| said.nonce = HeadNonce::from_bytes([0; 32])))
    };
    let other_key = |frame| on_heads(frame, |found| resign(&mut found.trail, &Identity::from_seed(&[5; 32]), |_| {}));
    let other_log = |frame| {
        on_heads(frame, |found| {
            resign(&mut found.trail, &log(), |said| {
                said.origin = Log::Trail.origin(NodeId::from_bytes([1; 32])).to_string()
            });
        })
    };
    for mut liar in [
        lying(&world, &patient.transport(), other_nonce),
        lying(&world, &patient.transport(), other_key),
        lying(&world, &patient.transport(), other_log),
    ] {
        assert_eq!(what(sync_patient(&mut patient, &mut liar).await), Unproven::TreeHead);
    }
    assert!(patient.keep.findings().unwrap().is_empty(), "nobody is accused by what proves nothing");
    sync_patient(&mut patient, &mut home).await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_was_taken_back_convicts_the_host() {
    let world = World::new();
    let (mut patient, _) = settled(&world).await;
    let vault = patient.vault().unwrap();
    let mut liar = lying(&world, &patient.transport(), move |frame| {
        on_heads(frame, |found| {
            let (Some(word), Some(text)) = (&mut found.ledger, &mut found.ledger_checkpoint) else { return };
            let smaller = TreeHead { size: 1, root: TreeHash([9; 32]) };
            resign(word, &log(), |said| {
                (said.size, said.root, said.time) = (smaller.size, smaller.root, said.time.plus_secs(1));
            });
            *text = CheckpointText::sign(Log::Ledger(vault), smaller, &log());
        })
    });
    let result = sync_patient(&mut patient, &mut liar).await;
    assert_eq!(convicted(&patient, result), FindingKind::Rollback);
}

#[tokio::test]
async fn another_ledger_of_the_same_size_convicts_the_host() {
    let world = World::new();
    let (mut patient, _) = settled(&world).await;
    let vault = patient.vault().unwrap();
    let mut liar = lying(&world, &patient.transport(), move |frame| {
        on_heads(frame, |found| {
            let (Some(word), Some(text)) = (&mut found.ledger, &mut found.ledger_checkpoint) else { return };
            let mut other = TreeHead { size: 0, root: TreeHash([9; 32]) };
            resign(word, &log(), |said| {
                said.root = other.root;
                other.size = said.size;
            });
            *text = CheckpointText::sign(Log::Ledger(vault), other, &log());
        })
    });
    let result = sync_patient(&mut patient, &mut liar).await;
    assert_eq!(convicted(&patient, result), FindingKind::Equivocation);
}

#[tokio::test]
async fn what_a_host_tells_of_others_is_kept_and_compared() {
    let world = World::new();
    let (mut patient, _) = settled(&world).await;
    let other = Identity::from_seed(&[77; 32]);
    let told = move |frame: Frame, root: u8, of: &Identity| match message(&frame) {
        Some(Message::Welcome(welcome)) => {
            let head = TreeHead { size: 1_000, root: TreeHash([root; 32]) };
            with(frame, Welcome { heads: vec![CheckpointText::sign(Log::Trail, head, of)], ..*welcome })
        }
        _ => Some(frame),
    };
    let node = node_of(&other);
    let mut first = lying(&world, &patient.transport(), move |frame| told(frame, 1, &Identity::from_seed(&[77; 32])));
    sync_patient(&mut patient, &mut first).await.unwrap();
    let seen = patient.keep.heads().trail(node).unwrap();
    assert!(seen.word().is_none() && seen.heard().len() == 1, "heard of, not accepted");
    let mut second = lying(&world, &patient.transport(), move |frame| told(frame, 2, &Identity::from_seed(&[77; 32])));
    sync_patient(&mut patient, &mut second).await.unwrap();
    let kept = patient.keep.findings().unwrap();
    let verdict = Finding::from_bytes(&kept[0].1).unwrap().verify().unwrap();
    assert_eq!((verdict.kind, verdict.accused), (FindingKind::Equivocation, other.key()), "this host is not accused");
}

#[tokio::test]
async fn the_greatest_head_outlasts_the_process() {
    let world = World::new();
    let (folder, passphrase) = (world.folder("device"), passphrase());
    let mut patient = Patient::create_in(&folder, &passphrase, &world.ambient, "Hanako").unwrap();
    let mut home = world.reach(&patient.transport());
    world.vault_of(&mut patient, &mut home, Default::default()).await;
    let (mut a, _) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let before = held(&patient);
    let ledger = patient.keep.ledger_seen(patient.vault().unwrap()).unwrap();
    drop((patient, home));
    let patient = Patient::open_in(&folder, &passphrase, &world.ambient).unwrap();
    assert_eq!(held(&patient), before);
    assert_eq!(patient.keep.ledger_seen(patient.vault().unwrap()).unwrap(), ledger);
    assert!(patient.keep.heads().gossip(Some(node_of(&log())))[0].verify(Log::Trail, node_of(&log())).is_ok());
    // What a facility learns is its own.
    assert!(a.keep.heads().is_empty());
    a.keep.save_heads().unwrap();
}

fn passphrase() -> crate::passphrase::Passphrase {
    crate::passphrase::Passphrase::new(zeroize::Zeroizing::new("correct horse".to_owned())).ok().unwrap()
}

#[tokio::test]
async fn a_clock_that_is_far_off_is_told() {
    let world = World::new();
    let (mut patient, _) = settled(&world).await;
    let mut ahead = lying(&world, &patient.transport(), |frame| {
        on_heads(frame, |found| {
            for word in std::iter::once(&mut found.trail).chain(&mut found.ledger) {
                resign(word, &log(), |said| said.time = Timestamp::from_secs(said.time.secs() + 600));
            }
        })
    });
    let sync = sync_patient(&mut patient, &mut ahead).await.unwrap();
    assert_eq!(sync.clock_off_secs, Some(600));
}
