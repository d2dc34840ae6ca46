//! What a grant permits, as the provision of a FHIR Consent.
//!
//! A provision permits what meets all of its axes. Categories and sensitivity are two axes in FHIR and one in a grant:
//! where a grant has a category in one sensitivity only, the other one is denied in a provision below.
//!
//! IHE PCF leaves `action` and `code` out. They are here all the same, since without them the Consent would permit more
//! than the grant does; so no Consent claims the PCF profile.

use std::collections::BTreeSet;

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::scope::Action;
use serde::Serialize;

use super::agents::card_type;
use super::codes::{self, AUTHOR, CONFIDENTIALITY, DOCUMENT, RECIPIENT};
use super::fhir::{Coding, Concept, Identifier, Period, RECORD_SYSTEM, Reference, instant};
use super::grant_facts::GrantFacts;

/// What is permitted, or denied within it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provision {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Period>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actor: Vec<Actor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    action: Vec<Concept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security_label: Vec<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purpose: Vec<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    class: Vec<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code: Vec<Concept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_period: Option<DataPeriod>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<Data>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provision: Vec<Provision>,
}

#[derive(Clone, Debug, Serialize)]
struct Actor {
    role: Concept,
    reference: Reference,
}

#[derive(Clone, Debug, Serialize)]
struct Data {
    meaning: &'static str,
    reference: Reference,
}

/// Months of deposit, the last one in it; FHIR would have the months in which the data were made.
#[derive(Clone, Debug, Serialize)]
struct DataPeriod {
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

/// What a grant permits.
pub(super) fn provision(grant: &GrantFacts) -> Provision {
    let line = &grant.line;
    let labels = labels(&line.kinds);
    Provision {
        r#type: "permit",
        period: Some(Period { start: instant(line.not_before), end: instant(line.not_after.minus_secs(1)) }),
        actor: vec![actor(grant)],
        action: line.actions.iter().map(|action| codes::action(*action)).collect(),
        security_label: labels.iter().map(|sensitivity| label(*sensitivity)).collect(),
        purpose: line.purposes.iter().flat_map(|purpose| codes::purpose(*purpose).coding).collect(),
        class: if grant.collections.is_empty() { Vec::new() } else { vec![DOCUMENT] },
        code: what(grant),
        data_period: data_period(grant),
        data: data(grant),
        provision: exceptions(&line.kinds, &labels),
    }
}

/// The holder. PCF knows only parties that receive; who may deposit and nothing else receives nothing.
fn actor(grant: &GrantFacts) -> Actor {
    let of = grant.holder.as_ref().map_or("Organization", |holder| card_type(holder.kind));
    let name = grant.holder.as_ref().map(|holder| holder.name.as_str());
    let role = if grant.line.actions == [Action::Deposit] { AUTHOR } else { RECIPIENT };
    Actor { role: role.into(), reference: Reference::party(of, grant.line.holder, name) }
}

/// The categories; where their names are not known, the collections, which mean nothing to a stranger.
fn what(grant: &GrantFacts) -> Vec<Concept> {
    if grant.line.kinds.is_empty() {
        let named = |collection: &karute_consent::id::CollectionId| format!("collection {collection}");
        return grant.collections.iter().map(|at| Concept { coding: Vec::new(), text: Some(named(at)) }).collect();
    }
    let categories: BTreeSet<Category> = grant.line.kinds.iter().map(|kind| kind.category).collect();
    categories.into_iter().map(codes::category).collect()
}

fn labels(kinds: &[Kind]) -> BTreeSet<Sensitivity> {
    kinds.iter().map(|kind| kind.sensitivity).collect()
}

fn label(sensitivity: Sensitivity) -> Coding {
    match sensitivity {
        Sensitivity::Normal => Coding::new(CONFIDENTIALITY, "N", "normal"),
        Sensitivity::Sensitive => Coding::new(CONFIDENTIALITY, "R", "restricted"),
    }
}

/// What the product of categories and labels has and the grant has not.
fn exceptions(kinds: &[Kind], labels: &BTreeSet<Sensitivity>) -> Vec<Provision> {
    let categories: BTreeSet<Category> = kinds.iter().map(|kind| kind.category).collect();
    let product = categories
        .into_iter()
        .flat_map(|category| labels.iter().map(move |sensitivity| Kind { category, sensitivity: *sensitivity }));
    let denied = product.filter(|kind| !kinds.contains(kind)).map(|kind| Provision {
        r#type: "deny",
        security_label: vec![label(kind.sensitivity)],
        code: vec![codes::category(kind.category)],
        ..Provision::default()
    });
    denied.collect()
}

fn data_period(grant: &GrantFacts) -> Option<DataPeriod> {
    let start = grant.line.from_month.map(|month| month.to_string());
    let end = grant.line.to_month.and_then(|month| month.previous()).map(|month| month.to_string());
    (start.is_some() || end.is_some()).then_some(DataPeriod { start, end })
}

/// Single records, and whose deposits.
fn data(grant: &GrantFacts) -> Vec<Data> {
    let records = grant.line.records.iter().flatten().map(|record| Data {
        meaning: "instance",
        reference: Reference::logical("DocumentReference", Identifier::new(RECORD_SYSTEM, record)),
    });
    let depositors = grant.depositors.iter().flatten();
    let depositors = depositors
        .map(|party| Data { meaning: "authoredby", reference: Reference::party("Organization", *party, None) });
    records.chain(depositors).collect()
}
