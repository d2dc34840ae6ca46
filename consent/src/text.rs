//! Texts in statements: bounded, and without characters that a terminal would obey.

use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX};
use crate::statement::Malformed;

/// Checks a text of one line, of `1` to `bytes_max` bytes (C-07).
pub fn check_line(text: &str, bytes_max: usize) -> Result<(), Malformed> {
    if text.is_empty() { Err(Malformed::Text) } else { check(text, bytes_max, |_| false) }
}

/// Checks a text of any number of lines, of at most `bytes_max` bytes: line feeds are allowed (C-07).
pub fn check_prose(text: &str, bytes_max: usize) -> Result<(), Malformed> {
    check(text, bytes_max, |character| character == '\n')
}

/// Checks a list of addresses.
pub fn check_addresses(addresses: &[String]) -> Result<(), Malformed> {
    if addresses.len() > ADDRESSES_MAX {
        return Err(Malformed::Count);
    }
    addresses.iter().try_for_each(|address| check_line(address, ADDRESS_BYTES_MAX))
}

/// C-07: no U+0000 to U+001F and no U+007F, except what the field allows.
fn check(text: &str, bytes_max: usize, allowed: impl Fn(char) -> bool) -> Result<(), Malformed> {
    let clean = text.chars().all(|character| !character.is_ascii_control() || allowed(character));
    if clean && text.len() <= bytes_max { Ok(()) } else { Err(Malformed::Text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\u{1b}[2J", "a\nb", "a\u{7f}", "\0", "\t"] {
            assert_eq!(check_line(text, 100), Err(Malformed::Text), "{text:?}");
        }
        assert_eq!(check_line("春日 花子", 100), Ok(()));
    }

    #[test]
    fn prose_may_have_line_feeds_only() {
        assert_eq!(check_prose("a\nb", 3), Ok(()));
        assert_eq!(check_prose("", 3), Ok(()));
        assert_eq!(check_prose("a\r\nb", 9), Err(Malformed::Text));
    }

    #[test]
    fn length_is_counted_in_bytes() {
        assert_eq!(check_line("é", 1), Err(Malformed::Text));
        assert_eq!(check_line("", 1), Err(Malformed::Text));
    }
}
