//! One grant as a FHIR Consent after IHE PCF: who permits, to whom, what, until when, and the signed grant itself.

use karute_consent::revocation::RevocationReason;
use serde::Serialize;

use super::agents::card_type;
use super::codes::LOINC;
use super::fhir::{Coding, Concept, GRANT_SYSTEM, Identifier, Meta, Reference, base64, instant, sha256_uri, uuid_of};
use super::grant_facts::{GrantFacts, Issuer, WordFacts};
use super::provision::{Provision, provision};
use crate::flow::agent::lines::GrantState;

/// A Consent of FHIR R4.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    resource_type: &'static str,
    pub(super) id: String,
    meta: Meta,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Narrative>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    modifier_extension: Vec<Extension>,
    identifier: Vec<Identifier>,
    status: &'static str,
    scope: Concept,
    category: Vec<Concept>,
    patient: Reference,
    date_time: String,
    performer: Vec<Reference>,
    organization: Vec<Reference>,
    source_attachment: Attachment,
    policy: Vec<Policy>,
    provision: Provision,
}

/// What a person reads.
#[derive(Clone, Debug, Serialize)]
struct Narrative {
    status: &'static str,
    div: String,
}

/// What FHIR has no element for.
#[derive(Clone, Debug, Serialize)]
struct Extension {
    url: &'static str,
    #[serde(flatten)]
    value: Value,
}

#[derive(Clone, Debug, Serialize)]
enum Value {
    #[serde(rename = "valueCode")]
    Code(&'static str),
    #[serde(rename = "valueDateTime")]
    Time(String),
    #[serde(rename = "valuePositiveInt")]
    Count(u32),
    #[serde(rename = "valueUnsignedInt")]
    Number(u32),
    #[serde(rename = "valueReference")]
    Reference(Reference),
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    content_type: &'static str,
    data: String,
    size: usize,
    title: String,
    creation: String,
}

#[derive(Clone, Debug, Serialize)]
struct Policy {
    uri: String,
}

/// A grant as a Consent.
pub(super) fn consent(grant: &GrantFacts) -> Consent {
    let line = &grant.line;
    let signed = Identifier::of_bytes(&grant.signed);
    let policy = grant.words.as_ref().map(|words| sha256_uri(words.text_hash.as_bytes()));
    let ended = grant.revoked.map(|revoked| instant(revoked.issued));
    Consent {
        resource_type: "Consent",
        id: id(line.grant),
        meta: Meta { last_updated: Some(ended.unwrap_or_else(|| instant(grant.granted))), ..Meta::default() },
        language: grant.words.as_ref().map(|words| words.language.clone()),
        text: grant.words.as_ref().map(narrative),
        extension: extensions(grant),
        modifier_extension: line.uses.map(|uses| extension(USES_URL, Value::Count(uses))).into_iter().collect(),
        policy: vec![Policy { uri: policy.unwrap_or_else(|| signed.value.clone()) }],
        identifier: vec![Identifier::new(GRANT_SYSTEM, line.grant), signed],
        status: status(grant),
        scope: Coding::new("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy", "Privacy Consent")
            .into(),
        category: vec![Coding::bare(LOINC, CONSENT_DOCUMENT).into()],
        patient: Reference::patient(grant.vault),
        date_time: instant(grant.granted),
        performer: vec![performer(grant)],
        organization: vec![Reference::node("Organization", grant.node)],
        source_attachment: Attachment {
            content_type: "application/cose; cose-type=\"cose-sign1\"",
            data: base64(&grant.signed),
            size: grant.signed.len(),
            title: format!("{}.grant", line.grant),
            creation: instant(grant.granted),
        },
        provision: provision(grant),
    }
}

fn id(grant: karute_consent::id::StatementId) -> String {
    uuid_of("consent", &[grant.as_bytes()])
}

fn status(grant: &GrantFacts) -> &'static str {
    match (grant.line.state, grant.revoked.map(|revoked| revoked.reason)) {
        (GrantState::Active | GrantState::NotYet, _) => "active",
        (GrantState::Revoked, Some(RevocationReason::Mistake)) => "entered-in-error",
        (GrantState::Revoked | GrantState::Expired, _) => "inactive",
    }
}

/// Who agreed: the patient, or the holder who passed its grant on.
fn performer(grant: &GrantFacts) -> Reference {
    match &grant.issuer {
        Issuer::Patient(_) => Reference::patient(grant.vault),
        Issuer::Holder(key, card) => {
            let of = card.as_ref().map_or("Organization", |card| card_type(card.kind));
            let of = if of == "RelatedPerson" || of == "Patient" { "RelatedPerson" } else { of };
            Reference::party(of, *key, card.as_ref().map(|card| card.name.as_str()))
        }
    }
}

fn extensions(grant: &GrantFacts) -> Vec<Extension> {
    let mut extensions = Vec::new();
    if let Some(parent) = grant.line.parent {
        let above = Reference::grant(parent).in_bundle(&id(parent));
        extensions.push(extension("urn:karute:consent-parent", Value::Reference(above)));
    }
    extensions.push(extension("urn:karute:consent-depth", Value::Number(u32::from(grant.line.depth))));
    let obligations = grant.words.iter().flat_map(|words| &words.obligations);
    let promised = |obligation: &karute_protocol::particulars::Obligation| Value::Code(obligation.word());
    extensions.extend(obligations.map(|obligation| extension("urn:karute:consent-obligation", promised(obligation))));
    if let Some(revoked) = &grant.revoked {
        extensions.push(extension("urn:karute:consent-revoked", Value::Time(instant(revoked.issued))));
        extensions.push(extension("urn:karute:consent-revocation-reason", Value::Code(revoked.reason.word())));
        if revoked.grant != grant.line.grant {
            let above = Reference::grant(revoked.grant).in_bundle(&id(revoked.grant));
            extensions.push(extension("urn:karute:consent-revoked-with", Value::Reference(above)));
        }
    }
    extensions
}

fn extension(url: &'static str, value: Value) -> Extension {
    Extension { url, value }
}

/// The text that was shown, paragraph by paragraph.
fn narrative(words: &WordFacts) -> Narrative {
    let paragraphs: String = words.text.lines().map(|line| format!("<p>{}</p>", escaped(line))).collect();
    let language = escaped(&words.language);
    Narrative {
        status: "additional",
        div: format!("<div xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"{language}\">{paragraphs}</div>"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// LOINC: Consent.
const CONSENT_DOCUMENT: &str = "59284-0";
/// A limit on how often; who does not know it must not act on the Consent.
const USES_URL: &str = "urn:karute:consent-uses";
