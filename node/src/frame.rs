//! Frames: how messages and pieces of bodies share one stream of bytes.
//!
//! The head of a frame is the protocol's (`karute_protocol::message::frame`) and is judged before memory is taken
//! for what follows. Reading and writing are two halves that never wait for each other: what is
//! written passes a short queue to a task of its own, so that a peer who does not read stops only its own answers. A frame
//! may rest on a lease of the vault: then it is written only while the lease can be entered (P-43).

use std::{io, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use karute_protocol::message::frame::{FrameError, FrameHead, HEAD_LEN};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc::{self, Permit},
    task::JoinHandle,
    time::timeout,
};

use crate::net::limits;
use crate::vault::{Cut, Entered, OnItsWay};

pub use karute_protocol::message::frame::{FrameId, FrameKind};

/// One frame, whole and within its limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it carries.
    pub kind: FrameKind,
    /// Which request it belongs to.
    pub number: FrameId,
    /// The bytes it carries.
    pub payload: Bytes,
}

/// Why no frame could be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Nothing began within the given time; the stream is still good.
    #[error("nothing came")]
    Idle,
    /// A frame began and did not become whole in time.
    #[error("a frame began and did not become whole in time")]
    Stalled,
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Truncated,
    /// No frame of this protocol (P-28).
    #[error("what came is no frame")]
    Malformed(#[source] FrameError),
    /// The stream broke.
    #[error("the stream broke")]
    Broken(#[source] io::Error),
}

/// Why a frame could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The payload is above the limit of its type: a bug on this side.
    #[error("a frame is longer than its type allows")]
    TooLong,
    /// The peer did not take a frame in time.
    #[error("the peer did not take a frame in time")]
    Stalled,
    /// The stream is closed.
    #[error("the stream is closed")]
    Closed,
    /// The stream was cut off from this side.
    #[error("the stream was cut off")]
    Cut,
    /// The stream broke.
    #[error("the stream broke")]
    Broken(#[source] io::Error),
}

/// The reading half. `next` may be dropped at any await without losing bytes.
pub struct FrameReader<R> {
    source: R,
    buffer: BytesMut,
    frame_time: Duration,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames from `source`.
    pub fn new(source: R) -> Self {
        Self::with_frame_time(source, limits::FRAME_TIME)
    }

    /// Reads frames from `source`, each of which must be whole within `frame_time` after it began.
    pub fn with_frame_time(source: R, frame_time: Duration) -> Self {
        let buffer = BytesMut::with_capacity(READ_BYTES);
        Self { source, buffer, frame_time }
    }

    /// The next frame; `None` when the stream ended between two frames. Waits at most `idle` for one to begin.
    pub async fn next(&mut self, idle: Duration) -> Result<Option<Frame>, ReadError> {
        if self.buffer.is_empty() {
            let got = timeout(idle, self.read_more()).await.map_err(|_| ReadError::Idle)??;
            if got == 0 {
                return Ok(None);
            }
        }
        timeout(self.frame_time, self.rest_of_frame()).await.map_err(|_| ReadError::Stalled)?.map(Some)
    }

    async fn rest_of_frame(&mut self) -> Result<Frame, ReadError> {
        loop {
            let wanted = match self.buffer.first_chunk().map(FrameHead::decode).transpose() {
                Err(refused) => return Err(ReadError::Malformed(refused)),
                Ok(None) => HEAD_LEN,
                Ok(Some(head)) => {
                    let whole = HEAD_LEN + head.payload_len();
                    if self.buffer.len() >= whole {
                        let payload = self.buffer.split_to(whole).split_off(HEAD_LEN).freeze();
                        return Ok(Frame { kind: head.kind(), number: head.id(), payload });
                    }
                    whole
                }
            };
            self.buffer.reserve(wanted - self.buffer.len());
            if self.read_more().await? == 0 {
                return Err(ReadError::Truncated);
            }
        }
    }

    async fn read_more(&mut self) -> Result<usize, ReadError> {
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(READ_BYTES);
        }
        self.source.read_buf(&mut self.buffer).await.map_err(ReadError::Broken)
    }
}

/// The writing half.
pub struct FrameWriter<W> {
    sink: W,
    scratch: BytesMut,
    frame_time: Duration,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes frames to `sink`.
    pub fn new(sink: W) -> Self {
        Self::with_frame_time(sink, limits::FRAME_TIME)
    }

    /// Writes frames to `sink`, each of which must be taken within `frame_time`.
    pub fn with_frame_time(sink: W, frame_time: Duration) -> Self {
        Self { sink, scratch: BytesMut::with_capacity(COALESCE_BYTES), frame_time }
    }

