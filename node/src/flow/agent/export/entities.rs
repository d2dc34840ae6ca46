//! What an event was about: the patient, records, grants, the request, and the event's own proof.

use karute_consent::id::StatementId;
use serde::Serialize;

use super::codes::DOCUMENT;
use super::fhir::{
    Coding, EVENT_SYSTEM, Identifier, RECORD_SYSTEM, REQUEST_SYSTEM, Reference, STATEMENT_SYSTEM, base64,
};
use super::pattern::{Object, Pattern};
use super::trail_facts::{EventFacts, Evidence, TrailFacts, What};

/// One thing that an event was about.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Entity {
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<Detail>,
}

/// A word and its value.
#[derive(Clone, Debug, Serialize)]
struct Detail {
    r#type: &'static str,
    #[serde(flatten)]
    value: Value,
}

#[derive(Clone, Debug, Serialize)]
enum Value {
    #[serde(rename = "valueString")]
    Text(String),
    #[serde(rename = "valueBase64Binary")]
    Bytes(String),
}

/// All that an event was about, the patient first.
pub(super) fn entities(trail: &TrailFacts, event: &EventFacts, what: &What, pattern: &Pattern) -> Vec<Entity> {
    let patient = patient(trail);
    let facts = facts(event, what);
    let proof = proof(trail, &event.evidence);
    if pattern.object == Object::Decision {
        // BALP closes the list of such an event: what else there is to say stands with the patient.
        let request = what.request.map(|id| text("request", id));
        let detail = request.into_iter().chain(facts).chain(proof).collect();
        let patient = Entity { detail, ..patient };
        return std::iter::once(patient).chain(what.chain.iter().map(|grant| used(*grant))).collect();
    }
    let mut about = vec![patient];
    about.extend(objects(trail, what, pattern));
    about.extend(what.chain.iter().map(|grant| used(*grant)));
    about.extend(what.request.map(|request| Entity {
        what: Some(named(Identifier::new(REQUEST_SYSTEM, request))),
        r#type: Some(X_REQUEST_ID),
        ..Entity::default()
    }));
    about.push(Entity { detail: facts.into_iter().chain(proof).collect(), ..evidence(trail, event.number) });
    about
}

/// What is left of an erased event: the patient, and the proof that it stands in its place.
pub(super) fn entities_of_erased(trail: &TrailFacts, event: &EventFacts) -> Vec<Entity> {
    let description = "erased at the patient's wish; its place in the trail is proven".to_owned();
    let left = Entity { description: Some(description), ..evidence(trail, event.number) };
    vec![patient(trail), Entity { detail: proof(trail, &event.evidence), ..left }]
}

fn patient(trail: &TrailFacts) -> Entity {
    Entity {
        what: Some(Reference::patient(trail.vault)),
        r#type: Some(PERSON),
        role: Some(PATIENT_ROLE),
        ..Entity::default()
    }
}

/// BALP wants exactly one "System Object": the one record, the vault where there are several or none, the question.
fn objects(trail: &TrailFacts, what: &What, pattern: &Pattern) -> Vec<Entity> {
    let object = |what: Reference, role: Coding| Entity {
        what: Some(what),
        r#type: Some(SYSTEM_OBJECT),
        role: Some(role),
        ..Entity::default()
    };
    let statement = || {
        let subject = what.subject.map(|subject| named(Identifier::new(STATEMENT_SYSTEM, subject)));
        subject.unwrap_or_else(|| Reference::patient(trail.vault))
    };
    match pattern.object {
        Object::Grant(grant) => vec![object(Reference::grant(grant), DOMAIN_RESOURCE)],
        Object::Statement => vec![object(statement(), DOMAIN_RESOURCE)],
        Object::Trail => vec![object(named(Identifier::new(STATEMENT_SYSTEM, &trail.origin)), SECURITY_RESOURCE)],
        Object::Query => {
            let question = Entity {
                r#type: Some(SYSTEM_OBJECT),
                role: Some(QUERY),
                query: what.statement.as_deref().map(base64),
                ..Entity::default()
            };
            std::iter::once(question).chain(documents(what)).collect()
        }
        Object::Records => match what.records.as_slice() {
            [record] if what.count <= 1 => vec![object(record_reference(record), DOMAIN_RESOURCE)],
            _ => {
                let vault = object(Reference::patient(trail.vault), DOMAIN_RESOURCE);
                std::iter::once(vault).chain(documents(what)).collect()
            }
        },
        Object::Decision => Vec::new(),
    }
}

