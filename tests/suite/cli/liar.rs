//! A lying node in the place of the real one, over TCP, and the real program of patient and facility: what it signs becomes
//! a file, and a process that knows neither of them confirms it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use karute_tests::liar::copy::copy_folder;

use super::program::{Ran, Stage, run};
use super::witness::Post;

/// The liar at the node's address.
struct LyingNode(Child);

impl LyingNode {
    fn starts(stage: &Stage, lie: &str, snapshot: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_liar"));
        command.arg("--home").arg(&stage.node_home).arg("--passphrase-file").arg(stage.pass()).args(["--lie", lie]);
        if let Some(folder) = snapshot {
            command.arg("--snapshot").arg(folder);
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(stage.path("node.err")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(first.contains("running"), "{first:?}; {}", stage.node_said());
        Self(child)
    }
}

impl Drop for LyingNode {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A stage with a patient, a depositor `a` who has deposited, and a reader `b` who has read.
fn begun(stage: &Stage) -> (String, String) {
    let link = stage.patient("p", "lab");
    stage.facility("a");
    stage.facility("b");
    stage.grants("p", "a", "deposit", "lab");
    let grant = stage.grants("p", "b", "ongoing-care", "lab");
    deposits(stage, "a", "first", &link);
    stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "got", "--json"]).json();
    (link, grant)
}

fn deposits(stage: &Stage, who: &str, name: &str, link: &str) {
    let file = stage.file(name, name.as_bytes());
    stage.as_of(who, ["facility", "deposit", &file, "--vault", link, "--category", "lab", "--json"]).json();
}

/// Copies the node's folder while nobody asks it anything. It is not started again here: for ten seconds after a start a
/// node may sign times a little ahead of its clock, and what a liar signs meanwhile is not later.
fn snapshot(stage: &Stage) -> PathBuf {
    let copy = stage.path("snapshot");
    copy_folder(&stage.node_home, &copy).unwrap();
    copy
}

/// The command ended with exit code 8 and left a finding of this kind, which holds for anybody, and not when one bit is flipped.
fn convicts(stage: &Stage, who: &str, ran: &Ran, kind: &str) {
    ran.fails(8, &[]);
    let found = std::fs::read_dir(stage.path(who).join("findings")).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let mut found = found.map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(kind);
    let file = found.find(name).unwrap_or_else(|| panic!("no finding {kind}: {ran:?}"));
    let shown = run(stage.folder.path(), ["verify", "finding", file.to_str().unwrap(), "--json"]).json();
    assert_eq!((&shown["holds"], &shown["kind"]), (&true.into(), &kind.into()));
    let mut bytes = std::fs::read(&file).unwrap();
    let place = bytes.len() / 3;
    bytes[place] ^= 1;
    std::fs::write(stage.path("bent"), bytes).unwrap();
    run(stage.folder.path(), ["verify", "finding", stage.path("bent").to_str().unwrap()]).fails(8, &[]);
}

#[test]
fn a_node_that_drops_a_deposit_is_convicted_by_the_patient() {
    let mut stage = Stage::new();
    begun(&stage);
    stage.as_of("p", ["patient", "audit", "--json"]).json();
    stage.kills_node();
    let _liar = LyingNode::starts(&stage, "drops-a-deposit", None);
    convicts(&stage, "p", &stage.as_of("p", ["patient", "audit"]), "dropped-deposit");
}

#[test]
fn a_node_that_was_rolled_back_is_convicted_by_patient_and_depositor() {
    let mut stage = Stage::new();
    let (link, _) = begun(&stage);
    let old = snapshot(&stage);
    deposits(&stage, "a", "second", &link);
    stage.as_of("a", ["facility", "receipts", "--vault", &link, "--json"]).json();
    stage.as_of("p", ["patient", "records", "--json"]).json();
    stage.kills_node();
    let _liar = LyingNode::starts(&stage, "restores-an-old-disk", Some(&old));
    convicts(&stage, "a", &stage.as_of("a", ["facility", "receipts", "--vault", &link]), "rollback");
    convicts(&stage, "p", &stage.as_of("p", ["patient", "records"]), "rollback");
}

#[test]
fn a_node_that_shows_two_parties_two_logs_is_convicted_by_who_meets_both() {
    let mut stage = Stage::new();
    let (link, _) = begun(&stage);
    let old = snapshot(&stage);
    for name in ["second", "third", "fourth"] {
        deposits(&stage, "a", name, &link);
    }
    stage.as_of("a", ["facility", "receipts", "--vault", &link, "--json"]).json();
    stage.kills_node();
    let list = ["facility", "receipts", "--vault", &link, "--json"];
    {
        let _liar = LyingNode::starts(&stage, "forks-the-log", Some(&old));
        stage.as_of("a", list).json();
        stage.as_of("b", ["facility", "list", "--vault", &link, "--json"]).json();
        stage.as_of("b", list).json();
    }
    let _liar = LyingNode::starts(&stage, "forks-the-log", Some(&old)); // now b comes first
    convicts(&stage, "b", &stage.as_of("b", list), "inconsistency");
}

#[test]
fn a_node_that_serves_after_a_revocation_is_convicted_by_the_patient() {
    let mut stage = Stage::new();
    let (link, grant) = begun(&stage);
    let old = snapshot(&stage);
    stage.as_of("p", ["patient", "revoke", &grant[..12], "--json"]).json();
    deposits(&stage, "a", "after", &link);
    stage.kills_node();
    {
        let _liar = LyingNode::starts(&stage, "serves-after-revocation", Some(&old));
        let fetched = stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "again", "--json"]).json();
        assert_eq!(fetched.as_array().map(Vec::len), Some(1), "nothing that was sealed since: {fetched}");
    }
    let _liar = LyingNode::starts(&stage, "serves-after-revocation", None);
    convicts(&stage, "p", &stage.as_of("p", ["patient", "audit"]), "served-after-revocation");
}

