//! One grant as a consent receipt: the fields of the Kantara Consent Receipt 1.1 under its names, and beside them those
//! of a consent record of ISO/IEC TS 27560 that it does not have.
//!
//! What nobody told the vault is left out, though Kantara asks for it: postal address, e-mail and telephone of the holder.

use std::collections::BTreeSet;
use std::str::FromStr;

use karute_consent::category::Sensitivity;
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use serde::Serialize;

use super::fhir::{instant, sha256_uri, uuid_of};
use super::grant_facts::{GrantFacts, Issuer};
use crate::flow::agent::lines::GrantState;

/// A country, by the two letters of ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Jurisdiction(#[serde(serialize_with = "letters")] [u8; 2]);

/// A text is no two capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the two capital letters of a country, like JP")]
pub struct NotAJurisdiction;

impl FromStr for Jurisdiction {
    type Err = NotAJurisdiction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([*a, *b])),
            _ => Err(NotAJurisdiction),
        }
    }
}

fn letters<S: serde::Serializer>(of: &[u8; 2], to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{}{}", char::from(of[0]), char::from(of[1])))
}

/// A consent receipt.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentReceipt {
    version: &'static str,
    jurisdiction: Jurisdiction,
    consent_timestamp: u64,
    collection_method: &'static str,
    #[serde(rename = "consentReceiptID")]
    consent_receipt_id: String,
    /// The holder's key.
    public_key: String,
    language: String,
    pii_principal_id: String,
    pii_controllers: Vec<Controller>,
    policy_url: String,
    services: Vec<Service>,
    sensitive: bool,
    spi_cat: Vec<&'static str>,
    #[serde(flatten)]
    record: Record,
}

/// Who is given the data.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Controller {
    pii_controller: String,
    on_behalf: bool,
    contact: String,
}

