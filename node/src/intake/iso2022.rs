//! Text in the character sets of DICOM (PS3.3 C.12.1.1.2): single ones, and code extension by escape sequences.
//!
//! Libraries decode only the first value of Specific Character Set; Japanese files have two or three. Bytes that mean
//! nothing become U+FFFD; nothing here fails.

use encoding_rs::{EUC_JP, EUC_KR, Encoding, GB18030, GBK, UTF_8, WINDOWS_1252};

/// Decodes `bytes` under the values of Specific Character Set, in their order.
pub(super) fn decode(bytes: &[u8], character_sets: &[&str]) -> String {
    let first = character_sets.first().map_or("", |name| name.trim());
    match first {
        "ISO_IR 192" => return UTF_8.decode_without_bom_handling(bytes).0.into_owned(),
        "GB18030" => return GB18030.decode_without_bom_handling(bytes).0.into_owned(),
        "GBK" => return GBK.decode_without_bom_handling(bytes).0.into_owned(),
        _ => {}
    }
    let initial = Sets { low: Set::Ascii, high: Set::of_character_set(first) };
    let mut sets = initial;
    let mut text = String::new();
    let mut rest = bytes;
    while let Some(byte) = rest.first() {
        if let Some((changed, after)) = escape(rest, sets) {
            sets = changed;
            rest = after;
            continue;
        }
        // A line end or a value separator returns to the first value; inside a two-byte set 0x5C is half a character.
        if matches!(byte, b'\r' | b'\n' | 0x0C | b'\t') || (*byte == b'\\' && !sets.low.is_double()) {
            sets = initial;
        }
        let set = if *byte < 0x80 { sets.low } else { sets.high };
        let taken = set.push(rest, &mut text);
        rest = &rest[taken..];
    }
    text
}

#[derive(Clone, Copy)]
struct Sets {
    /// What bytes below 0x80 mean (G0).
    low: Set,
    /// What the others mean (G1).
    high: Set,
}

#[derive(Clone, Copy)]
enum Set {
    Ascii,
    Katakana,
    Kanji,
    KanjiSupplement,
    Korean,
    Chinese,
    Single(&'static Encoding),
}

impl Set {
    fn of_character_set(name: &str) -> Self {
        let number = name.trim_start_matches("ISO_IR").trim_start_matches("ISO 2022 IR").trim();
        match number {
            "13" => Self::Katakana,
            "58" => Self::Chinese,
            "149" => Self::Korean,
            "87" | "159" => Self::Kanji,
            "101" => Self::Single(encoding_rs::ISO_8859_2),
            "109" => Self::Single(encoding_rs::ISO_8859_3),
            "110" => Self::Single(encoding_rs::ISO_8859_4),
            "144" => Self::Single(encoding_rs::ISO_8859_5),
            "127" => Self::Single(encoding_rs::ISO_8859_6),
            "126" => Self::Single(encoding_rs::ISO_8859_7),
            "138" => Self::Single(encoding_rs::ISO_8859_8),
            "148" => Self::Single(encoding_rs::WINDOWS_1254),
            "166" => Self::Single(encoding_rs::WINDOWS_874),
            "203" => Self::Single(encoding_rs::ISO_8859_15),
            _ => Self::Single(WINDOWS_1252),
        }
    }

    fn is_double(self) -> bool {
        matches!(self, Self::Kanji | Self::KanjiSupplement | Self::Korean | Self::Chinese)
    }

