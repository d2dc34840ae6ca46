//! `karute facility list`: what this facility may read.

use clap::Args;

use super::query::{QueryArgs, VaultArgs, without_grant};
use crate::cli::agent::{Names, json, network, open_facility, records_text};
use crate::cli::frame::Frame;
use crate::failure::Failure;
use crate::flow::agent::list::list;

/// List the records in a vault that this facility may read
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility list --vault karute:vault:...
  karute facility list --category imaging --acting 'Dr Sato' --role doctor")]
pub(super) struct ListArgs {
    #[command(flatten)]
    vault: VaultArgs,
    #[command(flatten)]
    query: QueryArgs,
    /// Show records that a later one replaces too
    #[arg(long)]
    all: bool,
}

impl ListArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut facility = open_facility(frame)?;
        let vault = self.vault.find(&mut facility)?;
        let found = frame.run(async {
            let mut reach = network(&facility.transport())?;
            let grants = self.query.known_grants(&mut facility, &mut reach, vault).await?;
            let query = self.query.query(&grants)?;
            Ok(list(&mut facility, &mut reach, vault, query).await?)
        });
        let found = found.map_err(|failure| without_grant(failure, &facility, vault))?;
        frame.show(&json(&found)?, || records_text(&found, &Names::new(), self.all))
    }
}
