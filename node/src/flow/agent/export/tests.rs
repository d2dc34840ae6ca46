//! Small facts and what becomes of them, field by field.

use karute_consent::card::CardKind;
use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::{CollectionId, Digest, NodeId, PartyKey, RecordId, RequestId, StatementId, VaultId};
use karute_consent::purpose::Purpose;
use karute_consent::revocation::RevocationReason;
use karute_consent::scope::Action;
use karute_consent::time::{Month, Timestamp};
use karute_protocol::particulars::Obligation;
use karute_protocol::trail::EventKind;
use serde_json::{Value, json};

use super::*;
use crate::flow::agent::lines::{GrantLine, GrantState};

const NOON: Timestamp = Timestamp::from_secs(1_795_356_180);
const VAULT: VaultId = VaultId::from_bytes([7; VaultId::LEN]);
const GRANT: StatementId = StatementId::from_bytes([0xab; 32]);
const RECORD: RecordId = RecordId::from_bytes([3; RecordId::LEN]);

fn key(byte: u8) -> PartyKey {
    karute_consent::party::Identity::from_seed(&[byte; 32]).key()
}

fn hospital() -> PartyFacts {
    PartyFacts { key: key(2), name: Some("Hospital B".to_owned()), kind: PartyKind::Card(CardKind::Facility) }
}

/// A read of one record by a doctor of the hospital.
fn read() -> What {
    What {
        kind: EventKind::Read,
        party: hospital(),
        peer: Some("12D3KooWPeer".to_owned()),
        request: Some(RequestId::from_bytes([5; RequestId::LEN])),
        statement: Some(vec![1, 2, 3]),
        action: Some(Action::Read),
        purpose: Some(Purpose::Treatment),
        records: vec![RECORD],
        count: 1,
        outcome: 0,
        acting: Some(Person { name: "Dr. Sato".to_owned(), role: Some("doctor".to_owned()) }),
        chain: vec![GRANT],
        subject: None,
        entry: None,
        place: None,
        ledger: LedgerFacts { size: 9, root: Some(Digest::from_bytes([8; 32])) },
    }
}

fn told(whats: Vec<Option<What>>) -> Vec<Value> {
    let evidence = |opened: bool| Evidence {
        leaf: vec![0x11],
        index: 40,
        proof: vec![0x22; 64],
        opening: opened.then(|| (vec![0x33; 32], vec![0x44])),
    };
    let events = whats.into_iter().zip(1..).map(|(what, number)| EventFacts {
        number,
        time: NOON,
        evidence: evidence(what.is_some()),
        what,
    });
    let trail = TrailFacts {
        vault: VAULT,
        node: NodeId::from_bytes([9; 32]),
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
        origin: "karute/trail/09".to_owned(),
        checkpoint: "karute/trail/09\n41\nroot\n".to_owned(),
        exported: NOON,
        events: events.collect(),
    };
    let bundle = serde_json::to_value(audit_events(&trail)).unwrap();
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("collection")));
    bundle["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect()
}

/// The one thing in a list that has this value at this place.
fn one<'v>(list: &'v Value, pointer: &str, value: &str) -> &'v Value {
    let found: Vec<&Value> =
        list.as_array().unwrap().iter().filter(|v| v.pointer(pointer) == Some(&json!(value))).collect();
    assert_eq!(found.len(), 1, "{pointer} {value} in {list:#}");
    found[0]
}

fn profile(event: &Value) -> Option<&str> {
    event.pointer("/meta/profile/0")?.as_str()?.rsplit('.').next()
}

#[test]
fn a_read_has_the_event_the_user_the_access_point_the_source_and_the_object() {
    let event = &told(vec![Some(read())])[0];
    assert_eq!(profile(event), Some("PatientRead"));
    assert_eq!(
        (&event["type"]["code"], &event["subtype"][0]["code"], &event["action"], &event["recorded"], &event["outcome"]),
        (&json!("rest"), &json!("read"), &json!("R"), &json!("2026-11-22T14:03:00Z"), &json!("0"))
    );
    assert_eq!(event["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
    let agents = &event["agent"];
    let client = one(agents, "/type/coding/0/code", "110152");
    assert_eq!(client["who"]["identifier"]["value"], key(2).to_string());
    assert_eq!(client["network"], json!({"address": "/p2p/12D3KooWPeer", "type": "5"}));
    let user = one(agents, "/type/coding/0/code", "IRCP");
    assert_eq!(
        user,
        &json!({
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP",
                "display": "information recipient"}]},
            "role": [{"text": "doctor"}], "who": {"type": "Practitioner", "display": "Dr. Sato"}, "name": "Dr. Sato",
            "requestor": true,
            "purposeOfUse": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT",
                "display": "treatment"}]}]
        })
    );
    let server = one(agents, "/type/coding/0/code", "110153");
    assert_eq!((&server["who"], &server["requestor"]), (&event["source"]["observer"], &json!(false)));
    let entities = &event["entity"];
    assert_eq!(one(entities, "/type/code", "1")["what"]["identifier"]["value"], VAULT.to_string());
    assert_eq!(one(entities, "/type/code", "2")["what"]["identifier"]["value"], RECORD.to_string());
    assert_eq!(one(entities, "/type/code", "Consent")["what"]["identifier"]["value"], GRANT.to_string());
    assert_eq!(one(entities, "/type/code", "XrequestId")["what"]["identifier"]["value"], "05".repeat(RequestId::LEN));
}

