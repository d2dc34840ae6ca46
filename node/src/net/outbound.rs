//! Outbound: connects to a node whose peer key is known, and opens streams on that connection.

use std::{error::Error, io, sync::Arc};

use libp2p::swarm::{ConnectionId, DialError as SwarmDialError};
use thiserror::Error;
use tokio::{
    sync::{Semaphore, oneshot},
    time::{sleep, timeout},
};

use super::{
    AddressError, NetStream, NodeAddress, PeerKey, TransportSeed, limits,
    streams::{OpenFault, Opening},
    swarm::{self, Order, SetUpError, SwarmTask},
};

/// Why no connection came about. Each text says what to do.
#[derive(Debug, Error)]
pub enum DialError {
    /// The text is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The host name means nothing.
    #[error("the host name is unknown; check its spelling and this machine's name server")]
    UnknownHost,
    /// Nobody listens at this address.
    #[error("nobody listens there; is the node running, and is the port right?")]
    Refused,
    /// No answer in time.
    #[error("no answer in time; is the machine up, and does its firewall let the port through?")]
    TimedOut,
    /// Another peer key answers there.
    #[error("another node answers there ({found}); get its address again from whoever runs it")]
    WrongPeer {
        /// Who answered.
        found: PeerKey,
    },
    /// This end's own peer key answers there.
    #[error("this is the own address; give the address of the other node")]
    Ourselves,
    /// The network does not lead there.
    #[error("the network does not lead there; check this machine's connection")]
    Unreachable,
    /// Something answers there that is no node, or it ended the handshake.
    #[error("what answers there is no karute node, or it takes no more connections; try again later")]
    Handshake,
    /// This end has as many connections as it may.
    #[error("this end has as many connections as it may; close some")]
    TooMany,
    /// The dialer has ended.
    #[error("the network of this process has ended")]
    Ended,
}

/// Why no stream came about.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The connection is gone.
    #[error("the connection is closed; connect again")]
    Closed,
    /// The peer speaks another protocol.
    #[error("the other end does not speak this protocol; one of both needs a newer karute")]
    NotSpoken,
    /// The peer did not open one in time, or as many as may be are open, several times.
    #[error("the other end is too busy, or too many streams are open; try again later")]
    Busy,
}

/// Connects to nodes. Clones share one transport key and one task.
#[derive(Clone)]
pub struct Dialer {
    task: SwarmTask,
}

impl Dialer {
    /// A dialer with this transport key. Must be called within a tokio runtime.
    pub fn new(seed: &TransportSeed) -> Result<Self, SetUpError> {
        let (task, _) = swarm::start(seed, None)?;
        Ok(Self { task })
    }

    /// The peer key others see.
    pub fn peer(&self) -> PeerKey {
        self.task.peer
    }

    /// Connects to the node at `address`, in either spelling; succeeds only if the named peer key answers.
    pub async fn dial(&self, address: &str) -> Result<Connection, DialError> {
        self.dial_node(&address.parse()?).await
    }

    /// Connects to the node at `address`.
    pub async fn dial_node(&self, address: &NodeAddress) -> Result<Connection, DialError> {
        let peer = address.peer();
        let places = address.resolve().await?;
        let (done, connected) = oneshot::channel();
        self.task.orders.send(Order::Dial(peer.0, places, done)).await.map_err(|_| DialError::Ended)?;
        let answer = timeout(limits::DIAL_TIME, connected).await.map_err(|_| DialError::TimedOut)?;
        let id = answer.map_err(|_| DialError::Ended)??;
        let room = Arc::new(Semaphore::new(limits::OUTBOUND_STREAMS_MAX));
        Ok(Connection { peer, open: Arc::new(OpenConnection { task: self.task.clone(), id, room }) })
    }
}

/// A connection to a node. Clones share it; it closes when the last of them and of its
/// streams is dropped.
#[derive(Clone)]
pub struct Connection {
    peer: PeerKey,
    open: Arc<OpenConnection>,
}

struct OpenConnection {
    task: SwarmTask,
    id: ConnectionId,
    room: Arc<Semaphore>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        // With a full queue the connection ends by idleness instead.
        let _ = self.task.orders.try_send(Order::Close(self.id));
    }
}

impl Connection {
    /// Who is at the other end, proved by the handshake.
    pub fn peer(&self) -> PeerKey {
        self.peer
    }

    /// Opens a stream. A peer that does not agree in time is asked again after a pause, a few times.
    pub async fn open_stream(&self) -> Result<NetStream, OpenError> {
        let mut pause = limits::OPEN_PAUSE;
        for _ in 1..limits::OPEN_TRIES {
            match self.try_open().await {
                Err(OpenError::Busy) => {
                    sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
        self.try_open().await
    }

    async fn try_open(&self) -> Result<NetStream, OpenError> {
        let room = self.open.room.clone().try_acquire_owned().map_err(|_| OpenError::Busy)?;
        let (done, opened) = oneshot::channel();
        let order = Order::Open(self.peer.0, self.open.id, Opening(done));
        self.open.task.orders.send(order).await.map_err(|_| OpenError::Closed)?;
        match opened.await {
            Ok(Ok(stream)) => Ok(NetStream::outbound(stream, self.clone(), room)),
            Ok(Err(OpenFault::NotSpoken)) => Err(OpenError::NotSpoken),
            Ok(Err(OpenFault::TimedOut)) => Err(OpenError::Busy),
            Ok(Err(OpenFault::Broken)) | Err(_) => Err(OpenError::Closed),
        }
    }
}

/// Names what the swarm reports in the words of whoever dialled.
pub(super) fn dial_error(error: &SwarmDialError) -> DialError {
    match error {
        SwarmDialError::WrongPeerId { obtained, .. } => DialError::WrongPeer { found: PeerKey(*obtained) },
        SwarmDialError::LocalPeerId { .. } => DialError::Ourselves,
        SwarmDialError::Denied { .. } => DialError::TooMany,
        SwarmDialError::Transport(tried) => {
            let mut found = DialError::Unreachable;
            for (_, fault) in tried {
                found = match kind_below(fault) {
                    Some(io::ErrorKind::ConnectionRefused) => DialError::Refused,
                    Some(io::ErrorKind::TimedOut) => DialError::TimedOut,
                    Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => DialError::Unreachable,
                    _ => DialError::Handshake,
                };
            }
            found
        }
        SwarmDialError::NoAddresses | SwarmDialError::Aborted | SwarmDialError::DialPeerConditionFalse(_) => {
            DialError::Ended
        }
    }
}

/// The first system error below: the transports wrap theirs several times.
fn kind_below(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(fault) = next {
        next = match fault.downcast_ref::<io::Error>() {
            Some(io) if io.kind() != io::ErrorKind::Other => return Some(io.kind()),
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => fault.source(),
        };
    }
    None
}
