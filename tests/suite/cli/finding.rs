//! `karute verify finding`: anybody checks the proof of a lie, without a node and without keys.

use std::path::Path;

use karute_consent::id::NodeId;
use karute_consent::party::Identity;
use karute_protocol::finding::{Finding, SignedHead};
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::trail::{CheckpointText, Log};

use super::program::run;

/// Two roots of one size, both signed by the same node.
fn forked() -> (NodeId, Vec<u8>) {
    let log = Identity::from_seed(&[7; 32]);
    let node = NodeId::from_bytes(*log.key().as_bytes());
    let head = |root: u8| {
        let head = TreeHead { size: 40, root: TreeHash([root; 32]) };
        SignedHead::Checkpoint(CheckpointText::sign(Log::Trail, head, &log))
    };
    (node, Finding::equivocation(node, head(1), head(2)).unwrap().to_bytes().unwrap())
}

fn verify(folder: &Path, more: &[&str]) -> (i32, String, String) {
    let file = folder.join("lie.finding");
    let args = ["verify", "finding"].into_iter().chain(file.to_str()).chain(more.iter().copied());
    let ran = run(folder, args);
    (ran.code, ran.out, ran.err)
}

#[test]
fn a_finding_is_told_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let (node, bytes) = forked();
    std::fs::write(folder.path().join("lie.finding"), &bytes).unwrap();
    let (code, out, err) = verify(folder.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in ["holds", &node.to_string(), "two different histories", "40 entries", "Nothing refutes this"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, _) = verify(folder.path(), &["--json", "--node", &node.to_string()]);
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["holds"], &shown["kind"]), (0, &true.into(), &"equivocation".into()));
    assert_eq!((&shown["refutable"], &shown["facts"]["size"]), (&false.into(), &40.into()));
}

#[test]
fn what_is_no_finding_says_nothing_against_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = forked();
    let file = folder.path().join("lie.finding");
    for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        std::fs::write(&file, &bent).unwrap();
        let (code, out, err) = verify(folder.path(), &[]);
        assert_eq!((code, out.as_str()), (8, ""), "byte {at}: {err}");
    }
    std::fs::write(&file, &bytes).unwrap();
    let (code, _, err) = verify(folder.path(), &["--node", &"00".repeat(32)]);
    assert!(code == 8 && err.contains("another node"), "{err}");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(verify(folder.path(), &[]).0, 6);
}