#[derive(Clone, Debug, Serialize)]
struct Service {
    service: String,
    purposes: Vec<ServicePurpose>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServicePurpose {
    purpose: &'static str,
    purpose_category: Vec<&'static str>,
    consent_type: &'static str,
    pii_category: Vec<String>,
    primary_purpose: bool,
    termination: String,
    third_party_disclosure: bool,
}

/// The fields of ISO/IEC TS 27560, under its names.
#[derive(Clone, Debug, Serialize)]
struct Record {
    schema_version: &'static str,
    record_id: String,
    privacy_notice: String,
    withdrawal_method: &'static str,
    storage_locations: Vec<String>,
    party_identification: Vec<Party>,
    event: Vec<Event>,
}

#[derive(Clone, Debug, Serialize)]
struct Party {
    party_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    party_name: Option<String>,
    party_role: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Event {
    event_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    validity_duration: Option<String>,
    entity_id: String,
    event_type: &'static str,
    event_state: &'static str,
}

/// A receipt for each grant.
pub fn receipts(grants: &[GrantFacts], jurisdiction: Jurisdiction) -> Vec<ConsentReceipt> {
    grants.iter().map(|grant| receipt(grant, jurisdiction)).collect()
}

fn receipt(grant: &GrantFacts, jurisdiction: Jurisdiction) -> ConsentReceipt {
    let line = &grant.line;
    let holder = line.holder.to_string();
    let name = grant.holder.as_ref().map_or_else(|| holder.clone(), |card| card.name.clone());
    let sensitive = line.kinds.iter().filter(|kind| kind.sensitivity == Sensitivity::Sensitive);
    let spi_cat: BTreeSet<&'static str> = sensitive.map(|kind| kind.category.word()).collect();
    ConsentReceipt {
        version: "KI-CR-v1.1.0",
        jurisdiction,
        consent_timestamp: grant.granted.secs(),
        collection_method: match grant.issuer {
            Issuer::Patient(_) => "signed on the patient's own device after the text was shown",
            Issuer::Holder(..) => "passed on by the holder of an earlier consent, within its bounds",
        },
        consent_receipt_id: uuid_of("receipt", &[line.grant.as_bytes()]),
        public_key: holder.clone(),
        language: grant.words.as_ref().map_or_else(|| "und".to_owned(), |words| words.language.clone()),
        pii_principal_id: principal(grant),
        pii_controllers: vec![Controller { pii_controller: name.clone(), on_behalf: false, contact: holder }],
        policy_url: notice(grant),
        services: vec![Service {
            service: format!("access to a health record vault for {name}"),
            purposes: purposes(grant),
        }],
        sensitive: !spi_cat.is_empty(),
        spi_cat: spi_cat.into_iter().collect(),
        record: record(grant),
    }
}

fn purposes(grant: &GrantFacts) -> Vec<ServicePurpose> {
    let line = &grant.line;
    let categories: BTreeSet<String> = line.kinds.iter().map(|kind| kind.category.word().to_owned()).collect();
    let actions: Vec<&str> = line.actions.iter().map(|action| action.word()).collect();
    let purpose = |purpose: &Purpose| ServicePurpose {
        purpose: words(*purpose),
        purpose_category: vec![purpose.word()],
        consent_type: "EXPLICIT",
        pii_category: categories.iter().cloned().collect(),
        primary_purpose: line.purposes.first() == Some(purpose),
        termination: format!("{}; may {}", instant(line.not_after), actions.join(", ")),
        third_party_disclosure: line.depth > 0 || line.actions.contains(&Action::Export),
    };
    line.purposes.iter().map(purpose).collect()
}

fn words(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Treatment => "treatment",
        Purpose::EmergencyTreatment => "emergency treatment",
        Purpose::Research => "health care research",
        Purpose::PublicHealth => "public health",
        Purpose::Payment => "health care payment",
        Purpose::PatientRequest => "at the patient's request",
        Purpose::FamilyRequest => "at the family's request",
    }
}

fn record(grant: &GrantFacts) -> Record {
    let line = &grant.line;
    let named = grant.holder.as_ref().map(|card| card.name.clone());
    let holder = Party { party_id: line.holder.to_string(), party_name: named, party_role: "pii_controller" };
    let patient = Party { party_id: principal(grant), party_name: None, party_role: "pii_principal" };
    let node = format!("urn:karute:node:{}", grant.node);
    let keeper = Party { party_id: node.clone(), party_name: None, party_role: "pii_processor" };
    Record {
        schema_version: "ISO/IEC TS 27560:2023",
        record_id: format!("urn:karute:grant:{}", line.grant),
        privacy_notice: notice(grant),
        withdrawal_method: "revocation of the grant by a device of the patient, at any time",
        storage_locations: vec![node],
        party_identification: vec![patient, holder, keeper],
        event: events(grant),
    }
}

/// How it came into force, and how it ended.
fn events(grant: &GrantFacts) -> Vec<Event> {
    let line = &grant.line;
    let by = match &grant.issuer {
        Issuer::Patient(_) => principal(grant),
        Issuer::Holder(key, _) => key.to_string(),
    };
    let secs = line.not_after.secs().saturating_sub(line.not_before.secs());
    let given = Event {
        event_time: instant(grant.granted),
        validity_duration: Some(format!("PT{secs}S")),
        entity_id: by,
        event_type: "explicit",
        event_state: "given",
    };
    let ended = |time: String, state: &'static str| Event {
        event_time: time,
        validity_duration: None,
        entity_id: principal(grant),
        event_type: "explicit",
        event_state: state,
    };
    let end = match (&grant.revoked, line.state) {
        (Some(revoked), _) => Some(ended(instant(revoked.issued), "withdrawn")),
        (None, GrantState::Expired) => {
            Some(Event { event_type: "implicit", ..ended(instant(line.not_after), "expired") })
        }
        (None, _) => None,
    };
    std::iter::once(given).chain(end).collect()
}

/// The vault stands for the patient: it names nobody.
fn principal(grant: &GrantFacts) -> String {
    format!("urn:karute:vault:{}", grant.vault)
}

/// The text that was shown, by its hash.
fn notice(grant: &GrantFacts) -> String {
    match &grant.words {
        Some(words) => sha256_uri(words.text_hash.as_bytes()),
        None => super::fhir::Identifier::of_bytes(&grant.signed).value,
    }
}
