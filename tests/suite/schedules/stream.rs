//! The two ends of a stream: the host's, which notes when each byte was handed to the transport, and the reader's, which
//! reads as fast or as slowly as it is told.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use karute_protocol::message::frame::{FrameHead, FrameId, FrameKind, HEAD_LEN};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

/// One order over all streams of all schedules: who draws later has the higher stamp.
static ORDER: AtomicU64 = AtomicU64::new(1);

fn stamp() -> u64 {
    ORDER.fetch_add(1, Ordering::SeqCst)
}

/// What a host handed to the transport of one stream, and when.
#[derive(Default)]
pub(super) struct Log {
    written: Mutex<Written>,
    grew: Notify,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    /// Of each write: where it ended, the stamp before the transport was called, and the stamp after it came back.
    writes: Vec<(usize, u64, u64)>,
}

/// One frame as it was handed over, or the part of it that was.
pub(super) struct Handed {
    pub(super) kind: FrameKind,
    pub(super) number: u32,
    pub(super) payload: Vec<u8>,
    pub(super) whole: bool,
    /// Stamp before its first byte was handed over.
    pub(super) begun: u64,
    /// Stamp after its last byte was.
    pub(super) done: u64,
}

impl Handed {
    /// The tag of a message.
    pub(super) fn tag(&self) -> Option<u8> {
        self.payload.first().copied().filter(|_| self.kind == FrameKind::Message)
    }
}

impl Log {
    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.written().bytes.len()
    }

    /// Waits until there are this many bytes.
    pub(super) async fn reaches(&self, len: usize) {
        while self.len() < len {
            self.grew.notified().await;
        }
    }

    /// The frames of the answer to a message so far.
    pub(super) fn answer(&self, number: FrameId) -> Vec<Handed> {
        self.frames().into_iter().filter(|frame| frame.number == number.0).collect()
    }

    /// The frames so far; the last one may not be whole.
    pub(super) fn frames(&self) -> Vec<Handed> {
        let written = self.written();
        let (mut frames, mut at, mut write) = (Vec::new(), 0, 0);
        while at < written.bytes.len() {
            let rest = &written.bytes[at..];
            let head = rest.first_chunk::<HEAD_LEN>().map(|head| FrameHead::decode(head).expect("a host's own frame"));
            let end = at + head.as_ref().map_or(rest.len(), |head| rest.len().min(HEAD_LEN + head.payload_len()));
            let whole = head.as_ref().is_some_and(|head| rest.len() >= HEAD_LEN + head.payload_len());
            while written.writes[write].0 <= at {
                write += 1;
            }
            let begun = written.writes[write].1;
            while written.writes[write].0 < end {
                write += 1;
            }
            let (kind, number) = head.map_or((FrameKind::Piece, 0), |head| (head.kind(), head.id().0));
            let payload = written.bytes[(at + HEAD_LEN).min(end)..end].to_vec();
            frames.push(Handed { kind, number, payload, whole, begun, done: written.writes[write].2 });
            at = end;
        }
        frames
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().expect("nothing panics in here")
    }
}

/// The host's end of a stream.
pub(super) struct Stamped {
    pub(super) stream: DuplexStream,
    pub(super) log: Arc<Log>,
}

impl AsyncRead for Stamped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, log } = &mut *self;
        // Locked around the call: whoever read a byte finds it in the log.
        let mut written = log.written();
        let begun = stamp();
        let Poll::Ready(taken) = Pin::new(stream).poll_write(cx, bytes) else { return Poll::Pending };
        if let Ok(taken @ 1..) = taken {
            written.bytes.extend_from_slice(&bytes[..taken]);
            let end = written.bytes.len();
            written.writes.push((end, begun, stamp()));
            log.grew.notify_one();
        }
        drop(written);
        Poll::Ready(taken)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How a peer reads, from the moment it has sent its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as it can.
    Fast,
    /// This many bytes, then a pause of a millisecond, and again.
    Slow(usize),
    /// After this many bytes it pauses once, for so many milliseconds.
    Stall(usize, u64),
    /// After this many bytes it reads nothing more.
    Stop(usize),
}

/// The peer's end of a stream.
pub(super) struct Paced {
    pub(super) stream: DuplexStream,
    pub(super) pace: Pace,
    /// Set when the request was sent.
    pub(super) begun: Arc<AtomicBool>,
    /// Bytes until it pauses or stops.
    left: usize,
    pause: Option<Pin<Box<Sleep>>>,
    stalled: bool,
}

impl Paced {
    pub(super) fn new(stream: DuplexStream, pace: Pace) -> Self {
        let left = match pace {
            Pace::Fast => usize::MAX,
            Pace::Slow(bytes) | Pace::Stall(bytes, _) | Pace::Stop(bytes) => bytes,
        };
        Self { stream, pace, begun: Arc::default(), left, pause: None, stalled: false }
    }

    /// Whether it may read now, and how much.
    fn may_read(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if !self.begun.load(Ordering::SeqCst) || self.pace == Pace::Fast || self.stalled {
            return Poll::Ready(usize::MAX);
        }
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
            match self.pace {
                Pace::Slow(bytes) => self.left = bytes,
                _ => self.stalled = true,
            }
            return self.may_read(cx);
        }
        if self.left > 0 {
            return Poll::Ready(self.left);
        }
        let pause = match self.pace {
            Pace::Slow(_) => Duration::from_millis(1),
            Pace::Stall(_, millis) => Duration::from_millis(millis),
            _ => return Poll::Pending,
        };
        self.pause = Some(Box::pin(sleep(pause)));
        self.may_read(cx)
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Poll::Ready(most) = self.may_read(cx) else { return Poll::Pending };
        if most == usize::MAX {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let mut own = vec![0; into.remaining().min(most).min(PACED_BYTES)];
        let mut part = ReadBuf::new(&mut own);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        into.put_slice(part.filled());
        self.left = self.left.saturating_sub(part.filled().len());
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Most that a paced reader takes at once.
const PACED_BYTES: usize = 64 * 1024;
