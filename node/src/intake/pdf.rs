//! PDF: recognised by its mark; the day of `/CreationDate` where it stands in plain text.

use super::date::ServiceDate;
use super::{Category, Found, Kind};

/// Reads the start and the end of a file; `None` if it is no PDF.
pub(super) fn read(head: &[u8], tail: &[u8]) -> Option<Found> {
    let mark = &head[..head.len().min(MARK_WITHIN)];
    find(mark, b"%PDF-")?;
    Some(Found {
        kind: Kind::Pdf,
        media_type: "application/pdf".to_owned(),
        title: None,
        service_date: creation_date(head).or_else(|| creation_date(tail)),
        author: None,
        category: Category::Document,
        labels: Vec::new(),
    })
}

fn creation_date(bytes: &[u8]) -> Option<ServiceDate> {
    let key = b"/CreationDate";
    let after = &bytes[find(bytes, key)? + key.len()..];
    let value = after.trim_ascii_start().strip_prefix(b"(")?;
    let digits = value.strip_prefix(b"D:").unwrap_or(value).get(..8)?;
    ServiceDate::from_compact(std::str::from_utf8(digits).ok()?)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Readers accept the mark within this many bytes of the start.
const MARK_WITHIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_creation_date_is_found_at_either_end() {
        let with = b"%PDF-1.7\n1 0 obj << /CreationDate (D:20240229123000+09'00') >>";
        assert_eq!(read(with, b"").unwrap().service_date.unwrap().to_string(), "2024-02-29");
        let tail = b"/CreationDate(D:20231105)";
        assert_eq!(read(b"%PDF-1.4\n", tail).unwrap().service_date.unwrap().to_string(), "2023-11-05");
    }

    #[test]
    fn a_date_that_is_not_plain_is_left_out() {
        for tail in
            [&b"/CreationDate <feff>"[..], b"/CreationDate", b"/CreationDate (D:2024", b"/CreationDate (D:20249999)"]
        {
            assert!(read(b"%PDF-1.4", tail).unwrap().service_date.is_none());
        }
        assert!(read(b"PDF-1.4", b"").is_none());
    }
}