fn documents(what: &What) -> impl Iterator<Item = Entity> {
    what.records.iter().map(|record| Entity {
        what: Some(record_reference(record)),
        r#type: Some(DOCUMENT),
        role: Some(DOMAIN_RESOURCE),
        ..Entity::default()
    })
}

fn record_reference(record: &karute_consent::id::RecordId) -> Reference {
    Reference::logical("DocumentReference", Identifier::new(RECORD_SYSTEM, record))
}

/// A grant that was shown.
fn used(grant: StatementId) -> Entity {
    Entity { what: Some(Reference::grant(grant)), r#type: Some(CONSENT), ..Entity::default() }
}

fn named(identifier: Identifier) -> Reference {
    Reference { identifier: Some(identifier), ..Reference::default() }
}

fn evidence(trail: &TrailFacts, number: u64) -> Entity {
    let name = format!("{}/{number}", trail.vault);
    Entity {
        what: Some(named(Identifier::new(EVENT_SYSTEM, name))),
        r#type: Some(Coding::new(ENTITY_TYPE, "4", "Other")),
        role: Some(SECURITY_RESOURCE),
        ..Entity::default()
    }
}

/// What the trail says of the event that has no place of its own in an AuditEvent.
fn facts(event: &EventFacts, what: &What) -> Vec<Detail> {
    let mut details = vec![text("number", event.number), text("kind", what.kind)];
    details.extend(what.action.map(|action| text("action", action)));
    details.push(text("record-count", what.count));
    details.extend(what.place.as_ref().map(|place| text("filed-at", place)));
    details.extend(what.subject.map(|subject| text("statement", subject)));
    details.push(text("ledger-size", what.ledger.size));
    details.extend(what.ledger.root.map(|root| bytes("ledger-root", root.as_bytes())));
    details
}

/// The leaf, its place and its path to the checkpoint that the node signed; salt and event that the leaf names.
fn proof(trail: &TrailFacts, evidence: &Evidence) -> Vec<Detail> {
    let mut details = vec![bytes("leaf", &evidence.leaf), text("leaf-index", evidence.index)];
    details.extend(evidence.opening.as_ref().map(|(salt, _)| bytes("salt", salt)));
    details.extend(evidence.opening.as_ref().map(|(_, event)| bytes("event", event)));
    if !evidence.proof.is_empty() {
        details.push(bytes("inclusion-proof", &evidence.proof));
    }
    details.push(text("checkpoint", &trail.checkpoint));
    details
}

fn text(of: &'static str, value: impl ToString) -> Detail {
    Detail { r#type: of, value: Value::Text(value.to_string()) }
}

fn bytes(of: &'static str, value: &[u8]) -> Detail {
    Detail { r#type: of, value: Value::Bytes(base64(value)) }
}

const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PERSON: Coding = Coding::new(ENTITY_TYPE, "1", "Person");
const SYSTEM_OBJECT: Coding = Coding::new(ENTITY_TYPE, "2", "System Object");
const PATIENT_ROLE: Coding = Coding::new(OBJECT_ROLE, "1", "Patient");
const DOMAIN_RESOURCE: Coding = Coding::new(OBJECT_ROLE, "4", "Domain Resource");
const SECURITY_RESOURCE: Coding = Coding::new(OBJECT_ROLE, "13", "Security Resource");
const QUERY: Coding = Coding::new(OBJECT_ROLE, "24", "Query");
const CONSENT: Coding = Coding::new(super::codes::RESOURCE_TYPES, "Consent", "Consent");
const X_REQUEST_ID: Coding =
    Coding::bare("https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId");
