//! Answers: how a deed speaks to the peer, and the few ways in which it can turn out badly.
//!
//! Whatever the reason, a refusal of a right is one and the same message (P-29); the reason is for the trail. What is
//! answered under a permit goes through [`Answer::under`], which looks at the permit again before each frame (C-52) and
//! lets no frame out behind a revocation that was acknowledged (P-43).

use std::sync::Arc;

use bytes::Bytes;
use karute_consent::id::StatementId;
use karute_consent::policy::{DenyReason, Permit};
use karute_protocol::message::{Fault, FaultCode, Message, Refusal};

use super::Host;
use crate::frame::{Frame, FrameId, FrameKind, Outbox, Rests, WriteError};
use crate::vault::{Entered, Lease};

/// Where the answer to one message goes.
#[derive(Clone)]
pub(super) struct Answer {
    outbox: Outbox,
    number: FrameId,
    /// What every frame rests on, apart from a refusal.
    leased: Option<Leased>,
}

#[derive(Clone)]
struct Leased {
    host: Arc<Host>,
    lease: Arc<Lease>,
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
        Self { outbox, number, leased: None }
    }

    /// The same answer, every frame of which rests on this permit.
    pub(super) fn under(&self, host: &Arc<Host>, permit: &Permit) -> Result<Self, Turned> {
        self.leased(host, permit, None)
    }

    /// The same answer, every frame of which rests on this permit and on a grant beside it.
    pub(super) fn under_grant(&self, host: &Arc<Host>, permit: &Permit, grant: StatementId) -> Result<Self, Turned> {
        self.leased(host, permit, Some(grant))
    }

    fn leased(&self, host: &Arc<Host>, permit: &Permit, beside: Option<StatementId>) -> Result<Self, Turned> {
        let lease = host.store.lease(permit, beside, self.outbox.cut())?.ok_or(Turned::Refused)?;
        Ok(Self { leased: Some(Leased { host: host.clone(), lease }), ..self.clone() })
    }

    /// A lease for what is done in the way of this answer.
    pub(super) fn lease(&self, host: &Host, permit: &Permit) -> Result<Arc<Lease>, Turned> {
        host.store.lease(permit, None, self.outbox.cut())?.ok_or(Turned::Refused)
    }

    /// Enters a lease for one thing that cannot be stopped halfway: who revokes waits until it is done.
    pub(super) fn enter(&self, host: &Host, permit: &Permit) -> Result<Entered, Turned> {
        enter(host, &self.lease(host, permit)?)
    }

    /// The number of the message that is answered.
    pub(super) fn number(&self) -> FrameId {
        self.number
    }

    /// Sends a message; waits while the peer does not read.
    pub(super) async fn send(&self, message: impl Into<Message>) -> Result<(), Turned> {
        self.give(FrameKind::Message, encoded(message)?).await
    }

    /// Sends a message for which a lease was entered.
    pub(super) async fn send_inside(&self, inside: Entered, message: impl Into<Message>) -> Result<(), Turned> {
        let place = self.outbox.place().await?;
        Ok(place.send(self.frame(FrameKind::Message, encoded(message)?), Rests::Inside(inside))?)
    }

    /// Sends a piece of a body.
    pub(super) async fn piece(&self, bytes: impl Into<Bytes>) -> Result<(), Turned> {
        self.give(FrameKind::Piece, bytes.into()).await
    }

    /// Waits until nothing can be sent any more.
    pub(super) async fn closed(&self) {
        self.outbox.closed().await;
    }

    /// Waits for a place in the queue first, so that the permit is looked at when the frame is let out.
    async fn give(&self, kind: FrameKind, payload: Bytes) -> Result<(), Turned> {
        let place = self.outbox.place().await?;
        let rests = match &self.leased {
            None => Rests::OnNothing,
            Some(leased) => {
                leased.still()?;
                Rests::OnLease(leased.lease.sets_out())
            }
        };
        Ok(place.send(self.frame(kind, payload), rests)?)
    }

    fn frame(&self, kind: FrameKind, payload: Bytes) -> Frame {
        Frame { kind, number: self.number, payload }
    }

    /// How an answer under a permit ended, once none of its frames is on its way any more: not well when the permit
    /// came to an end before the peer had all of them.
    pub(super) async fn ended(&self, answered: Result<(), Turned>) -> Result<(), Turned> {
        let Some(Leased { host, lease }) = &self.leased else { return answered };
        let ended = match answered {
            Ok(()) if lease.arrives().await => Ok(()),
            Ok(()) => Err(Turned::Gone),
            turned => turned,
        };
        match ended {
            Err(Turned::Gone) if lease.is_closed() => {
                let reason = host.store.holds(lease, host.now())?.err().unwrap_or(DenyReason::Revoked);
                Err(Turned::Lapsed(reason))
            }
            ended => ended,
        }
    }

    /// The permit that every frame rests on.
    pub(super) fn permit(&self) -> Option<&Permit> {
        self.leased.as_ref().map(|leased| leased.lease.permit())
    }

    /// Tells the peer how it turned out. `false` when the session is over.
    pub(super) async fn turn(&self, turned: Turned) -> bool {
        let free = Self { leased: None, ..self.clone() };
        let told = match turned {
            Turned::Refused | Turned::Lapsed(_) => free.send(Refusal {}).await,
            Turned::Fault(code) => free.send(Fault { code }).await,
            Turned::Ended | Turned::Gone => return false,
        };
        told.is_ok()
    }
}

impl Leased {
    fn still(&self) -> Result<(), Turned> {
        self.host.store.holds(&self.lease, self.host.now())?.map_err(Turned::Lapsed)
    }
}

/// Enters a lease whose permit holds.
pub(super) fn enter(host: &Host, lease: &Arc<Lease>) -> Result<Entered, Turned> {
    let entered = lease.enter();
    host.store.holds(lease, host.now())?.map_err(Turned::Lapsed)?;
    entered.ok_or(Turned::Lapsed(DenyReason::Revoked))
}

fn encoded(message: impl Into<Message>) -> Result<Bytes, Turned> {
    let bytes = message.into().encode().map_err(|error| {
        tracing::error!(%error, "an answer of this host is above its own limits");
        Turned::Fault(FaultCode::Limit)
    })?;
    Ok(bytes.into())
}

impl From<WriteError> for Turned {
    fn from(error: WriteError) -> Self {
        if matches!(error, WriteError::TooLong) {
            tracing::error!("a piece of this host is above its own limit");
        }
        Self::Gone
    }
}
