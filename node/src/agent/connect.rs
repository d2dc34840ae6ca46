//! How an agent gets a stream to a host: over the network, or within one process.

use std::collections::HashMap;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::mpsc;

use crate::net::{DialError, Dialer, OpenError};

/// A stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The ways to a host.
#[derive(Clone)]
pub enum Connect {
    /// Over the network.
    Network(Dialer),
    /// Within this process.
    Memory(MemoryConnect),
}

/// Hosts in this process, by the address under which they are known.
#[derive(Clone)]
pub struct MemoryConnect {
    peer: Vec<u8>,
    hosts: HashMap<String, mpsc::Sender<MemoryInbound>>,
}

/// A stream that arrives at a host in this process.
pub struct MemoryInbound {
    /// The transport key of who opened it, as a signed request names it.
    pub peer: Vec<u8>,
    /// The host's end.
    pub stream: DuplexStream,
}

/// A stream to a host, and the transport key that this end has there.
pub struct Line {
    /// The stream.
    pub stream: Box<dyn Stream>,
    /// This end's transport key, as a signed request names it.
    pub peer: Vec<u8>,
}

/// Why no stream came about, or why it ended.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// No stream on the connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The vault names no address.
    #[error("no address of the host is known")]
    NoAddress,
    /// No host of this process has this address.
    #[error("nobody answers at this address")]
    Nobody,
    /// The stream ended before the answer was whole.
    #[error("the connection was cut")]
    Cut,
    /// No answer in time.
    #[error("no answer came in time")]
    TimedOut,
}

impl MemoryConnect {
    /// An end with this transport key and no hosts.
    pub fn new(peer: Vec<u8>) -> Self {
        Self { peer, hosts: HashMap::new() }
    }

    /// Adds a host; its accept loop reads the other end of `accept`.
    pub fn with_host(mut self, address: &str, accept: mpsc::Sender<MemoryInbound>) -> Self {
        self.hosts.insert(address.to_owned(), accept);
        self
    }
}

impl Connect {
    /// A stream to the first of `addresses` that answers.
    pub async fn open(&self, addresses: &[String]) -> Result<Line, ConnectError> {
        let mut last = ConnectError::NoAddress;
        for address in addresses {
            match self.open_at(address).await {
                Ok(line) => return Ok(line),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open_at(&self, address: &str) -> Result<Line, ConnectError> {
        match self {
            Self::Network(dialer) => {
                let connection = dialer.dial(address).await?;
                let stream = connection.open_stream().await?;
                Ok(Line { stream: Box::new(stream), peer: dialer.peer().to_bytes() })
            }
            Self::Memory(memory) => {
                let host = memory.hosts.get(address).ok_or(ConnectError::Nobody)?;
                let (ours, stream) = tokio::io::duplex(MEMORY_BYTES);
                let inbound = MemoryInbound { peer: memory.peer.clone(), stream };
                host.send(inbound).await.map_err(|_| ConnectError::Nobody)?;
                Ok(Line { stream: Box::new(ours), peer: memory.peer.clone() })
            }
        }
    }
}

/// Bytes on the way within this process before the writer waits.
const MEMORY_BYTES: usize = 256 * 1024;
