//! One session: a stream, its hello, and the messages that follow, each answered under its own number.
//!
//! Messages are taken in the order in which they come. What changes the session itself (an attachment, an epoch key, a
//! run, a piece of a body) is done before the next message is read; everything else is a task of its own, so that one
//! slow answer does not hold up the others. At most [`IN_FLIGHT_MAX`] of them are under way; then nothing more is read.
//! Answers pass a short queue (`frame::Outbox`): a peer who does not read stops only itself.

use std::{collections::HashMap, sync::Arc};

use karute_consent::id::{Challenge, RunId, VaultId};
use karute_protocol::limits::IN_FLIGHT_MAX;
use karute_protocol::message::Message;
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};

use super::answer::{Answer, Turned};
use super::attach::Attachments;
use super::decide::Admission;
use super::deposit::{OpenRun, Opened};
use super::upload::Upload;
use super::{
    Host, append, ask, attach, audit, deposit, face, fetch, heads, hello, key, list, pass_on, re_wrap, revoke, sync,
    upload, watch, withdraw,
};
use crate::frame::{Frame, FrameId, FrameKind, FrameReader, FrameWriter, Outbox, ReadError};
use crate::net::{PeerKey, limits};

/// What a deed needs to know of where it is.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) host: Arc<Host>,
    pub(super) session: Arc<Session>,
}

/// What one session remembers; the tasks of its messages share it. No lock is held across an await.
pub(super) struct Session {
    /// What every request of this session must name.
    pub(super) challenge: Challenge,
    /// Who is at the other end, proved by the transport.
    pub(super) peer: PeerKey,
    /// Sequence numbers, permits and refusals so far.
    pub(super) admission: Admission,
    /// Attachments that wait for their append.
    pub(super) attachments: Attachments,
}

/// What only the reading loop touches: the order of messages decides it.
#[derive(Default)]
pub(super) struct Open {
    /// Deposits that a request opened in this session.
    pub(super) deposits: HashMap<VaultId, Opened>,
    /// Runs of this session.
    pub(super) runs: HashMap<RunId, Arc<OpenRun>>,
    /// Bodies that are coming in, by the number of the message that began each.
    pub(super) uploads: HashMap<FrameId, Upload>,
}

/// Serves one stream until its end. `peer` is who the transport proved to be at the other end.
pub async fn serve<S>(host: Arc<Host>, peer: PeerKey, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (source, sink) = split(stream);
    let (outbox, writer) = Outbox::start(FrameWriter::new(sink));
    let mut reader = FrameReader::new(source);
    if let Some(challenge) = hello::hello(&host, &mut reader, &outbox).await {
        let session =
            Arc::new(Session { challenge, peer, admission: Admission::default(), attachments: Attachments::default() });
        let cx = Context { host, session };
        let reading = Reading { cx, outbox, open: Open::default(), last: hello::NUMBER, tasks: JoinSet::new() };
        reading.run(&mut reader).await;
    } else {
        drop(outbox);
    }
    // How the writer ended does not matter any more: the session is over.
    let _ = writer.await;
}

/// The loop that reads a session.
struct Reading {
    cx: Context,
    outbox: Outbox,
    open: Open,
    /// Number of the last message.
    last: FrameId,
    tasks: JoinSet<()>,
}

impl Reading {
    async fn run<R: AsyncRead + Unpin>(mut self, reader: &mut FrameReader<R>) {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let mut closing = self.cx.host.closing.subscribe();
        let outbox = self.outbox.clone();
        loop {
            let next = tokio::select! {
                next = reader.next(limits::SESSION_IDLE) => next,
                _ = closing.wait_for(|closing| *closing) => break,
                // The peer took nothing in time, or the stream was cut off.
                () = outbox.closed() => break,
            };
            let frame = match next {
                Ok(Some(frame)) => frame,
                Err(ReadError::Idle) if slots.available_permits() < IN_FLIGHT_MAX => continue,
                Ok(None) | Err(_) => break,
            };
            if self.cx.session.admission.is_worn_out() {
                break;
            }
            while let Some(ended) = self.tasks.try_join_next() {
                note_panic(ended);
            }
            let good = match frame.kind {
                FrameKind::Piece => self.piece(frame).await,
                FrameKind::Message => match slots.clone().acquire_owned().await {
                    Ok(slot) => self.message(frame, slot).await,
                    Err(_) => false,
                },
            };
            if !good {
                break;
            }
        }
        // Answers that are under way go on: the peer may have closed its direction only.
        while let Some(ended) = self.tasks.join_next().await {
            note_panic(ended);
        }
    }

