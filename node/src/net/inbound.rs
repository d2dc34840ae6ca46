//! Inbound: listens, and hands over the streams that peers open.

use std::{io, net::SocketAddr};

use libp2p::{Multiaddr, multiaddr::Protocol};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    NetStream, NodeAddress, PeerKey, TransportSeed, limits,
    swarm::{self, Order, SetUpError, SwarmTask},
};

/// A stream that a peer opened.
pub struct Inbound {
    /// Who opened it, proved by the handshake of its connection.
    pub peer: PeerKey,
    /// The stream.
    pub stream: NetStream,
}

/// Why a node cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// No address was given, or too many.
    #[error("give one to sixteen addresses to listen on")]
    HowMany,
    /// Not an address to listen on.
    #[error("{0} is no address to listen on; write for example /ip4/0.0.0.0/tcp/7400")]
    BadAddress(String),
    /// Somebody else listens there.
    #[error("{0} is in use; stop the other program or choose another port")]
    PortInUse(SocketAddr),
    /// The machine does not have this address.
    #[error("this machine has no address {0}; listen on 0.0.0.0 or on one of its own")]
    NotOurs(SocketAddr),
    /// The system does not allow this port.
    #[error("the system does not allow listening on {0}; choose a port above 1023")]
    NotAllowed(SocketAddr),
    /// The system refused for another reason.
    #[error("cannot listen")]
    Failed(#[source] io::Error),
    /// No address became ready in time.
    #[error("no address became ready in time")]
    TimedOut,
    /// The transport could not be set up.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
}

/// Listening for peers.
pub struct Listener;

impl Listener {
    /// Listens on `listen` (`/ip4/0.0.0.0/tcp/7400`; port 0 lets the system choose). Streams arrive on the receiver,
    /// which must be emptied at once: when its queue is full, further streams are closed.
    pub async fn start(
        seed: &TransportSeed,
        listen: &[String],
    ) -> Result<(ListenHandle, mpsc::Receiver<Inbound>), ListenError> {
        if listen.is_empty() || listen.len() > limits::LISTEN_MAX {
            return Err(ListenError::HowMany);
        }
        let mut addresses = Vec::with_capacity(listen.len());
        for text in listen {
            let address: Multiaddr = text.parse().map_err(|_| ListenError::BadAddress(text.clone()))?;
            check_free(&address).await?;
            addresses.push(address);
        }
        let (accepted, inbound) = mpsc::channel(limits::ACCEPT_QUEUE);
        let (task, _) = swarm::start(seed, Some(accepted))?;
        for (address, text) in addresses.into_iter().zip(listen) {
            let (done, listening) = oneshot::channel();
            task.orders.send(Order::Listen(address, done)).await.map_err(|_| SetUpError)?;
            let answer = timeout(limits::LISTEN_TIME, listening).await.map_err(|_| ListenError::TimedOut)?;
            match answer.map_err(|_| SetUpError)? {
                Ok(()) => {}
                Err(libp2p::TransportError::MultiaddrNotSupported(_)) => {
                    return Err(ListenError::BadAddress(text.clone()));
                }
                Err(libp2p::TransportError::Other(error)) => return Err(ListenError::Failed(error)),
            }
        }
        Ok((ListenHandle { task }, inbound))
    }
}

/// A listener at work. Dropping it ends the listener and all its connections.
pub struct ListenHandle {
    task: SwarmTask,
}

impl ListenHandle {
    /// The peer key that answers here.
    pub fn peer(&self) -> PeerKey {
        self.task.peer
    }

    /// The addresses others can dial as they are now, peer key included.
    pub fn addresses(&self) -> Vec<NodeAddress> {
        let listening = self.task.addresses.borrow();
        listening.iter().filter_map(|address| NodeAddress::of_listener(address, self.task.peer)).collect()
    }

    /// Takes no more connections and streams; those that are open go on.
    pub async fn stop_listening(&self) {
        // The task is gone already: then nothing listens.
        let _ = self.task.orders.send(Order::StopListening).await;
    }

    /// Closes everything.
    pub async fn end(self) {
        let (done, ended) = oneshot::channel();
        if self.task.orders.send(Order::End(done)).await.is_ok() {
            let _ = ended.await;
        }
    }
}

/// Binds the TCP address once and lets it go. The transport below listens with SO_REUSEPORT, by which two nodes of
/// one user could share a port and each get half of the connections without any error.
async fn check_free(address: &Multiaddr) -> Result<(), ListenError> {
    let mut parts = address.iter();
    let (ip, port) = match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) => (ip.into(), port),
        (Some(Protocol::Ip6(ip)), Some(Protocol::Tcp(port))) => (ip.into(), port),
        _ => return Ok(()),
    };
    let place = SocketAddr::new(ip, port);
    match tokio::net::TcpListener::bind(place).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::PortInUse(place),
            io::ErrorKind::AddrNotAvailable => ListenError::NotOurs(place),
            io::ErrorKind::PermissionDenied => ListenError::NotAllowed(place),
            _ => ListenError::Failed(error),
        }),
    }
}
