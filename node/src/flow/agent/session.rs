//! One session with a host: a stream, its hello, and numbered messages of which several may be on their way.
//!
//! A task reads what comes and hands each frame to whoever asked; a deed waits for its own frames only. At most
//! [`IN_FLIGHT_MAX`] messages wait for an answer. Nothing the host says is believed here: this is transport with types.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use karute_consent::id::{Challenge, NodeId};
use karute_protocol::message::{Hello, Message, Version};
use karute_protocol::trail::CheckpointText;
use tokio::io::AsyncRead;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::agent::connect::{ConnectError, Line};
use crate::agent::error::{AgentError, HostFault, Obstacle};
use crate::frame::{Frame, FrameId, FrameKind, FrameReader, FrameWriter, Outbox};

/// A session after its hello.
pub struct Session {
    outbox: Outbox,
    waiting: Arc<Waiting>,
    slots: Arc<Semaphore>,
    reader: JoinHandle<()>,
    next: u32,
    /// Rises with each signed request of this session.
    pub(super) sequence: u64,
    peer: Vec<u8>,
    host: HostFacts,
    /// Checkpoints that the host told in its welcome, not verified, until somebody looks at them.
    told: Vec<CheckpointText>,
}

/// What the host said of itself in its hello. Believed by nobody until a vault's authority names the node.
pub struct HostFacts {
    /// The node's log key.
    pub node: NodeId,
    /// What requests of this session must carry.
    pub challenge: Challenge,
}

/// Who waits for which frames.
#[derive(Default)]
struct Waiting {
    /// Locked for a look-up only, never across an await.
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    by_number: HashMap<FrameId, mpsc::Sender<Frame>>,
    ended: bool,
}

/// A message that was sent and whose frames arrive here.
pub struct Pending {
    number: FrameId,
    frames: mpsc::Receiver<Frame>,
    waiting: Arc<Waiting>,
    _slot: OwnedSemaphorePermit,
}

/// One frame of an answer.
pub enum Incoming {
    /// A message.
    Message(Message),
    /// A piece of a body.
    Piece(Bytes),
}

impl Session {
    /// Says hello on a new stream, with the heads of trails that this agent tells whoever it meets (P-49).
    pub async fn open(line: Line, heads: Vec<CheckpointText>) -> Result<Self, AgentError> {
        let (source, sink) = tokio::io::split(line.stream);
        let (outbox, _) = Outbox::start(FrameWriter::new(sink));
        let waiting = Arc::new(Waiting::default());
        let reader = tokio::spawn(read_all(FrameReader::new(source), waiting.clone()));
        let mut session = Self {
            outbox,
            waiting,
            slots: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            reader,
            next: 1,
            sequence: 0,
            peer: line.peer,
            host: HostFacts { node: NodeId::from_bytes([0; 32]), challenge: Challenge::from_bytes([0; 32]) },
            told: Vec::new(),
        };
        let hello = Hello { versions: vec![VERSION], heads };
        match session.ask(hello).await? {
            Message::Welcome(welcome) if welcome.version == VERSION => {
                session.host = HostFacts { node: welcome.node, challenge: welcome.challenge };
                session.told = welcome.heads;
                Ok(session)
            }
            _ => Err(AgentError::Malformed("hello")),
        }
    }

    /// What the host said of itself.
    pub fn host(&self) -> &HostFacts {
        &self.host
    }

    /// What the host told in its welcome of trails, its own among them; gives it once. Nothing of it is verified.
    pub(super) fn take_told(&mut self) -> Vec<CheckpointText> {
        std::mem::take(&mut self.told)
    }

    /// This end's transport key, as requests name it.
    pub fn peer(&self) -> &[u8] {
        &self.peer
    }

    /// Whether the stream was still good when last looked at.
    pub fn is_open(&self) -> bool {
        !self.waiting.asked.lock().unwrap_or_else(PoisonError::into_inner).ended
    }

    /// Whether no request was signed in it yet: the host knows of no right of whoever is here.
    pub(super) fn is_new(&self) -> bool {
        self.sequence == 0
    }

    /// Sends a message that has one answer, and waits for it.
    pub async fn ask(&mut self, message: impl Into<Message>) -> Result<Message, AgentError> {
        self.start(message).await?.message().await
    }

