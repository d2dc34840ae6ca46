//! Streams of one connection: hands inbound ones to the accept queue, opens outbound ones on exactly the connection
//! that was asked.
//!
//! The crate `libp2p-stream` does the same with a queue of one (a burst of inbound streams is dropped although
//! nobody is overloaded), picks any connection to the peer, and keeps a channel for every connection it ever had.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{Endpoint, transport::PortUse, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
        NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use tokio::sync::{mpsc, oneshot};

use super::{Inbound, NetStream, PROTOCOL, PeerKey, limits};

/// Why one try to open a stream failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenFault {
    /// The peer does not speak our protocol.
    NotSpoken,
    /// The peer did not agree in time.
    TimedOut,
    /// The connection broke.
    Broken,
}

/// A stream that somebody waits for. Dropping it tells them that the connection is gone.
#[derive(Debug)]
pub(super) struct Opening(pub(super) oneshot::Sender<Result<libp2p::Stream, OpenFault>>);

/// The part of the swarm that deals in streams. A dialer has no accept queue: what is opened to it is closed.
pub(super) struct Streams {
    accepted: Option<mpsc::Sender<Inbound>>,
    openings: VecDeque<(PeerId, ConnectionId, Opening)>,
}

impl Streams {
    pub(super) fn new(accepted: Option<mpsc::Sender<Inbound>>) -> Self {
        Self { accepted, openings: VecDeque::new() }
    }

    /// Opens a stream on this connection. The swarm must be polled afterwards.
    pub(super) fn open(&mut self, peer: PeerId, connection: ConnectionId, opening: Opening) {
        self.openings.push_back((peer, connection, opening));
    }

    /// From now on inbound streams are closed at once.
    pub(super) fn stop_accepting(&mut self) {
        self.accepted = None;
    }

    fn connection(&self, peer: PeerId) -> ConnectionStreams {
        ConnectionStreams { peer: PeerKey(peer), accepted: self.accepted.clone(), openings: VecDeque::new() }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = ConnectionStreams;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.connection(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.connection(peer))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.openings.pop_front() {
            Some((peer_id, connection, event)) => {
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(connection), event })
            }
            None => Poll::Pending,
        }
    }
}

/// The same, for one connection.
pub(super) struct ConnectionStreams {
    peer: PeerKey,
    accepted: Option<mpsc::Sender<Inbound>>,
    openings: VecDeque<Opening>,
}

type Upgrade = ReadyUpgrade<StreamProtocol>;

impl ConnectionHandler for ConnectionStreams {
    type FromBehaviour = Opening;
    type ToBehaviour = std::convert::Infallible;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(ReadyUpgrade::new(StreamProtocol::new(PROTOCOL)), ()).with_timeout(limits::OPEN_TIME)
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, Opening, std::convert::Infallible>> {
        match self.openings.pop_front() {
            Some(opening) => {
                let upgrade = ReadyUpgrade::new(StreamProtocol::new(PROTOCOL));
                let protocol = SubstreamProtocol::new(upgrade, opening).with_timeout(limits::OPEN_TIME);
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, opening: Opening) {
        self.openings.push_back(opening);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), Opening>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                let Some(accepted) = &self.accepted else { return };
                let inbound = Inbound { peer: self.peer, stream: NetStream::inbound(stream) };
                if accepted.try_send(inbound).is_err() {
                    tracing::debug!("inbound stream closed: the accept queue is full or gone");
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info }) => {
                // Nobody waits any more: dropping the stream closes it.
                let _ = info.0.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let fault = match error {
                    StreamUpgradeError::Timeout => OpenFault::TimedOut,
                    StreamUpgradeError::NegotiationFailed => OpenFault::NotSpoken,
                    StreamUpgradeError::Io(_) => OpenFault::Broken,
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = info.0.send(Err(fault));
            }
            _ => {}
        }
    }
}
