//! The index made anew from the journal is byte for byte the one that was there.

use std::fs;
use std::path::Path;

use karute_consent::id::{Generation, RequestId, RotationSequence, StatementId, VaultId};
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::time::Month;
use karute_protocol::trail::{EventKind, Log, TrailNumber, verify_event};
use proptest::prelude::*;

use super::cast::*;
use crate::vault::index::Index;
use crate::vault::schema::Tree;
use crate::vault::{
    AskReply, CommitError, Effect, NewReWrap, OpenError, PassedPackage, RecordPlace, Store, TombstoneReason, Use,
};

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A little of everything.
async fn history(store: &Store) -> VaultId {
    let vault = begin(store, 1).await;
    begin(store, 2).await;
    let removal = |number| removal(vec![record_id(number)], TombstoneReason::Erased);
    let re_wrap = NewReWrap {
        run: run(1).run,
        id: StatementId::from_bytes([8; 32]),
        statement: vec![4; 6_000],
        place: RecordPlace { generation: Generation(2), ..place() },
        epoch: Month(690),
    };
    let used = Use {
        request: RequestId::from_bytes([1; 16]),
        signer: facility(),
        chain: vec![StatementId::from_bytes([6; 32])],
        counted: vec![StatementId::from_bytes([6; 32])],
        time: NOW,
        action: Action::Read,
        selector: Selector::default(),
    };
    let package = PassedPackage {
        grant: StatementId::from_bytes([6; 32]),
        rotation: RotationSequence(3),
        package: vec![1; 5_000],
    };
    let second = directory_item(&store.ledger(vault).unwrap().unwrap(), 1, 2);
    let effects = [
        deposit(1, 1, 500),
        deposit(2, 1, 65_000),
        deposit(3, 2, 500),
        Effect::Remove(removal(1)),
        Effect::Append(Box::new(second)),
        Effect::ReWrap(re_wrap),
        deposit(4, 1, 4_000),
        Effect::Use(used),
        Effect::PassOn(package),
        Effect::Ask(ask(1)),
        Effect::Ask(ask(2)),
        Effect::AnswerAsk(AskReply { ask: ask(1).ask, statement: vec![7; 400] }),
        Effect::Remove(removal(4)),
        Effect::EraseEvents(vec![TrailNumber(2), TrailNumber(4), TrailNumber(99)]),
    ];
    for effect in effects {
        let turn = store.turn(vault).await.unwrap().unwrap();
        turn.commit(vec![effect], vec![note(EventKind::Deposit)]).await.unwrap();
    }
    vault
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (store, opened) = open(folder.path());
    assert!(!opened.rebuilt);
    let vault = history(&store).await;
    let ledger = store.ledger(vault).unwrap().unwrap();
    let checkpoint = store.trail_checkpoint();
    drop(store);
    let (store, opened) = open(folder.path());
    assert!(!opened.rebuilt && !opened.journal_is_behind);
    // Only the seal was behind the mark.
    assert_eq!((opened.applied, opened.journal.frames), (1, 1));
    assert_eq!(store.trail_checkpoint(), checkpoint);
    let replayed = store.ledger(vault).unwrap().unwrap();
    assert_eq!((replayed.size(), replayed.last()), (ledger.size(), ledger.last()));
    assert_eq!(replayed.directory_id(), ledger.directory_id());
}

#[tokio::test]
async fn an_index_that_was_deleted_or_is_garbage_is_made_anew_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = history(&store).await;
    drop(store);
    let (store, _) = open(folder.path());
    let expected = store.fingerprint().unwrap();
    drop(store);
    let spoil: [&dyn Fn(&Path); 2] =
        [&|sled| fs::remove_dir_all(sled).unwrap(), &|sled| fs::write(sled.join("db"), vec![0xA5; 300_000]).unwrap()];
    for (which, spoil) in spoil.into_iter().enumerate() {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        spoil(&copy.path().join("sled"));
        let (store, opened) = open(copy.path());
        assert!(opened.applied > 15, "spoiled {which}");
        assert_eq!(store.fingerprint().unwrap(), expected, "spoiled {which}");
        let state = store.ledger(vault).unwrap().unwrap();
        let head = store.trail_head();
        let root = head.text.verify(Log::Trail, node()).unwrap();
        for item in store.trail_items(&permit(&state, Action::Audit, None), TrailNumber(1), 100, &head).unwrap() {
            let Some((salt, event)) = &item.content else { continue };
            verify_event(&item.leaf, salt, event, item.index, &item.proof, &root).unwrap();
        }
    }
}

/// Runs a history, copying the whole folder while it runs: what a crash at that moment would leave.
#[tokio::test]
async fn a_crash_with_an_old_index_catches_up_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    drop(store);
    let old = tempfile::tempdir().unwrap();
    copy_folder(&folder.path().join("sled"), old.path());
    let (store, _) = open(folder.path());
    for number in 1..=20 {
        let turn = store.turn(vault).await.unwrap().unwrap();
        turn.commit(vec![deposit(number, 1, 2_000)], vec![note(EventKind::Deposit)]).await.unwrap();
    }
    let removal = removal(vec![record_id(3)], TombstoneReason::Erased);
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::Remove(removal)], vec![note(EventKind::Erasure)]).await.unwrap();
    let expected = store.fingerprint().unwrap();
    let crashed = tempfile::tempdir().unwrap();
    copy_folder(&folder.path().join("journal"), &crashed.path().join("journal"));
    copy_folder(old.path(), &crashed.path().join("sled"));
    let (again, opened) = open(crashed.path());
    // 21 commits and the seal before them.
    assert_eq!((opened.rebuilt, opened.applied), (false, 22));
    assert_eq!(again.fingerprint().unwrap(), expected);
}

