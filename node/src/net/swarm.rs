//! The swarm and the one task that owns it. Everybody else sends it orders over a bounded queue.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    connection_limits::{self, ConnectionLimits},
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, ListenerId, timeout::TransportTimeout},
        upgrade::Version,
    },
    identity::Keypair,
    memory_connection_limits, noise, ping,
    swarm::{
        ConnectionId, DialError as SwarmDialError, NetworkBehaviour, SwarmEvent, derive_prelude::Either, dial_opts,
    },
    tcp, yamux,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Inbound, PeerKey, TransportSeed, limits,
    outbound::{DialError, dial_error},
    streams::{Opening, Streams},
};

/// Something the task does with its swarm.
pub(super) enum Order {
    /// Listen; answers once the first address is known.
    Listen(Multiaddr, oneshot::Sender<Result<(), libp2p::TransportError<std::io::Error>>>),
    /// Connect to this peer at one of these addresses.
    Dial(PeerId, Vec<Multiaddr>, oneshot::Sender<Result<ConnectionId, DialError>>),
    /// Open a stream on this connection.
    Open(PeerId, ConnectionId, Opening),
    /// Close this connection and the streams in it.
    Close(ConnectionId),
    /// Take no more connections and no more streams; those that are open go on.
    StopListening,
    /// Close everything and end the task.
    End(oneshot::Sender<()>),
}

/// A running swarm: the way to its task.
#[derive(Clone)]
pub(super) struct SwarmTask {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) addresses: watch::Receiver<Vec<Multiaddr>>,
    pub(super) peer: PeerKey,
}

/// No transport could be built from this seed.
#[derive(Debug, thiserror::Error)]
#[error("the transport could not be set up")]
pub struct SetUpError;

/// Starts the task. It ends on `Order::End`, or when the last sender of orders is gone.
pub(super) fn start(
    seed: &TransportSeed,
    accepted: Option<mpsc::Sender<Inbound>>,
) -> Result<(SwarmTask, JoinHandle<()>), SetUpError> {
    let swarm = build(seed, accepted)?;
    let (orders, waiting) = mpsc::channel(limits::ORDER_QUEUE);
    let (announce, addresses) = watch::channel(Vec::new());
    let owner = Owner { swarm, dials: HashMap::new(), listens: HashMap::new(), open_listeners: Vec::new(), announce };
    let task = tokio::spawn(owner.run(waiting));
    Ok((SwarmTask { orders, addresses, peer: seed.peer_key() }, task))
}

fn build(seed: &TransportSeed, accepted: Option<mpsc::Sender<Inbound>>) -> Result<Swarm<Parts>, SetUpError> {
    let pair = seed.key_pair();
    let config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(limits::CONNECTION_IDLE)
        .with_max_negotiating_inbound_streams(limits::NEGOTIATING_MAX);
    let swarm = Swarm::new(transport(&pair)?, Parts::new(accepted), pair.public().to_peer_id(), config);
    Ok(swarm)
}

/// Put together by hand: `SwarmBuilder` buries the system's error where it cannot be found again, and with it
/// "nobody listens there".
fn transport(pair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, SetUpError> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(pair).map_err(|_| SetUpError)?)
        .multiplex(yamux_config())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .map_err(|fault| match fault {
            Either::Left(Either::Left(system)) => system,
            later => std::io::Error::other(later),
        });
    let tcp = TransportTimeout::new(tcp, limits::DIAL_TIME + HANDSHAKE_MARGIN).boxed();
    #[cfg(feature = "quic")]
    let tcp = {
        let mut config = libp2p::quic::Config::new(pair);
        config.handshake_timeout = limits::DIAL_TIME;
        config.max_concurrent_stream_limit = limits::STREAMS_PER_CONNECTION_MAX as u32;
        let quic = libp2p::quic::tokio::Transport::new(config);
        let quic = quic.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
        tcp.or_transport(quic).map(|either, _| either.into_inner()).boxed()
    };
    Ok(tcp)
}

/// The transport gives up a little later than whoever dialled, who then knows that it was time that ran out.
const HANDSHAKE_MARGIN: Duration = Duration::from_secs(1);

fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(limits::STREAMS_PER_CONNECTION_MAX);
    config
}

/// What the swarm is made of.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude", to_swarm = "Happening")]
struct Parts {
    connections: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    ping: ping::Behaviour,
    streams: Streams,
}

