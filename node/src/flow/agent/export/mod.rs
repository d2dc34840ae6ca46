//! The trail and the grants in the forms that other systems read: FHIR AuditEvent, FHIR Consent, consent receipts.
//!
//! | form | after | from |
//! |---|---|---|
//! | Bundle of AuditEvent | FHIR R4, IHE BALP; the five groups of ISO 27789 | the audited trail |
//! | Bundle of Consent | FHIR R4, IHE PCF | the grants of the ledger |
//! | consent receipts | Kantara 1.1 with fields of ISO/IEC TS 27560 | the same |
//!
//! [`trail_facts`] and [`grant_facts`] collect from the patient's agent; everything behind them is a function of those
//! facts and nothing else. An export holds names and keys of parties, ids, hashes and signatures. It never holds what a
//! record says: no title, no meta, no reason that a reader typed. It proves nothing by itself: each AuditEvent carries
//! its leaf with the proof, and each Consent the signed grant, so that a reader can check the signed thing behind it.
//!
//! Ids that no registry knows are in the name space `urn:karute:`; parties are `did:key`.

mod agents;
mod audit_event;
mod codes;
mod consent;
mod entities;
mod fhir;
mod grant_facts;
mod pattern;
mod provision;
mod receipt;
#[cfg(test)]
mod tests;
mod trail_facts;

pub use grant_facts::{GrantFacts, HolderFacts, Issuer, RevokedFacts, WordFacts, grant_facts};
pub use receipt::{ConsentReceipt, Jurisdiction, NotAJurisdiction, receipts};
pub use trail_facts::{
    EntryFacts, EventFacts, Evidence, LedgerFacts, PartyFacts, PartyKind, Person, TrailFacts, What, trail_facts,
};

use audit_event::AuditEvent;
use consent::Consent;
use fhir::Bundle;

/// The trail as a Bundle of AuditEvents, in the order of the events' numbers.
pub fn audit_events(trail: &TrailFacts) -> Bundle<AuditEvent> {
    let events = trail.events.iter().map(|event| audit_event::audit_event(trail, event));
    Bundle::collection(trail.exported, events.map(|event| (event.id.clone(), event)))
}

/// The grants as a Bundle of Consents, in the order in which they were granted.
pub fn consents(grants: &[GrantFacts], exported: karute_consent::time::Timestamp) -> Bundle<Consent> {
    let consents = grants.iter().map(consent::consent);
    Bundle::collection(exported, consents.map(|consent| (consent.id.clone(), consent)))
}