#[test]
fn a_node_that_hides_a_revocation_is_convicted_by_the_patient_and_a_depositor_is_told_who_vouches() {
    let mut stage = Stage::new();
    let (link, grant) = begun(&stage);
    stage.facility("d");
    stage.grants("p", "d", "deposit", "lab");
    let old = snapshot(&stage);
    stage.as_of("p", ["patient", "revoke", &grant[..12], "--json"]).json();
    stage.kills_node();
    let _liar = LyingNode::starts(&stage, "hides-a-revocation", Some(&old));
    let file = stage.file("misled", b"misled");
    let deposit = ["facility", "deposit", &file, "--vault", &link, "--category", "lab", "--json"];
    let stored = stage.as_of("d", deposit).json();
    assert_eq!((&stored["freshness"]["by"], &stored["freshness"]["quorum"]), (&"host".into(), &0.into()), "{stored}");
    convicts(&stage, "p", &stage.as_of("p", ["patient", "records"]), "rollback");
}

#[test]
fn a_node_that_hides_a_revocation_and_what_the_witnesses_saw_gets_nothing_sealed() {
    let mut stage = Stage::new();
    let posts = ["w1", "w2", "w3"].map(|name| Post::new(&stage, name));
    stage.kills_node();
    let path = stage.node_home.join("config.toml");
    let mut config = std::fs::read_to_string(&path).unwrap();
    for post in &posts {
        config.push_str(&format!("\n[[witnesses]]\nvkey = '{}'\nurl = 'http://127.0.0.1:{}'\n", post.key, post.port));
    }
    std::fs::write(&path, config).unwrap();
    stage.starts_node();
    let keys: Vec<String> = posts.iter().flat_map(|post| ["--witness".to_owned(), post.key.to_string()]).collect();
    let init = ["patient", "init", "--name", "山田 花子", "--node", &stage.address, "--code", &stage.code];
    let rest = ["--recovery-sheet", "p.sheet", "--category", "lab", "--json"];
    let words = init.into_iter().chain(rest).map(str::to_owned).chain(keys);
    let link = stage.as_of("p", words).json()["link"].as_str().unwrap().to_owned();
    for who in ["b", "d"] {
        stage.facility(who);
    }
    let grant = stage.grants("p", "b", "ongoing-care", "lab");
    stage.grants("p", "d", "deposit", "lab");
    let old = snapshot(&stage);
    let revoked = stage.as_of("p", ["patient", "revoke", &grant[..12], "--json"]).json();
    assert_eq!(revoked["levels"]["witnessed"], true, "{revoked}");
    stage.kills_node();
    let file = stage.file("kept", b"kept");
    let deposit = ["facility", "deposit", &file, "--vault", &link, "--category", "lab", "--sensitive", "--json"];
    {
        // What they signed of the older ledger would pass for 15 minutes; they sign it no more, and then it is as here.
        let _liar = LyingNode::starts(&stage, "hides-the-witnesses", Some(&old));
        stage.as_of("d", deposit).fails(8, &["nothing was sealed"]);
    }
    stage.starts_node();
    let stored = stage.as_of("d", deposit).json();
    assert_eq!(stored["freshness"]["by"], "witnesses", "{stored}");
}

#[test]
fn the_liar_says_which_lies_it_can_tell() {
    let told = Command::new(env!("CARGO_BIN_EXE_liar")).arg("--list").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    for lie in
        ["drops-a-deposit", "hides-a-revocation", "restores-an-old-disk", "forks-the-log", "serves-after-revocation"]
    {
        assert!(told.lines().any(|line| line.starts_with(lie)), "{lie}: {told}");
    }
}
