//! What commits do, and what reads give.

use karute_consent::id::{RecordId, RequestId, RotationSequence, Seq, StatementId};
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_protocol::bao::{BodyRoot, encode_range};
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::{EventKind, Log, TrailNumber, verify_event};

use super::cast::*;
use crate::vault::{
    AskReply, CommitError, Effect, Filed, Gone, Listed, NewReWrap, PassedPackage, ReadError, RecordPlace, StoredBody,
    TombstoneReason, Use, upload_id,
};

#[tokio::test]
async fn a_deposit_is_numbered_and_its_receipt_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    for number in 1..=5_u32 {
        let turn = store.turn(vault).await.unwrap().unwrap();
        let done = turn.commit(vec![deposit(number, 1, 500)], vec![note(EventKind::Deposit)]).await.unwrap();
        assert_eq!(done.filed, [Filed { place: place(), number: RecordNumber(u64::from(number)) }]);
        assert_eq!(done.receipts[0].leaf.number, TrailNumber(u64::from(number) + 1));
        done.receipts[0].verify(node()).unwrap();
    }
    let row = store.find(vault, record_id(2)).unwrap().unwrap();
    let old = store.record_receipt(&row).unwrap();
    assert_eq!(old.verify(node()).unwrap().size, 6);
    assert_eq!((old.index.0, old.leaf.number), (2, TrailNumber(3)));
}

#[tokio::test]
async fn a_second_deposit_of_a_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![deposit(1, 1, 500)], vec![note(EventKind::Deposit)]).await.unwrap();
    let turn = store.turn(vault).await.unwrap().unwrap();
    let again = turn.commit(vec![deposit(1, 1, 500)], vec![note(EventKind::Deposit)]).await;
    assert!(matches!(again, Err(CommitError::RecordExists)));
    assert_eq!(store.trail_count(vault).unwrap(), 2);
}

#[tokio::test]
async fn a_run_keeps_its_statement_and_a_body_must_be_here() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![deposit(1, 1, 500)], vec![note(EventKind::Deposit)]).await.unwrap();
    let Effect::Deposit(mut other) = deposit(2, 1, 500) else { unreachable!() };
    other.run.id = StatementId::from_bytes([77; 32]);
    let turn = store.turn(vault).await.unwrap().unwrap();
    let refused = turn.commit(vec![Effect::Deposit(other)], vec![note(EventKind::Deposit)]).await;
    assert!(matches!(refused, Err(CommitError::OtherRun)));
    let Effect::Deposit(mut bodiless) = deposit(3, 1, 500) else { unreachable!() };
    bodiless.inline = None;
    let turn = store.turn(vault).await.unwrap().unwrap();
    let refused = turn.commit(vec![Effect::Deposit(bodiless)], vec![note(EventKind::Deposit)]).await;
    assert!(matches!(refused, Err(CommitError::NoBody)));
}

#[tokio::test]
async fn an_effect_without_an_event_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let turn = store.turn(vault).await.unwrap().unwrap();
    assert!(matches!(turn.commit(vec![deposit(1, 1, 500)], Vec::new()).await, Err(CommitError::Incomplete)));
    assert!(store.find(vault, record_id(1)).unwrap().is_none());
}

#[tokio::test]
async fn a_vault_begins_once_and_unknown_vaults_have_no_turn() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let (vault, items) = first_items(1);
    assert!(store.turn(vault).await.unwrap().is_none());
    assert!(store.ledger(vault).unwrap().is_none());
    store.begin(vault, items.clone(), vec![note(EventKind::LedgerAppend)]).await.unwrap();
    let again = store.begin(vault, items, vec![note(EventKind::LedgerAppend)]).await;
    assert!(matches!(again, Err(CommitError::Item)));
}

#[tokio::test]
async fn an_item_that_does_not_follow_is_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let before = store.fingerprint().unwrap();
    let turn = store.turn(vault).await.unwrap().unwrap();
    let stale = directory_item(turn.ledger(), 0, 2);
    let refused = turn.commit(vec![Effect::Append(Box::new(stale))], vec![note(EventKind::LedgerAppend)]).await;
    assert!(matches!(refused, Err(CommitError::Refused(_))));
    assert_eq!(store.fingerprint().unwrap(), before);
    assert_eq!(store.ledger(vault).unwrap().unwrap().size(), 3);
}

