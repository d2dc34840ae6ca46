//! Connections with a bound: so many at once, each with a time by which it must have said something.
//!
//! Between two requests a connection may be silent for [`IDLE`]; from the first byte of a request on, the answer must
//! have begun within [`REQUEST`], however slowly further bytes arrive. So a client that sends one byte now and then
//! holds a place for seconds, not for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::limits::{CONNECTIONS_MAX, IDLE, REQUEST};

/// Accepts connections while there is room.
pub(super) struct Gate {
    listener: TcpListener,
    room: Arc<Semaphore>,
    times: Times,
}

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Without a byte between two requests.
    pub(super) idle: Duration,
    /// From the first byte of a request to the first of its answer.
    pub(super) request: Duration,
}

impl Gate {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self::with_times(listener, Times { idle: IDLE, request: REQUEST })
    }

    pub(super) fn with_times(listener: TcpListener, times: Times) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(CONNECTIONS_MAX)), times }
    }
}

impl Listener for Gate {
    type Io = TimedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TimedStream, SocketAddr) {
        let place = Arc::clone(&self.room).acquire_owned().await.ok(); // the semaphore is never closed
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let deadline = Box::pin(sleep(self.times.idle));
        (TimedStream { stream, deadline, times: self.times, asked: false, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when it is too slow.
pub(super) struct TimedStream {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    times: Times,
    /// Bytes of a request have come, and none of its answer has gone.
    asked: bool,
    /// Given back when the connection ends.
    _place: Option<OwnedSemaphorePermit>,
}

impl TimedStream {
    /// Fails when the deadline has passed; else the task is woken then.
    fn check(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// Begins to wait anew. The task is woken at the end of it, and reads, whatever it does meanwhile.
    fn wait(&mut self, time: Duration, context: &mut Context<'_>) {
        self.deadline.set(sleep(time));
        let _ = self.deadline.as_mut().poll(context); // a new time has not passed
    }

    fn answered(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.check(context).map(Err),
            Poll::Ready(Ok(bytes)) if bytes > 0 => {
                if std::mem::take(&mut self.asked) {
                    self.wait(self.times.idle, context);
                }
                Poll::Ready(Ok(bytes))
            }
            ready => ready,
        }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, into) else {
            return self.check(context).map(Err);
        };
        read?;
        if into.filled().len() > before && !self.asked {
            self.asked = true;
            let request = self.times.request;
            self.wait(request, context);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.answered(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.answered(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
