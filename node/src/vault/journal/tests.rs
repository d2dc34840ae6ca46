//! Every test works on real files: what is written, cut, flipped or killed is what a disk would hold.

use std::sync::Mutex;

use super::*;

const OWNER: JournalOwner = JournalOwner { node: [7; 32], shard: 0 };
const KIND: FrameKind = FrameKind(1);

fn entropy() -> Entropy {
    Arc::new(|bytes| getrandom::fill(bytes).expect("the system has randomness"))
}

fn ignore_all() -> Apply {
    Box::new(|_| Ok(()))
}

pub(super) fn batch(payloads: &[&[u8]]) -> NewBatch {
    let frame = |payload: &&[u8]| NewFrame { kind: KIND, vault: VaultTag([1; 32]), payload: payload.to_vec() };
    NewBatch { frames: payloads.iter().map(frame).collect(), erase: Vec::new() }
}

pub(super) fn start(folder: &Path) -> Journal {
    Journal::prepare(folder, OWNER).unwrap().start(None, entropy(), ignore_all()).unwrap()
}

pub(super) fn read_all(folder: &Path) -> Result<(Checked, Vec<CommittedBatch>), JournalBroken> {
    let prepared = Journal::prepare(folder, OWNER).unwrap();
    let checked = prepared.check(None)?;
    let mut found = Vec::new();
    prepared.replay(None, &mut |batch| {
        found.push(batch);
        Ok::<(), JournalBroken>(())
    })?;
    found.retain(|batch| !batch.frames.is_empty());
    Ok((checked, found))
}

pub(super) fn payloads(batches: &[CommittedBatch]) -> Vec<Vec<Option<Vec<u8>>>> {
    batches.iter().map(|batch| batch.frames.iter().map(|frame| frame.payload.clone()).collect()).collect()
}

pub(super) fn only_segment(folder: &Path) -> PathBuf {
    segment::segment_path(folder, 0)
}

/// Stops without sealing, as a crash does: the segment is copied to a folder of its own while the journal runs.
pub(super) fn crash_copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "seg") {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Three batches, each its own group; the folder is as a crash after the last answer leaves it.
pub(super) async fn three_batches(folder: &Path) -> Vec<Committed> {
    let run = tempfile::tempdir().unwrap();
    let journal = start(run.path());
    let mut committed = Vec::new();
    for payloads in [&[b"one".as_slice(), b"two"][..], &[b"three"], &[b"four", b"five five five", b"six"]] {
        committed.push(journal.submit(batch(payloads)).await.unwrap());
    }
    crash_copy(run.path(), folder);
    committed
}

#[tokio::test]
async fn replay_equals_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let applied = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&applied);
    let journal = Journal::prepare(folder.path(), OWNER)
        .unwrap()
        .with_segment_bytes(2000)
        .start(
            None,
            entropy(),
            Box::new(move |group| {
                seen.lock().unwrap().extend_from_slice(group);
                Ok(())
            }),
        )
        .unwrap();
    for number in 0..40_u32 {
        let first = number.to_be_bytes();
        journal.submit(batch(&[&first, &vec![number as u8; number as usize * 7]])).await.unwrap();
    }
    drop(journal);
    assert!(segment::list(folder.path()).unwrap().len() > 5, "small segments must have been begun");
    let (checked, found) = read_all(folder.path()).unwrap();
    assert_eq!(checked, Checked { frames: 81, cut_bytes: 0, erasures_finished: 0 });
    assert_eq!(found, *applied.lock().unwrap());
}

#[tokio::test]
async fn replay_from_a_mark_gives_what_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let committed = three_batches(folder.path()).await;
    let prepared = Journal::prepare(folder.path(), OWNER).unwrap();
    prepared.check(Some(&committed[0].mark)).unwrap();
    let mut found = Vec::new();
    prepared
        .replay(Some(&committed[0].mark), &mut |batch| {
            found.push(batch);
            Ok::<(), JournalBroken>(())
        })
        .unwrap();
    assert_eq!(payloads(&found), payloads(&read_all_unlocked(prepared, 1)));
}

fn read_all_unlocked(prepared: Prepared, skip: usize) -> Vec<CommittedBatch> {
    let mut found = Vec::new();
    prepared
        .replay(None, &mut |batch| {
            found.push(batch);
            Ok::<(), JournalBroken>(())
        })
        .unwrap();
    found.split_off(skip)
}