#[test]
fn an_event_carries_its_leaf_its_place_and_its_path() {
    let event = &told(vec![Some(read())])[0];
    let detail = &one(&event["entity"], "/type/code", "4")["detail"];
    let text = |word: &str| one(detail, "/type", word)["valueString"].clone();
    assert_eq!((text("number"), text("leaf-index"), text("ledger-size")), (json!("1"), json!("40"), json!("9")));
    assert_eq!(text("checkpoint"), "karute/trail/09\n41\nroot\n");
    for (word, bytes) in
        [("leaf", vec![0x11]), ("inclusion-proof", vec![0x22; 64]), ("salt", vec![0x33; 32]), ("event", vec![0x44])]
    {
        assert_eq!(one(detail, "/type", word)["valueBase64Binary"], fhir::base64(&bytes), "{word}");
    }
}

#[test]
fn several_records_are_documents_beside_the_vault() {
    let other = RecordId::from_bytes([4; RecordId::LEN]);
    let event = &told(vec![Some(What { records: vec![RECORD, other], count: 2, ..read() })])[0];
    assert_eq!(one(&event["entity"], "/type/code", "2")["what"]["type"], "Patient");
    let documents = event["entity"].as_array().unwrap().iter().filter(|e| e["type"]["code"] == "DocumentReference");
    assert_eq!(documents.count(), 2);
}

#[test]
fn what_is_refused_is_a_decision_with_its_reason() {
    let refused = |outcome| What { kind: EventKind::Refusal, outcome, records: vec![], count: 0, ..read() };
    let events = told(vec![Some(refused(12)), Some(refused(6)), Some(What { chain: vec![], ..refused(8) })]);
    let words: Vec<(&Value, &Value)> = events.iter().map(|event| (&event["outcome"], &event["outcomeDesc"])).collect();
    assert_eq!(
        words,
        [
            (&json!("8"), &json!("read refused: revoked")),
            (&json!("4"), &json!("read refused: clock-skew")),
            (&json!("8"), &json!("read refused: no-grant")),
        ]
    );
    assert_eq!(events.iter().map(profile).collect::<Vec<_>>(), [Some("AuthZconsent"), Some("AuthZconsent"), None]);
    assert_eq!(
        (&events[0]["type"]["code"], &events[0]["subtype"][0]["code"]),
        (&json!("110113"), &json!("AuthZ-Consent"))
    );
    let agents = &events[0]["agent"];
    assert_eq!(one(agents, "/type/coding/0/code", "authserver")["who"], events[0]["source"]["observer"]);
    assert_eq!(one(agents, "/type/coding/0/code", "PROV")["who"]["display"], "Hospital B");
    let types: Vec<&Value> =
        events[0]["entity"].as_array().unwrap().iter().map(|entity| &entity["type"]["code"]).collect();
    assert_eq!(types, [&json!("1"), &json!("Consent")], "BALP closes this list");
}

#[test]
fn a_profile_is_claimed_only_with_all_that_it_demands() {
    let deposit = What { kind: EventKind::Deposit, acting: None, ..read() };
    let nowhere = What { peer: None, ..deposit.clone() };
    let list = What { kind: EventKind::List, action: Some(Action::List), ..read() };
    let events = told(vec![Some(deposit), Some(nowhere), Some(list.clone()), Some(What { statement: None, ..list })]);
    let found: Vec<Option<&str>> = events.iter().map(profile).collect();
    assert_eq!(found, [Some("PatientCreate"), None, Some("PatientQuery"), None]);
    assert_eq!(one(&events[2]["entity"], "/role/code", "24")["query"], "AQID");
    assert_eq!(one(&events[0]["agent"], "/type/coding/0/code", "110153")["requestor"], true, "nobody else is named");
}

