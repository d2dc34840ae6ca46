//! Running the real program: where it is, a stage with a node and its cast, and what a command came to.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

/// The program, built from the sources as they are now. `KARUTE_BIN` names another one.
pub(super) fn karute() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("KARUTE_BIN") {
        Some(named) => PathBuf::from(named),
        None => beside_this_test(),
    })
}

/// The program lies beside the folder of this test; it is built when it is missing or older than a source.
fn beside_this_test() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let path = folder.join("karute");
    let built = std::fs::metadata(&path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let newest = ["node/src", "protocol/src", "consent/src"].iter().filter_map(|room| newest(&root.join(room))).max();
    if newest.is_none_or(|newest| newest > built) {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root).args(["build", "--quiet", "--package", "karute-node", "--bin", "karute"]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the program does not build");
    }
    path
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let changed = |entry: std::fs::DirEntry| match entry.file_type().ok()?.is_dir() {
        true => newest(&entry.path()),
        false => entry.metadata().ok()?.modified().ok(),
    };
    entries.filter_map(changed).max()
}

/// What a command came to.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        // A process that was ended by a signal, as by a panic that aborts, has no code.
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The JSON value of a command that succeeded.
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A failure with this exit code, whose message names each of `words`, and which did not panic.
    #[track_caller]
    pub(super) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {self:?}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

/// The program with nothing of this machine's settings.
pub(super) fn command(home: &Path) -> Command {
    let mut command = Command::new(karute());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KARUTE_")) {
        command.env_remove(name);
    }
    command.env("HOME", home).env("LC_ALL", "C").env("COLUMNS", "100").env_remove("XDG_DATA_HOME");
    command.stdin(Stdio::null());
    command
}

/// Runs the program with these words.
pub(super) fn run(home: &Path, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
    Ran::of(command(home).args(words).output().unwrap())
}

/// A folder for everybody, a node, and the cast by name.
pub(super) struct Stage {
    pub(super) folder: TempDir,
    /// Where the node's folder is, which a test may put on another disk.
    pub(super) node_home: PathBuf,
    pub(super) address: String,
    pub(super) code: String,
    pub(super) port: u16,
    pub(super) node: Option<Child>,
}

impl Stage {
    /// A stage with a running node.
    pub(super) fn new() -> Self {
        Self::with_node_in(None)
    }

    /// A stage whose node has its folder elsewhere.
    pub(super) fn with_node_in(node_home: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node_home = node_home.unwrap_or_else(|| folder.path().join("node"));
        let pass = folder.path().join("pass");
        std::fs::write(&pass, "four unrelated words here\n").unwrap();
        let port = free_port();
        let mut stage = Self { folder, node_home, address: String::new(), code: String::new(), port, node: None };
        let listen = format!("/ip4/127.0.0.1/tcp/{port}");
        let made = stage.as_of("node", ["node", "init", "--listen", &listen, "--json"]).json();
        stage.address = made["addresses"][0].as_str().unwrap().to_owned();
        stage.code = made["registration_code"].as_str().unwrap().to_owned();
        stage.starts_node();
        stage
    }

    /// Everybody's passphrase file.
    pub(super) fn pass(&self) -> PathBuf {
        self.folder.path().join("pass")
    }

    /// A path in the stage's folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program as one of the cast.
    pub(super) fn as_of<S: AsRef<OsStr>>(&self, who: &str, words: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(who, words).output().unwrap())
    }

    /// The command that one of the cast gives.
    pub(super) fn command<S: AsRef<OsStr>>(&self, who: &str, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = command(self.folder.path());
        let home = if who == "node" { self.node_home.clone() } else { self.path(who) };
        command.args(words).arg("--home").arg(home).arg("--passphrase-file").arg(self.pass());
        command.current_dir(self.folder.path());
        command
    }

    /// Starts the node and waits until it listens.
    pub(super) fn starts_node(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("node.err")).unwrap();
        let mut child =
            self.command("node", ["node", "run", "--json"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(first.contains("running"), "{first:?}; {}", self.node_said());
        self.node = Some(child);
    }

    /// Ends the node at once, as a power cut of the process would (SIGKILL).
    pub(super) fn kills_node(&mut self) {
        let mut child = self.node.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until the node has ended by itself; gives its exit code.
    pub(super) fn node_ends(&mut self) -> i32 {
        let mut child = self.node.take().unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            if begun.elapsed() > Duration::from_secs(60) {
                self.node = Some(child);
                panic!("the node goes on: {}", self.node_said());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the node wrote to its log.
    pub(super) fn node_said(&self) -> String {
        std::fs::read_to_string(self.path("node.err")).unwrap_or_default()
    }

    /// A patient with a vault for `categories`; gives the vault's link.
    pub(super) fn patient(&self, who: &str, categories: &str) -> String {
        let sheet = format!("{who}.sheet");
        let words = ["patient", "init", "--name", "山田 花子", "--node", &self.address, "--code", &self.code];
        let rest = ["--recovery-sheet", &sheet, "--category", categories, "--json"];
        let made = self.as_of(who, words.into_iter().chain(rest)).json();
        made["link"].as_str().unwrap().to_owned()
    }

    /// A facility; its card lies in `<who>.card`.
    pub(super) fn facility(&self, who: &str) {
        self.as_of(who, ["facility", "init", "--name", who, "--json"]).json();
        self.as_of(who, ["facility", "card", "--out", &format!("{who}.card"), "--json"]).json();
    }

    /// Grants by template; gives the grant's id.
    pub(super) fn grants(&self, patient: &str, to: &str, template: &str, category: &str) -> String {
        let card = format!("{to}.card");
        let words = ["patient", "grant", "--to", &card, "--template", template, "--category", category, "--json"];
        self.as_of(patient, words).json()["grant"].as_str().unwrap().to_owned()
    }

    /// Writes a file into the stage's folder; gives its name.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        name.to_owned()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut child) = self.node.take() {
            // It may be gone already; there is nobody to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that nothing listened on a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Highest resident memory of a process so far, in bytes; 0 where the system does not tell.
pub(super) fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}

/// Waits for a process and looks at its memory meanwhile; gives what it came to and its peak in bytes.
pub(super) fn watched(mut command: Command) -> (Ran, u64) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (begun, mut peak) = (Instant::now(), 0);
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_memory(child.id()));
        assert!(begun.elapsed() < Duration::from_secs(180), "a command does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    (Ran::of(child.wait_with_output().unwrap()), peak)
}