#[tokio::test]
async fn a_mark_that_the_journal_does_not_hold_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let committed = three_batches(folder.path()).await;
    let prepared = Journal::prepare(folder.path(), OWNER).unwrap();
    let mut mark = committed[1].mark;
    mark.chain.0[0] ^= 1;
    assert!(matches!(prepared.check(Some(&mark)), Err(JournalBroken::MarkUnknown)));
    let mut ahead = committed[2].mark;
    ahead.last.offset += 100_000;
    assert!(matches!(prepared.check(Some(&ahead)), Err(JournalBroken::MarkUnknown)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_submitters_share_few_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(start(folder.path()));
    let mut tasks = Vec::new();
    for writer in 0..64_u64 {
        let journal = Arc::clone(&journal);
        tasks.push(tokio::spawn(async move {
            for round in 0..20_u64 {
                journal.submit(batch(&[&writer.to_be_bytes(), &round.to_be_bytes()])).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let syncs = journal.group_commits();
    assert!(syncs * 4 < 64 * 20, "{syncs} syncs for 1280 batches");
    drop(journal);
    assert_eq!(read_all(folder.path()).unwrap().1.len(), 1280);
}

#[tokio::test]
async fn a_failed_apply_stops_the_journal_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::prepare(folder.path(), OWNER)
        .unwrap()
        .start(None, entropy(), Box::new(|_| Err(ApplyFailed(io::Error::other("no").into()))))
        .unwrap();
    let stopped = Err(SubmitError::Stopped(StopReason::Apply));
    assert_eq!(journal.submit(batch(&[b"a"])).await, stopped);
    assert_eq!(journal.submit(batch(&[b"b"])).await, stopped);
    assert_eq!(journal.stopped(), Some(StopReason::Apply));
}

#[test]
fn a_failed_write_stops_the_journal_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let chain = ChainHash::genesis(&OWNER.node, 0);
    let mut segment = Segment::create(folder.path(), &OWNER, 0, chain, [1; 16]).unwrap();
    segment.file = File::open(&segment.path).unwrap();
    let (orders, waiting) = mpsc::channel(4);
    let status = Arc::new(Status::default());
    let writer = Writer {
        folder: folder.path().to_owned(),
        owner: OWNER,
        segment,
        seq: 0,
        chain,
        segment_bytes: SEGMENT_BYTES,
        orders: waiting,
        apply: ignore_all(),
        entropy: entropy(),
        status: Arc::clone(&status),
        unsealed: false,
    };
    let room = Arc::new(Semaphore::new(10));
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (answer, answered) = oneshot::channel();
        let room = Arc::clone(&room).try_acquire_owned().unwrap();
        assert!(orders.try_send(Order { batch: batch(&[b"a"]), answer, room }).is_ok());
        answers.push(answered);
    }
    drop(orders);
    writer.run();
    for answered in answers {
        assert_eq!(answered.blocking_recv().unwrap(), Err(SubmitError::Stopped(StopReason::Write)));
    }
    assert_eq!(status.stopped(), Some(StopReason::Write));
}

#[tokio::test]
async fn malformed_and_oversized_batches_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = start(folder.path());
    assert_eq!(journal.submit(NewBatch::default()).await, Err(SubmitError::Malformed));
    let mut reserved = batch(&[b"x"]);
    reserved.frames[0].kind = FrameKind::TOMBSTONE;
    assert_eq!(journal.submit(reserved).await, Err(SubmitError::Malformed));
    let long = vec![0; PAYLOAD_BYTES_MAX + 1];
    assert_eq!(journal.submit(batch(&[&long])).await, Err(SubmitError::TooLarge));
    let full = vec![0; PAYLOAD_BYTES_MAX];
    assert_eq!(journal.submit(batch(&[&full, &full, &full, &full, &full, &full])).await, Err(SubmitError::TooLarge));
    journal.submit(batch(&[&full, &full, &full])).await.unwrap();
}

#[test]
fn a_folder_is_locked_and_belongs_to_one_node() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path());
    assert!(matches!(Journal::prepare(folder.path(), OWNER), Err(PrepareError::InUse)));
    drop(first);
    let other = JournalOwner { node: [8; 32], shard: 0 };
    let foreign = Journal::prepare(folder.path(), other).unwrap().check(None);
    assert!(matches!(foreign, Err(JournalBroken::Segment(SegmentBroken::Foreign { .. }))));
}

#[tokio::test]
async fn a_missing_segment_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::prepare(folder.path(), OWNER)
        .unwrap()
        .with_segment_bytes(400)
        .start(None, entropy(), ignore_all())
        .unwrap();
    for _ in 0..6 {
        journal.submit(batch(&[b"some bytes"])).await.unwrap();
    }
    drop(journal);
    let firsts = segment::list(folder.path()).unwrap();
    fs::remove_file(segment::segment_path(folder.path(), firsts[2])).unwrap();
    assert!(matches!(read_all(folder.path()), Err(JournalBroken::Gap { .. })));
}
