//! What a power cut, a rotten bit, an interrupted erasure or a kill leaves, and what the next opening makes of it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::frame::HEADER_LEN;
use super::tests::{batch, crash_copy, only_segment, payloads, read_all, start, three_batches};
use super::*;

#[tokio::test]
async fn a_tail_torn_at_every_byte_leaves_exactly_the_earlier_batches() {
    let source = tempfile::tempdir().unwrap();
    let committed = three_batches(source.path()).await;
    let bytes = fs::read(only_segment(source.path())).unwrap();
    let last_begins = committed[2].positions[0].offset as usize;
    let folder = tempfile::tempdir().unwrap();
    for length in last_begins..bytes.len() {
        fs::write(only_segment(folder.path()), &bytes[..length]).unwrap();
        let (checked, found) = read_all(folder.path()).unwrap_or_else(|error| panic!("cut at {length}: {error}"));
        assert_eq!(checked.cut_bytes as usize, length - last_begins);
        assert_eq!(found.len(), 2, "cut at {length}");
        assert_eq!(fs::metadata(only_segment(folder.path())).unwrap().len() as usize, last_begins);
        let journal = start(folder.path());
        journal.submit(batch(&[b"after"])).await.unwrap();
        drop(journal);
        assert_eq!(payloads(&read_all(folder.path()).unwrap().1)[2], [Some(b"after".to_vec())]);
    }
}

#[tokio::test]
async fn a_tail_of_zeros_or_holes_is_cut_off() {
    let source = tempfile::tempdir().unwrap();
    let committed = three_batches(source.path()).await;
    let bytes = fs::read(only_segment(source.path())).unwrap();
    let last_begins = committed[2].positions[0].offset as usize;
    let folder = tempfile::tempdir().unwrap();
    for hole in last_begins..bytes.len() {
        let mut torn = bytes.clone();
        let end = bytes.len().min(hole + 40);
        if torn[hole..end].iter().all(|byte| *byte == 0) {
            continue;
        }
        torn[hole..end].fill(0);
        fs::write(only_segment(folder.path()), &torn).unwrap();
        assert_eq!(read_all(folder.path()).unwrap().1.len(), 2, "hole at {hole}");
    }
}

