//! The recovery sheet: what a patient prints and keeps apart from every device.

use std::path::Path;

use karute_protocol::recovery::RecoveryCode;
use zeroize::Zeroizing;

use crate::cli::frame::Frame;
use crate::failure::Failure;
use crate::home::write_atomic;

/// The text of the sheet. It holds the code: whoever has it has the vault.
pub(super) fn text(name: &str, link: &str, code: &RecoveryCode) -> Zeroizing<String> {
    let code = code.to_text();
    let lines = [
        &format!("karute recovery sheet of {name}"),
        "------------------------------------------------------------------------",
        "Recovery code",
        "",
        &format!("    {}", *code),
        "",
        "Vault",
        "",
        &format!("    {link}"),
        "",
        "Print this or write it down, and keep it where your papers are safe,",
        "apart from your phone and computer. Store no photo of it.",
        "",
        "* If you lose every device, this code brings your vault back:",
        "  karute patient recover --vault <the link above>",
        "* Whoever has it can take over your vault and read everything.",
        "  If it may have been seen, recover at once: the old code then opens",
        "  nothing that comes later.",
        "* Without a device and without this sheet the vault is lost.",
        "  Nobody can restore it for you, the node's operator neither.",
        "",
    ];
    Zeroizing::new(lines.join("\n"))
}

/// Gives the sheet to the person: into a file of its own, or on stdout.
pub(super) fn hand_over(sheet: &str, file: Option<&Path>, frame: &Frame) -> Result<(), Failure> {
    match file {
        Some(path) => {
            write_atomic(path, sheet.as_bytes())?;
            frame.remark(&format!("the recovery sheet is in {}: print it, then delete the file", path.display()));
            Ok(())
        }
        None if frame.json => Ok(()),
        None => crate::cli::output::print(sheet),
    }
}
