//! What kind of audit event a deed is: the table from the trail's words to DICOM's, FHIR's and IHE BALP's.

use karute_consent::id::StatementId;
use karute_protocol::trail::EventKind;

use super::codes::{AUTHOR, DCM, RECIPIENT, REST};
use super::fhir::Coding;
use super::trail_facts::{EntryFacts, What};

/// How an event is told.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) of: Coding,
    pub(super) subtype: Vec<Coding>,
    /// C, R, U, D or E.
    pub(super) action: &'static str,
    /// The BALP profile of an event that is told in full.
    pub(super) profile: Option<&'static str>,
    /// What the party's program was.
    pub(super) client: Coding,
    /// What the node was.
    pub(super) server: Coding,
    /// What the acting person was.
    pub(super) user: Coding,
    pub(super) object: Object,
}

/// What an event was about, besides the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// Records of the vault.
    Records,
    /// A question, told by the signed request itself.
    Query,
    /// A grant.
    Grant(StatementId),
    /// A statement that is no record and no grant.
    Statement,
    /// The trail.
    Trail,
    /// Nothing but the grants that were shown, and were not enough.
    Decision,
}

/// The pattern of an event.
pub(super) fn pattern(what: &What) -> Pattern {
    match what.kind {
        EventKind::Deposit => create(Object::Records),
        EventKind::Read => read(),
        EventKind::Export => export(),
        EventKind::List | EventKind::GrantSync if what.statement.is_some() => query(),
        EventKind::List => Pattern { profile: None, object: Object::Records, ..query() },
        EventKind::GrantSync => Pattern { profile: None, object: Object::Statement, ..query() },
        EventKind::Audit => Pattern {
            of: Coding::new(DCM, "110101", "Audit Log Used"),
            action: "R",
            profile: None,
            object: Object::Trail,
            ..query()
        },
        EventKind::Withdrawal | EventKind::Erasure => delete(),
        EventKind::ReWrap => update(Object::Records),
        EventKind::PassOn => update(what.subject.map_or(Object::Statement, Object::Grant)),
        EventKind::Ask => create(Object::Statement),
        EventKind::Refusal => decision(),
        EventKind::LedgerAppend => match what.entry {
            Some(EntryFacts::Grant(grant)) => create(Object::Grant(grant)),
            Some(EntryFacts::Revocation(grant)) => update(Object::Grant(grant)),
            Some(EntryFacts::Erasure) => Pattern { profile: None, object: Object::Statement, ..delete() },
            Some(EntryFacts::Parties) => security(Coding::new(DCM, "110136", "Security Roles Changed")),
            Some(EntryFacts::Keys) => security(Coding::new(DCM, "110137", "User security Attributes Changed")),
            None => Pattern { profile: None, ..create(Object::Statement) },
        },
    }
}

fn create(object: Object) -> Pattern {
    Pattern {
        of: REST_TYPE,
        subtype: vec![Coding::new(REST, "create", "create")],
        action: "C",
        profile: Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientCreate"),
        client: SOURCE_ROLE,
        server: DESTINATION_ROLE,
        user: AUTHOR,
        object,
    }
}

fn update(object: Object) -> Pattern {
    Pattern {
        subtype: vec![Coding::new(REST, "update", "update")],
        action: "U",
        profile: Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientUpdate"),
        ..create(object)
    }
}

fn delete() -> Pattern {
    Pattern {
        subtype: vec![Coding::new(REST, "delete", "delete")],
        action: "D",
        profile: Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientDelete"),
        client: APPLICATION,
        server: Coding::new(
            "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
            "custodian",
            "Custodian",
        ),
        ..create(Object::Records)
    }
}

fn read() -> Pattern {
    Pattern {
        subtype: vec![Coding::new(REST, "read", "read")],
        action: "R",
        profile: Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"),
        client: DESTINATION_ROLE,
        server: SOURCE_ROLE,
        user: RECIPIENT,
        ..create(Object::Records)
    }
}

fn export() -> Pattern {
    let disclose = Coding::bare("http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "disclose");
    Pattern {
        of: Coding::new(DCM, "110106", "Export"),
        subtype: vec![disclose, Coding::new(REST, "read", "read")],
        profile: Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"),
        ..read()
    }
}

fn query() -> Pattern {
    Pattern {
        subtype: vec![Coding::new(REST, "search", "search")],
        action: "E",
        profile: Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientQuery"),
        user: RECIPIENT,
        ..create(Object::Query)
    }
}

/// A permission that was denied.
fn decision() -> Pattern {
    Pattern {
        of: SECURITY_ALERT,
        subtype: vec![Coding::new(
            "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType",
            "AuthZ-Consent",
            "Authorization Decision using Roles and Consent",
        )],
        action: "E",
        profile: Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.AuthZconsent"),
        client: APPLICATION,
        server: Coding::new(
            "http://terminology.hl7.org/CodeSystem/extra-security-role-type",
            "authserver",
            "authorization server",
        ),
        user: RECIPIENT,
        object: Object::Decision,
    }
}

fn security(subtype: Coding) -> Pattern {
    Pattern {
        of: SECURITY_ALERT,
        subtype: vec![subtype],
        action: "U",
        profile: None,
        client: APPLICATION,
        ..create(Object::Statement)
    }
}

const REST_TYPE: Coding =
    Coding::new("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "RESTful Operation");
const SECURITY_ALERT: Coding = Coding::new(DCM, "110113", "Security Alert");
const APPLICATION: Coding = Coding::new(DCM, "110150", "Application");
const DESTINATION_ROLE: Coding = Coding::new(DCM, "110152", "Destination Role ID");
const SOURCE_ROLE: Coding = Coding::new(DCM, "110153", "Source Role ID");
