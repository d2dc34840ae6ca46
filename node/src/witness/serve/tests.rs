use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use karute_consent::id::NodeId;
use karute_consent::party::Identity;
use karute_protocol::merkle::{Place, RightEdge, TreeHash, TreeHead, prove_consistency};
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::witness::read_conflict;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use super::super::desk::tests::{Room, first};
use super::super::socket::Times;
use super::*;

/// A log of small leaves.
struct Tree {
    identity: Identity,
    fork: u8,
}

impl Tree {
    fn new(node: u8, fork: u8) -> Self {
        Self { identity: Identity::from_seed(&[node; 32]), fork }
    }

    fn ask(&self, older: u64, newer: u64) -> Vec<u8> {
        let (mut edge, mut stored) = (RightEdge::of_empty_tree(), std::collections::HashMap::<Place, TreeHash>::new());
        for index in 0..newer {
            let leaf = TreeHash::leaf(&[index as u8, self.fork]);
            edge.append(leaf, |place, hash| {
                stored.insert(place, hash);
            })
            .unwrap();
        }
        let proof = prove_consistency(older, newer, |place| stored.get(&place).copied()).unwrap_or_default();
        let head = TreeHead { size: newer, root: edge.root() };
        let checkpoint = CheckpointText::sign(Log::Trail, head, &self.identity);
        AddCheckpoint::new(older, proof, &checkpoint).unwrap().to_bytes()
    }

