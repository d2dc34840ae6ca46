//! FHIR R4 JSON: a resource, or a Bundle read through its Composition or its most frequent resource.
//!
//! Nothing is validated: a record is kept byte for byte, and this only reads what names and files it. A missing or
//! strangely typed field is simply not there.

use serde_json::Value;

use super::date::ServiceDate;
use super::limits::{BUNDLE_ENTRIES_MAX, LABELS_MAX};
use super::text::first_and_count;
use super::{Category, Found, Kind};

/// Reads one JSON value; `None` if it is not a FHIR resource.
pub(super) fn read(bytes: &[u8]) -> Option<Found> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = serde_json::from_slice(start).ok()?;
    let kind = resource_type(&value)?;
    let mut found = match kind {
        "Bundle" => of_bundle(&value),
        _ => of_resource(&value, &value),
    };
    found.labels = labels(&value);
    Some(found)
}

/// Whether these bytes look like the start of a FHIR resource that is too long to be read whole.
pub(super) fn looks_like_one(head: &[u8]) -> bool {
    let start = &head[..head.len().min(4096)];
    start.trim_ascii_start().starts_with(b"{") && start.windows(14).any(|w| w == b"\"resourceType\"")
}

fn of_bundle(bundle: &Value) -> Found {
    let resources: Vec<&Value> = entries(bundle).filter_map(|entry| entry.get("resource")).collect();
    let composition = resources.iter().find(|r| resource_type(r) == Some("Composition"));
    if let Some(composition) = composition {
        return of_resource(composition, bundle);
    }
    let subject = most_frequent(&resources);
    let same: Vec<&Value> = resources.iter().copied().filter(|r| resource_type(r) == subject).collect();
    let Some(first) = same.first() else {
        return Found::new(Kind::Fhir, MEDIA_TYPE, Category::Document).titled("Bundle");
    };
    let names: Vec<String> = same.iter().filter_map(|resource| name_of(resource)).collect();
    let mut found = of_resource(first, bundle);
    found.title = first_and_count(&names).or(found.title);
    found.service_date = same
        .iter()
        .filter_map(|resource| date_of(resource))
        .max()
        .or_else(|| bundle.get("timestamp").and_then(Value::as_str).and_then(ServiceDate::from_iso));
    found
}

fn of_resource(resource: &Value, whole: &Value) -> Found {
    let name = name_of(resource).or_else(|| resource_type(resource).map(str::to_owned));
    Found {
        title: name,
        service_date: date_of(resource),
        author: author_of(resource, whole),
        ..Found::new(Kind::Fhir, MEDIA_TYPE, category_of(resource))
    }
}

fn category_of(resource: &Value) -> Category {
    let is = |field: &str, codes: &[&str]| coded(resource.get(field)).any(|code| codes.contains(&code));
    match resource_type(resource).unwrap_or_default() {
        "MedicationRequest" | "MedicationStatement" => Category::Prescription,
        "MedicationDispense" | "MedicationAdministration" => Category::Dispensing,
        "Observation" if is("category", &["laboratory"]) => Category::Lab,
        "Observation" if is("category", &["vital-signs"]) => Category::Vital,
        "Observation" if is("category", &["imaging"]) => Category::Imaging,
        "DiagnosticReport" if is("category", &["RAD", "imaging", "CT", "MR", "NMR", "US", "LP18748-4"]) => {
            Category::Imaging
        }
        "DiagnosticReport" | "Specimen" => Category::Lab,
        "ImagingStudy" => Category::Imaging,
        "Condition" => Category::Diagnosis,
        "AllergyIntolerance" => Category::Allergy,
        "Immunization" | "ImmunizationRecommendation" => Category::Immunisation,
        "CarePlan" | "CareTeam" | "Goal" | "NutritionOrder" => Category::Care,
        "ServiceRequest" => Category::Referral,
        "Composition" | "DocumentReference" if is("type", &["57133-1"]) => Category::Referral,
        "Composition" | "DocumentReference" if is("type", &["53576-5"]) => Category::Checkup,
        _ => Category::Document,
    }
}

fn date_of(resource: &Value) -> Option<ServiceDate> {
    DATE_FIELDS.iter().find_map(|path| {
        let text = path.iter().try_fold(resource, |value, field| value.get(field))?.as_str()?;
        ServiceDate::from_iso(text)
    })
}

