//! Witnesses as people run them: three processes `karute witness run`, a node that asks them over HTTP, and a patient
//! whose vault names all three and wants two.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use karute_consent::category::Category;
use karute_consent::id::NodeId;
use karute_consent::vault::{Witness, WitnessSet};
use karute_node::agent::connect::Connect;
use karute_node::agent::patient::Patient;
use karute_node::ambient::Ambient;
use karute_node::flow::agent::create::{CreateVault, create_vault, fresh_recovery_code};
use karute_node::flow::agent::reach::Reach;
use karute_node::flow::agent::sync::sync_patient;
use karute_node::net::Dialer;
use karute_protocol::cosignature::{WitnessKey, Witnessing, witnessed};
use karute_protocol::trail::{CheckpointText, Log};
use karute_tests::world::kind;

use super::program::{Stage, free_port};

/// A witness process.
pub(super) struct Post {
    pub(super) name: &'static str,
    pub(super) port: u16,
    pub(super) key: WitnessKey,
    child: Option<Child>,
}

impl Post {
    pub(super) fn new(stage: &Stage, name: &'static str) -> Self {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let full = format!("{name}.example");
        let made = stage.as_of(name, ["witness", "init", "--name", &full, "--listen", &listen, "--json"]).json();
        let key = made["vkey"].as_str().unwrap().parse().unwrap();
        let mut post = Self { name, port, key, child: None };
        post.starts(stage);
        post
    }

    fn starts(&mut self, stage: &Stage) {
        let mut command = stage.command(self.name, ["witness", "run", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(first.contains("running"), "{first:?}");
        self.child = Some(child);
    }

    fn ends(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.ends();
        }
    }
}

/// What a test of the ledger's cosignatures goes on with.
struct Ledger {
    patient: Patient,
    reach: Reach,
    set: WitnessSet,
    node: NodeId,
}

impl Ledger {
    /// 花子 makes a vault at the stage's node, over TCP.
    async fn new(stage: &Stage, posts: &[Post]) -> Self {
        let ambient = Ambient::system();
        let mut patient = Patient::in_memory(&ambient, "hanako");
        let mut reach = Reach::new(Connect::Network(Dialer::new(&patient.transport()).unwrap()));
        let mut witnesses: Vec<Witness> = posts.iter().map(|post| Witness::from(&post.key)).collect();
        witnesses.sort_by_key(|witness| witness.key);
        let set = WitnessSet { witnesses, quorum: 2 };
        let new = CreateVault {
            host: stage.address.clone(),
            registration: Some(stage.code.clone()),
            kinds: vec![kind(Category::Lab)],
            witnesses: set.clone(),
        };
        let code = fresh_recovery_code(&ambient);
        create_vault(&mut patient, &mut reach, new, &code).await.unwrap();
        let facts = stage.as_of("node", ["node", "status", "--json"]).json();
        let node = facts["node"].as_str().unwrap().parse().unwrap();
        Self { patient, reach, set, node }
    }

