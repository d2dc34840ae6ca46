//! Evidence: how a deed is written down in the trail.

use karute_consent::id::{PartyKey, RecordId, StatementId};
use karute_consent::ledger::LedgerState;
use karute_consent::policy::{DenyReason, Permit};
use karute_consent::request::Request;
use karute_consent::statement::Verified;
use karute_protocol::hpke::Sealed;
use karute_protocol::limits::EVENT_RECORDS_MAX;
use karute_protocol::trail::{Event, EventKind, Outcome};
use karute_protocol::wire::{LedgerSize, Octets};

use super::Host;
use super::session::Session;
use crate::vault::Note;

/// An event of a party, with nothing in it yet but who, where from, and how long the ledger was.
pub(super) fn event(kind: EventKind, party: PartyKey, session: &Session, ledger: u64) -> Event {
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
        ledger_size: LedgerSize(ledger),
        subject: None,
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

/// What was permitted.
pub(super) fn permitted(event: Event, permit: &Permit, acting: Option<Sealed>) -> Event {
    Event {
        request: Some(permit.request()),
        chain: permit.chain().to_vec(),
        action: Some(permit.action()),
        purpose: Some(permit.purpose()),
        acting,
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
    Event {
        request: Some(asked.id),
        chain: asked.chain.clone(),
        action: Some(asked.action),
        purpose: Some(asked.purpose),
        outcome: Outcome(reason.number()),
        ..event(EventKind::Refusal, request.signer(), session, state.size())
    }
}

impl Host {
    /// An event with its salt and the host's time, ready for the trail.
    pub(super) fn note(&self, event: Event) -> Note {
        let salt = karute_consent::id::Salt::from_bytes(self.ambient.entropy());
        Note { event, salt, time: self.ambient.now() }
    }
}
