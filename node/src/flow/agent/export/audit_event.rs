//! One event of the trail as a FHIR AuditEvent: the event, who, from where, who recorded it, what it was about.
//!
//! An event names a BALP profile only when all that the profile demands is known.

use karute_consent::card::CardKind;
use karute_consent::policy::DenyReason;
use serde::Serialize;

use super::agents::{Agent, agents, node_alone};
use super::codes;
use super::entities::{Entity, entities, entities_of_erased};
use super::fhir::{Coding, Concept, Meta, Reference, instant, uuid_of};
use super::pattern::{Object, Pattern, pattern};
use super::trail_facts::{EventFacts, PartyKind, TrailFacts, What};

/// An AuditEvent of FHIR R4.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    resource_type: &'static str,
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
    r#type: Coding,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subtype: Vec<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    recorded: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_desc: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purpose_of_event: Vec<Concept>,
    agent: Vec<Agent>,
    source: Source,
    entity: Vec<Entity>,
}

/// Who recorded it.
#[derive(Clone, Debug, Serialize)]
struct Source {
    site: String,
    observer: Reference,
    r#type: Vec<Coding>,
}

/// An event as an AuditEvent.
pub(super) fn audit_event(trail: &TrailFacts, event: &EventFacts) -> AuditEvent {
    let id = uuid_of("audit-event", &[trail.vault.as_bytes(), &event.number.to_be_bytes()]);
    let recorded = instant(event.time);
    let source = Source { site: trail.origin.clone(), observer: trail.observer(), r#type: vec![APPLICATION_SERVER] };
    let Some(what) = &event.what else {
        return AuditEvent {
            resource_type: "AuditEvent",
            id,
            meta: None,
            r#type: Coding::new(codes::DCM, "110110", "Patient Record"),
            subtype: Vec::new(),
            action: None,
            recorded,
            outcome: None,
            outcome_desc: None,
            purpose_of_event: Vec::new(),
            agent: node_alone(trail),
            source,
            entity: entities_of_erased(trail, event),
        };
    };
    let pattern = pattern(what);
    let agent = agents(trail, what, &pattern);
    let profile = pattern.profile.filter(|_| is_told_in_full(what, &pattern, &agent));
    AuditEvent {
        resource_type: "AuditEvent",
        id,
        meta: profile.map(|profile| Meta { profile: vec![profile], ..Meta::default() }),
        r#type: pattern.of,
        subtype: pattern.subtype.clone(),
        action: Some(pattern.action),
        recorded,
        outcome: Some(outcome(what)),
        outcome_desc: outcome_words(what),
        purpose_of_event: what.purpose.map(codes::purpose).into_iter().collect(),
        agent,
        source,
        entity: entities(trail, event, what, &pattern),
    }
}

/// Whether all is there that the profile of a pattern demands.
fn is_told_in_full(what: &What, pattern: &Pattern, agents: &[Agent]) -> bool {
    let (client, server) = (agents.first(), agents.last());
    let has_network = |agent: Option<&Agent>| agent.is_some_and(Agent::has_network);
    match pattern.object {
        Object::Decision => {
            let of_facility = what.party.kind == PartyKind::Card(CardKind::Facility);
            has_network(client) && of_facility && !what.chain.is_empty()
        }
        _ => what.outcome == 0 && has_network(client) && has_network(server),
    }
}

/// 0 for done; 4 for a request that could be made better; 8 for one that has no right.
fn outcome(what: &What) -> &'static str {
    match DenyReason::from_number(what.outcome) {
        None if what.outcome == 0 => SUCCESS,
        Some(
            DenyReason::WrongVault
            | DenyReason::WrongNode
            | DenyReason::WrongPeer
            | DenyReason::WrongChallenge
            | DenyReason::Replayed
            | DenyReason::ClockSkew
            | DenyReason::ClockBehind,
        ) => MINOR_FAILURE,
        _ => SERIOUS_FAILURE,
    }
}

/// Why something was refused.
fn outcome_words(what: &What) -> Option<String> {
    let reason = match DenyReason::from_number(what.outcome) {
        None if what.outcome == 0 => return None,
        None => format!("reason {}", what.outcome),
        Some(reason) => reason.to_string(),
    };
    let action = what.action.map_or_else(String::new, |action| format!("{action} "));
    Some(format!("{action}refused: {reason}"))
}

const SUCCESS: &str = "0";
const MINOR_FAILURE: &str = "4";
const SERIOUS_FAILURE: &str = "8";
const APPLICATION_SERVER: Coding =
    Coding::new("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server");
