//! `karute patient recover`: the vault comes back from the recovery sheet.

use std::path::PathBuf;

use clap::Args;
use karute_protocol::recovery::RecoveryCode;
use serde_json::json;
use zeroize::Zeroizing;

use super::device::not_a_link;
use super::sheet;
use crate::agent::link::VaultLink;
use crate::agent::patient::Patient;
use crate::agent::store::Store;
use crate::cli::agent::{network, settings};
use crate::cli::frame::{Frame, Role};
use crate::cli::table::counted;
use crate::cli::values::text_or_file;
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::create::fresh_recovery_code;
use crate::flow::agent::recover::{recover, recover_without_witnesses};
use crate::home::read_bounded;

/// Take the vault back with the recovery sheet, when every device is lost
///
/// All old devices are removed, every collection gets new keys, and a new recovery sheet is printed: the old code opens
/// nothing that comes later.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient recover --name 'Yamada Taro' --vault karute:vault:...
  karute patient recover --name 'Yamada Taro' --vault link.txt --code-file code.txt --recovery-sheet new.txt")]
pub(super) struct RecoverArgs {
    /// The vault's link, from the sheet, or a file with it
    #[arg(long, value_name = "LINK")]
    vault: String,
    /// File with the recovery code, or the sheet itself; without it the terminal is asked
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
    /// Your name
    #[arg(long)]
    name: Option<String>,
    /// Write the new recovery sheet into this file instead of on the terminal
    #[arg(long, value_name = "FILE")]
    recovery_sheet: Option<PathBuf>,
    /// Go on though the vault's witnesses do not answer: a lying node could then bring revoked grants back
    #[arg(long)]
    without_witnesses: bool,
}

impl RecoverArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let (home, config) = settings(frame, Role::Patient)?;
        let link: VaultLink = text_or_file(&self.vault, "karute:vault:")?.parse().map_err(not_a_link)?;
        let old = self.old_code()?;
        let mut patient = match Store::exists(&home) {
            true => Patient::open_in(&home, &frame.passphrase()?, &frame.ambient())?,
            false => {
                let name = self.name.clone().or(config.name).ok_or_else(|| {
                    Failure::new(FailureKind::Usage, "your name is missing").hint("give it with --name NAME")
                })?;
                Patient::create_in(&home, &frame.new_passphrase()?, &frame.ambient(), &name)?
            }
        };
        if patient.vault().is_some() {
            return Err(Failure::new(FailureKind::InvalidInput, format!("{} has a vault already", home.display()))
                .hint("recover into another folder with --home"));
        }
        let new = fresh_recovery_code(&frame.ambient());
        let recovered = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(match self.without_witnesses {
                false => recover(&mut patient, &mut reach, &link, &old, &new).await?,
                true => recover_without_witnesses(&mut patient, &mut reach, &link, &old, &new).await?,
            })
        })?;
        let sheet = sheet::text(patient.name(), &link.to_string(), &new);
        sheet::hand_over(&sheet, self.recovery_sheet.as_deref(), frame)?;
        let shown_code = self.recovery_sheet.is_none().then(|| new.to_text().to_string());
        let shown = json!({ "home": home, "vault": recovered.vault.to_string(), "size": recovered.size,
            "collections": recovered.collections, "resealed": recovered.resealed, "recovery_code": shown_code });
        frame.show(&shown, || {
            format!(
                "vault {} is yours again on this device; all other devices are out\n{} with new keys, {} got them too\nDestroy the old sheet: the new one takes its place.",
                recovered.vault,
                counted(recovered.collections as usize, "collection"),
                counted(recovered.resealed as usize, "holder")
            )
        })
    }

    fn old_code(&self) -> Result<RecoveryCode, Failure> {
        let text = match &self.code_file {
            Some(path) => {
                let bytes = read_bounded(path, CODE_BYTES_MAX)?.map(Zeroizing::new).ok_or_else(|| {
                    Failure::new(FailureKind::NotFound, format!("there is no file {}", path.display()))
                })?;
                Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => rpassword::prompt_password("Recovery code: ").map(Zeroizing::new).map_err(|e| {
                Failure::new(FailureKind::Passphrase, e)
                    .during("asking for the recovery code")
                    .hint("without a terminal, name a file with --code-file")
            })?,
        };
        let line = text.lines().map(str::trim).find(|line| line.starts_with("karute-recovery")).unwrap_or(text.trim());
        RecoveryCode::from_text(line).map_err(|e| {
            Failure::new(FailureKind::InvalidInput, e)
                .during("reading the recovery code")
                .hint("a letter is wrong or missing; 0, 1, 8 and 9 do not occur in it after the first words")
        })
    }
}

const CODE_BYTES_MAX: u64 = 64 * 1024;