fn name_of(resource: &Value) -> Option<String> {
    let plain = ["title", "description"].iter().find_map(|field| resource.get(field)?.as_str());
    let attached = || resource.pointer("/content/0/attachment/title").and_then(Value::as_str);
    let concept = || {
        ["medicationCodeableConcept", "code", "vaccineCode", "type"]
            .iter()
            .find_map(|field| concept_text(resource.get(field)?))
    };
    let contained = || {
        let at = resource.pointer("/medicationReference/reference")?.as_str()?;
        concept_text(resolve(at, resource, resource)?.get("code")?)
    };
    plain.or_else(attached).or_else(concept).or_else(contained).map(str::to_owned)
}

fn concept_text(concept: &Value) -> Option<&str> {
    let text = concept.get("text").or_else(|| concept.pointer("/coding/0/display"))?;
    text.as_str().filter(|text| !text.is_empty())
}

fn author_of(resource: &Value, whole: &Value) -> Option<String> {
    let mut person = None;
    for party in AUTHOR_FIELDS.iter().filter_map(|field| resource.get(field)).flat_map(one_or_many) {
        let party = party.get("actor").unwrap_or(party);
        let target = party.get("reference").and_then(Value::as_str).and_then(|at| resolve(at, resource, whole));
        let named = target.and_then(party_name);
        if named.is_some() && target.and_then(resource_type) == Some("Organization") {
            return named;
        }
        let shown = || party.get("display").and_then(Value::as_str).map(str::to_owned);
        person = person.or(named).or_else(shown);
    }
    person
}

/// The resource that a reference names, if it is in the Bundle or contained.
fn resolve<'a>(reference: &str, resource: &'a Value, whole: &'a Value) -> Option<&'a Value> {
    if let Some(id) = reference.strip_prefix('#') {
        let contained = resource.get("contained")?.as_array()?;
        return contained.iter().find(|inner| inner.get("id").and_then(Value::as_str) == Some(id));
    }
    let entry = entries(whole).find(|entry| entry.get("fullUrl").and_then(Value::as_str) == Some(reference))?;
    entry.get("resource")
}

fn party_name(party: &Value) -> Option<String> {
    let name = party.get("name")?;
    let text = name.as_str().or_else(|| name.pointer("/0/text")?.as_str());
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The tags of the Japanese clinical core that say how a record may be shown, wherever in the value they stand.
fn labels(value: &Value) -> Vec<String> {
    let inner = entries(value).filter_map(|entry| entry.get("resource"));
    let tags = std::iter::once(value).chain(inner).filter_map(|r| r.pointer("/meta/tag")?.as_array()).flatten();
    let mut labels = Vec::new();
    for tag in tags.filter(|tag| tag.get("system").and_then(Value::as_str) == Some(INDICATION_SYSTEM)) {
        let Some(code) = tag.get("code").and_then(Value::as_str) else { continue };
        if labels.len() < LABELS_MAX && !labels.iter().any(|label| label == code) {
            labels.push(code.to_owned());
        }
    }
    labels
}

fn most_frequent<'a>(resources: &[&'a Value]) -> Option<&'a str> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for kind in resources.iter().filter_map(|r| resource_type(r)).filter(|kind| !ABOUT_OTHERS.contains(kind)) {
        match counts.iter_mut().find(|(seen, _)| *seen == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    // On a tie the first in the Bundle wins: max_by_key would take the last.
    counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map(|(kind, _)| *kind)
        .or_else(|| resource_type(resources.first()?))
}

fn resource_type(value: &Value) -> Option<&str> {
    let kind = value.get("resourceType")?.as_str()?;
    (!kind.is_empty() && kind.len() <= 64 && kind.bytes().all(|b| b.is_ascii_alphabetic())).then_some(kind)
}

fn entries(bundle: &Value) -> impl Iterator<Item = &Value> {
    bundle.get("entry").and_then(Value::as_array).into_iter().flatten().take(BUNDLE_ENTRIES_MAX)
}

fn coded(concepts: Option<&Value>) -> impl Iterator<Item = &str> {
    let codings =
        concepts.into_iter().flat_map(one_or_many).filter_map(|concept| concept.get("coding")?.as_array()).flatten();
    codings.filter_map(|coding| coding.get("code")?.as_str())
}