#[tokio::test]
async fn ledger_items_attachments_and_checkpoint_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let (vault, items) = first_items(1);
    store.begin(vault, items.clone(), vec![note(EventKind::LedgerAppend)]).await.unwrap();
    for (seq, item) in (0..).zip(&items) {
        assert_eq!(store.item(vault, Seq(seq), 66).unwrap().as_ref(), Some(item));
        assert_eq!(store.bare_item(vault, Seq(seq)).unwrap(), Some(item.bare()));
    }
    assert_eq!(store.bare_item(vault, Seq(3)).unwrap(), None);
    let (keys_root, leaves) = key_leaves(1);
    assert_eq!(store.key_leaves(vault, keys_root).unwrap(), Some(leaves));
    let head = store.ledger_checkpoint(vault).unwrap().unwrap().verify(Log::Ledger(vault), node()).unwrap();
    assert_eq!((head, head.size), (store.ledger_head(vault).unwrap(), 3));
}

#[tokio::test]
async fn a_long_body_is_uploaded_in_pieces_deposited_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let (whole, bytes) = body(9, 300_000);
    let id = upload_id(vault, facility(), record_id(9));
    assert_eq!(store.begin_upload(id, whole.len).await.unwrap(), 0);
    store.append_upload(id, 0, bytes[..100_000].to_vec()).await.unwrap();
    assert_eq!(store.upload_commitment(id).await.unwrap().as_bytes()[..], bytes[24..56]);
    assert_eq!(store.begin_upload(id, whole.len).await.unwrap(), 100_000);
    store.append_upload(id, 100_000, bytes[100_000..].to_vec()).await.unwrap();
    store.finish_upload(id, whole.root).await.unwrap();
    let Effect::Deposit(mut record) = deposit(9, 1, 300_000) else { unreachable!() };
    record.inline = None;
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::Deposit(record)], vec![note(EventKind::Deposit)]).await.unwrap();
    let state = store.ledger(vault).unwrap().unwrap();
    let row = store.find(vault, record_id(9)).unwrap().unwrap();
    let Some(StoredBody::File(file)) = store.body(&permit(&state, Action::Read, None), &row).unwrap() else {
        panic!("a long body is a file")
    };
    assert_eq!(file.len, whole.len);
    let mut encoded = Vec::new();
    encode_range(&whole, &file.data, &file.pairs, &(0..whole.len), &mut encoded).unwrap();
    assert!(encoded.windows(5_000).any(|window| window == &bytes[50_000..55_000]));
}

#[tokio::test]
async fn reads_stay_within_the_permit() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    for number in 1..=3 {
        let turn = store.turn(vault).await.unwrap().unwrap();
        turn.commit(vec![deposit(number, 1, 500)], vec![note(EventKind::Deposit)]).await.unwrap();
    }
    let state = store.ledger(vault).unwrap().unwrap();
    let row = |number| store.find(vault, record_id(number)).unwrap().unwrap();
    let list = permit(&state, Action::List, None);
    assert!(store.record(&list, &row(1)).unwrap().is_some());
    assert!(matches!(store.body(&list, &row(1)), Err(ReadError::NotPermitted)));
    assert!(matches!(store.trail_items(&list, TrailNumber(1), 9, &store.trail_head()), Err(ReadError::NotPermitted)));
    let one = permit(&state, Action::Read, Some([record_id(2)].into()));
    assert!(store.body(&one, &row(2)).unwrap().is_some());
    assert!(matches!(store.body(&one, &row(1)), Err(ReadError::NotPermitted)));
    assert!(matches!(store.record(&one, &row(3)), Err(ReadError::NotPermitted)));
    let page = store.list(&one, place(), RecordNumber(1), 10).unwrap();
    assert_eq!(page.listed, [Listed::Record(row(2))]);
    let audit = permit(&state, Action::Audit, None);
    assert!(matches!(store.place_counts(&audit), Err(ReadError::NotPermitted)));
}

#[tokio::test]
async fn a_list_is_given_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    for number in 1..=7 {
        let turn = store.turn(vault).await.unwrap().unwrap();
        turn.commit(vec![deposit(number, 1, 500)], vec![note(EventKind::Deposit)]).await.unwrap();
    }
    let state = store.ledger(vault).unwrap().unwrap();
    let permit = permit(&state, Action::List, None);
    let counts = store.place_counts(&permit).unwrap();
    assert_eq!(counts.iter().map(|count| count.count).collect::<Vec<_>>(), [7]);
    let first = store.list(&permit, place(), RecordNumber(1), 4).unwrap();
    assert_eq!((first.listed.len(), first.next), (4, Some(RecordNumber(5))));
    let rest = store.list(&permit, place(), RecordNumber(5), 4).unwrap();
    assert_eq!((rest.listed.len(), rest.next), (3, None));
}

