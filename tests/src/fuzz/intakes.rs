//! Files from outside: whatever they are, they are kept, and what is said of them fits a record's meta.

use karute_node::intake::limits::{
    AUTHOR_BYTES_MAX, FILE_NAME_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, TITLE_BYTES_MAX,
};
use karute_node::intake::{Intake, Kind, look};

use super::source::Source;

/// Any file, whole, with its name; then cut in two, as a long one is read.
pub fn intake(data: &[u8]) {
    let mut source = Source::new(data);
    let name = String::from_utf8_lossy(source.take(8)).into_owned();
    let cut = usize::from(source.short());
    let file = source.rest();
    check(&whole(file, &name));
    let (head, tail) = file.split_at(cut.min(file.len()));
    check(&look(head, tail, file.len() as u64 + 1, &name));
}

/// FHIR in JSON: the input is what follows the type of the resource.
pub fn fhir(data: &[u8]) {
    let mut source = Source::new(data);
    let kinds = ["Bundle", "Observation", "Composition", "MedicationRequest", "DiagnosticReport", "AllergyIntolerance"];
    let kind = source.name(&kinds);
    let mut file = format!("{{\"resourceType\":\"{kind}\",").into_bytes();
    file.extend_from_slice(source.rest());
    check(&whole(&file, "x.json"));
    check(&whole(data, "x.json"));
}

/// DICOM: the input is what follows the mark.
pub fn dicom(data: &[u8]) {
    let file = [&[0; 128], &b"DICM"[..], data].concat();
    let found = whole(&file, "x.dcm");
    assert_eq!(found.kind, Kind::Dicom);
    check(&found);
}

/// Text in the character sets of DICOM: the value of Specific Character Set, then the text.
pub fn iso2022(data: &[u8]) {
    let mut source = Source::new(data);
    let sets: &[&[u8]] = &[
        b"",
        b"ISO_IR 100",
        b"ISO_IR 13",
        b"ISO_IR 192",
        b"GB18030",
        b"GBK",
        b"\\ISO 2022 IR 87",
        b"ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\\ISO 2022 IR 149",
        b"\\ISO 2022 IR 58",
        b"\\ISO 2022 IR 87\\ISO 2022 IR 159",
    ];
    let set = match source.byte() {
        255 => source.take(32).to_vec(),
        choice => sets[usize::from(choice) % sets.len()].to_vec(),
    };
    let text = source.take(2000);
    let mut file = [&[0; 128], &b"DICM"[..]].concat();
    element(&mut file, (0x0002, 0x0010), b"UI", b"1.2.840.10008.1.2.1\0");
    element(&mut file, (0x0008, 0x0005), b"CS", &set);
    element(&mut file, (0x0008, 0x0060), b"CS", b"CT");
    element(&mut file, (0x0008, 0x0080), b"LO", text);
    element(&mut file, (0x0008, 0x1030), b"LO", text);
    let found = whole(&file, "x.dcm");
    assert!(found.title.starts_with("CT"), "the walk came to the end of the elements");
    check(&found);
}

/// A data element with an explicit value representation, little-endian.
fn element(file: &mut Vec<u8>, tag: (u16, u16), representation: &[u8; 2], value: &[u8]) {
    file.extend_from_slice(&tag.0.to_le_bytes());
    file.extend_from_slice(&tag.1.to_le_bytes());
    file.extend_from_slice(representation);
    file.extend_from_slice(&(value.len() as u16).to_le_bytes());
    file.extend_from_slice(value);
}

/// JAHIS: the input is what follows the first line.
pub fn jahis(data: &[u8]) {
    let mut source = Source::new(data);
    let mark = source.name(&["JAHISTC08,1\r\n", "JAHIS10\r\n", "JAHISTC07,2\n", "JAHIS8\n"]);
    check(&whole(&[mark.as_bytes(), source.rest()].concat(), "x.txt"));
    check(&whole(data, "x.txt"));
}

/// PDF: the input is its head and its end.
pub fn pdf(data: &[u8]) {
    let mut source = Source::new(data);
    let head = [b"%PDF-1.7\n", source.take(256)].concat();
    let tail = source.rest();
    let found = look(&head, tail, 1 << 30, "x.pdf");
    assert_eq!(found.kind, Kind::Pdf);
    check(&found);
}

fn whole(file: &[u8], name: &str) -> Intake {
    look(file, b"", file.len() as u64, name)
}

/// What a record's meta may hold.
fn check(found: &Intake) {
    let line = |text: &str, max| !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control);
    assert!(line(&found.title, TITLE_BYTES_MAX), "title");
    assert!(line(&found.media_type, TITLE_BYTES_MAX), "media type");
    assert!(found.author.as_deref().is_none_or(|author| line(author, AUTHOR_BYTES_MAX)), "author");
    assert!(found.labels.len() <= LABELS_MAX && found.labels.iter().all(|label| line(label, LABEL_BYTES_MAX)), "label");
    assert!(found.labels.is_sorted_by(|one, next| one < next), "labels are a set");
    let named =
        |name: &str| line(name, FILE_NAME_BYTES_MAX) && !name.contains(['/', '\\']) && name != "." && name != "..";
    assert!(found.file_name.as_deref().is_none_or(named), "file name");
    let meta = karute_protocol::record::Meta {
        title: found.title.clone(),
        category: found.category,
        sensitivity: karute_consent::category::Sensitivity::Normal,
        media_type: found.media_type.clone(),
        service_date: found.service_date.map(|date| date.to_string()),
        author: found.author.clone(),
        labels: found.labels.clone(),
        length: karute_protocol::wire::ByteCount(found.length),
        digest: karute_consent::id::Digest::from_bytes([0; 32]),
        file_name: found.file_name.clone(),
    };
    assert_eq!(meta.check(), Ok(()), "a file that somebody has can be deposited");
}