#[test]
fn the_ledgers_entries_are_told_by_what_they_do() {
    let append = |entry| Some(What { kind: EventKind::LedgerAppend, entry, subject: Some(GRANT), ..read() });
    let kinds = [
        EntryFacts::Grant(GRANT),
        EntryFacts::Revocation(GRANT),
        EntryFacts::Erasure,
        EntryFacts::Parties,
        EntryFacts::Keys,
    ];
    let events = told(kinds.into_iter().map(|kind| append(Some(kind))).collect());
    let found: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (event["action"].as_str().unwrap(), event["subtype"][0]["code"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("C", "create"), ("U", "update"), ("D", "delete"), ("U", "110136"), ("U", "110137")]);
}

#[test]
fn an_erased_event_keeps_its_place_and_nothing_else() {
    let event = &told(vec![None])[0];
    assert_eq!((&event["action"], &event["outcome"], profile(event)), (&Value::Null, &Value::Null, None));
    let left = one(&event["entity"], "/type/code", "4");
    let words: Vec<&str> = left["detail"].as_array().unwrap().iter().map(|d| d["type"].as_str().unwrap()).collect();
    assert_eq!(words, ["leaf", "leaf-index", "inclusion-proof", "checkpoint"]);
    assert!(left["description"].as_str().unwrap().starts_with("erased"));
}

fn grant() -> GrantFacts {
    let kind = |category, sensitivity| Kind { category, sensitivity };
    GrantFacts {
        line: GrantLine {
            grant: GRANT,
            parent: None,
            holder: key(2),
            holder_name: Some("Hospital B".to_owned()),
            template: Some(2),
            actions: vec![Action::List, Action::Read],
            kinds: vec![
                kind(Category::Lab, Sensitivity::Normal),
                kind(Category::Dispensing, Sensitivity::Normal),
                kind(Category::Dispensing, Sensitivity::Sensitive),
            ],
            from_month: Some(Month(680)),
            to_month: Some(Month(683)),
            records: None,
            purposes: vec![Purpose::Treatment],
            not_before: NOON,
            not_after: NOON.plus_secs(86_400),
            uses: None,
            depth: 0,
            state: GrantState::Active,
        },
        vault: VAULT,
        node: NodeId::from_bytes([9; 32]),
        signed: b"signed".to_vec(),
        issuer: Issuer::Patient(key(1)),
        granted: NOON,
        holder: Some(HolderFacts { name: "Hospital B".to_owned(), kind: CardKind::Facility }),
        words: Some(WordFacts {
            text: "I, <Hanako>,\nallow & agree".to_owned(),
            text_hash: Digest::from_bytes([6; 32]),
            language: "en".to_owned(),
            obligations: vec![Obligation::EraseAtEnd],
        }),
        collections: vec![CollectionId::from_bytes([1; 16])],
        depositors: None,
        revoked: None,
    }
}

fn consent_of(grant: GrantFacts) -> Value {
    serde_json::to_value(consents(&[grant], NOON)).unwrap()["entry"][0]["resource"].clone()
}

#[test]
fn a_grant_is_a_consent_with_the_signed_grant_in_it() {
    let consent = consent_of(grant());
    assert_eq!(
        (&consent["status"], &consent["scope"]["coding"][0]["code"]),
        (&json!("active"), &json!("patient-privacy"))
    );
    assert_eq!(consent["sourceAttachment"]["data"], fhir::base64(b"signed"));
    assert_eq!(consent["identifier"][1]["value"], "ni:///sha-256;Sjzfrm8pHI9UTa6ltykFz550we1CfYMa0NfKAMc8eU0");
    assert_eq!(consent["policy"][0]["uri"], fhir::sha256_uri(&[6; 32]));
    assert_eq!(consent["performer"][0], consent["patient"]);
    assert_eq!(
        consent["text"]["div"],
        "<div xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><p>I, &lt;Hanako&gt;,</p><p>allow &amp; agree</p></div>"
    );
    let provision = &consent["provision"];
    assert_eq!(provision["period"], json!({"start": "2026-11-22T14:03:00Z", "end": "2026-11-23T14:02:59Z"}));
    assert_eq!(provision["dataPeriod"], json!({"start": "2026-09", "end": "2026-11"}));
    assert_eq!(provision["actor"][0]["role"]["coding"][0]["code"], "IRCP");
    assert_eq!(provision["actor"][0]["reference"]["type"], "Organization");
    assert_eq!(provision["action"].as_array().unwrap().len(), 2);
    assert_eq!(provision["purpose"][0]["code"], "TREAT");
}

