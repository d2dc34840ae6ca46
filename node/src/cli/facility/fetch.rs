//! `karute facility fetch`: records out of a vault, under the patient's grant, each with its proof.

use std::path::PathBuf;

use clap::Args;

use super::query::{QueryArgs, VaultArgs};
use crate::cli::agent::{Follow, json, network, open_facility};
use crate::cli::frame::Frame;
use crate::cli::output::size;
use crate::cli::table::{Table, counted};
use crate::failure::Failure;
use crate::flow::agent::fetch::fetch;
use crate::flow::agent::sync::sync_facility;
use crate::home::make_private_dir;

/// Fetch records into a folder, byte for byte as they were deposited, each with a .proof beside it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility fetch --vault karute:vault:... --out records/
  karute facility fetch --record 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --out records/ --acting 'Dr Sato' --reason 'surgery'")]
pub(super) struct FetchArgs {
    #[command(flatten)]
    vault: VaultArgs,
    /// Folder for the files; made if absent
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    query: QueryArgs,
}

impl FetchArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        if !self.out.is_dir() {
            make_private_dir(&self.out)?;
        }
        let mut facility = open_facility(frame)?;
        let vault = self.vault.find(&mut facility)?;
        let mut follow = Follow::new(frame.bars(), "fetching");
        let fetched = frame.run(async {
            let mut reach = network(&facility.transport())?;
            let grants = match self.query.names_grant() {
                true => sync_facility(&mut facility, &mut reach, vault)
                    .await?
                    .grants
                    .iter()
                    .map(|line| line.grant)
                    .collect(),
                false => Vec::new(),
            };
            let query = self.query.query(&grants)?;
            Ok(fetch(&mut facility, &mut reach, vault, query, &self.out, &mut |step| follow.step(step)).await?)
        });
        follow.finish();
        let fetched = fetched?;
        frame.show(&json(&fetched)?, || {
            if fetched.is_empty() {
                return "no record fits".to_owned();
            }
            let mut table = Table::new(&["file", "size", "title", "sha-256"]);
            let mut bytes = 0;
            for line in &fetched {
                bytes += line.length;
                table.row([
                    line.path.display().to_string(),
                    size(line.length),
                    line.title.clone(),
                    line.digest.to_string()[..16].to_owned(),
                ]);
            }
            format!(
                "{}{}, {}; each has a .proof beside it",
                table.render(""),
                counted(fetched.len(), "record"),
                size(bytes)
            )
        })
    }
}