impl Parts {
    fn new(accepted: Option<mpsc::Sender<Inbound>>) -> Self {
        let most = ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits::PENDING_INBOUND_MAX))
            .with_max_pending_outgoing(Some(limits::PENDING_OUTBOUND_MAX))
            .with_max_established_incoming(Some(limits::INBOUND_MAX))
            .with_max_established(Some(limits::ESTABLISHED_MAX))
            .with_max_established_per_peer(Some(limits::PER_PEER_MAX));
        let ping = ping::Config::new().with_interval(limits::PING_EVERY).with_timeout(limits::PING_TIME);
        Self {
            connections: connection_limits::Behaviour::new(most),
            memory: memory_connection_limits::Behaviour::with_max_percentage(limits::MEMORY_SHARE_MAX),
            ping: ping::Behaviour::new(ping),
            streams: Streams::new(accepted),
        }
    }
}

/// The only thing the parts ever report.
#[derive(Debug)]
enum Happening {
    Ping(ping::Event),
}

impl From<ping::Event> for Happening {
    fn from(event: ping::Event) -> Self {
        Self::Ping(event)
    }
}

impl From<Infallible> for Happening {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The task's own state; nobody else touches it.
struct Owner {
    swarm: Swarm<Parts>,
    dials: HashMap<ConnectionId, oneshot::Sender<Result<ConnectionId, DialError>>>,
    listens: HashMap<ListenerId, oneshot::Sender<Result<(), libp2p::TransportError<std::io::Error>>>>,
    open_listeners: Vec<ListenerId>,
    announce: watch::Sender<Vec<Multiaddr>>,
}

impl Owner {
    async fn run(mut self, mut waiting: mpsc::Receiver<Order>) {
        loop {
            tokio::select! {
                order = waiting.recv() => match order {
                    Some(Order::End(done)) => {
                        // What remains after this time is cut off with the swarm.
                        let _ = timeout(limits::CLOSE_TIME, self.close_all()).await;
                        let _ = done.send(());
                        return;
                    }
                    Some(order) => self.obey(order),
                    None => return,
                },
                event = self.swarm.select_next_some() => self.note(event),
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Listen(address, done) => match self.swarm.listen_on(address) {
                Ok(id) => {
                    self.open_listeners.push(id);
                    self.listens.insert(id, done);
                }
                Err(error) => drop(done.send(Err(error))),
            },
            Order::Dial(peer, addresses, done) => self.dial(peer, addresses, done),
            Order::Open(peer, connection, opening) => {
                self.swarm.behaviour_mut().streams.open(peer, connection, opening)
            }
            Order::Close(connection) => drop(self.swarm.close_connection(connection)),
            Order::StopListening => self.stop_listening(),
            Order::End(done) => drop(done.send(())),
        }
    }

    fn dial(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        done: oneshot::Sender<Result<ConnectionId, DialError>>,
    ) {
        let opts = dial_opts::DialOpts::peer_id(peer)
            .addresses(addresses)
            .condition(dial_opts::PeerCondition::Always)
            .allocate_new_port()
            .build();
        let connection = opts.connection_id();
        match self.swarm.dial(opts) {
            Ok(()) => drop(self.dials.insert(connection, done)),
            Err(error) => drop(done.send(Err(dial_error(&error)))),
        }
    }

    fn stop_listening(&mut self) {
        self.swarm.behaviour_mut().streams.stop_accepting();
        for id in self.open_listeners.drain(..) {
            self.swarm.remove_listener(id);
        }
    }

    fn note(&mut self, event: SwarmEvent<Happening>) {
        match event {
            SwarmEvent::NewListenAddr { listener_id, .. } => {
                self.announce.send_replace(self.swarm.listeners().cloned().collect());
                if let Some(done) = self.listens.remove(&listener_id) {
                    let _ = done.send(Ok(()));
                }
            }
            SwarmEvent::ExpiredListenAddr { .. } | SwarmEvent::ListenerClosed { .. } => {
                self.announce.send_replace(self.swarm.listeners().cloned().collect());
            }
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                let Some(done) = self.dials.remove(&connection_id) else { return };
                if done.send(Ok(connection_id)).is_err() {
                    self.swarm.close_connection(connection_id);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.fail_dial(connection_id, &error);
            }
            SwarmEvent::Behaviour(Happening::Ping(ping::Event { connection, result: Err(failure), .. }))
                if !matches!(failure, ping::Failure::Unsupported) =>
            {
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    fn fail_dial(&mut self, connection: ConnectionId, error: &SwarmDialError) {
        if let Some(done) = self.dials.remove(&connection) {
            let _ = done.send(Err(dial_error(error)));
        }
    }

    async fn close_all(&mut self) {
        self.stop_listening();
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error says that the peer is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        while self.swarm.network_info().connection_counters().num_established() > 0 {
            let event = self.swarm.select_next_some().await;
            self.note(event);
        }
    }
}
