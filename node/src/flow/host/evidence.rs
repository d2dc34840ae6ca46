//! Evidence: how a deed is written down in the trail.

use karute_consent::id::{PartyKey, RecordId, StatementId};
use karute_consent::ledger::LedgerState;
use karute_consent::policy::{DenyReason, Permit};
use karute_consent::request::{Head, Request};
use karute_consent::statement::Verified;
use karute_consent::time::Timestamp;
use karute_protocol::hpke::Sealed;
use karute_protocol::limits::EVENT_RECORDS_MAX;
use karute_protocol::trail::{Event, EventKind, Outcome};
use karute_protocol::wire::Octets;

use super::Host;
use super::session::Session;
use crate::vault::Note;

/// An event of a party, with nothing in it yet but who, where from, and the ledger that it was decided by.
pub(super) fn event(kind: EventKind, party: PartyKey, session: &Session, ledger: &LedgerState) -> Event {
    event_at(kind, party, session, ledger.head())
}

/// The same, with the head of the ledger at hand.
pub(super) fn event_at(kind: EventKind, party: PartyKey, session: &Session, head: Head) -> Event {
    Event {
        kind,
        party,
        peer: Some(Octets::from(session.peer.to_bytes())),
        request: None,
        chain: Vec::new(),
        action: None,
        purpose: None,
        records: Vec::new(),
        count: 0,
        outcome: Outcome(0),
        acting: None,
        head,
        subject: None,
        place: None,
        request_statement: None,
    }
}

/// An event about one signed statement.
pub(super) fn about(event: Event, subject: StatementId) -> Event {
    Event { subject: Some(subject), ..event }
}

/// An event about these records.
pub(super) fn of_records(event: Event, records: &[RecordId]) -> Event {
    let named = records.iter().take(EVENT_RECORDS_MAX).copied().collect();
    Event { records: named, count: records.len() as u64, ..event }
}

/// What was permitted, with the request that asked for it (P-39).
pub(super) fn permitted(event: Event, permit: &Permit, acting: Option<Sealed>) -> Event {
    let request_statement = Some(permit.statement().to_unverified());
    Event { acting, request_statement, ..under(event, permit) }
}

/// What was done under a permit whose request stands in an earlier event.
pub(super) fn under(event: Event, permit: &Permit) -> Event {
    Event {
        request: Some(permit.request()),
        chain: permit.chain().to_vec(),
        action: Some(permit.action()),
        purpose: Some(permit.purpose()),
        ..event
    }
}

/// What was refused, and why.
pub(super) fn refused(
    request: &Verified<Request>,
    reason: DenyReason,
    session: &Session,
    state: &LedgerState,
) -> Event {
    let asked = request.payload();
    let same_peer = asked.peer == session.peer.to_bytes();
    Event {
        request: Some(asked.id),
        chain: asked.chain.clone(),
        action: Some(asked.action),
        purpose: Some(asked.purpose),
        outcome: Outcome(reason.number()),
        request_statement: Some(request.to_unverified()),
        // Where it came from is not where its signer said: the event then leaves it out (P-39).
        peer: same_peer.then(|| Octets(asked.peer.clone())),
        ..event(EventKind::Refusal, request.signer(), session, state)
    }
}

impl Host {
    /// An event with its salt and the host's time, ready for the trail.
    pub(super) fn note(&self, event: Event) -> Note {
        let salt = karute_consent::id::Salt::from_bytes(self.ambient.entropy());
        Note { event, salt, time: self.now() }
    }

    /// The host's time: its clock, or the last time that it committed if its clock was set back (P-38).
    pub(super) fn now(&self) -> Timestamp {
        self.ambient.now().max(self.store.last_time())
    }
}
