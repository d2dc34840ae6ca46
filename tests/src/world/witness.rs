//! A witness in a world: the real desk over a real store and guard, asked within the process instead of over HTTP. It has
//! a clock of its own, can be stopped and started again, and counts what it is asked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use karute_consent::vault::Witness;
use karute_node::ambient::Ambient;
use karute_node::cosign::{Answered, MemoryAsked, MemoryWitnesses, WitnessEnd};
use karute_node::witness::{Desk, DeskEnding, Guard, Refusal, Rules, Store, WitnessKeys};
use karute_protocol::cosignature::WitnessKey;
use karute_protocol::witness::{AddCheckpoint, Admission, WitnessRefusal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A witness of the cast.
pub struct WitnessPost {
    name: String,
    seed: [u8; 32],
    folder: PathBuf,
    ambient: Ambient,
    network: MemoryWitnesses,
    asked: Arc<AtomicUsize>,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    ending: DeskEnding,
}

impl WitnessPost {
    /// A new witness that runs. Its name is a place on the web, as a witness's name should be.
    pub(super) fn new(name: &str, seed: [u8; 32], folder: &Path, ambient: Ambient, network: MemoryWitnesses) -> Self {
        std::fs::create_dir_all(folder).expect("a folder for each of the cast");
        let asked = Arc::new(AtomicUsize::new(0));
        let (name, folder) = (format!("{name}.example"), folder.to_owned());
        let mut post = Self { name, seed, folder, ambient, network, asked, running: None };
        let key = post.key().party.key();
        Guard::create(&post.folder.join("guard"), key).expect("the guard of a new witness");
        Store::create(&post.folder, key).expect("the store of a new witness");
        post.starts();
        post
    }

    /// What checks its cosignatures.
    pub fn key(&self) -> WitnessKey {
        self.keys().key()
    }

    /// As a charter names it.
    pub fn card(&self) -> Witness {
        Witness::from(&self.key())
    }

    /// The witness and where the host of the world reaches it.
    pub fn end(&self) -> WitnessEnd {
        WitnessEnd { key: self.key(), url: self.url() }
    }

    /// How often it was asked for a cosignature since it was made.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Its clock.
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// Its folder: store and guard.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its keys: what a thief of them would hold.
    pub fn keys(&self) -> WitnessKeys {
        WitnessKeys::from_seed(self.name.parse().expect("a key name"), &self.seed)
    }

    /// Opens it again from its folder.
    pub fn starts(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let keys = self.keys();
        let key = keys.key().party.key();
        let guard = Guard::open(&self.folder.join("guard"), key).expect("the guard opens");
        let store = Store::open(&self.folder, key, guard).expect("the store opens");
        let rules = Rules::new(BTreeSet::new(), Vec::new(), ORIGINS_MAX).expect("rules without keys");
        let (desk, ending) = Desk::start(store, &keys, rules, self.ambient.clone()).expect("a thread for the desk");
        let (to, arriving) = mpsc::channel(ARRIVING_MAX);
        let (stop, stopped) = oneshot::channel();
        self.network.put(&self.url(), to);
        let serving = tokio::spawn(serve(desk, arriving, stopped, self.asked.clone()));
        self.running = Some(Running { stop, serving, ending });
    }

    /// Ends it: whoever asks finds nobody there.
    pub async fn stops(&mut self) {
        let Running { stop, serving, ending } = self.running.take().expect("it runs");
        self.network.remove(&self.url());
        let _ = stop.send(());
        serving.await.expect("the serving task ends");
        tokio::task::spawn_blocking(move || ending.join()).await.expect("the desk ends");
    }

    fn url(&self) -> String {
        format!("https://{}", self.name)
    }
}

async fn serve(
    desk: Desk,
    mut arriving: mpsc::Receiver<MemoryAsked>,
    mut stopped: oneshot::Receiver<()>,
    asked: Arc<AtomicUsize>,
) {
    loop {
        let MemoryAsked { path, body, answer } = tokio::select! {
            _ = &mut stopped => return,
            next = arriving.recv() => match next {
                Some(next) => next,
                None => return,
            },
        };
        let answered = match (path.as_str(), body) {
            ("/add-checkpoint", Some(body)) => {
                asked.fetch_add(1, Ordering::SeqCst);
                add(&desk, &body).await
            }
            ("/karute/admit", Some(body)) => admit(&desk, &body).await,
            (path, None) => newest(&desk, path),
            _ => status(404),
        };
        let _ = answer.send(answered); // who asked may have gone
    }
}

async fn add(desk: &Desk, body: &[u8]) -> Answered {
    let request = match AddCheckpoint::from_bytes(body) {
        Ok(request) => request,
        Err(refusal) => return status(refusal.status()),
    };
    match desk.add(request).await {
        Ok(line) => Answered { status: 200, body: line.into_bytes() },
        Err(Refusal::Judged(WitnessRefusal::Conflict { size })) => {
            Answered { status: 409, body: format!("{size}\n").into_bytes() }
        }
        Err(refusal) => status(refusal.status()),
    }
}

async fn admit(desk: &Desk, body: &[u8]) -> Answered {
    let Ok(admission) = Admission::from_bytes(body) else { return status(400) };
    let Ok(admitted) = admission.verify() else { return status(403) };
    status(desk.admit(admitted).await.map_or_else(Refusal::status, |()| 200))
}

fn newest(desk: &Desk, path: &str) -> Answered {
    let hash = path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint"));
    let hash =
        hash.and_then(|hex| karute_consent::id::Digest::from_slice(&bytes_of(hex)?)).map(|hash| *hash.as_bytes());
    match hash.and_then(|hash| desk.newest(hash).ok().flatten()) {
        Some(text) => Answered { status: 200, body: text.0.into_bytes() },
        None => status(404),
    }
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    pairs.collect()
}

fn status(status: u16) -> Answered {
    Answered { status, body: Vec::new() }
}

/// Requests that wait for a witness.
const ARRIVING_MAX: usize = 64;
/// Logs that a witness of a world takes on.
const ORIGINS_MAX: usize = 1000;
