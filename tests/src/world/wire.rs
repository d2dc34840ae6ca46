//! A raw session with a host: frames as they are, requests signed by whoever a test likes, nothing checked and nothing
//! repaired. This is how a peer that breaks the rules is played, and how answers are compared byte by byte.

use std::time::Duration;

use karute_consent::id::{Challenge, NodeId};
use karute_consent::party::Identity;
use karute_consent::request::Request;
use karute_consent::statement::{Unverified, sign};
use karute_node::agent::connect::{Line, Stream};
use karute_node::frame::{Frame, FrameId, FrameKind, FrameReader, FrameWriter};
use karute_protocol::message::{Hello, Message, Version};
use karute_protocol::trail::CheckpointText;
use tokio::io::{ReadHalf, WriteHalf, split};

/// A session after its hello.
pub struct Wire {
    reader: FrameReader<ReadHalf<Box<dyn Stream>>>,
    writer: FrameWriter<WriteHalf<Box<dyn Stream>>>,
    last: u32,
    /// The highest sequence that a request of this session had.
    pub sequence: u64,
    /// The host's challenge.
    pub challenge: Challenge,
    /// The host's node id.
    pub node: NodeId,
    /// This end's transport key.
    pub peer: Vec<u8>,
}

/// Everything that came back for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The payloads of the frames, in their order.
    pub frames: Vec<(FrameKind, Vec<u8>)>,
}

impl Wire {
    /// Says hello.
    pub async fn hello(line: Line) -> Self {
        match Self::hello_with(line, Vec::new()).await {
            (wire, Some(Message::Welcome(_))) => wire,
            (_, answer) => panic!("no welcome came, but {answer:?}"),
        }
    }

    /// Says hello and shows these checkpoints; gives what came back, which need not be a welcome.
    pub async fn hello_with(line: Line, heads: Vec<CheckpointText>) -> (Self, Option<Message>) {
        let (source, sink) = split(line.stream);
        let (reader, writer) = (FrameReader::new(source), FrameWriter::new(sink));
        let (challenge, node) = (Challenge::from_bytes([0; 32]), NodeId::from_bytes([0; 32]));
        let mut wire = Self { reader, writer, last: 0, sequence: 0, challenge, node, peer: line.peer };
        let answer = wire.ask(Hello { versions: vec![Version(1)], heads }).await.and_then(|answer| answer.first());
        if let Some(Message::Welcome(welcome)) = &answer {
            (wire.challenge, wire.node) = (welcome.challenge, welcome.node);
        }
        (wire, answer)
    }

    /// Signs a request after filling in what is of this session, and after `change` has spoiled it as it likes.
    pub fn request(
        &mut self,
        signer: &Identity,
        asked: Request,
        change: impl FnOnce(&mut Request),
    ) -> Unverified<Request> {
        self.sequence += 1;
        let mut request = Request {
            challenge: self.challenge,
            sequence: self.sequence,
            node: self.node,
            peer: self.peer.clone(),
            ..asked
        };
        change(&mut request);
        sign(request, signer).expect("a well-formed request").to_unverified()
    }

    /// Sends a message and reads its whole answer; `None` when the session ended first.
    pub async fn ask(&mut self, message: impl Into<Message>) -> Option<Answered> {
        let payload = message.into().encode().expect("a message within its limits");
        self.ask_raw(payload).await
    }

    /// Sends the bytes of a message and reads the whole answer; `None` when the session ended first.
    pub async fn ask_raw(&mut self, payload: Vec<u8>) -> Option<Answered> {
        let number = self.send(FrameKind::Message, payload).await?;
        self.answer_to(number).await
    }

    /// Sends a message without waiting for its answer; gives its number.
    pub async fn send(&mut self, kind: FrameKind, payload: Vec<u8>) -> Option<FrameId> {
        if kind == FrameKind::Message {
            self.last += 1;
        }
        let frame = Frame { kind, number: FrameId(self.last), payload: payload.into() };
        self.writer.write(&frame).await.ok()?;
        self.writer.flush().await.ok()?;
        Some(frame.number)
    }

    /// Reads frames until the answer to a message is whole; frames of other answers are dropped.
    pub async fn answer_to(&mut self, number: FrameId) -> Option<Answered> {
        let mut frames = Vec::new();
        loop {
            let frame = self.reader.next(PATIENCE).await.ok()??;
            if frame.number != number {
                continue;
            }
            let last = frame.kind == FrameKind::Message && frame.payload.first().is_some_and(|tag| ends_answer(*tag));
            frames.push((frame.kind, frame.payload.to_vec()));
            if last {
                return Some(Answered { frames });
            }
        }
    }
}

impl Answered {
    /// The first message.
    pub fn first(&self) -> Option<Message> {
        self.messages().next()
    }

    /// All messages in their order.
    pub fn messages(&self) -> impl Iterator<Item = Message> {
        let messages = self.frames.iter().filter(|(kind, _)| *kind == FrameKind::Message);
        messages.map(|(_, payload)| Message::decode(payload).expect("a host sends good messages"))
    }

    /// Whether it is the one refusal, alone.
    pub fn is_refusal(&self) -> bool {
        self.frames.len() == 1 && matches!(self.first(), Some(Message::Refusal(_)))
    }
}

/// Whether a message is the last of its answer; those that are not are followed by others (SPEC section 10).
fn ends_answer(tag: u8) -> bool {
    !matches!(tag, 12 | 14 | 16 | 26 | 28 | 32 | 36 | 38 | 40)
}

/// Longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(60);
