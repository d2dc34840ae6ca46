//! Running a node: listens, serves every stream that arrives, and ends in good order.
//!
//! Tasks: the swarm's (in `net`), the one that has logs cosigned (in `cosigning`), one for each session here, one for
//! each message inside (in `session`). All of them end with this one.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use tokio::{
    sync::mpsc,
    task::{Id, JoinSet},
    time::{interval, timeout},
};

use super::{Host, keep_cosigned, session::serve};
use crate::net::{Inbound, ListenError, ListenHandle, Listener, NodeAddress, PeerKey, TransportSeed};
use crate::vault::journal::StopReason;

/// A node that listens.
pub struct Node {
    listening: ListenHandle,
    inbound: mpsc::Receiver<Inbound>,
    host: Arc<Host>,
}

impl Node {
    /// Starts to listen on `listen`.
    pub async fn start(host: Arc<Host>, seed: &TransportSeed, listen: &[String]) -> Result<Self, ListenError> {
        let (listening, inbound) = Listener::start(seed, listen).await?;
        Ok(Self { listening, inbound, host })
    }

    /// The addresses that others can dial, peer key included.
    pub fn addresses(&self) -> Vec<NodeAddress> {
        self.listening.addresses()
    }

    /// Serves until `stop` is done, or until the store stops; then gives sessions [`GRACE`] to end.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Ending {
        let mut sessions = Sessions::default();
        let mut watch = interval(WATCH_EVERY);
        let mut sweep = interval(SWEEP_EVERY);
        let looking = tokio::task::spawn_blocking(looking_through(self.host.clone()));
        let cosigning = tokio::spawn(keep_cosigned(self.host.clone()));
        let host = Arc::clone(&self.host);
        tokio::pin!(stop);
        let ending = loop {
            tokio::select! {
                () = &mut stop => break Ending::Asked,
                () = host.put_back() => break Ending::PutBack,
                _ = watch.tick() => if let Some(reason) = self.host.store().stopped() {
                    tracing::error!(?reason, "the store has stopped: start the node again");
                    break Ending::StoreStopped(reason);
                },
                _ = sweep.tick() => drop(tokio::task::spawn_blocking(sweeping(self.host.clone()))),
                () = sessions.one_ended(), if !sessions.running.is_empty() => {}
                arrived = self.inbound.recv() => match arrived {
                    Some(arrived) => sessions.take(&self.host, arrived),
                    None => break Ending::Asked,
                },
            }
        };
        self.listening.stop_listening().await;
        self.host.close();
        self.inbound.close();
        // What is not done by then is cut off; nothing that was acknowledged is lost by it.
        let _ = timeout(GRACE, async { while sessions.running.join_next().await.is_some() {} }).await;
        sessions.running.shutdown().await;
        self.listening.end().await;
        let _ = looking.await; // it ends when the host closes
        let _ = cosigning.await; // it too
        ending
    }
}

/// The sessions that are served, and how many each peer has.
#[derive(Default)]
struct Sessions {
    running: JoinSet<()>,
    peer_of: HashMap<Id, PeerKey>,
    of_peer: HashMap<PeerKey, usize>,
}

impl Sessions {
    /// Serves a stream, or drops it above the limits, which the peer sees at once.
    fn take(&mut self, host: &Arc<Host>, arrived: Inbound) {
        let Inbound { peer, stream } = arrived;
        let own = self.of_peer.get(&peer).copied().unwrap_or(0);
        if self.running.len() >= SESSIONS_MAX || own >= SESSIONS_OF_PEER_MAX {
            tracing::warn!("a stream was turned away: too many sessions");
            return;
        }
        self.of_peer.insert(peer, own + 1);
        let task = self.running.spawn(serve(host.clone(), peer, stream));
        self.peer_of.insert(task.id(), peer);
    }

    /// Waits until one has ended.
    async fn one_ended(&mut self) {
        let id = match self.running.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return,
        };
        let Some(peer) = self.peer_of.remove(&id) else { return };
        if let Entry::Occupied(mut own) = self.of_peer.entry(peer) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

/// Why a node ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It was asked to.
    Asked,
    /// The store accepts nothing any more; what was acknowledged is safe.
    StoreStopped(StopReason),
    /// Somebody holds more of this node's trail than its store: the store is an old copy.
    PutBack,
}

/// Throws away uploads that nobody went on with.
fn sweeping(host: Arc<Host>) -> impl FnOnce() + Send {
    move || {
        let now = UNIX_EPOCH + Duration::from_secs(host.ambient().now().secs());
        match host.store().sweep(now, UPLOAD_IDLE) {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "uploads that nobody went on with were thrown away"),
            Err(error) => tracing::warn!(%error, "old uploads could not be thrown away"),
        }
    }
}

/// Looks through the index once, in the background: a node whose index is too large for that does not at its start.
fn looking_through(host: Arc<Host>) -> impl FnOnce() + Send {
    move || match host.store().index_is_whole(&|| !host.is_closing()) {
        Ok(Some(true)) => tracing::info!("the index is whole"),
        Ok(Some(false)) => tracing::error!("the index is damaged: start the node again to make it anew"),
        Ok(None) => tracing::info!("whether the index is whole could not be told this time"),
        Err(error) => tracing::warn!(%error, "the index could not be looked through"),
    }
}

/// Sessions served at a time.
pub const SESSIONS_MAX: usize = 1024;
/// Sessions served at a time for one peer.
pub const SESSIONS_OF_PEER_MAX: usize = 128;
/// How long sessions may take to end.
pub const GRACE: Duration = Duration::from_secs(5);
/// How often the node looks whether its store still accepts anything.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How often old uploads are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// An upload on which nothing was done for this long is thrown away: as long as a request can be resumed.
const UPLOAD_IDLE: Duration = Duration::from_secs(24 * 3600);