    /// Sends a message; waits only while as many as may be are on their way.
    pub async fn start(&mut self, message: impl Into<Message>) -> Result<Pending, AgentError> {
        let payload = message.into().encode().map_err(|_| AgentError::Impossible(Obstacle::Limit))?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| cut())?;
        let number = FrameId(self.next);
        self.next = self.next.checked_add(1).ok_or_else(cut)?;
        let (to, frames) = mpsc::channel(ANSWER_FRAMES);
        {
            let mut asked = self.waiting.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.ended {
                return Err(cut());
            }
            asked.by_number.insert(number, to);
        }
        let pending = Pending { number, frames, waiting: self.waiting.clone(), _slot: slot };
        self.outbox.message(number, payload).await.map_err(|_| cut())?;
        Ok(pending)
    }

    /// Sends a piece of a body under the number of `pending`.
    pub async fn piece(&self, pending: &Pending, bytes: Bytes) -> Result<(), AgentError> {
        self.outbox.piece(pending.number, bytes).await.map_err(|_| cut())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Pending {
    /// The next frame of the answer.
    pub async fn next(&mut self) -> Result<Incoming, AgentError> {
        self.next_within(ANSWER_TIME).await
    }

    async fn next_within(&mut self, time: Duration) -> Result<Incoming, AgentError> {
        read(timeout(time, self.frames.recv()).await.map_err(|_| timed_out())?.ok_or_else(cut)?)
    }

    /// Whether the host has said no while this end is still sending.
    pub fn interrupted(&mut self) -> Result<(), AgentError> {
        match self.frames.try_recv() {
            Ok(frame) => read(frame).and(Err(AgentError::Malformed("an answer while a body is being sent"))),
            Err(_) => Ok(()),
        }
    }

    /// The next frame, which must be a message.
    pub async fn message(&mut self) -> Result<Message, AgentError> {
        self.message_within(ANSWER_TIME).await
    }

    /// The next frame of an answer that goes on for long, waited for as long as this.
    pub async fn message_within(&mut self, time: Duration) -> Result<Message, AgentError> {
        match self.next_within(time).await? {
            Incoming::Message(message) => Ok(message),
            Incoming::Piece(_) => Err(AgentError::Malformed("a piece where a message belongs")),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut asked = self.waiting.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.by_number.remove(&self.number);
    }
}

/// What a frame of an answer carries; a refusal or a fault is an error.
fn read(frame: Frame) -> Result<Incoming, AgentError> {
    match frame.kind {
        FrameKind::Piece => Ok(Incoming::Piece(frame.payload)),
        FrameKind::Message => match Message::decode(&frame.payload).map_err(|_| AgentError::Malformed("encoding"))? {
            Message::Refusal(_) => Err(AgentError::Refused),
            Message::Fault(fault) => Err(AgentError::Fault(HostFault::from(fault.code))),
            other if other.is_for_host() => Err(AgentError::Malformed("a message for a host")),
            other => Ok(Incoming::Message(other)),
        },
    }
}

/// Hands each frame to who asked, until the stream ends; frames nobody waits for any more are dropped.
async fn read_all<R: AsyncRead + Unpin>(mut frames: FrameReader<R>, waiting: Arc<Waiting>) {
    while let Ok(Some(frame)) = frames.next(SESSION_TIME).await {
        let to = {
            let asked = waiting.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.by_number.get(&frame.number).cloned()
        };
        if let Some(to) = to {
            let _ = to.send(frame).await; // an error says that nobody waits any more
        }
    }
    let mut asked = waiting.asked.lock().unwrap_or_else(PoisonError::into_inner);
    asked.ended = true;
    asked.by_number.clear();
}

fn cut() -> AgentError {
    AgentError::Unreachable(ConnectError::Cut)
}

fn timed_out() -> AgentError {
    AgentError::Unreachable(ConnectError::TimedOut)
}

/// The version spoken here.
const VERSION: Version = Version(1);
/// Messages that wait for their answers.
pub const IN_FLIGHT_MAX: usize = 64;
/// Frames of one answer that wait for the deed; with bodies of 1 MiB pieces this bounds memory.
const ANSWER_FRAMES: usize = 8;
/// Longest wait for one frame of an answer.
const ANSWER_TIME: Duration = Duration::from_secs(90);
/// Longest silence of a session.
const SESSION_TIME: Duration = Duration::from_secs(3600);
