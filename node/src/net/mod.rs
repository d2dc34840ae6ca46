//! The network: how two ends find each other and get streams of bytes between them. The only room that knows libp2p.
//!
//! TCP with Noise and yamux; QUIC beside it behind the cargo feature `quic`. A transport key names an end
//! (`PeerKey`) and carries no right: rights stand in signed statements above. What a stream carries is the
//! matter of `frame` and of the flows; here nothing is read from it. There is no discovery and no hole punching:
//! addresses stand in a vault's ledger or in a party's card.
//!
//! One task per listener or dialer owns the swarm (`swarm`); everything else sends it orders over a bounded queue.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use libp2p::PeerId;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};
use zeroize::{Zeroize, ZeroizeOnDrop};

mod address;
mod inbound;
pub mod limits;
mod outbound;
mod streams;
mod swarm;
#[cfg(test)]
mod tests;

pub use address::{AddressError, NodeAddress};
pub use inbound::{Inbound, ListenError, ListenHandle, Listener};
pub use outbound::{Connection, DialError, Dialer, OpenError};
pub use swarm::SetUpError;

/// The name both ends agree on for every stream.
pub const PROTOCOL: &str = "/karute/1";

/// The secret of a transport key: 32 bytes from which its Ed25519 key pair is made. Names an end, opens nothing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct TransportSeed([u8; 32]);

impl TransportSeed {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The peer key that others see.
    pub fn peer_key(&self) -> PeerKey {
        PeerKey(PeerId::from(self.key_pair().public()))
    }

    fn key_pair(&self) -> libp2p::identity::Keypair {
        let mut copy = self.0;
        let pair = libp2p::identity::Keypair::ed25519_from_bytes(&mut copy);
        copy.zeroize();
        pair.expect("any 32 bytes are an Ed25519 seed")
    }
}

/// Who is at the other end of a connection, proved by its handshake: a libp2p peer id. No authority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(PeerId);

/// The bytes are no peer id.
#[derive(Debug, Error)]
#[error("these bytes are no peer id")]
pub struct NotAPeerKey;

impl PeerKey {
    /// The multihash bytes, as a signed request carries them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Reads the multihash bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAPeerKey> {
        PeerId::from_bytes(bytes).map(Self).map_err(|_| NotAPeerKey)
    }
}

/// Base58 text, `12D3KooW…`.
impl std::fmt::Display for PeerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One stream of bytes to a peer, encrypted and authenticated by the connection below. Dropping it resets it.
pub struct NetStream {
    stream: Compat<libp2p::Stream>,
    /// On the dialling side: what keeps the connection open, and this stream's room on it.
    _held: Option<(Connection, OwnedSemaphorePermit)>,
}

impl NetStream {
    fn inbound(stream: libp2p::Stream) -> Self {
        Self { stream: stream.compat(), _held: None }
    }

    fn outbound(stream: libp2p::Stream, connection: Connection, room: OwnedSemaphorePermit) -> Self {
        Self { stream: stream.compat(), _held: Some((connection, room)) }
    }
}

impl AsyncRead for NetStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for NetStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
