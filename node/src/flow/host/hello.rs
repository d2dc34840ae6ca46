//! Hello: agrees on the version, compares heads and gives the session its challenge.

use karute_consent::id::Challenge;
use karute_protocol::message::{Fault, FaultCode, Message, Version, Welcome};
use tokio::io::AsyncRead;

use super::Host;
use super::answer::Answer;
use crate::frame::{FrameId, FrameKind, FrameReader, Outbox};
use crate::net::limits;

/// The first message of every session has this number.
pub(super) const NUMBER: FrameId = FrameId(1);
/// The version spoken here.
const VERSION: Version = Version(1);

/// Reads the hello and answers it; `None` when there is none that can be answered, which ends the session.
pub(super) async fn hello<R: AsyncRead + Unpin>(
    host: &Host,
    reader: &mut FrameReader<R>,
    outbox: &Outbox,
) -> Option<Challenge> {
    // Read.
    let frame = reader.next(limits::HELLO_TIME).await.ok()??;
    if frame.kind != FrameKind::Message || frame.number != NUMBER {
        return None;
    }
    let Ok(Message::Hello(hello)) = Message::decode(&frame.payload) else { return None };
    let answer = Answer::new(outbox.clone(), NUMBER);
    // Verify.
    if !hello.versions.contains(&VERSION) {
        answer.send(Fault { code: FaultCode::Malformed }).await.ok()?;
        return None;
    }
    // Decide: a host that is shown more of its own trail than it has serves nobody (P-49).
    if !host.take_heads(&hello.heads) {
        answer.send(Fault { code: FaultCode::Storage }).await.ok()?;
        return None;
    }
    // Answer. The heads are for the client to compare with what it saw elsewhere.
    let challenge = Challenge::from_bytes(host.ambient.entropy());
    let heads = host.heads_to_show();
    let welcome = Welcome { version: VERSION, challenge, node: host.node(), time: host.ambient.now(), heads };
    answer.send(welcome).await.ok()?;
    Some(challenge)
}
