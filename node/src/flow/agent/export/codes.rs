//! Codes of others for what this program calls by its own words.

use karute_consent::category::Category;
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;

use super::fhir::{Coding, Concept};

/// A purpose by its HL7 v3 code.
pub(super) fn purpose(purpose: Purpose) -> Concept {
    let display = match purpose {
        Purpose::Treatment => "treatment",
        Purpose::EmergencyTreatment => "Emergency Treatment",
        Purpose::Research => "healthcare research",
        Purpose::PublicHealth => "public health",
        Purpose::Payment => "healthcare payment",
        Purpose::PatientRequest => "patient requested",
        Purpose::FamilyRequest => "family requested",
    };
    Coding::new(ACT_REASON, purpose.word(), display).into()
}

/// An action by its own word, with FHIR's nearest where there is one.
pub(super) fn action(action: Action) -> Concept {
    let nearest = match action {
        Action::Deposit => Some(Coding::new(CONSENT_ACTION, "collect", "Collect")),
        Action::List | Action::Read | Action::Audit => Some(Coding::new(CONSENT_ACTION, "access", "Access")),
        Action::Export => Some(Coding::new(CONSENT_ACTION, "disclose", "Disclose")),
        Action::Revoke | Action::Sync => None,
    };
    let own = Coding::bare("urn:karute:action", action.word());
    Concept { coding: std::iter::once(own).chain(nearest).collect(), text: None }
}

/// A category by its own word, with the LOINC code of such documents where there is one that means the same.
pub(super) fn category(category: Category) -> Concept {
    let loinc = match category {
        Category::Prescription => Some("57833-6"),
        Category::Dispensing => Some("60593-1"),
        Category::Lab => Some("11502-2"),
        Category::Imaging => Some("18748-4"),
        Category::Diagnosis => Some("11450-4"),
        Category::Allergy => Some("48765-2"),
        Category::Vital => Some("8716-3"),
        Category::Checkup => Some("53576-5"),
        Category::Immunisation => Some("11369-6"),
        Category::Referral => Some("57133-1"),
        Category::Care => Some("18776-5"),
        Category::MaternalChild | Category::Dental | Category::Document | Category::Video => None,
    };
    let own = Coding::bare("urn:karute:category", category.word());
    let coding = std::iter::once(own).chain(loinc.map(|code| Coding::bare(LOINC, code))).collect();
    Concept { coding, text: Some(category.word().to_owned()) }
}

/// DICOM's terms, as IHE BALP spells their system.
pub(super) const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
pub(super) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(super) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
pub(super) const REST: &str = "http://hl7.org/fhir/restful-interaction";
pub(super) const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";
pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(super) const LOINC: &str = "http://loinc.org";
const CONSENT_ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";

/// Every record of a vault is a file, whatever it holds.
pub(super) const DOCUMENT: Coding = Coding::bare(RESOURCE_TYPES, "DocumentReference");

/// A party that receives information.
pub(super) const RECIPIENT: Coding = Coding::new(PARTICIPATION, "IRCP", "information recipient");
/// A party that brings it.
pub(super) const AUTHOR: Coding = Coding::new(PARTICIPATION, "AUT", "author (originator)");