#[test]
fn what_categories_times_labels_has_too_much_is_denied_again() {
    let provision = &consent_of(grant())["provision"];
    let labels: Vec<&Value> =
        provision["securityLabel"].as_array().unwrap().iter().map(|label| &label["code"]).collect();
    assert_eq!(labels, [&json!("N"), &json!("R")]);
    let denied = provision["provision"].as_array().unwrap();
    assert_eq!(denied.len(), 1, "sensitive lab results are not in the grant");
    assert_eq!((&denied[0]["type"], &denied[0]["securityLabel"][0]["code"]), (&json!("deny"), &json!("R")));
    assert_eq!(denied[0]["code"][0]["coding"][0]["code"], "lab");
}

#[test]
fn a_grant_that_ended_is_not_active() {
    let ended = |state, reason: Option<RevocationReason>| {
        let mut grant = grant();
        grant.line.state = state;
        grant.revoked = reason.map(|reason| RevokedFacts { issued: NOON.plus_secs(60), reason, grant: GRANT });
        consent_of(grant)
    };
    assert_eq!(ended(GrantState::Expired, None)["status"], "inactive");
    assert_eq!(ended(GrantState::Revoked, Some(RevocationReason::Mistake))["status"], "entered-in-error");
    let revoked = ended(GrantState::Revoked, Some(RevocationReason::Wish));
    assert_eq!(
        (&revoked["status"], &revoked["meta"]["lastUpdated"]),
        (&json!("inactive"), &json!("2026-11-22T14:04:00Z"))
    );
    let moment = one(&revoked["extension"], "/url", "urn:karute:consent-revoked");
    assert_eq!(moment["valueDateTime"], "2026-11-22T14:04:00Z");
}

#[test]
fn a_grant_that_was_passed_on_names_the_one_above_and_who_passed_it_on() {
    let (mut child, above) = (grant(), grant());
    child.line.grant = StatementId::from_bytes([0xcd; 32]);
    child.line.parent = Some(GRANT);
    child.issuer = Issuer::Holder(key(2), above.holder.clone());
    let bundle = serde_json::to_value(consents(&[above, child], NOON)).unwrap();
    let [above, child] = [0, 1].map(|at| bundle["entry"][at].clone());
    let parent = one(&child["resource"]["extension"], "/url", "urn:karute:consent-parent");
    assert_eq!(parent["valueReference"]["reference"], above["fullUrl"]);
    assert_eq!(child["resource"]["performer"][0]["display"], "Hospital B");
}

#[test]
fn a_limit_of_uses_must_be_understood() {
    let mut grant = grant();
    grant.line.uses = Some(1);
    assert_eq!(consent_of(grant)["modifierExtension"][0]["valuePositiveInt"], 1);
}

#[test]
fn a_receipt_has_the_fields_of_kantara_and_of_27560() {
    let mut grant = grant();
    grant.line.state = GrantState::Revoked;
    grant.revoked = Some(RevokedFacts { issued: NOON, reason: RevocationReason::Wish, grant: GRANT });
    let receipt = &serde_json::to_value(receipts(&[grant], "JP".parse().unwrap())).unwrap()[0];
    for (field, value) in [
        ("version", json!("KI-CR-v1.1.0")),
        ("jurisdiction", json!("JP")),
        ("consentTimestamp", json!(NOON.secs())),
        ("language", json!("en")),
        ("piiPrincipalId", json!(format!("urn:karute:vault:{VAULT}"))),
        ("publicKey", json!(key(2).to_string())),
        ("sensitive", json!(true)),
        ("spiCat", json!(["dispensing"])),
        ("record_id", json!(format!("urn:karute:grant:{GRANT}"))),
    ] {
        assert_eq!(receipt[field], value, "{field}");
    }
    assert_eq!(receipt["piiControllers"][0]["piiController"], "Hospital B");
    let purpose = &receipt["services"][0]["purposes"][0];
    assert_eq!(
        (&purpose["purposeCategory"], &purpose["piiCategory"]),
        (&json!(["TREAT"]), &json!(["dispensing", "lab"]))
    );
    let states: Vec<&Value> = receipt["event"].as_array().unwrap().iter().map(|event| &event["event_state"]).collect();
    assert_eq!(states, [&json!("given"), &json!("withdrawn")]);
    assert_eq!("jp".parse::<Jurisdiction>(), Err(NotAJurisdiction));
}