#[tokio::test]
async fn a_removed_record_leaves_a_tombstone_and_no_sealed_byte_in_journal_or_bodies() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let turn = store.turn(vault).await.unwrap().unwrap();
    let both = vec![deposit(1, 1, 500), deposit(2, 1, 500)];
    turn.commit(both, vec![note(EventKind::Deposit)]).await.unwrap();
    assert!(folder_holds(&folder.path().join("journal"), &sealed_meta(1)));
    let removal = removal(vec![record_id(1), record_id(40)], TombstoneReason::Withdrawn);
    let gone = Gone { reason: TombstoneReason::Withdrawn, by: Some(removal.id) };
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::Remove(removal)], vec![note(EventKind::Withdrawal)]).await.unwrap();
    assert!(!folder_holds(&folder.path().join("journal"), &sealed_meta(1)));
    assert!(folder_holds(&folder.path().join("journal"), &sealed_meta(2)));
    let state = store.ledger(vault).unwrap().unwrap();
    let read = permit(&state, Action::Read, None);
    let row = store.find(vault, record_id(1)).unwrap().unwrap();
    assert_eq!(row.removed(), Some(gone));
    assert_eq!(store.removal_statement(&read, gone.by.unwrap()).unwrap(), b"signed");
    assert!(store.record(&read, &row).unwrap().is_none());
    assert!(store.body(&read, &row).unwrap().is_none());
    let page = store.list(&read, place(), RecordNumber(1), 10).unwrap();
    let tombstone = Filed { place: place(), number: RecordNumber(1) };
    assert_eq!(page.listed[0], Listed::Tombstone(tombstone, gone));
    assert!(matches!(&page.listed[1], Listed::Record(row) if row.record() == record_id(2)));
    store.record_receipt(&row).unwrap().verify(node()).unwrap();
}

#[tokio::test]
async fn the_file_of_a_removed_body_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let (whole, bytes) = body(9, 100_000);
    let id = upload_id(vault, facility(), record_id(9));
    store.begin_upload(id, whole.len).await.unwrap();
    store.append_upload(id, 0, bytes).await.unwrap();
    store.finish_upload(id, whole.root).await.unwrap();
    let Effect::Deposit(mut record) = deposit(9, 1, 100_000) else { unreachable!() };
    record.inline = None;
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::Deposit(record)], vec![note(EventKind::Deposit)]).await.unwrap();
    assert!(store.holds_body(whole.root));
    let removal = removal(vec![record_id(9)], TombstoneReason::Erased);
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::Remove(removal)], vec![note(EventKind::Erasure)]).await.unwrap();
    assert!(!store.holds_body(whole.root));
    assert!(!store.holds_body(BodyRoot([0; 32])));
}

#[tokio::test]
async fn a_re_wrap_gives_new_numbers_and_leaves_tombstones() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    for (number, run) in [(1, 1), (2, 2), (3, 1)] {
        let turn = store.turn(vault).await.unwrap().unwrap();
        turn.commit(vec![deposit(number, run, 500)], vec![note(EventKind::Deposit)]).await.unwrap();
    }
    let to = RecordPlace { generation: karute_consent::id::Generation(2), ..place() };
    let re_wrap = NewReWrap {
        run: run(1).run,
        id: StatementId::from_bytes([8; 32]),
        statement: b"signed re-wrap".to_vec(),
        place: to,
        epoch: karute_consent::time::Month(690),
    };
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::ReWrap(re_wrap)], vec![note(EventKind::ReWrap)]).await.unwrap();
    let state = store.ledger(vault).unwrap().unwrap();
    let read = permit(&state, Action::Read, None);
    let old = store.list(&read, place(), RecordNumber(1), 10).unwrap().listed;
    let moved = |number| Listed::Tombstone(Filed { place: place(), number: RecordNumber(number) }, Gone::MOVED);
    assert_eq!((&old[0], &old[2]), (&moved(1), &moved(3)));
    let new = store.list(&read, to, RecordNumber(1), 10).unwrap().listed;
    let ids: Vec<RecordId> = new
        .iter()
        .map(|listed| match listed {
            Listed::Record(row) => row.record(),
            Listed::Tombstone(..) => panic!("no tombstone in the new place"),
        })
        .collect();
    assert_eq!(ids, [record_id(1), record_id(3)]);
    let row = store.find(vault, record_id(1)).unwrap().unwrap();
    assert_eq!(store.record(&read, &row).unwrap().unwrap().re_wrap, Some(b"signed re-wrap".to_vec()));
    assert_eq!(store.run(vault, run(1).run).unwrap().unwrap().in_force(), StatementId::from_bytes([8; 32]));
    let turn = store.turn(vault).await.unwrap().unwrap();
    let done = turn.commit(vec![deposit(4, 1, 500)], vec![note(EventKind::Deposit)]).await.unwrap();
    assert_eq!(done.filed, [Filed { place: to, number: RecordNumber(3) }]);
}

