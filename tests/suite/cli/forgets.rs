//! A witness and its folder: it goes on after a kill, and does not start from a folder that is older than what it signed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use karute_consent::party::Identity;
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::witness::AddCheckpoint;
use serde_json::Value;
use tempfile::TempDir;

use super::program::{Ran, command, run};

struct Watcher {
    folder: TempDir,
}

/// A witness process and where it listens.
struct Runs(Child, String);

impl Drop for Runs {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

impl Watcher {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pass"), "four unrelated words here\n").unwrap();
        Self { folder }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("witness")
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let (home, pass) = (self.home(), self.folder.path().join("pass"));
        let shared = ["--home", home.to_str().unwrap(), "--passphrase-file", pass.to_str().unwrap()];
        ["witness"].iter().chain(words).chain(&shared).map(ToString::to_string).collect()
    }

    fn says(&self, words: &[&str]) -> Ran {
        run(self.folder.path(), self.words(words))
    }

    fn starts(&self) -> Runs {
        let mut command = command(self.folder.path());
        command.args(self.words(&["run", "--listen", "127.0.0.1:0", "--json"]));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let event: Value = serde_json::from_str(&first).unwrap();
        assert_eq!(event["event"], "running");
        Runs(child, event["address"].as_str().unwrap().to_owned())
    }
}

/// Asks for a cosignature of the first head that this log shows; status and body.
fn asks(runs: &Runs, size: u64) -> (u16, String) {
    let head = TreeHead { size, root: TreeHash([size as u8; 32]) };
    let checkpoint = CheckpointText::sign(Log::Trail, head, &Identity::from_seed(&[5; 32]));
    let body = AddCheckpoint::new(0, Vec::new(), &checkpoint).unwrap().to_bytes();
    let head = format!(
        "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(&runs.1).unwrap();
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_witness_goes_on_after_a_kill_and_refuses_to_start_from_an_older_folder() {
    let watcher = Watcher::new();
    let made = watcher.says(&["init", "--name", "witness.example/w1", "--json"]).json();
    assert!(made["vkey"].as_str().unwrap().starts_with("witness.example/w1+"));
    watcher.says(&["init", "--name", "witness.example/w2"]).fails(7, &["has keys already"]);
    let backup = watcher.folder.path().join("backup");
    copy(&watcher.home(), &backup);

    let runs = watcher.starts();
    assert_eq!(asks(&runs, 5).0, 200);
    let status = watcher.says(&["status", "--json"]).json();
    assert_eq!((&status["running"], &status["origins"], &status["vkey"]), (&true.into(), &1.into(), &made["vkey"]));
    assert!(status["last_signed"].as_u64().unwrap() > 1_700_000_000);
    watcher.says(&["run"]).fails(11, &["in use"]);
    drop(runs); // kill -9

    let runs = watcher.starts();
    assert_eq!(asks(&runs, 4), (409, "5\n".to_owned()));
    drop(runs);

    std::fs::remove_dir_all(watcher.home()).unwrap();
    copy(&backup, &watcher.home());
    watcher.says(&["run", "--listen", "127.0.0.1:0"]).fails(9, &["was signed", "newer folder", "new key"]);
    // Without the guard nobody knows whether the folder is the newest.
    std::fs::remove_file(watcher.folder.path().join("witness.guard")).unwrap();
    watcher.says(&["run", "--listen", "127.0.0.1:0"]).fails(9, &["no guard"]);
}

#[test]
fn a_witness_ends_when_it_is_told_to() {
    let watcher = Watcher::new();
    watcher.says(&["init", "--name", "witness.example/w1", "--json"]).json();
    let mut runs = watcher.starts();
    assert_eq!(asks(&runs, 5).0, 200);
    let _kept = TcpStream::connect(&runs.1).unwrap(); // an idle connection does not hold it up for long
    let told = std::process::Command::new("kill").arg(runs.0.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(runs.0.wait().unwrap().code(), Some(0));
    watcher.says(&["init", "--name", "two words"]).fails(7, &["has keys already"]);
}

#[test]
fn a_witness_without_a_folder_or_with_a_wrong_name_is_told_so() {
    let watcher = Watcher::new();
    watcher.says(&["init", "--name", "two words"]).fails(2, &["--name"]);
    watcher.says(&["status"]).fails(6, &["there is no witness"]);
    watcher.says(&["run"]).fails(6, &["witness"]);
}
