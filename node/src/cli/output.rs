//! Stdout that may be closed, and sizes for people.

use std::io::{self, Write};
use std::path::Path;

use crate::failure::Failure;

/// Prints one block on stdout. A reader that went away (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush());
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::io("writing to", Path::new("stdout"), e)),
        _ => Ok(()),
    }
}

/// A size for a person: `812 B`, `4.0 KiB`, `1.2 GiB`.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = "B";
    let mut tenths = u128::from(bytes) * 10;
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!([size(0), size(1023), size(4096), size(1 << 30)], ["0 B", "1023 B", "4.0 KiB", "1.0 GiB"]);
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }
}
