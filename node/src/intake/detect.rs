//! Bytes to what they are: the formats are tried in turn, and what none of them knows is kept as opaque bytes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::limits::{
    AUTHOR_BYTES_MAX, FILE_NAME_BYTES_MAX, HEAD_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, TAIL_BYTES_MAX, TITLE_BYTES_MAX,
};
use super::text::{cut, one_line};
use super::{Category, Found, Intake, Kind, dicom, fhir, jahis, pdf};
use crate::failure::Failure;

/// Looks at the file at `path`: at most its first and last bounded parts are read.
pub fn examine(path: &Path) -> Result<Intake, Failure> {
    let failed = |e| Failure::io("reading", path, e);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut head = Vec::new();
    (&mut file).take(HEAD_BYTES_MAX as u64).read_to_end(&mut head).map_err(failed)?;
    let mut tail = Vec::new();
    if length > head.len() as u64 {
        let from = length.saturating_sub(TAIL_BYTES_MAX as u64).max(head.len() as u64);
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        file.take(TAIL_BYTES_MAX as u64).read_to_end(&mut tail).map_err(failed)?;
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(look(&head, &tail, length, &name))
}

/// Looks at bytes at hand: the start of a file of `length` bytes, its end if that is not in the start, and its name.
pub fn look(head: &[u8], tail: &[u8], length: u64, file_name: &str) -> Intake {
    let whole = head.len() as u64 == length;
    let json = || match whole {
        true => fhir::read(head),
        false => None,
    };
    let found = dicom::read(head)
        .or_else(|| jahis::read(head))
        .or_else(json)
        .or_else(|| pdf::read(head, if tail.is_empty() { head } else { tail }))
        .unwrap_or_else(|| opaque(head));
    found.named(file_name, length)
}

fn opaque(head: &[u8]) -> Found {
    match fhir::looks_like_one(head) {
        // Longer than is parsed: kept and served as what it says it is, filed under its name.
        true => Found::new(Kind::Fhir, "application/fhir+json", Category::Document),
        false => Found::new(Kind::Opaque, "application/octet-stream", Category::Document),
    }
}

impl Found {
    /// Makes everything fit the limits of a record's meta; a record without a title of its own is called by its file.
    fn named(self, file_name: &str, length: u64) -> Intake {
        let name = usable_name(file_name);
        let mut title = one_line(self.title.as_deref().unwrap_or_default(), TITLE_BYTES_MAX);
        if title.is_empty() {
            title = one_line(name.as_deref().unwrap_or_default(), TITLE_BYTES_MAX);
        }
        if title.is_empty() {
            title = "untitled".to_owned();
        }
        let mut labels: Vec<String> = self.labels.iter().map(|label| one_line(label, LABEL_BYTES_MAX)).collect();
        labels.retain(|label| !label.is_empty());
        labels.sort();
        labels.dedup();
        labels.truncate(LABELS_MAX);
        let author = self.author.map(|author| one_line(&author, AUTHOR_BYTES_MAX)).filter(|author| !author.is_empty());
        Intake {
            kind: self.kind,
            media_type: self.media_type,
            title,
            service_date: self.service_date,
            author,
            category: self.category,
            labels,
            file_name: name,
            length,
        }
    }
}

/// A file name as meta carries it: no separators, no control characters, within its limit, not a folder's.
fn usable_name(name: &str) -> Option<String> {
    let mut name: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '/' | '\\')).collect();
    cut(&mut name, FILE_NAME_BYTES_MAX);
    (!matches!(name.as_str(), "" | "." | "..")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(head: &[u8], name: &str) -> Intake {
        look(head, b"", head.len() as u64, name)
    }

    #[test]
    fn what_no_format_knows_is_opaque_and_called_by_its_name() {
        let intake = at(b"\x00\x01\x02", "scan\u{7}.bin");
        assert_eq!(intake.kind, Kind::Opaque);
        assert_eq!(intake.media_type, "application/octet-stream");
        assert_eq!((intake.title.as_str(), intake.file_name.as_deref()), ("scan.bin", Some("scan.bin")));
        assert_eq!(at(b"", "..").file_name, None);
        assert_eq!(at(b"", "..").title, "untitled");
    }

    #[test]
    fn a_long_fhir_file_is_still_fhir_but_is_not_parsed() {
        let head = b"{\"resourceType\":\"Bundle\",\"entry\":[";
        let intake = look(head, b"", 1 << 30, "b.json");
        assert_eq!((intake.kind, intake.title.as_str()), (Kind::Fhir, "b.json"));
    }

    #[test]
    fn texts_and_labels_keep_within_the_limits_of_meta() {
        let long = "薬".repeat(500);
        let text = format!("JAHISTC08,1\n11,{long}\n201,1,{long}\n911,1,{long},2\n");
        let intake = at(text.as_bytes(), &"n".repeat(999));
        assert!(intake.title.len() <= TITLE_BYTES_MAX && intake.title.starts_with('薬'));
        assert!(intake.author.is_some_and(|author| author.len() <= AUTHOR_BYTES_MAX));
        assert!(intake.labels.iter().all(|label| label.len() <= LABEL_BYTES_MAX));
        assert_eq!(intake.file_name.map(|name| name.len()), Some(FILE_NAME_BYTES_MAX));
    }

    #[test]
    fn a_large_file_is_read_at_its_ends_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.pdf");
        let mut bytes = b"%PDF-1.7\n".to_vec();
        bytes.resize(HEAD_BYTES_MAX + 3 * TAIL_BYTES_MAX, b' ');
        bytes.extend_from_slice(b"/CreationDate (D:20240102)");
        std::fs::write(&path, &bytes).unwrap();
        let intake = examine(&path).unwrap();
        assert_eq!(intake.kind, Kind::Pdf);
        assert_eq!(intake.service_date.unwrap().to_string(), "2024-01-02");
        assert_eq!(intake.length, bytes.len() as u64);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            mark in proptest::sample::select(vec![&b""[..], b"JAHISTC08,1\n", b"JAHIS10\n", b"%PDF-1", b"{\"resourceType\":"]),
            preamble in proptest::bool::ANY,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        ) {
            let mut head = mark.to_vec();
            if preamble {
                head = [vec![0; 128], b"DICM".to_vec()].concat();
            }
            head.extend_from_slice(&bytes);
            let intake = at(&head, "x");
            proptest::prop_assert!(!intake.title.is_empty() && intake.title.len() <= TITLE_BYTES_MAX);
            proptest::prop_assert!(!intake.title.chars().any(char::is_control));
        }
    }
}
