//! JAHIS texts: the medication notebook (`JAHISTC01` to `JAHISTC08`) and the prescription symbol (`JAHIS1` to `JAHIS10`).
//!
//! The same record numbers mean different things in the two, so the first line decides. Text is CP932 or UTF-8.

use encoding_rs::SHIFT_JIS;

use super::date::ServiceDate;
use super::limits::JAHIS_LINES_MAX;
use super::text::first_and_count;
use super::{Category, Found, Kind};

/// Reads a JAHIS text; `None` if the first line is not one of its headers.
pub(super) fn read(bytes: &[u8]) -> Option<Found> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let form = Form::of(start)?;
    let text = match std::str::from_utf8(start) {
        Ok(text) => text.to_owned(),
        Err(_) => SHIFT_JIS.decode_without_bom_handling(start).0.into_owned(),
    };
    let mut reading = Reading::default();
    for line in text.lines().skip(1).take(JAHIS_LINES_MAX) {
        let fields: Vec<&str> = line.trim_end_matches(['\r', '\u{1a}']).split(',').map(str::trim).collect();
        match form {
            Form::Notebook => reading.notebook(&fields),
            Form::Prescription => reading.prescription(&fields),
        }
    }
    Some(reading.found(form))
}

#[derive(Clone, Copy)]
enum Form {
    Notebook,
    Prescription,
}

impl Form {
    fn of(bytes: &[u8]) -> Option<Self> {
        let line = bytes.split(|b| matches!(b, b'\r' | b'\n')).next()?;
        let line = line.strip_suffix(b"\x1a").unwrap_or(line);
        let tag = line.split(|b| *b == b',').next()?;
        let (form, version) = match tag.strip_prefix(b"JAHISTC") {
            Some(version) => (Self::Notebook, version),
            None => (Self::Prescription, tag.strip_prefix(b"JAHIS")?),
        };
        let known = (1..=2).contains(&version.len()) && version.iter().all(u8::is_ascii_digit);
        known.then_some(form)
    }
}

#[derive(Default)]
struct Reading {
    date: Option<ServiceDate>,
    drugs: Vec<String>,
    author: Option<String>,
    labels: Vec<String>,
}

impl Reading {
    fn notebook(&mut self, fields: &[&str]) {
        let field = |at: usize| fields.get(at).copied().filter(|f| !f.is_empty());
        match fields.first().copied() {
            Some("5") => self.date = self.date.max(field(1).and_then(ServiceDate::from_jahis)),
            Some("11") => self.author = self.author.take().or(field(1).map(str::to_owned)),
            Some("51") if self.author.is_none() => self.author = field(1).map(str::to_owned),
            Some("201") => self.drugs.extend(field(2).map(str::to_owned)),
            Some("911") => {
                if let (Some(of), Some(part)) = (field(2), field(3)) {
                    self.labels.push(format!("part {part} of {of}"));
                }
            }
            _ => {}
        }
    }

    fn prescription(&mut self, fields: &[&str]) {
        let field = |at: usize| fields.get(at).copied().filter(|f| !f.is_empty());
        match fields.first().copied() {
            Some("1") => self.author = field(4).or(fields.last().copied()).map(str::to_owned),
            Some("51") => self.date = field(1).and_then(ServiceDate::from_jahis),
            Some("201") => self.drugs.extend(field(6).map(str::to_owned)),
            _ => {}
        }
    }

    fn found(self, form: Form) -> Found {
        let (category, name) = match form {
            Form::Notebook => (Category::Dispensing, "Medication notebook"),
            Form::Prescription => (Category::Prescription, "Prescription"),
        };
        Found {
            kind: Kind::Jahis,
            media_type: "text/plain".to_owned(),
            title: Some(first_and_count(&self.drugs).unwrap_or_else(|| name.to_owned())),
            service_date: self.date,
            author: self.author,
            category,
            labels: self.labels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTEBOOK: &str = "JAHISTC08,1\r\n1,鈴木 太郎,1,S330303\r\n5,R020410,1\r\n11,株式会社 工業会薬局 駅前店,13,4\r\n51,医療法人 工業会病院,13,1\r\n201,1,ｺﾘｵﾊﾟﾝｶﾌﾟｾﾙ5mg,4,Ｃ,2\r\n201,2,別の薬,1\r\n5,R020501,1\r\n911,12345678901234,3,2\r\n\u{1a}";

    #[test]
    fn a_notebook_in_cp932_reads_as_one_in_utf8() {
        let (cp932, _, lossy) = SHIFT_JIS.encode(NOTEBOOK);
        assert!(!lossy);
        for bytes in [NOTEBOOK.as_bytes(), &cp932] {
            let found = read(bytes).unwrap();
            assert_eq!(found.category, Category::Dispensing);
            assert_eq!(found.service_date.unwrap().to_string(), "2020-05-01");
            assert_eq!(found.title.as_deref(), Some("ｺﾘｵﾊﾟﾝｶﾌﾟｾﾙ5mg (+1)"));
            assert_eq!(found.author.as_deref(), Some("株式会社 工業会薬局 駅前店"));
            assert_eq!(found.labels, ["part 2 of 3"]);
        }
    }

    #[test]
    fn a_prescription_takes_its_date_from_51_and_its_drugs_from_field_6() {
        let text = "JAHIS10\n1,1,1234567,13,テスト医院\n51,20260310\n201,1,1,1,2,620000001,Acetaminophen,3,1,錠\n";
        let found = read(text.as_bytes()).unwrap();
        assert_eq!(found.category, Category::Prescription);
        assert_eq!(found.service_date.unwrap().to_string(), "2026-03-10");
        assert_eq!(found.title.as_deref(), Some("Acetaminophen"));
        assert_eq!(found.author.as_deref(), Some("テスト医院"));
    }

    #[test]
    fn other_first_lines_are_not_jahis() {
        for text in ["", "JAHIS", "JAHISTC", "JAHISTCxx,1", "JAHIS100", "jahis10", " JAHIS10", "1,JAHIS10"] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(read(b"JAHISTC08,1\n5,\xff\xff\n201\n911,,\n").is_some());
    }
}
