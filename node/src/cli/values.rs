//! Values that a person types: months, ranges, kinds of data, and texts that stand in a file or on the line.

use std::path::Path;
use std::str::FromStr;

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::AskId;
use karute_consent::time::{Month, MonthRange};

use crate::failure::{Failure, FailureKind};
use crate::flow::agent::fetch_range::Part;
use crate::home::read_bounded;

/// A clap parser for a closed set of words, which help then lists.
macro_rules! words {
    ($set:ty) => {{
        use clap::builder::TypedValueParser;
        clap::builder::PossibleValuesParser::new(<$set>::ALL.iter().map(|value| value.word()))
            .try_map(|word| word.parse::<$set>())
    }};
}
pub(super) use words;

/// Kinds of data typed as `lab`, `lab/sensitive` or `all` (all normal ones).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kinds(pub Vec<Kind>);

impl FromStr for Kinds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let of = |category, sensitivity| Kind { category, sensitivity };
        if text == "all" {
            return Ok(Self(Category::ALL.iter().map(|category| of(*category, Sensitivity::Normal)).collect()));
        }
        let (word, sensitivity) = match text.split_once('/') {
            None => (text, Sensitivity::Normal),
            Some((word, "sensitive")) => (word, Sensitivity::Sensitive),
            Some((word, "normal")) => (word, Sensitivity::Normal),
            Some(_) => return Err("after the stroke only sensitive or normal can stand".to_owned()),
        };
        let category = word.parse().map_err(|_| {
            let known: Vec<&str> = Category::ALL.iter().map(|category| category.word()).collect();
            format!("one of all, {}; each may be followed by /sensitive", known.join(", "))
        })?;
        Ok(Self(vec![of(category, sensitivity)]))
    }
}

/// All kinds typed, each once, in order.
pub(super) fn kinds(typed: &[Kinds]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = typed.iter().flat_map(|kinds| kinds.0.iter().copied()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// A kind as it is typed.
pub(super) fn kind_word(kind: Kind) -> String {
    match kind.sensitivity {
        Sensitivity::Normal => kind.category.word().to_owned(),
        Sensitivity::Sensitive => format!("{}/sensitive", kind.category.word()),
    }
}

/// Months from `from` to `to`, both included, as people say them; an open end is the first or last month there is.
pub(super) fn month_range(from: Option<Month>, to: Option<Month>) -> Result<Option<MonthRange>, Failure> {
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let end = to.map_or(Some(Month(u16::MAX)), Month::next).unwrap_or(Month(u16::MAX));
    MonthRange::new(from.unwrap_or(Month(0)), end).map(Some).map_err(|_| {
        Failure::new(FailureKind::Usage, "the months end before they begin").hint("--until must not be before --from")
    })
}

/// An ask in the vault's mailbox, short enough for a small QR picture.
pub(super) fn asked_text(ask: AskId) -> String {
    format!("{ASKED_PREFIX}{}", ask.to_hex())
}

/// The id, or the beginning of one, if an ask is named by it and not by its whole text or a file.
pub(super) fn asked_id(typed: &str) -> Option<&str> {
    let typed = typed.trim();
    let id = typed.strip_prefix(ASKED_PREFIX).unwrap_or(typed);
    let is_id = !id.is_empty() && id.len() <= ASK_ID_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some(id)
}

/// Bytes typed as `FROM-TO`, the last one not in it, or `FROM-` up to the end.
pub(super) fn part(text: &str) -> Result<Part, String> {
    let wrong =
        || "bytes are typed as FROM-TO, such as 0-1000 for the first thousand, or FROM- up to the end".to_owned();
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let number = |digits: &str| match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => digits.parse::<u64>().map_err(|_| wrong()),
        false => Err(wrong()),
    };
    let (from, to) = (number(from)?, if to.is_empty() { None } else { Some(number(to)?) });
    if to.is_some_and(|to| to <= from) {
        Err("the range ends before it begins".to_owned())
    } else {
        Ok(Part { from, to })
    }
}

/// What was typed, or the content of the file it names, if it has not the `prefix` of such a text.
pub(super) fn text_or_file(typed: &str, prefix: &str) -> Result<String, Failure> {
    if typed.starts_with(prefix) {
        return Ok(typed.to_owned());
    }
    let path = Path::new(typed);
    let bytes = read_bounded(path, TEXT_BYTES_MAX)?.ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("there is no file {typed}"))
            .hint(format!("give a file, or a text that begins with {prefix}"))
    })?;
    match String::from_utf8(bytes) {
        Ok(text) if text.trim().starts_with(prefix) => Ok(text.trim().to_owned()),
        _ => {
            Err(Failure::new(FailureKind::InvalidInput, format!("what stands in {typed} does not begin with {prefix}"))
                .hint("is it the right file? Ask for the text anew if it was cut"))
        }
    }
}