    /// Appends the first character of `bytes`, which is not empty, and says how many bytes it took.
    fn push(self, bytes: &[u8], text: &mut String) -> usize {
        let one = bytes[0];
        if one < 0x21 || matches!(self, Self::Ascii) {
            text.push(if one < 0x80 { char::from(one) } else { char::REPLACEMENT_CHARACTER });
            return 1;
        }
        let (encoding, spelled, taken) = match self {
            Self::Ascii => return 1,
            Self::Single(encoding) => (encoding, vec![one], 1),
            Self::Katakana => (EUC_JP, vec![0x8E, one | 0x80], 1),
            Self::Kanji | Self::Korean | Self::Chinese | Self::KanjiSupplement => {
                let Some(two) = bytes.get(1) else {
                    text.push(char::REPLACEMENT_CHARACTER);
                    return 1;
                };
                let pair = [one | 0x80, two | 0x80];
                match self {
                    Self::Korean => (EUC_KR, pair.to_vec(), 2),
                    Self::Chinese => (GBK, pair.to_vec(), 2),
                    Self::KanjiSupplement => (EUC_JP, vec![0x8F, pair[0], pair[1]], 2),
                    _ => (EUC_JP, pair.to_vec(), 2),
                }
            }
        };
        text.push_str(&encoding.decode_without_bom_handling(&spelled).0);
        taken
    }
}

/// Reads an escape sequence at the start of `bytes`: the sets after it, and what follows.
fn escape(bytes: &[u8], sets: Sets) -> Option<(Sets, &[u8])> {
    let rest = bytes.strip_prefix(b"\x1b")?;
    let (low, high) = (sets.low, sets.high);
    let known: [(&[u8], Sets); 10] = [
        (b"$(D", Sets { low: Set::KanjiSupplement, high }),
        (b"$)C", Sets { low, high: Set::Korean }),
        (b"$)A", Sets { low, high: Set::Chinese }),
        (b"$B", Sets { low: Set::Kanji, high }),
        (b"$@", Sets { low: Set::Kanji, high }),
        (b"(B", Sets { low: Set::Ascii, high }),
        (b"(J", Sets { low: Set::Ascii, high }),
        (b")I", Sets { low, high: Set::Katakana }),
        (b"-A", Sets { low, high: Set::Single(WINDOWS_1252) }),
        (b"-B", Sets { low, high: Set::Single(encoding_rs::ISO_8859_2) }),
    ];
    known.into_iter().find_map(|(sequence, sets)| Some((sets, rest.strip_prefix(sequence)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_japanese_names_are_read() {
        // PS3.5 H.3.1 and H.3.2
        let h31 = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
        assert_eq!(decode(h31, &["", "ISO 2022 IR 87"]), "Yamada^Tarou=山田^太郎=やまだ^たろう");
        let h32 = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J";
        assert_eq!(decode(h32, &["ISO 2022 IR 13", "ISO 2022 IR 87"]), "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎");
    }

    #[test]
    fn korean_greek_utf8_and_latin_are_read() {
        let korean = b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7";
        assert_eq!(decode(korean, &["", "ISO 2022 IR 149"]), "Hong=洪^吉洞");
        assert_eq!(decode(b"\xc4\xe9", &["ISO_IR 126"]), "Δι");
        assert_eq!(decode("胸部".as_bytes(), &["ISO_IR 192"]), "胸部");
        assert_eq!(decode(b"Buc^J\xe9r\xf4me", &["ISO_IR 100"]), "Buc^Jérôme");
    }

    #[test]
    fn half_a_kanji_backslashes_and_unknown_escapes_do_no_harm() {
        assert_eq!(decode(b"\x1b$B;", &["", "ISO 2022 IR 87"]), "\u{fffd}");
        // 0x5C inside a kanji is no separator (JIS 4-5C), and after one the first value is back
        let text = decode(b"\x1b$B4\\\x1b(B\\abc", &["", "ISO 2022 IR 87"]);
        assert_eq!(text.split('\\').next_back(), Some("abc"));
        assert_eq!(text.split('\\').count(), 2);
        assert!(decode(b"\x1b%G\xff", &[]).contains('%'));
        for byte in 0..=255u8 {
            decode(&[byte, 0x1b, b'$', b'B', byte, byte], &["ISO 2022 IR 13", "ISO 2022 IR 87"]);
        }
    }
}
