//! Pieces: sends a sealed body, or a range of it, as verifiable pieces, with bounded memory.
//!
//! The encoding is made on a thread of its own, which waits while the peer does not read. The answer looks at its permit
//! again before each piece (C-52): a revocation in the middle of a body ends it there.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use karute_protocol::bao::{BodyRef, ServeError, encode_range};
use karute_protocol::limits::PIECE_LEN_MAX;
use karute_protocol::message::FaultCode;
use tokio::sync::mpsc;

use super::answer::{Answer, Turned};

/// A body on disk, open.
pub(super) struct OpenBody {
    /// The sealed body.
    pub(super) data: File,
    /// Its hash tree.
    pub(super) pairs: File,
    /// Root and length.
    pub(super) body: BodyRef,
}

/// Sends the encoding of `range`.
pub(super) async fn send_body(answer: &Answer, body: OpenBody, range: Range<u64>) -> Result<(), Turned> {
    let (queue, mut pieces) = mpsc::channel(PIECES_READY_MAX);
    let encoding = tokio::task::spawn_blocking(move || {
        let mut sink = PieceSink { queue, gathered: BytesMut::with_capacity(PIECE_LEN_MAX) };
        encode_range(&body.body, body.data, body.pairs, &range, &mut sink)?;
        sink.flush().map_err(ServeError::Io)
    });
    while let Some(piece) = pieces.recv().await {
        answer.piece(piece).await?;
    }
    match encoding.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::error!(%error, "a stored body cannot be served");
            Err(Turned::Fault(FaultCode::Storage))
        }
        Err(_) => Err(Turned::Fault(FaultCode::Storage)),
    }
}

/// Gathers what the encoder writes into pieces of full size.
struct PieceSink {
    queue: mpsc::Sender<Bytes>,
    gathered: BytesMut,
}

impl Write for PieceSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_LEN_MAX - self.gathered.len());
        self.gathered.extend_from_slice(&bytes[..taken]);
        if self.gathered.len() == PIECE_LEN_MAX {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let next = BytesMut::with_capacity(PIECE_LEN_MAX);
        let piece = std::mem::replace(&mut self.gathered, next).freeze();
        self.queue.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Pieces that wait between the encoder and the peer.
const PIECES_READY_MAX: usize = 2;