    fn origin_hash(&self) -> String {
        let origin = Log::Trail.origin(NodeId::from_bytes(*self.identity.key().as_bytes()));
        Sha256::digest(origin.as_str()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

struct Running {
    room: Room,
    runtime: Runtime,
    url: String,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Ending>,
}

impl Running {
    fn start() -> Self {
        Self::in_room(Room::new())
    }

    fn in_room(room: Room) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (desk, ending) = room.desk(3);
        let witness = runtime.block_on(Witness::bind("127.0.0.1:0", desk, ending)).unwrap();
        let url = format!("http://{}", witness.address().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = runtime.spawn(witness.run(async move {
            let _ = stopped.await;
        }));
        Self { room, runtime, url, stop, ended }
    }

    fn post(&self, path: &str, body: &[u8]) -> (u16, String, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        read(agent.post(format!("{}{path}", self.url)).send(body).unwrap())
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        read(agent.get(format!("{}{path}", self.url)).call().unwrap())
    }

    fn end(self) -> Room {
        let Self { room, runtime, stop, ended, .. } = self;
        stop.send(()).unwrap();
        assert_eq!(runtime.block_on(ended).unwrap(), Ending::Asked);
        room
    }
}

/// Status, content type and body.
fn read(mut answer: ureq::http::Response<ureq::Body>) -> (u16, String, String) {
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    (answer.status().as_u16(), kind.unwrap_or_default(), answer.body_mut().read_to_string().unwrap())
}

#[test]
fn every_status_code_is_the_one_that_the_protocol_gives() {
    let witness = Running::start();
    let (tree, fork) = (Tree::new(1, 0), Tree::new(1, 1));
    let add = |body: &[u8]| witness.post("/add-checkpoint", body);
    assert_eq!(witness.get(&format!("/{}/checkpoint", tree.origin_hash())).0, 404);
    let (status, _, line) = add(&tree.ask(0, 5));
    assert_eq!(status, 200);
    assert!(line.starts_with("\u{2014} witness.example/w1 ") && line.ends_with('\n'), "{line}");
    // 409 with the size and the content type of tlog-witness.
    let (status, kind, body) = add(&tree.ask(0, 9));
    assert_eq!((status, kind.as_str(), read_conflict(&body)), (409, "text/x.tlog.size", Some(5)));
    assert_eq!(add(&tree.ask(5, 9)).0, 200);
    assert_eq!(add(&tree.ask(9, 9)).0, 200);
    assert_eq!(add(&fork.ask(9, 9)).0, 422);
    assert_eq!(add(&fork.ask(9, 12)).0, 422);
    assert_eq!(add(&tree.ask(5, 9)).0, 409);
    // Old size above the new one, nonsense, too long.
    let backwards = String::from_utf8(tree.ask(5, 5)).unwrap().replacen("old 5", "old 9", 1);
    assert_eq!(add(backwards.as_bytes()).0, 400);
    for bad in [&b""[..], b"old 9", &[0xff; 40], &vec![b'x'; ADD_BYTES_MAX + 1]] {
        assert_eq!(add(bad).0, 400);
    }
    // Signed by another key than the node whose trail it is.
    let theirs = String::from_utf8(Tree::new(2, 0).ask(0, 9)).unwrap();
    let ours = Log::Trail.origin(NodeId::from_bytes(*tree.identity.key().as_bytes()));
    let other = Log::Trail.origin(NodeId::from_bytes(*Tree::new(2, 0).identity.key().as_bytes()));
    assert_eq!(add(theirs.replace(other.as_str(), ours.as_str()).as_bytes()).0, 403);
    // Nobody's origin.
    for odd in ["karute/ledger/", "karute/other/", "log.example/"] {
        assert_eq!(add(theirs.replace("karute/trail/", odd).as_bytes()).0, 404, "{odd}");
    }
    let (status, _, shown) = witness.get(&format!("/{}/checkpoint", tree.origin_hash()));
    assert_eq!(status, 200);
    let shown = CheckpointText(shown);
    assert!(shown.cosignature_of(&witness.room.keys.key()).unwrap().is_some());
    let node = NodeId::from_bytes(*tree.identity.key().as_bytes());
    assert_eq!(shown.verify(Log::Trail, node).unwrap().size, 9);
    for odd in [tree.origin_hash().to_uppercase(), "0".repeat(64), "x".into()] {
        assert_eq!(witness.get(&format!("/{odd}/checkpoint")).0, 404);
    }
    assert_eq!(add(&first(2, 1).to_bytes()).0, 200);
    assert_eq!(add(&first(3, 1).to_bytes()).0, 200);
    assert_eq!(add(&first(4, 1).to_bytes()).0, 507);
    assert_eq!(witness.get("/health"), (200, TEXT_TYPE.to_owned(), "ok\n".to_owned()));
    assert_eq!((witness.get("/add-checkpoint").0, witness.get("/").0), (405, 404));
    for bad in [&b""[..], b"\xa0", &vec![0; ADMIT_BYTES_MAX + 1]] {
        assert_eq!(witness.post("/karute/admit", bad).0, 400);
    }
    witness.end();
}

#[test]
fn racing_requests_never_roll_a_log_back() {
    let witness = Running::start();
    let tree = Tree::new(1, 0);
    assert_eq!(witness.post("/add-checkpoint", &tree.ask(0, 1)).0, 200);
    let mut size = 1;
    for _ in 0..20 {
        let (one, more) = (tree.ask(size, size + 1), tree.ask(size, size + 4));
        let (one, more) = std::thread::scope(|scope| {
            let one = scope.spawn(|| witness.post("/add-checkpoint", &one).0);
            let more = scope.spawn(|| witness.post("/add-checkpoint", &more).0);
            (one.join().unwrap(), more.join().unwrap())
        });
        assert!(matches!((one, more), (200, 409) | (409, 200)), "{one} {more}");
        size += if one == 200 { 1 } else { 4 };
        let (_, _, shown) = witness.get(&format!("/{}/checkpoint", tree.origin_hash()));
        assert_eq!(shown.lines().nth(1), Some(&size.to_string()[..]));
    }
    witness.end();
}

#[test]
fn a_witness_that_starts_again_signs_nothing_smaller() {
    let witness = Running::start();
    let tree = Tree::new(1, 0);
    assert_eq!(witness.post("/add-checkpoint", &tree.ask(0, 9)).0, 200);
    let room = witness.end();
    let witness = Running::in_room(room);
    for older in [0, 5] {
        let (status, _, body) = witness.post("/add-checkpoint", &tree.ask(older, 7));
        assert_eq!((status, read_conflict(&body)), (409, Some(9)));
    }
    assert_eq!(witness.post("/add-checkpoint", &tree.ask(9, 12)).0, 200);
    witness.end();
}

#[test]
fn a_connection_is_kept_and_one_that_dawdles_is_ended() {
    let room = Room::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (desk, _ending) = room.desk(3);
    let address = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let times = Times { idle: Duration::from_millis(400), request: Duration::from_millis(700) };
        tokio::spawn(axum::serve(Gate::with_times(listener, times), router(desk)).into_future());
        address
    });
    let ask = b"GET /health HTTP/1.1\r\nhost: w\r\n\r\n";
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    };
    let mut kept = connect();
    for _ in 0..3 {
        kept.write_all(ask).unwrap();
        let mut answer = [0; 17];
        kept.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n");
        std::thread::sleep(Duration::from_millis(100));
        // The rest of the answer, so that the next one begins at its beginning.
        let mut rest = [0; 4096];
        assert!(kept.read(&mut rest).unwrap() > 0);
    }
    assert_eq!(kept.read(&mut [0; 16]).unwrap(), 0, "idle: ended by the witness");
    // One byte now and then does not hold the place.
    let mut slow = connect();
    let began = std::time::Instant::now();
    let mut cut = false;
    while began.elapsed() < Duration::from_secs(5) && !cut {
        cut = slow.write_all(b"G").is_err();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(cut, "a request that is never whole is ended");
}
