//! Events of the trail: what a deposit's says, how their times run, and what is left of one that was erased.

use karute_consent::id::StatementId;
use karute_consent::scope::Action;
use karute_consent::time::Timestamp;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message;
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::{EventKind, EventPlace, Log, TrailNumber};

use super::cast::*;
use crate::vault::{Effect, Note, ReadError, Store, TrailItem};

/// Proves what there is of an event; gives whether its content is there.
fn proven(item: TrailItem, root: &TreeHead) -> bool {
    let TrailItem { leaf, content, index, proof } = item;
    let (salt, event) = content.unzip();
    message::TrailItem { leaf, salt, event, index, proof }.verify(root).unwrap().is_some()
}

/// Commits an event of a deposit of record `number`.
async fn commit_deposit(store: &Store, vault: karute_consent::id::VaultId, number: u32) -> crate::vault::Done {
    let mut note = note(EventKind::Deposit);
    note.event.subject = Some(StatementId::from_bytes([number as u8; 32]));
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![deposit(number, 1, 500)], vec![note]).await.unwrap()
}

#[tokio::test]
async fn the_event_of_a_deposit_says_where_the_record_is_filed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    commit_deposit(&store, vault, 1).await;
    let done = commit_deposit(&store, vault, 2).await;
    let (collection, generation) = (place().collection, place().generation);
    let expected = EventPlace { collection, generation, number: RecordNumber(2) };
    assert_eq!(done.receipts[0].event.place, Some(expected));
    done.receipts[0].verify(node()).unwrap();
}

/// P-38
#[tokio::test]
async fn times_along_the_trail_never_fall_though_the_clock_does() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let (one, other) = (begin(&store, 1).await, begin(&store, 2).await);
    let at = |secs: u64| Note { time: Timestamp::from_secs(secs), ..note(EventKind::Read) };
    let mut times = Vec::new();
    for (vault, secs) in [(one, 2_000_000_010), (other, 2_000_000_000), (one, 2_000_000_005), (other, 2_000_000_020)] {
        let turn = store.turn(vault).await.unwrap().unwrap();
        let done = turn.commit(Vec::new(), vec![at(secs)]).await.unwrap();
        done.receipts[0].verify(node()).unwrap();
        times.push(done.receipts[0].leaf.time.secs() - 2_000_000_000);
    }
    assert_eq!(times, [10, 10, 10, 20]);
    drop(store);
    let (store, _) = open(folder.path());
    let turn = store.turn(one).await.unwrap().unwrap();
    let done = turn.commit(Vec::new(), vec![at(1_999_999_999)]).await.unwrap();
    assert_eq!(done.receipts[0].leaf.time.secs(), 2_000_000_020);
}

/// P-40
#[tokio::test]
async fn an_erased_event_leaves_its_leaf_and_its_proof_and_no_byte_of_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    commit_deposit(&store, vault, 1).await;
    let mut told = note(EventKind::Read);
    told.event.subject = Some(StatementId::from_bytes([0xE7; 32]));
    let turn = store.turn(vault).await.unwrap().unwrap();
    let kept = turn.commit(Vec::new(), vec![told]).await.unwrap().receipts.remove(0);
    assert_eq!(kept.leaf.number, TrailNumber(3));
    assert!(folder_holds(&folder.path().join("journal"), &[0xE7; 32]));
    let turn = store.turn(vault).await.unwrap().unwrap();
    let numbers = vec![TrailNumber(2), TrailNumber(3), TrailNumber(400)];
    turn.commit(vec![Effect::EraseEvents(numbers.clone())], vec![note(EventKind::Erasure)]).await.unwrap();
    assert!(!folder_holds(&folder.path().join("journal"), &[0xE7; 32]));
    kept.verify(node()).unwrap();
    let check = |store: &Store| {
        let state = store.ledger(vault).unwrap().unwrap();
        let head = store.trail_head();
        let root = head.text.verify(Log::Trail, node()).unwrap();
        let audit = permit(&state, Action::Audit, None);
        let items = store.trail_items(&audit, TrailNumber(1), 100, &head).unwrap();
        let there: Vec<bool> = items.into_iter().map(|item| proven(item, &root)).collect();
        assert_eq!(there, [true, false, false, true]);
        assert!(matches!(store.receipt(kept.index), Err(ReadError::EventErased)));
        let row = store.find(vault, record_id(1)).unwrap().unwrap();
        assert!(matches!(store.record_receipt(&row), Err(ReadError::EventErased)));
    };
    check(&store);
    drop(store);
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    let (store, opened) = open(folder.path());
    assert!(opened.applied > 3, "made anew from the whole journal");
    check(&store);
    assert!(!folder_holds(folder.path(), &[0xE7; 32]));
    // What is gone already is passed over.
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::EraseEvents(numbers)], vec![note(EventKind::Erasure)]).await.unwrap();
}
