//! Real files of others, read as they are.

use std::path::PathBuf;

use encoding_rs::SHIFT_JIS;

use super::*;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

fn read(name: &str) -> Intake {
    examine(&data(name)).unwrap()
}

fn day(intake: &Intake) -> Option<String> {
    intake.service_date.map(|date| date.to_string())
}

#[test]
fn jahis_texts_are_filed_by_their_newest_dispensing() {
    let cases = [
        ("jahis/tc-minimal-valid.txt", "2026-03-10", "ノルバスク錠２．５ｍｇ"),
        ("jahis/tc-multi-dispensing.txt", "2026-03-12", "ノルバスク錠２．５ｍｇ (+1)"),
        ("jahis/normalization-spec-fields.txt", "2026-03-10", "Acetaminophen"),
    ];
    for (name, date, title) in cases {
        let intake = read(name);
        assert_eq!(intake.kind, Kind::Jahis, "{name}");
        assert_eq!((day(&intake).as_deref(), intake.title.as_str()), (Some(date), title), "{name}");
    }
    assert_eq!(read("jahis/tc-split-output-part-2.txt").labels, ["part 2 of 3"]);
    assert_eq!(read("jahis/minimal-valid.txt").title, "Prescription");
    assert_eq!(read("jahis/invalid-header.txt").kind, Kind::Opaque);
    assert_eq!(read("jahis/empty-input.txt").kind, Kind::Opaque);
}

#[test]
fn jahis_in_the_encoding_of_the_field_reads_the_same() {
    let name = "jahis/tc-supported-records-full.txt";
    let text = std::fs::read_to_string(data(name)).unwrap().replace('\n', "\r\n");
    let (bytes, _, lossy) = SHIFT_JIS.encode(&text);
    assert!(!lossy);
    let field = look(&bytes, b"", bytes.len() as u64, "tc-supported-records-full.txt");
    assert_eq!(Intake { length: 0, ..field }, Intake { length: 0, ..read(name) });
}

#[test]
fn a_japanese_referral_is_read_through_its_composition() {
    let intake = read("jp-clins/Bundle-Bundle-CLINS-Referral-Example-01.json");
    assert_eq!((intake.kind, intake.category), (Kind::Fhir, Category::Referral));
    assert_eq!(intake.media_type, "application/fhir+json");
    assert_eq!(intake.title, "診療情報提供書");
    assert_eq!(day(&intake).as_deref(), Some("2020-08-21"));
    assert_eq!(intake.author.as_deref(), Some("港診療所"));
    assert_eq!(intake.labels, ["LTS"]);
}

#[test]
fn single_resources_and_collections_are_filed_by_what_they_hold() {
    let cases = [
        ("Bundle-Bundle-CLINS-Observations-Example-01", Category::Lab, "アルブミン (+3)", "2021-07-05"),
        (
            "MedicationRequest-Example-JP-MedReq-PO-BID-2d",
            Category::Prescription,
            "デノタスチュアブル配合錠",
            "2021-07-12",
        ),
        ("Observation-Example-JP-Obs-LabResult-eCS-K", Category::Lab, "カリウム", "2021-07-05"),
        ("AllergyIntolerance-Example-JP-AllergyIntolerance-eCS-02", Category::Allergy, "キーウイ", "2024-07-10"),
    ];
    for (name, category, title, date) in cases {
        let intake = read(&format!("jp-clins/{name}.json"));
        assert_eq!((intake.category, intake.title.as_str()), (category, title));
        assert_eq!(day(&intake).as_deref(), Some(date), "{name}");
    }
}

#[test]
fn a_diagnosis_the_patient_was_not_told_of_keeps_its_label() {
    let intake = read("jp-clins/Condition-Example-JP-Condition-eCS-02.json");
    assert_eq!(intake.category, Category::Diagnosis);
    assert_eq!(intake.labels, ["LTS", "UNINFORMED"]);
    assert_eq!(day(&intake).as_deref(), Some("2020-04-18"));
}
