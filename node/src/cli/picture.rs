//! A text as a QR picture in the terminal: two rows of modules a line, dark on light whatever the terminal's colours.

use std::io::IsTerminal;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::progress::terminal_columns;

/// When a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draw {
    /// Because `--qr` asks for it.
    Asked,
    /// Where stdout is a terminal that it fits into.
    IfItFits,
}

impl Draw {
    /// What a `--qr` flag means.
    pub(super) fn of_flag(qr: bool) -> Self {
        if qr { Self::Asked } else { Self::IfItFits }
    }
}

/// The picture, or a line that says why there is none and what to do instead; nothing where nobody would see it.
pub(super) fn block(text: &str, draw: Draw) -> String {
    let columns = std::io::stdout().is_terminal().then(terminal_columns).flatten();
    block_for(text, draw, columns)
}

fn block_for(text: &str, draw: Draw, columns: Option<usize>) -> String {
    let Some(picture) = qr(text) else {
        let seen = draw == Draw::Asked || columns.is_some();
        return if seen {
            "(too long for one QR code: hand it over as a file, --out FILE)\n".to_owned()
        } else {
            String::new()
        };
    };
    let wide = picture.lines().next().map_or(0, |line| line.chars().count());
    match (draw, columns) {
        (Draw::IfItFits, None) => String::new(),
        (Draw::IfItFits, Some(columns)) if wide > columns => format!(
            "(a QR picture of it takes {wide} columns, this terminal has {columns}: draw it with --qr in a wider one, or write \
             the text with --out FILE)\n"
        ),
        _ => format!("{picture}\n"),
    }
}

/// The picture, or `None` if the text is longer than a QR code holds.
pub(super) fn qr(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_and_a_novel_does_not() {
        let picture = qr("karute:vault:oWExeA").unwrap();
        assert!(picture.lines().count() > 10);
        assert!(picture.chars().all(|c| matches!(c, ' ' | '█' | '▀' | '▄' | '\n')));
        assert!(qr(&"x".repeat(5000)).is_none());
    }

    #[test]
    fn a_wide_picture_is_drawn_only_where_it_fits_or_when_asked_for() {
        let ask = "x".repeat(2000);
        let drawn = |text: &str| text.contains('█');
        assert!(drawn(&block_for(&ask, Draw::Asked, None)));
        assert!(drawn(&block_for(&ask, Draw::IfItFits, Some(200))));
        assert_eq!(block_for(&ask, Draw::IfItFits, None), "");
        let narrow = block_for(&ask, Draw::IfItFits, Some(80));
        assert!(!drawn(&narrow) && narrow.contains("--qr") && narrow.contains("--out"), "{narrow}");
        assert!(block_for(&"x".repeat(5000), Draw::Asked, Some(80)).contains("--out"));
    }

    #[test]
    fn the_short_text_of_an_ask_fits_everywhere() {
        let short = format!("karute:asked:{}", "0a".repeat(16));
        assert!(block_for(&short, Draw::IfItFits, Some(80)).contains('█'));
    }
}