    /// Asks the node for the heads until the quorum stands with a time after `since`; gives who cosigned.
    async fn witnessed_after(&mut self, since: u64) -> Witnessing {
        for _ in 0..100 {
            self.reach.hang_up();
            sync_patient(&mut self.patient, &mut self.reach).await.unwrap();
            let text = self.checkpoint();
            text.verify(Log::Ledger(self.patient.vault().unwrap()), self.node).unwrap();
            let witnessing = witnessed(&text, &self.set).unwrap();
            if witnessing.at.is_some_and(|at| at.secs() > since) {
                return witnessing;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the quorum did not come about");
    }

    /// The checkpoint that came with the last sync.
    fn checkpoint(&self) -> CheckpointText {
        self.patient.view().unwrap().checkpoint().unwrap().clone()
    }
}

/// ```text
///   花子 ── heads? ──> node ── add-checkpoint ──> w1, w2        w3 is away; the node is killed and started in between
/// ```
#[test]
fn a_ledger_and_the_trail_are_cosigned_over_http_while_one_of_three_witnesses_is_away() {
    let mut stage = Stage::new();
    let mut posts = ["w1", "w2", "w3"].map(|name| Post::new(&stage, name));
    stage.kills_node();
    for post in &posts {
        let config = format!("[[witnesses]]\nvkey = '{}'\nurl = 'http://127.0.0.1:{}'\n", post.key, post.port);
        let path = stage.node_home.join("config.toml");
        let before = std::fs::read_to_string(&path).unwrap();
        let pace = if before.contains("ledger_fresh_secs") { "" } else { "ledger_fresh_secs = 2\n" };
        std::fs::write(&path, format!("{pace}{before}\n{config}")).unwrap();
    }
    stage.starts_node();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut ledger = runtime.block_on(Ledger::new(&stage, &posts));
    let first = runtime.block_on(ledger.witnessed_after(0)).at.unwrap().secs();

    posts[2].ends();
    stage.kills_node();
    stage.starts_node();
    // The head has not changed; once its cosignatures are two seconds old the two that are there sign it again.
    let ended = first + 5;
    let again = runtime.block_on(ledger.witnessed_after(ended));
    let key = posts[2].key.name.to_string();
    let third = again.each.iter().find(|(name, _)| *name == key).unwrap().1;
    assert!(third.is_none_or(|at| at.secs() <= ended), "the third was away: {again:?}");

    // Each witness has cosigned the trail, and says so when asked; the node knows who is away.
    let status = stage.as_of("node", ["node", "status", "--json"]).json();
    assert_eq!(status["witnesses"].as_array().unwrap().len(), 3, "{status}");
    let notes = status["witness_notes"].as_array().unwrap();
    let failing: Vec<&str> =
        notes.iter().filter(|note| !note["error"].is_null()).map(|note| note["name"].as_str().unwrap()).collect();
    assert_eq!(failing, ["w3.example"], "{status}");
    let text = stage.as_of("node", ["node", "status"]).out;
    assert!(text.contains("witnesses  3: w1.example"), "{text}");
    for (name, logs) in [("w1", 2), ("w2", 2)] {
        let witness = stage.as_of(name, ["witness", "status", "--json"]).json();
        assert!(witness["origins"].as_u64().unwrap() >= logs, "{witness}");
    }
    assert!(!stage.node_said().contains("panicked"), "{}", stage.node_said());
}

#[test]
fn a_node_without_witnesses_says_what_that_means_and_wrong_ones_are_refused() {
    let mut stage = Stage::new();
    let text = stage.as_of("node", ["node", "status"]).out;
    assert!(text.contains("witnesses  none: nobody outside sees"), "{text}");
    stage.kills_node();
    stage.as_of("node", ["node", "run", "--witness", "w1"]).fails(2, &["VKEY=URL"]);
    stage
        .as_of("node", ["node", "run", "--witness", "w1+00000000+AA==http://h"])
        .fails(3, &["not the key of a witness"]);
}

fn copies(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copies(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// ```text
///   node ── heads ──> 花子        an old copy of store/ is put back        花子 ── heads ──> node stops, and stays so
/// ```
#[test]
fn a_node_whose_store_was_put_back_stops_when_a_client_shows_what_it_signed_later() {
    let mut stage = Stage::new();
    stage.patient("p", "lab");
    stage.facility("a");
    let (store, old, newer) = (stage.node_home.join("store"), stage.path("old"), stage.path("newer"));
    stage.kills_node();
    copies(&store, &old);
    stage.starts_node();
    stage.grants("p", "a", "deposit", "lab");
    stage.as_of("p", ["patient", "trail", "--json"]).json();
    stage.kills_node();
    std::fs::rename(&store, &newer).unwrap();
    copies(&old, &store);

    stage.starts_node();
    assert_ne!(stage.as_of("p", ["patient", "trail", "--json"]).code, 0);
    assert_eq!(stage.node_ends(), 9, "{}", stage.node_said());
    assert!(stage.node_said().contains("this store is older than what this node has signed"), "{}", stage.node_said());
    stage.as_of("node", ["node", "run"]).fails(9, &["older than what this node has signed", "hint: bring back"]);

    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&newer, &store).unwrap();
    stage.starts_node();
    stage.as_of("p", ["patient", "trail", "--json"]).json();
}
