//! A full disk: a body that finds no room is refused and the node goes on; without room for its journal the node ends,
//! and goes on when it is started with room again. Nothing that was acknowledged is lost.
//!
//! It takes a small file system of its own, so it needs the right to mount one; without that it is skipped, loudly.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::Stage;

/// A small file system in memory.
struct SmallDisk {
    at: PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("disk");
        std::fs::create_dir(&at).unwrap();
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { at, _folder: folder }),
            other => {
                eprintln!("SKIPPED: a full disk, because no file system could be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the node may still have files open when a test ends early.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// Takes all that is left of a disk but for a few bytes.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filler");
    let block = vec![0u8; 64 * 1024];
    let mut file = std::fs::File::create(&path).unwrap();
    use std::io::Write;
    while file.write_all(&block).is_ok() {}
    path
}

#[test]
fn on_a_full_disk_deposits_are_refused_clearly_and_nothing_is_lost() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let mut stage = Stage::with_node_in(Some(disk.at.join("node")));
    let link = stage.patient("p", "lab");
    stage.facility("a");
    stage.facility("b");
    stage.grants("p", "a", "deposit", "lab");
    stage.grants("p", "b", "ongoing-care", "lab");
    let small = stage.file("small.txt", b"HbA1c 6.1");
    let deposit = |name: &str| stage.as_of("a", ["facility", "deposit", name, "--vault", &link, "--category", "lab"]);
    assert_eq!(deposit(&small).code, 0);
    stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "before", "--json"]).json();

    // A body that finds no room: refused, and it gives back the room that it took. The node goes on.
    let large = stage.file("large.bin", &vec![7u8; 40 << 20]);
    let refused = deposit(&large);
    refused.fails(9, &["storage", "disk", "hint:"]);
    let other = stage.file("other.txt", &vec![b'x'; 60_000]);
    assert_eq!(deposit(&other).code, 0, "{}", stage.node_said());
    let fetch = |to: &str| stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", to, "--json"]);
    assert_eq!(fetch("meanwhile").json().as_array().map(Vec::len), Some(2));

    // No room for the journal either: nothing is done that could not be written down, and the node ends by itself.
    let filler = fill(&disk.at);
    let third = stage.file("third.txt", &vec![b'y'; 60_000]);
    deposit(&third).fails(9, &["storage", "hint:"]);
    assert_eq!(stage.node_ends(), 9);
    let said = stage.node_said();
    for word in ["No space left on device", "the store has stopped", "hint"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");

    // Room comes back, the node is started again, and everything that was acknowledged is there.
    std::fs::remove_file(filler).unwrap();
    stage.starts_node();
    let fetched = stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "after", "--json"]).json();
    assert_eq!(fetched.as_array().map(Vec::len), Some(2), "{fetched}");
    let again = stage.as_of("a", ["facility", "deposit", &third, "--vault", &link, "--category", "lab"]);
    assert_eq!(again.code, 0, "{again:?}");
}
