//! Texts from outside, made fit to be shown and kept: no control characters, one line, cut at a character within a limit.

/// One line of at most `bytes_max` bytes: runs of blanks and control characters become one space.
pub(super) fn one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > bytes_max {
            break;
        }
    }
    cut(&mut line, bytes_max);
    line
}

/// Shortens `text` to at most `bytes_max` bytes, between two characters.
pub(super) fn cut(text: &mut String, bytes_max: usize) {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// "first (+2)" for a list of three; `None` for an empty one.
pub(super) fn first_and_count(names: &[String]) -> Option<String> {
    let first = names.first()?;
    Some(match names.len() - 1 {
        0 => first.clone(),
        more => format!("{first} (+{more})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_control_characters_and_ends_at_a_character() {
        assert_eq!(one_line(" 山田\u{3000}\r\n太郎\u{7f}\u{85}x ", 100), "山田 太郎 x");
        assert_eq!(one_line("山田太郎", 7), "山田");
        assert_eq!(one_line("\u{0}\u{1b}", 7), "");
    }
}