#[tokio::test]
async fn uses_requests_packages_and_asks_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let grant = StatementId::from_bytes([6; 32]);
    let used = Use {
        request: RequestId::from_bytes([1; 16]),
        signer: facility(),
        chain: vec![grant],
        counted: vec![grant],
        time: NOW,
        action: Action::Read,
        selector: Selector { records: Some((0..500).map(record_id).collect()), ..Selector::default() },
    };
    let resumed = Use { request: RequestId::from_bytes([2; 16]), counted: Vec::new(), ..used.clone() };
    let package = PassedPackage { grant, rotation: RotationSequence(1), package: b"sealed package".to_vec() };
    let effects = vec![Effect::Use(used), Effect::Use(resumed), Effect::PassOn(package)];
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(effects, vec![note(EventKind::Read)]).await.unwrap();
    assert_eq!(store.uses(vault, grant).unwrap(), 1);
    let earlier = store.request(vault, facility(), RequestId::from_bytes([2; 16])).unwrap().unwrap();
    assert_eq!(earlier.selector.records.unwrap().len(), 500, "longer than one entry of the index");
    assert_eq!((earlier.signer, earlier.time, earlier.event.0), (facility(), NOW, 1));
    assert_eq!(store.packages(vault, grant).unwrap(), [(RotationSequence(1), b"sealed package".to_vec())]);
    for number in 1..=4 {
        assert!(store.has_room_for_ask(vault, facility()).unwrap());
        let turn = store.turn(vault).await.unwrap().unwrap();
        turn.commit(vec![Effect::Ask(ask(number))], vec![note(EventKind::Ask)]).await.unwrap();
    }
    assert!(!store.has_room_for_ask(vault, facility()).unwrap());
    assert!(store.has_room_for_ask(vault, identity(9).key()).unwrap());
    let reply = AskReply { ask: ask(2).ask, statement: b"signed answer".to_vec() };
    let turn = store.turn(vault).await.unwrap().unwrap();
    turn.commit(vec![Effect::AnswerAsk(reply.clone())], vec![note(EventKind::Ask)]).await.unwrap();
    assert!(!folder_holds(&folder.path().join("journal"), &ask(2).sealed));
    let waiting: Vec<Vec<u8>> = store.asks_waiting(vault).unwrap().into_iter().map(|ask| ask.sealed).collect();
    assert_eq!(waiting, [ask(1).sealed, ask(3).sealed, ask(4).sealed]);
    assert_eq!(store.ask_answers(vault, facility()).unwrap(), [b"signed answer".to_vec()]);
    assert_eq!(store.asks_of(vault, facility()).unwrap(), 4);
    let turn = store.turn(vault).await.unwrap().unwrap();
    let again = turn.commit(vec![Effect::AnswerAsk(reply)], vec![note(EventKind::Ask)]).await;
    assert!(matches!(again, Err(CommitError::Unknown)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_turns_leave_no_gap_and_share_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let mut vaults = Vec::new();
    for nonce in 0..16 {
        vaults.push(begin(&store, nonce).await);
    }
    let before = store.group_commits();
    let mut tasks = Vec::new();
    for (at, vault) in vaults.iter().copied().enumerate() {
        for number in 0..20_u32 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let turn = store.turn(vault).await.unwrap().unwrap();
                let effect = deposit(at as u32 * 100 + number, 1, 300);
                turn.commit(vec![effect], vec![note(EventKind::Deposit)]).await.unwrap().receipts[0].clone()
            }));
        }
    }
    for task in tasks {
        task.await.unwrap().verify(node()).unwrap();
    }
    let syncs = store.group_commits() - before;
    assert!(syncs < 320 / 2, "{syncs} syncs for 320 commits");
    let head = store.trail_head();
    let root = head.text.verify(Log::Trail, node()).unwrap();
    for vault in vaults {
        let state = store.ledger(vault).unwrap().unwrap();
        let items = store.trail_items(&permit(&state, Action::Audit, None), TrailNumber(1), 100, &head).unwrap();
        assert_eq!(items.iter().map(|item| item.leaf.number.0).collect::<Vec<_>>(), (1..=21).collect::<Vec<_>>());
        for item in items {
            let (salt, event) = item.content.unwrap();
            verify_event(&item.leaf, &salt, &event, item.index, &item.proof, &root).unwrap();
        }
    }
}

#[tokio::test]
async fn a_commit_goes_on_when_its_caller_gives_up() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let vault = begin(&store, 1).await;
    let turn = store.turn(vault).await.unwrap().unwrap();
    let commit = turn.commit(vec![deposit(1, 1, 500)], vec![note(EventKind::Deposit)]);
    assert!(tokio::time::timeout(std::time::Duration::ZERO, commit).await.is_err());
    let turn = store.turn(vault).await.unwrap().unwrap();
    assert!(turn.store().find(vault, record_id(1)).unwrap().is_some());
    assert_eq!(store.last_time(), NOW);
}