#[tokio::test]
async fn an_index_that_cannot_take_what_follows_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![deposit(1, 1, 2_000)], vec![note(EventKind::Deposit)]).await.unwrap();
    drop(store);
    let spoiled = tempfile::tempdir().unwrap();
    copy_folder(&folder.path().join("sled"), &spoiled.path().join("sled"));
    let index = Index::open(&spoiled.path().join("sled")).unwrap();
    let mut writes = index.index.writes();
    writes.remove(Tree::Runs, &[vault.as_bytes().as_slice(), run(1).run.as_bytes()].concat());
    writes.apply(&index.mark.unwrap()).unwrap();
    drop(index);
    let (store, _) = open(folder.path());
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![deposit(2, 1, 2_000)], vec![note(EventKind::Deposit)]).await.unwrap();
    copy_folder(&folder.path().join("journal"), &spoiled.path().join("journal"));
    let (again, opened) = open(spoiled.path());
    assert!(opened.rebuilt && !opened.journal_is_behind);
    assert_eq!(again.fingerprint().unwrap(), store.fingerprint().unwrap());
}

#[tokio::test]
async fn a_journal_that_lost_its_end_is_reported_and_the_index_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let segment = folder.path().join("journal/0000000000000000.seg");
    let before = fs::metadata(&segment).unwrap().len();
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![deposit(1, 1, 2_000)], vec![note(EventKind::Deposit)]).await.unwrap();
    drop(store);
    fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(before).unwrap();
    let (store, opened) = open(folder.path());
    assert!(opened.rebuilt && opened.journal_is_behind);
    assert!(store.find(vault, record_id(1)).unwrap().is_none());
}

#[tokio::test]
async fn a_damaged_journal_does_not_open_and_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    history(&store).await;
    drop(store);
    let segment = folder.path().join("journal/0000000000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    fs::remove_dir_all(folder.path().join("sled")).unwrap();
    let refused = Store::open(settings(folder.path()), &mut |_| ());
    assert!(matches!(refused, Err(OpenError::Journal(_))));
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

/// Found by the test below: what a tree once held must leave no trace in the counts.
#[tokio::test]
async fn a_tree_that_is_empty_again_is_like_one_that_never_held_anything() {
    let folder = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let reply = AskReply { ask: ask(3).ask, statement: vec![1; 50] };
    for effect in [Effect::Ask(ask(3)), Effect::AnswerAsk(reply)] {
        let turn = store.turn(vault).await.unwrap().unwrap();
        turn.commit(vec![effect], vec![note(EventKind::Ask)]).await.unwrap();
    }
    copy_folder(&folder.path().join("journal"), &copy.path().join("journal"));
    let (again, _) = open(copy.path());
    assert_eq!(again.fingerprint().unwrap(), store.fingerprint().unwrap());
}

#[derive(Clone, Debug)]
enum Step {
    Deposit(u8),
    Remove(u8),
    ReWrap(u8, u8),
    Ask(u8),
    Answer(u8),
    Use,
    Forget(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..4).prop_map(Step::Deposit),
        2 => (0_u8..40).prop_map(Step::Remove),
        1 => (0_u8..4, 1_u8..4).prop_map(|(run, generation)| Step::ReWrap(run, generation)),
        1 => (0_u8..6).prop_map(Step::Ask),
        1 => (0_u8..6).prop_map(Step::Answer),
        1 => Just(Step::Use),
        2 => (0_u8..40).prop_map(Step::Forget),
    ]
}

fn effect(number: u32, step: &Step) -> Effect {
    match step {
        Step::Deposit(run) => deposit(number, *run, 300 + number as usize * 400),
        Step::Remove(record) => {
            let records = vec![record_id(u32::from(*record))];
            Effect::Remove(removal(records, TombstoneReason::Erased))
        }
        Step::ReWrap(of, generation) => Effect::ReWrap(NewReWrap {
            run: run(*of).run,
            id: StatementId::from_bytes([number as u8; 32]),
            statement: vec![number as u8; 1_000],
            place: RecordPlace { generation: Generation(u32::from(*generation)), ..place() },
            epoch: Month(690),
        }),
        Step::Ask(number) => Effect::Ask(ask(*number)),
        Step::Answer(number) => Effect::AnswerAsk(AskReply { ask: ask(*number).ask, statement: vec![*number; 50] }),
        Step::Forget(event) => Effect::EraseEvents(vec![TrailNumber(u64::from(*event))]),
        Step::Use => Effect::Use(Use {
            request: RequestId::from_bytes([number as u8; 16]),
            signer: facility(),
            chain: vec![StatementId::from_bytes([6; 32])],
            counted: vec![StatementId::from_bytes([6; 32])],
            time: NOW,
            action: Action::List,
            selector: Selector::default(),
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_made_anew_byte_for_byte(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let (store, _) = open(folder.path());
            let vault = begin(&store, 1).await;
            for (number, step) in (0..).zip(&steps) {
                let turn = store.turn(vault).await.unwrap().unwrap();
                let done = turn.commit(vec![effect(number, step)], vec![note(EventKind::Deposit)]).await;
                prop_assert!(matches!(done, Ok(_) | Err(CommitError::Unknown)));
            }
            copy_folder(&folder.path().join("journal"), &copy.path().join("journal"));
            let (again, opened) = open(copy.path());
            prop_assert!(opened.applied > 0);
            prop_assert_eq!(again.fingerprint().unwrap(), store.fingerprint().unwrap());
            Ok(())
        })?;
    }
}
