//! The host of a world: a real store in a folder, served to whoever arrives, and opened again after its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use karute_consent::party::Identity;
use karute_node::agent::connect::MemoryInbound;
use karute_node::ambient::Ambient;
use karute_node::cosign::{Connect, MemoryWitnesses, Pace, WitnessEnd, Witnesses};
use karute_node::flow::host::session::serve;
use karute_node::flow::host::{Host, Registration, keep_cosigned};
use karute_node::net::PeerKey;
use karute_node::vault::bodies::BodyLimits;
use karute_node::vault::journal::PrepareError;
use karute_node::vault::{OpenError, Opened, Store, StoreSettings};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// A host that runs.
pub struct Home {
    folder: PathBuf,
    log: Identity,
    ambient: Ambient,
    asked: Asked,
    running: Option<Running>,
    /// What opening the store found last.
    opened: Opened,
}

/// The witnesses that a host asks.
#[derive(Clone)]
pub(super) struct Asked {
    /// Those that its custodian chose.
    pub(super) chosen: Vec<WitnessEnd>,
    /// Where all of them are.
    pub(super) network: MemoryWitnesses,
}

struct Running {
    host: Arc<Host>,
    stop: oneshot::Sender<()>,
    accepting: JoinHandle<mpsc::Receiver<MemoryInbound>>,
    cosigning: JoinHandle<()>,
}

impl Home {
    pub(super) async fn start(
        folder: PathBuf,
        log: Identity,
        ambient: Ambient,
        arriving: mpsc::Receiver<MemoryInbound>,
        asked: Asked,
    ) -> Self {
        let mut home = Self { folder, log, ambient, asked, running: None, opened: Opened::default() };
        home.run(arriving).await;
        home
    }

    /// The host itself.
    pub fn host(&self) -> &Arc<Host> {
        &self.running.as_ref().expect("it runs between two calls").host
    }

    /// The folder of the store.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// What opening the store found last.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Ends the host: every session is cut off. What `meanwhile` does to the folder happens before it is opened again.
    pub async fn restart_after(&mut self, meanwhile: impl FnOnce(&PathBuf)) {
        let Running { host, stop, accepting, cosigning } = self.running.take().expect("it runs between two calls");
        host.close();
        let _ = stop.send(());
        let arriving = accepting.await.expect("the accept loop gives the network back");
        cosigning.await.expect("cosigning ends with the host");
        let weak = Arc::downgrade(&host);
        drop(host);
        while weak.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        meanwhile(&self.folder);
        self.run(arriving).await;
    }

    /// Ends the host and opens it again.
    pub async fn restart(&mut self) {
        self.restart_after(|_| ()).await;
    }

    async fn run(&mut self, arriving: mpsc::Receiver<MemoryInbound>) {
        let (store, opened) = self.open_patiently().await;
        self.opened = opened;
        let log = Identity::from_seed(&self.log.to_seed());
        let Asked { chosen, network } = self.asked.clone();
        let pace = Pace { trail_every: COSIGN_EVERY, ..Pace::default() };
        let witnesses = Witnesses::new(chosen, Connect::memory(network), pace);
        let host = Host::with_witnesses(store, log, Registration::Open, self.ambient.clone(), witnesses);
        let cosigning = tokio::spawn(keep_cosigned(host.clone()));
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(host.clone(), arriving, stopped));
        self.running = Some(Running { host, stop, accepting, cosigning });
    }

    /// Opens the store; the lock of the one before is let go of by a thread that may still be ending.
    async fn open_patiently(&self) -> (Store, Opened) {
        let mut tries = 0;
        loop {
            let source = self.ambient.clone();
            let settings = StoreSettings {
                folder: self.folder.clone(),
                log: Identity::from_seed(&self.log.to_seed()),
                entropy: Arc::new(move |bytes| source.fill(bytes)),
                bodies: BodyLimits::default(),
            };
            match Store::open(settings, &mut |_| ()) {
                Err(OpenError::Prepare(PrepareError::InUse)) if tries < TRIES_MAX => tries += 1,
                opened => return opened.expect("the store opens"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Serves streams until told to stop; cuts off what is still open then.
async fn accept(
    host: Arc<Host>,
    mut arriving: mpsc::Receiver<MemoryInbound>,
    mut stopped: oneshot::Receiver<()>,
) -> mpsc::Receiver<MemoryInbound> {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
            arrived = arriving.recv() => match arrived {
                Some(MemoryInbound { peer, stream }) => {
                    let peer = PeerKey::from_bytes(&peer).expect("a world's peers have peer ids");
                    sessions.spawn(serve(host.clone(), peer, stream));
                }
                None => break,
            },
        }
    }
    sessions.shutdown().await;
    arriving
}

/// A trail that grows is cosigned at most so often.
const COSIGN_EVERY: Duration = Duration::from_millis(20);
/// Times that a lock is waited for, 5 ms each.
const TRIES_MAX: u32 = 2000;