    /// Takes a piece of a body; `false` ends the session.
    async fn piece(&mut self, frame: Frame) -> bool {
        frame.number <= self.last && upload::piece(&self.cx, &mut self.open, frame.number, frame.payload).await.is_ok()
    }

    /// Takes a message; `false` ends the session (P-28).
    async fn message(&mut self, frame: Frame, slot: OwnedSemaphorePermit) -> bool {
        if frame.number <= self.last {
            return false;
        }
        self.last = frame.number;
        let Ok(message) = Message::decode(&frame.payload) else { return false };
        let answer = Answer::new(self.outbox.clone(), frame.number);
        match self.dispatch(message, answer.clone(), slot).await {
            Ok(()) => true,
            Err(turned) => answer.turn(turned).await,
        }
    }

    /// Does what the order of messages decides, and starts a task for the rest.
    async fn dispatch(&mut self, message: Message, answer: Answer, slot: OwnedSemaphorePermit) -> Result<(), Turned> {
        let (cx, to) = (self.cx.clone(), answer.clone());
        let admit = |request| cx.session.admission.admit(request);
        match message {
            Message::Attach(m) => return attach::attach(&cx, &to, *m).await,
            Message::Key(m) => {
                let asked = admit(m.request)?;
                return key::key(&cx, &mut self.open, &to, asked, m.collection, m.month).await;
            }
            Message::OpenRun(m) => return deposit::run(&cx, &mut self.open, &to, *m).await,
            Message::Body(m) => return upload::body(&cx, &mut self.open, &to, *m).await,
            Message::Close(_) => return deposit::close(&mut self.open, &to).await,
            Message::Put(m) => {
                let ready = deposit::ready(&mut self.open, *m)?;
                self.start(slot, answer, deposit::put(cx, to, ready));
            }
            Message::Append(m) => self.start(slot, answer, append::append(cx, to, *m)),
            Message::Sync(m) => {
                let asked = admit(m.request)?;
                self.start(slot, answer, sync::sync(cx, to, asked, m.from));
            }
            Message::Fetch(m) => {
                let asked = admit(m.request)?;
                self.start(slot, answer, fetch::fetch(cx, to, asked, m.acting, m.range));
            }
            Message::List(m) => {
                let asked = admit(m.request)?;
                self.start(slot, answer, list::list(cx, to, asked, m.acting));
            }
            Message::Audit(m) => {
                let asked = admit(m.request)?;
                self.start(slot, answer, audit::audit(cx, to, asked, m.from));
            }
            Message::Watch(m) => {
                let asked = admit(m.request)?;
                self.start(slot, answer, watch::watch(cx, to, asked, m.from));
            }
            Message::Asks(m) => {
                let asked = admit(m.request)?;
                self.start(slot, answer, ask::asks(cx, to, asked));
            }
            Message::Heads(m) => self.start(slot, answer, heads::heads(cx, to, *m)),
            Message::Face(m) => self.start(slot, answer, face::face(cx, to, *m)),
            Message::Revoke(m) => self.start(slot, answer, revoke::revoke(cx, to, *m)),
            Message::Withdraw(m) => self.start(slot, answer, withdraw::withdraw(cx, to, *m)),
            Message::Ask(m) => self.start(slot, answer, ask::ask(cx, to, *m)),
            Message::Answer(m) => self.start(slot, answer, ask::answer_ask(cx, to, *m)),
            Message::PassOn(m) => self.start(slot, answer, pass_on::pass_on(cx, to, *m)),
            Message::ReWraps(m) => self.start(slot, answer, re_wrap::re_wrap(cx, to, *m)),
            // A second hello, or a message for a client (P-28).
            _ => return Err(Turned::Ended),
        }
        Ok(())
    }

    /// Starts a task for one message. It is bounded by its slot and ends with the session.
    fn start(
        &mut self,
        slot: OwnedSemaphorePermit,
        answer: Answer,
        deed: impl Future<Output = Result<(), Turned>> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            if let Err(turned) = deed.await {
                answer.turn(turned).await;
            }
            drop(slot);
        });
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a deed panicked; its peer was not answered");
    }
}