#[tokio::test]
async fn a_flipped_byte_before_the_last_group_is_an_error_and_nothing_is_cut() {
    let source = tempfile::tempdir().unwrap();
    let committed = three_batches(source.path()).await;
    let bytes = fs::read(only_segment(source.path())).unwrap();
    let last_begins = committed[2].positions[0].offset as usize;
    let folder = tempfile::tempdir().unwrap();
    for at in 0..last_begins {
        for bit in [0x01, 0x80] {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            fs::write(only_segment(folder.path()), &flipped).unwrap();
            assert!(read_all(folder.path()).is_err(), "flip at {at} was not noticed");
            assert_eq!(fs::read(only_segment(folder.path())).unwrap(), flipped, "flip at {at}: the file was changed");
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_after_a_clean_close_is_an_error_even_in_the_last_batch() {
    let folder = tempfile::tempdir().unwrap();
    let journal = start(folder.path());
    let committed = journal.submit(batch(&[b"the last word"])).await.unwrap();
    drop(journal);
    let path = only_segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[committed.positions[0].offset as usize + HEADER_LEN + 3] ^= 4;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(read_all(folder.path()), Err(JournalBroken::Damaged { seq: 0, .. })));
}

#[tokio::test]
async fn a_payload_that_looks_like_a_frame_does_not_hinder_the_mending_of_a_tail() {
    let folder = tempfile::tempdir().unwrap();
    let committed = three_batches(folder.path()).await;
    let path = only_segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let end = committed[2].positions[2].offset as usize;
    let mut forged = bytes[end..].to_vec();
    forged[48..64].fill(0xFF);
    let length = bytes.len();
    bytes[end..].fill(0);
    bytes.extend_from_slice(&forged);
    fs::write(&path, &bytes).unwrap();
    let (checked, found) = read_all(folder.path()).unwrap();
    assert_eq!(found.len(), 2);
    assert!(checked.cut_bytes as usize > length - end);
}

#[tokio::test]
async fn erasure_wipes_the_bytes_and_keeps_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let journal = start(folder.path());
    let secret = b"a prescription nobody may find again";
    let kept = journal.submit(batch(&[b"kept", secret, b"kept too"])).await.unwrap();
    let mut erase = batch(&[b"withdrawn"]);
    erase.erase.push(kept.positions[1]);
    journal.submit(erase).await.unwrap();
    let on_disk = fs::read(only_segment(folder.path())).unwrap();
    assert!(!on_disk.windows(10).any(|window| window == &secret[..10]));
    drop(journal);
    let (checked, found) = read_all(folder.path()).unwrap();
    assert_eq!(checked.frames, 6);
    let expected: Vec<Vec<Option<Vec<u8>>>> =
        vec![vec![Some(b"kept".to_vec()), None, Some(b"kept too".to_vec())], vec![Some(b"withdrawn".to_vec())]];
    assert_eq!(payloads(&found), expected);
}

#[tokio::test]
async fn an_erasure_interrupted_at_every_byte_is_finished_at_the_next_opening() {
    let source = tempfile::tempdir().unwrap();
    let run = tempfile::tempdir().unwrap();
    let journal = start(run.path());
    let kept = journal.submit(batch(&[b"secret words", b"kept"])).await.unwrap();
    let before = fs::read(only_segment(run.path())).unwrap();
    let mut erase = batch(&[b"withdrawn"]);
    erase.erase.push(kept.positions[0]);
    journal.submit(erase).await.unwrap();
    crash_copy(run.path(), source.path());
    let after = fs::read(only_segment(source.path())).unwrap();
    let begin = kept.positions[0].offset as usize + frame::ERASABLE_AT;
    let end = kept.positions[1].offset as usize;
    for written in begin..end {
        let mut torn = after.clone();
        torn[written..end].copy_from_slice(&before[written..end]);
        let folder = tempfile::tempdir().unwrap();
        fs::write(only_segment(folder.path()), &torn).unwrap();
        let (checked, found) = read_all(folder.path()).unwrap_or_else(|error| panic!("at {written}: {error}"));
        assert_eq!(found[0].frames[0].payload, None);
        assert_eq!(fs::read(only_segment(folder.path())).unwrap(), after);
        assert!(checked.erasures_finished <= 1);
    }
}

#[tokio::test]
async fn an_erasure_of_nothing_is_refused_and_the_journal_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = start(folder.path());
    let kept = journal.submit(batch(&[b"kept"])).await.unwrap();
    let mut wrong = batch(&[b"x"]);
    wrong.erase.push(Position { offset: kept.positions[0].offset + 1, ..kept.positions[0] });
    assert_eq!(journal.submit(wrong).await, Err(SubmitError::NothingToErase));
    journal.submit(batch(&[b"on"])).await.unwrap();
}

/// The other half of the test below.
#[tokio::test]
#[ignore = "a process to be killed, run by what_was_answered_survives_kill_9"]
async fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var("KARUTE_JOURNAL_CHILD") else { panic!("run by its parent only") };
    let journal = start(Path::new(&folder));
    for number in 0..u64::MAX {
        journal.submit(batch(&[&number.to_be_bytes(), &[3; 900]])).await.unwrap();
        println!("acked {number}");
    }
}

#[test]
fn what_was_answered_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let name = "journal::crash_tests::child_that_writes_until_it_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", name])
        .env("KARUTE_JOURNAL_CHILD", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acked = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.strip_prefix("acked ") {
            acked = number.parse::<u64>().unwrap();
            if acked == 150 {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(acked >= 150);
    let (_, found) = read_all(folder.path()).unwrap();
    assert!(found.len() as u64 > acked);
    for (number, batch) in found.iter().enumerate() {
        assert_eq!(batch.frames[0].payload.as_deref(), Some(&(number as u64).to_be_bytes()[..]));
    }
}
