//! The live feed between processes: a patient watches, a hospital reads, and the patient sees it at once.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::program::Stage;

/// A watch at work.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn begin(stage: &Stage, who: &str, more: &[&str]) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(stage.path("watch.err")).unwrap();
        let words = ["patient", "watch"].into_iter().chain(more.iter().copied());
        let mut child = stage.command(who, words).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = sync_channel(256);
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, lines }
    }

    /// Waits for a line with these words; gives how long it took.
    #[track_caller]
    fn shows(&self, stage: &Stage, words: &[&str], within: Duration) -> Duration {
        let begun = Instant::now();
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(within.saturating_sub(begun.elapsed())) {
            if words.iter().all(|word| line.contains(word)) {
                return begun.elapsed();
            }
            seen.push(line);
        }
        let said = std::fs::read_to_string(stage.path("watch.err")).unwrap_or_default();
        panic!("{words:?} is not in {seen:?} after {:?}: {said}", begun.elapsed());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may be gone already; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How soon an access has to be seen.
const SOON: Duration = Duration::from_secs(5);
/// How long a watch may need to find a node that was started again, beside other tests.
const AGAIN: Duration = Duration::from_secs(60);

/// ```text
///   b ── reads ──> node ── event, proven ──> p watches        the node is killed and started: the watch goes on
/// ```
#[test]
fn an_access_is_seen_within_five_seconds_and_the_watch_outlives_the_node() {
    let mut stage = Stage::new();
    let link = stage.patient("p", "lab");
    stage.facility("a");
    stage.facility("b");
    stage.grants("p", "a", "deposit", "lab");
    let grant = stage.grants("p", "b", "ongoing-care", "lab");
    let file = stage.file("result.txt", b"HbA1c 6.1");
    stage.as_of("a", ["facility", "deposit", &file, "--vault", &link, "--category", "lab", "--json"]).json();

    let watch = Watch::begin(&stage, "p", &[]);
    watch.shows(&stage, &["you read the trail"], AGAIN);
    let fetch = |to: &str| stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", to, "--json"]);
    fetch("got").json();
    let took = watch.shows(&stage, &["b read 1 record", "(lab)", "for treatment"], SOON);
    println!("the access was seen {took:?} after the reader had it");

    // Other commands work meanwhile, and what they do is seen too; then the reader is refused, which is seen as well.
    stage.as_of("p", ["patient", "revoke", &grant[..12], "--json"]).json();
    watch.shows(&stage, &["you changed the ledger"], SOON);
    stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "got2"]);
    let words = ["patient", "grant", "--to", "b.card", "--template", "ongoing-care", "--category", "lab", "--json"];
    stage.as_of("p", words).json();

    stage.kills_node();
    stage.starts_node();
    stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "got3", "--json"]).json();
    watch.shows(&stage, &["b read 1 record"], AGAIN);
    let said = std::fs::read_to_string(stage.path("watch.err")).unwrap();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_watch_from_the_beginning_tells_every_event_as_json() {
    let stage = Stage::new();
    stage.patient("p", "lab");
    let watch = Watch::begin(&stage, "p", &["--from", "1", "--json"]);
    let first = watch.lines.recv_timeout(AGAIN).unwrap();
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["number"], 1, "{first}");
    watch.shows(&stage, &["audit"], SOON);
}
