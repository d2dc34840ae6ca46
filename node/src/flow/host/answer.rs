//! Answers: how a deed speaks to the peer, and the few ways in which it can turn out badly.
//!
//! Whatever the reason, a refusal of a right is one and the same message (P-29); the reason is for the trail.

use bytes::Bytes;
use karute_consent::policy::DenyReason;
use karute_protocol::message::{Fault, FaultCode, Message, Refusal};

use crate::frame::{FrameId, Outbox, WriteError};

/// Where the answer to one message goes.
#[derive(Clone)]
pub(super) struct Answer {
    outbox: Outbox,
    number: FrameId,
}

/// How a deed turned out when it did not turn out well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turned {
    /// No right to it; whatever there is to record is recorded.
    Refused,
    /// The permit came to an end while it was answered; to be recorded with [`Host::answered`](super::Host::answered).
    Lapsed(DenyReason),
    /// Something else is wrong.
    Fault(FaultCode),
    /// The peer broke the rules of the session, which ends without a word (P-28).
    Ended,
    /// The peer is gone.
    Gone,
}

impl Answer {
    pub(super) fn new(outbox: Outbox, number: FrameId) -> Self {
        Self { outbox, number }
    }

    /// The number of the message that is answered.
    pub(super) fn number(&self) -> FrameId {
        self.number
    }

    /// Sends a message; waits while the peer does not read.
    pub(super) async fn send(&self, message: impl Into<Message>) -> Result<(), Turned> {
        let bytes = message.into().encode().map_err(|error| {
            tracing::error!(%error, "an answer of this host is above its own limits");
            Turned::Fault(FaultCode::Limit)
        })?;
        Ok(self.outbox.message(self.number, bytes).await?)
    }

    /// Sends a piece of a body.
    pub(super) async fn piece(&self, bytes: impl Into<Bytes>) -> Result<(), Turned> {
        Ok(self.outbox.piece(self.number, bytes).await?)
    }

    /// Tells the peer how it turned out. `false` when the session is over.
    pub(super) async fn turn(&self, turned: Turned) -> bool {
        let told = match turned {
            Turned::Refused | Turned::Lapsed(_) => self.send(Refusal {}).await,
            Turned::Fault(code) => self.send(Fault { code }).await,
            Turned::Ended | Turned::Gone => return false,
        };
        told.is_ok()
    }
}

impl From<WriteError> for Turned {
    fn from(error: WriteError) -> Self {
        if matches!(error, WriteError::TooLong) {
            tracing::error!("a piece of this host is above its own limit");
        }
        Self::Gone
    }
}