/// Finds the one of `known` whose hex begins with what was typed.
pub(super) fn by_prefix<T: Copy + ToString>(typed: &str, known: &[T], noun: &str) -> Result<T, Failure> {
    let wanted = typed.trim().trim_end_matches('…').to_ascii_lowercase();
    let fits: Vec<T> = known.iter().copied().filter(|id| id.to_string().starts_with(&wanted)).collect();
    match fits.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::new(FailureKind::NotFound, format!("no {noun} begins with {typed}"))
            .hint(format!("the list of {noun}s shows the ids"))),
        _ if wanted.is_empty() => Err(Failure::new(FailureKind::Usage, format!("which {noun}?"))),
        _ => Err(Failure::new(FailureKind::Usage, format!("more than one {noun} begins with {typed}"))
            .hint("type more of it")),
    }
}

/// A month typed as YYYY-MM.
pub(super) fn month(text: &str) -> Result<Month, String> {
    text.parse().map_err(|_| "a month is YYYY-MM, from 1970-01 on".to_owned())
}

/// Largest text file read: an ask with its card fits many times.
const TEXT_BYTES_MAX: u64 = 256 * 1024;

/// Before the id of an ask that waits in a mailbox.
const ASKED_PREFIX: &str = "karute:asked:";
/// Hexadecimal digits of such an id.
const ASK_ID_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_typed_by_word_and_every_one_reads_back() {
        for category in Category::ALL {
            for sensitivity in Sensitivity::ALL {
                let kind = Kind { category: *category, sensitivity: *sensitivity };
                assert_eq!(kind_word(kind).parse::<Kinds>().unwrap().0, [kind]);
            }
        }
        let typed = ["all".parse().unwrap(), "lab".parse().unwrap()];
        assert_eq!(kinds(&typed).len(), Category::ALL.len());
        for text in ["", "labs", "lab/", "lab/secret", "all/sensitive"] {
            assert!(text.parse::<Kinds>().is_err(), "{text}");
        }
    }

    #[test]
    fn months_are_typed_with_both_ends_included() {
        let range = month_range(Some(Month(0)), Some(Month(0))).unwrap().unwrap();
        assert_eq!((range.from(), range.to()), (Month(0), Month(1)));
        assert!(month_range(Some(Month(2)), Some(Month(0))).is_err());
        assert_eq!(month_range(None, None).unwrap(), None);
    }

    #[test]
    fn an_ask_is_named_by_its_short_text_its_id_or_the_beginning() {
        let text = asked_text(AskId::from_bytes([0xab; 16]));
        assert_eq!(asked_id(&format!(" {text}\n")), Some("ab".repeat(16).as_str()));
        assert_eq!(asked_id("0a1B"), Some("0a1B"));
        for typed in ["", "karute:asked:", "karute:ask:oWExeA", "ask.txt", &format!("{text}0")] {
            assert_eq!(asked_id(typed), None, "{typed}");
        }
    }

    #[test]
    fn bytes_are_from_and_to_and_never_backwards() {
        assert_eq!(part("0-1000"), Ok(Part { from: 0, to: Some(1000) }));
        assert_eq!(part("7-"), Ok(Part { from: 7, to: None }));
        for text in ["", "-", "-5", "5", "5-5", "6-5", "+1-2", "1-0x9", "0-99999999999999999999"] {
            assert!(part(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_must_name_one() {
        let known = ["abc1", "abd2"];
        assert_eq!(by_prefix("ABC", &known, "grant").unwrap(), "abc1");
        assert_eq!(by_prefix("ab", &known, "grant").unwrap_err().kind(), FailureKind::Usage);
        assert_eq!(by_prefix("x", &known, "grant").unwrap_err().kind(), FailureKind::NotFound);
    }

    #[test]
    fn a_month_is_a_year_and_a_month() {
        assert_eq!(month("1970-02"), Ok(Month(1)));
        for text in ["", "2026", "2026-13", "2026-1", "1969-12", "2026-01-01"] {
            assert!(month(text).is_err(), "{text}");
        }
    }
}