fn one_or_many(value: &Value) -> std::slice::Iter<'_, Value> {
    match value {
        Value::Array(many) => many.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

const MEDIA_TYPE: &str = "application/fhir+json";
const INDICATION_SYSTEM: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication";
/// Where the day of a service stands, best first. A field of another type is simply absent.
const DATE_FIELDS: [&[&str]; 15] = [
    &["date"],
    &["authoredOn"],
    &["whenHandedOver"],
    &["whenPrepared"],
    &["effectiveDateTime"],
    &["effectivePeriod", "start"],
    &["occurrenceDateTime"],
    &["performedDateTime"],
    &["performedPeriod", "start"],
    &["started"],
    &["recordedDate"],
    &["onsetDateTime"],
    &["issued"],
    &["period", "start"],
    &["created"],
];
const AUTHOR_FIELDS: [&str; 7] =
    ["author", "custodian", "requester", "recorder", "performer", "asserter", "interpreter"];
/// Resources that a Bundle carries to explain the others.
const ABOUT_OTHERS: [&str; 8] =
    ["Patient", "Practitioner", "PractitionerRole", "Organization", "Encounter", "Location", "Device", "Specimen"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(value: Value) -> Found {
        read(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_prescription_names_its_drug_its_day_and_its_doctor() {
        let found = found(json!({
            "resourceType": "MedicationRequest", "authoredOn": "2021-07-12T11:43:12+09:00",
            "medicationCodeableConcept": {"coding": [{"display": "x"}], "text": "デノタスチュアブル配合錠"},
            "contained": [{"resourceType": "Practitioner", "id": "d", "name": [{"text": "田中 宏"}]}],
            "requester": {"reference": "#d", "display": "医療 太郎"},
            "meta": {"tag": [{"system": INDICATION_SYSTEM, "code": "UNDELIVERED"}, {"system": "x", "code": "y"}]},
        }));
        assert_eq!(found.category, Category::Prescription);
        assert_eq!(found.title.as_deref(), Some("デノタスチュアブル配合錠"));
        assert_eq!(found.service_date.unwrap().to_string(), "2021-07-12");
        assert_eq!(found.author.as_deref(), Some("田中 宏"));
        assert_eq!(found.labels, ["UNDELIVERED"]);
    }

    #[test]
    fn a_collection_is_read_through_what_it_has_most_of_and_keeps_inner_tags() {
        let lab = |name: &str, day: &str| {
            json!({"resource": {"resourceType": "Observation", "code": {"text": name}, "effectiveDateTime": day,
                "category": [{"coding": [{"code": "laboratory"}]}],
                "meta": {"tag": [{"system": INDICATION_SYSTEM, "code": "LTS"}]}}})
        };
        let patient = json!({"resource": {"resourceType": "Patient"}});
        let found = found(json!({"resourceType": "Bundle", "type": "collection",
            "entry": [patient, patient, patient, lab("K", "2021-07-09"), lab("Alb", "2021-07-10")]}));
        assert_eq!(found.category, Category::Lab);
        assert_eq!(found.title.as_deref(), Some("K (+1)"));
        assert_eq!(found.service_date.unwrap().to_string(), "2021-07-10");
        assert_eq!(found.labels, ["LTS"]);
    }

    #[test]
    fn a_date_without_a_day_is_left_out() {
        assert!(found(json!({"resourceType": "Condition", "onsetDateTime": "2021-07"})).service_date.is_none());
    }

    #[test]
    fn fields_of_a_wrong_type_are_absent_and_other_json_is_not_fhir() {
        let odd = json!({"resourceType": "Bundle", "entry": [1, {"resource": [2]}, {"resource": {"resourceType": "Observation",
            "code": 3, "category": {"coding": {"code": 1}}, "effectiveDateTime": {}, "performer": "x", "meta": {"tag": {}}}}]});
        assert_eq!(found(odd).title.as_deref(), Some("Observation"));
        for text in ["", "{", "[]", "3", "{\"resourceType\":3}", "{\"resourceType\":\"../x\"}", "{\"a\":1}"] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(deep.as_bytes()).is_none());
    }
}
