//! `karute facility status`: this party, the vaults it knows, its grants there and the answers to its requests.

use std::path::PathBuf;

use clap::Args;
use karute_consent::time::Timestamp;
use serde_json::json;

use super::query::VaultArgs;
use crate::cli::agent::{json as as_json, network, open_facility, save_grants};
use crate::cli::frame::Frame;
use crate::cli::patient::grants_text;
use crate::cli::table::{Table, counted};
use crate::cli::vouching::{findings_line, status_line};
use crate::failure::Failure;
use crate::flow::agent::sync::{FacilitySync, sync_facility};

/// Show this party and the vaults it knows; with a vault, the grants there and the answers to requests
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility status --offline
  karute facility status --vault karute:vault:...")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    vault: VaultArgs,
    /// Write each grant, as the patient signed it, into this folder, for karute verify grant
    #[arg(long, value_name = "DIR", conflicts_with = "offline")]
    save: Option<PathBuf>,
    /// Do not ask any node for news
    #[arg(long)]
    offline: bool,
}

impl StatusArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut facility = open_facility(frame)?;
        let sync = match self.offline || facility.links().next().is_none() && !self.vault.is_named() {
            true => None,
            false => {
                let vault = self.vault.find(&mut facility)?;
                let sync = frame.run(async {
                    let mut reach = network(&facility.transport())?;
                    Ok(sync_facility(&mut facility, &mut reach, vault).await?)
                })?;
                if let Some(folder) = &self.save {
                    save_grants(folder, facility.known(vault)?.view(), &sync.grants)?;
                }
                Some(sync)
            }
        };
        let vaults: Vec<_> = facility.links().map(|link| link.vault().to_string()).collect();
        let shown = json!({ "party": facility.party().to_string(), "name": facility.name(), "vaults": vaults,
            "sync": sync.as_ref().map(as_json).transpose()? });
        frame.show(&shown, || {
            let mut text = format!("party   {}\nname    {}\n", facility.party(), facility.name());
            for vault in &vaults {
                text.push_str(&format!("vault   {vault}\n"));
            }
            if let Some(sync) = &sync {
                text.push_str(&sync_text(sync, frame.ambient().now()));
            }
            text
        })
    }
}

fn sync_text(sync: &FacilitySync, now: Timestamp) -> String {
    let mut text = format!("\nwitnesses  {}\n", status_line(&sync.witnesses, now));
    if let Some(line) = findings_line(sync.findings) {
        text.push_str(&format!("findings   {line}\n"));
    }
    text.push_str(&format!("\n{}", grants_text(&sync.grants)));
    if !sync.answers.is_empty() {
        let mut table = Table::new(&["request", "answer", "grant"]);
        for answer in &sync.answers {
            let grant = answer.grant.map_or("-".to_owned(), |grant| grant.to_string()[..12].to_owned());
            table.row([answer.ask.to_string(), answer.outcome.to_string(), grant]);
        }
        text.push_str(&format!("\n{}", table.render("")));
    }
    if !sync.complaints.is_empty() {
        text.push_str(&format!("\n{} that did not hold:\n", counted(sync.complaints.len(), "thing")));
        for complaint in &sync.complaints {
            text.push_str(&format!("  {complaint}\n"));
        }
    }
    text
}