    /// Writes one frame; it may wait in buffers below until `flush`.
    pub async fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        let head = FrameHead::new(frame.kind, frame.number, frame.payload.len()).map_err(|_| WriteError::TooLong)?;
        self.scratch.clear();
        self.scratch.put_slice(&head.encode());
        let written = async {
            if frame.payload.len() <= COALESCE_BYTES - HEAD_LEN {
                self.scratch.put_slice(&frame.payload);
                self.sink.write_all(&self.scratch).await
            } else {
                self.sink.write_all(&self.scratch).await?;
                self.sink.write_all(&frame.payload).await
            }
        };
        timeout(self.frame_time, written).await.map_err(|_| WriteError::Stalled)?.map_err(WriteError::Broken)
    }

    /// Sends what waits in buffers below.
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        timeout(self.frame_time, self.sink.flush()).await.map_err(|_| WriteError::Stalled)?.map_err(WriteError::Broken)
    }

    /// Ends this direction of the stream.
    pub async fn close(&mut self) -> Result<(), WriteError> {
        timeout(self.frame_time, self.sink.shutdown())
            .await
            .map_err(|_| WriteError::Stalled)?
            .map_err(WriteError::Broken)
    }
}

/// The way to the writer of one stream: a short queue, so that sending waits when the peer does not read.
#[derive(Clone)]
pub struct Outbox {
    queue: mpsc::Sender<Queued>,
    cut: Cut,
}

/// A place in the queue of a stream.
pub struct Place<'a>(Permit<'a, Queued>);

/// What a frame that waits for the writer rests on.
pub enum Rests {
    /// On nothing: it is written.
    OnNothing,
    /// On a lease: it is written if that can be entered when it is its turn.
    OnLease(OnItsWay),
    /// On a lease that was entered for it: it is written, and who revokes waits for it.
    Inside(Entered),
}

struct Queued {
    frame: Frame,
    rests: Rests,
}

impl Outbox {
    /// Starts the writer of `sink`. It ends, closing its direction, when the last clone of the outbox is gone.
    pub fn start<W>(writer: FrameWriter<W>) -> (Self, JoinHandle<Result<(), WriteError>>)
    where
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(limits::OUTBOX_FRAMES);
        let cut = Cut::default();
        let outbox = Self { queue, cut: cut.clone() };
        let writing = async move {
            tokio::select! {
                biased;
                () = cut.comes() => Err(WriteError::Cut),
                written = write_all(writer, waiting) => written,
            }
        };
        (outbox, tokio::spawn(writing))
    }

    /// What cuts the stream off: then nothing more is written, and what waits is dropped.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Waits until nothing can be written any more.
    pub async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Sends a message.
    pub async fn message(&self, number: FrameId, payload: impl Into<Bytes>) -> Result<(), WriteError> {
        self.send(Frame { kind: FrameKind::Message, number, payload: payload.into() }).await
    }

    /// Sends a piece of a body.
    pub async fn piece(&self, number: FrameId, payload: impl Into<Bytes>) -> Result<(), WriteError> {
        self.send(Frame { kind: FrameKind::Piece, number, payload: payload.into() }).await
    }

    /// Sends a frame; waits while the queue is full.
    pub async fn send(&self, frame: Frame) -> Result<(), WriteError> {
        self.place().await?.send(frame, Rests::OnNothing)
    }

    /// Waits for a place in the queue.
    pub async fn place(&self) -> Result<Place<'_>, WriteError> {
        self.queue.reserve().await.map(Place).map_err(|_| WriteError::Closed)
    }
}

impl Place<'_> {
    /// Puts a frame there.
    pub fn send(self, frame: Frame, rests: Rests) -> Result<(), WriteError> {
        FrameHead::new(frame.kind, frame.number, frame.payload.len()).map_err(|_| WriteError::TooLong)?;
        self.0.send(Queued { frame, rests });
        Ok(())
    }
}

/// Writes what waits, and flushes only when nothing more waits: many small answers share a packet.
async fn write_all<W>(mut writer: FrameWriter<W>, mut waiting: mpsc::Receiver<Queued>) -> Result<(), WriteError>
where
    W: AsyncWrite + Unpin,
{
    while let Some(queued) = waiting.recv().await {
        write_one(&mut writer, queued).await?;
        while let Ok(queued) = waiting.try_recv() {
            write_one(&mut writer, queued).await?;
        }
        writer.flush().await?;
    }
    writer.close().await
}

/// Writes a frame unless its lease is closed. Dropped midway, it leaves the lease and counts the frame as lost.
async fn write_one<W: AsyncWrite + Unpin>(writer: &mut FrameWriter<W>, queued: Queued) -> Result<(), WriteError> {
    let Queued { frame, rests } = queued;
    match rests {
        Rests::OnNothing => writer.write(&frame).await,
        Rests::Inside(inside) => writer.write(&frame).await.map(|()| drop(inside)),
        Rests::OnLease(on_its_way) => {
            let Some(inside) = on_its_way.enter() else { return Ok(()) };
            writer.write(&frame).await?;
            on_its_way.is_handed_over();
            drop(inside);
            Ok(())
        }
    }
}

/// Taken from the stream at once when nothing larger is expected.
const READ_BYTES: usize = 16 * 1024;
/// A frame up to this size is written in one piece, head and payload together.
const COALESCE_BYTES: usize = 16 * 1024;

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
