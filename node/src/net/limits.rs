//! Every number of the network, in one place: connections, streams, frames, waiting times.
//!
//! The libraries below are open by default; what is not limited here is limited nowhere.

use std::time::Duration;

/// Inbound connections that have not finished their handshake.
pub const PENDING_INBOUND_MAX: u32 = 64;
/// Outbound connections that have not finished their handshake.
pub const PENDING_OUTBOUND_MAX: u32 = 64;
/// Established inbound connections.
pub const INBOUND_MAX: u32 = 256;
/// Established connections in both directions.
pub const ESTABLISHED_MAX: u32 = 320;
/// Established connections with one peer.
pub const PER_PEER_MAX: u32 = 8;
/// New connections are refused while this process holds more than this share of the machine's memory.
pub const MEMORY_SHARE_MAX: f64 = 0.6;

/// Streams of one connection, both directions together.
pub const STREAMS_PER_CONNECTION_MAX: usize = 64;
/// Streams that a dialer opens on one connection. Less than the limit above, at which the connection itself would end.
pub const OUTBOUND_STREAMS_MAX: usize = 48;
/// Inbound streams of one connection whose protocol is not agreed yet.
pub const NEGOTIATING_MAX: usize = 32;
/// Streams that wait for the accept loop; more are closed at once.
pub const ACCEPT_QUEUE: usize = 256;
/// Orders that wait for the swarm task.
pub const ORDER_QUEUE: usize = 64;
/// Addresses a host name may stand for; the rest is not tried.
pub const RESOLVED_MAX: usize = 8;
/// Addresses one node listens on.
pub const LISTEN_MAX: usize = 16;

/// From the first packet to a finished handshake.
pub const DIAL_TIME: Duration = Duration::from_secs(10);
/// Looking up a host name.
pub const RESOLVE_TIME: Duration = Duration::from_secs(5);
/// Agreeing on the protocol of one stream.
pub const OPEN_TIME: Duration = Duration::from_secs(10);
/// Tries to open one stream, and the pause after the first of them (it doubles).
pub const OPEN_TRIES: u32 = 4;
/// Pause after the first failed try to open a stream.
pub const OPEN_PAUSE: Duration = Duration::from_millis(50);
/// Waiting for a listener to name its address.
pub const LISTEN_TIME: Duration = Duration::from_secs(5);
/// A connection without any stream is closed after this.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(60);
/// Between two pings of one connection.
pub const PING_EVERY: Duration = Duration::from_secs(30);
/// A ping without an answer for this long ends its connection.
pub const PING_TIME: Duration = Duration::from_secs(20);
/// Closing all connections at the end.
pub const CLOSE_TIME: Duration = Duration::from_secs(2);

/// A frame that has begun must be whole after this, read or written.
pub const FRAME_TIME: Duration = Duration::from_secs(60);
/// What is with the writer under a permit that was revoked must be taken by the peer within this, or its stream is cut off.
pub const HANDOVER_TIME: Duration = Duration::from_secs(2);
/// A stream on which no hello comes is closed.
pub const HELLO_TIME: Duration = Duration::from_secs(15);
/// A session in which nothing is asked for this long is closed.
pub const SESSION_IDLE: Duration = Duration::from_secs(120);
/// Frames that wait for the writer of one stream: the bound of what a slow reader can make us hold.
pub const OUTBOX_FRAMES: usize = 4;

const _: () = assert!(OUTBOUND_STREAMS_MAX < STREAMS_PER_CONNECTION_MAX);
