//! A text as a QR picture in the terminal: two rows of modules a line, dark on light whatever the terminal's colours.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

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
}
