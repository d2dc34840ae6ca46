//! The journal as a disk gives it back: any bytes as a segment, and a good journal with bytes changed. Whatever it holds,
//! opening ends, and what is read is what was written, from the beginning and without a gap.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use karute_node::vault::journal::{
    CommittedBatch, FrameKind, Journal, JournalBroken, JournalOwner, NewBatch, NewFrame, VaultTag,
};

use super::edit::change_bytes;
use super::source::Source;
use super::texts::folder;

/// A folder with one segment: the input.
pub fn journal(data: &[u8]) {
    let place = folder();
    fs::write(place.path().join(SEGMENT), data).expect("a folder in memory has room");
    if let Ok(batches) = read_all(place.path()) {
        assert!(GOOD.batches.starts_with(&payloads(&batches)), "nobody wrote it");
    }
}

/// A good journal whose segments are edited, cut or left out.
pub fn journal_edits(data: &[u8]) {
    let mut source = Source::new(data);
    let mut segments = GOOD.segments.clone();
    let tail_only = source.byte().is_multiple_of(2);
    for _ in 0..=source.place(3) {
        let at = if tail_only { segments.len() - 1 } else { source.place(segments.len()) };
        match source.byte() % 8 {
            0 => segments[at].1.truncate(usize::from(source.short())),
            1 => segments[at].1.extend_from_slice(source.take(64)),
            2 => {
                let from = source.place(segments.len());
                segments[at].1 = segments[from].1.clone();
            }
            _ => change_bytes(&mut segments[at].1, &mut source),
        }
    }
    let place = folder();
    for (name, bytes) in &segments {
        fs::write(place.path().join(name), bytes).expect("a folder in memory has room");
    }
    let Ok(batches) = read_all(place.path()) else { return };
    let read = payloads(&batches);
    assert!(GOOD.batches.starts_with(&read), "what is read is what was written, in its order");
    let again = read_all(place.path()).expect("what was cut off is gone: the second opening finds it sound");
    assert_eq!(payloads(&again), read);
}

/// Opens a journal and reads it.
fn read_all(folder: &Path) -> Result<Vec<CommittedBatch>, JournalBroken> {
    let prepared = Journal::prepare(folder, OWNER).expect("nobody else has it");
    prepared.check(None)?;
    let mut found = Vec::new();
    prepared.replay(None, &mut |batch| {
        found.push(batch);
        Ok::<(), JournalBroken>(())
    })?;
    found.retain(|batch| !batch.frames.is_empty());
    Ok(found)
}

type Payloads = Vec<Vec<Option<Vec<u8>>>>;

fn payloads(batches: &[CommittedBatch]) -> Payloads {
    batches.iter().map(|batch| batch.frames.iter().map(|frame| frame.payload.clone()).collect()).collect()
}

/// A journal that was written well: its segments by name, and what they hold.
struct Good {
    segments: Vec<(String, Vec<u8>)>,
    batches: Payloads,
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let place = folder();
    let entropy = Arc::new(|bytes: &mut [u8]| bytes.fill(9));
    let prepared = Journal::prepare(place.path(), OWNER).expect("nobody else has it").with_segment_bytes(1500);
    let journal = prepared.start(None, entropy, Box::new(|_| Ok(()))).expect("an empty folder is a journal");
    let mut batches = Vec::new();
    for turn in 0..6u8 {
        let payloads: Vec<Vec<u8>> = (0..=turn % 3).map(|n| vec![turn * 8 + n; usize::from(n) * 40 + 5]).collect();
        let frame = |payload: &Vec<u8>| NewFrame { kind: KIND, vault: VaultTag([1; 32]), payload: payload.clone() };
        let batch = NewBatch { frames: payloads.iter().map(frame).collect(), erase: Vec::new() };
        futures::executor::block_on(journal.submit(batch)).expect("a folder in memory has room");
        batches.push(payloads.into_iter().map(Some).collect());
    }
    // As a crash leaves it: the journal still runs.
    let mut segments = Vec::new();
    for entry in fs::read_dir(place.path()).expect("the folder is there") {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_some_and(|suffix| suffix == "seg") {
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            segments.push((name, fs::read(&path).expect("a readable file")));
        }
    }
    segments.sort();
    Good { segments, batches }
});

/// The first segment of a good journal.
pub(super) fn segment_seed() -> Vec<u8> {
    GOOD.segments[0].1.clone()
}

const OWNER: JournalOwner = JournalOwner { node: [7; 32], shard: 0 };
const KIND: FrameKind = FrameKind(1);
/// The name of the first segment.
const SEGMENT: &str = "0000000000000000.seg";
