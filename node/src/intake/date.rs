//! The day of a service, as records carry it: `YYYY-MM-DD`, read from the forms that health formats use.

use std::fmt;

/// A day of the Gregorian calendar that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceDate {
    year: u16,
    month: u8,
    day: u8,
}

impl ServiceDate {
    /// The day, if it exists.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = (YEAR_MIN..=YEAR_MAX).contains(&year) && day >= 1 && day <= days_in(year, month)?;
        exists.then_some(Self { year, month, day })
    }

    /// Reads `YYYY-MM-DD`, alone or before a time. A FHIR date of a year or a month only names no day.
    pub fn from_iso(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let separated = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
        let ended = matches!(bytes.get(10), None | Some(b'T' | b' '));
        if !separated || !ended {
            return None;
        }
        Self::new(number(bytes.get(..4)?)?, narrow(bytes.get(5..7)?)?, narrow(bytes.get(8..10)?)?)
    }

    /// Reads `YYYYMMDD`, alone or before more digits, as DICOM, HL7, JAHIS and PDF write it.
    pub fn from_compact(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        Self::new(number(bytes.get(..4)?)?, narrow(bytes.get(4..6)?)?, narrow(bytes.get(6..8)?)?)
    }

    /// Reads a JAHIS date: `YYYYMMDD`, or an era letter (M, T, S, H, R) and `YYMMDD`.
    pub fn from_jahis(text: &str) -> Option<Self> {
        let text = text.trim();
        match (text.len(), text.as_bytes().first()?) {
            (8, b'0'..=b'9') => Self::from_compact(text),
            (7, era) => {
                let before_first = match era {
                    b'M' => 1867,
                    b'T' => 1911,
                    b'S' => 1925,
                    b'H' => 1988,
                    b'R' => 2018,
                    _ => return None,
                };
                let bytes = text.as_bytes();
                let of_era = number(&bytes[1..3])?;
                if of_era == 0 {
                    return None;
                }
                Self::new(before_first + of_era, narrow(&bytes[3..5])?, narrow(&bytes[5..7])?)
            }
            _ => None,
        }
    }
}

impl fmt::Display for ServiceDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |sum, digit| {
        digit.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u16::from(digit - b'0'))).flatten()
    })
}

fn narrow(digits: &[u8]) -> Option<u8> {
    number(digits)?.try_into().ok()
}

fn days_in(year: u16, month: u8) -> Option<u8> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// No record of anybody alive is older.
const YEAR_MIN: u16 = 1850;
/// Later years are typing errors.
const YEAR_MAX: u16 = 2999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras_and_western_years_name_the_same_days() {
        for (text, day) in [
            ("S330303", "1958-03-03"),
            ("R020410", "2020-04-10"),
            ("H010108", "1989-01-08"),
            ("T151224", "1926-12-24"),
            ("M450729", "1912-07-29"),
            ("20260310", "2026-03-10"),
        ] {
            assert_eq!(ServiceDate::from_jahis(text).unwrap().to_string(), day);
        }
        for text in ["", "R000101", "X010101", "R021301", "R020230", "2026031", "202603100", "Ｒ０２", "R02041é"] {
            assert_eq!(ServiceDate::from_jahis(text), None, "{text}");
        }
    }

    #[test]
    fn only_whole_days_that_exist_are_taken() {
        for text in ["2024-02-29", "2021-07-12T11:43:12+09:00"] {
            assert!(ServiceDate::from_iso(text).is_some(), "{text}");
        }
        for text in ["2023-02-29", "2023", "2023-05", "2023-05-1", "2023-05-011", "20230501", "0001-01-01", "年年-月月"]
        {
            assert_eq!(ServiceDate::from_iso(text), None, "{text}");
        }
        assert_eq!(ServiceDate::from_compact("20200103123000").unwrap().to_string(), "2020-01-03");
        assert_eq!(ServiceDate::from_compact("2020010"), None);
    }
}
