//! Between an agent and a host: every frame of an answer passes the liar, who says it, keeps it back, changes it or says
//! something else. What the agent sends passes too, and what it tells of heads is not passed on: an honest host that is
//! shown more of its own trail than it has would stop (P-49).

use std::time::Duration;

use bytes::Bytes;
use karute_node::frame::{Frame, FrameKind, FrameReader, FrameWriter};
use karute_protocol::message::{Hello, Message};
use tokio::io::{AsyncRead, AsyncWrite, split};

/// One frame of an answer.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// A message.
    Message(Box<Message>),
    /// A piece of a body.
    Piece(Bytes),
    /// Nothing more: the stream ends here.
    Cut,
}

impl From<Message> for Said {
    fn from(message: Message) -> Self {
        Self::Message(Box::new(message))
    }
}

/// What becomes of each frame of a session's answers.
pub(super) type Telling = Box<dyn FnMut(Said) -> Vec<Said> + Send>;
/// Who looks on: at every message to the host, and at every one from it as it was before the lie.
pub(super) type Listening = Box<dyn FnMut(Heard<'_>) + Send>;

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard<'a> {
    /// To the host.
    Asked(&'a Message),
    /// From the host.
    Answered(&'a Message),
}

/// Joins an agent's stream to a host's until one of them ends.
pub(super) async fn relay<A, H>(agent: A, host: H, telling: Telling, listening: Listening)
where
    A: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let ((from_agent, to_agent), (from_host, to_host)) = (split(agent), split(host));
    let listening = std::sync::Mutex::new(listening);
    let hear = |heard: Heard<'_>| listening.lock().expect("nobody panics while listening")(heard);
    let up = pass_up(FrameReader::new(from_agent), FrameWriter::new(to_host), &hear);
    let down = pass_down(FrameReader::new(from_host), FrameWriter::new(to_agent), telling, &hear);
    tokio::select! { () = up => {}, () = down => {} }
}

async fn pass_up<R, W>(mut reader: FrameReader<R>, mut writer: FrameWriter<W>, hear: &impl Fn(Heard<'_>))
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    while let Ok(Some(frame)) = reader.next(IDLE).await {
        let frame = match message_of(&frame) {
            Some(Message::Hello(hello)) => again(&frame, Message::from(Hello { heads: Vec::new(), ..*hello })),
            Some(message) => {
                hear(Heard::Asked(&message));
                frame
            }
            None => frame,
        };
        if writer.write(&frame).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

async fn pass_down<R, W>(
    mut reader: FrameReader<R>,
    mut writer: FrameWriter<W>,
    mut telling: Telling,
    hear: &impl Fn(Heard<'_>),
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    while let Ok(Some(frame)) = reader.next(IDLE).await {
        let said = match message_of(&frame) {
            Some(message) => {
                hear(Heard::Answered(&message));
                Said::from(message)
            }
            None => Said::Piece(frame.payload.clone()),
        };
        for said in telling(said) {
            let told = match said {
                Said::Message(message) => again(&frame, *message),
                Said::Piece(payload) => Frame { kind: FrameKind::Piece, payload, ..frame },
                Said::Cut => return,
            };
            if writer.write(&told).await.is_err() {
                return;
            }
        }
        if writer.flush().await.is_err() {
            return;
        }
    }
}

fn message_of(frame: &Frame) -> Option<Message> {
    (frame.kind == FrameKind::Message).then(|| Message::decode(&frame.payload).ok()).flatten()
}

fn again(frame: &Frame, message: Message) -> Frame {
    let payload = message.encode().expect("a lie within the limits of its message").into();
    Frame { kind: FrameKind::Message, number: frame.number, payload }
}

/// Longest silence of a session.
const IDLE: Duration = Duration::from_secs(3600);
