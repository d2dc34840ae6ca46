//! `karute patient grants`: who may do what.

use std::path::PathBuf;

use clap::Args;

use super::export::{GrantForm, Went, write_export};
use crate::agent::patient::Patient;
use crate::cli::agent::{json, kinds_text, network, open_patient, save_grants};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::table::{Table, counted, shorten};
use crate::failure::Failure;
use crate::flow::agent::export::{Jurisdiction, consents, grant_facts, receipts};
use crate::flow::agent::grants::grants;
use crate::flow::agent::lines::{GrantLine, GrantState};
use crate::flow::agent::sync::sync_patient;

/// List the grants: who may do what, until when
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  karute patient grants\n  karute patient grants --all --json\n  karute patient grants --save grants/\n  karute patient grants --export fhir --out consents.json\n  karute patient grants --export receipt --out -"
)]
pub(super) struct GrantsArgs {
    /// Those that are revoked or over too
    #[arg(long)]
    all: bool,
    /// Write each of them, as it was signed, into this folder, for karute verify grant
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Write all grants, those that are revoked or over too, in this form into the file of --out
    #[arg(long, value_name = "FORM", requires = "out")]
    export: Option<GrantForm>,
    /// File of the export; - is stdout
    #[arg(long, value_name = "FILE", requires = "export")]
    out: Option<PathBuf>,
    /// Country whose law the receipts name
    #[arg(long, value_name = "CC", default_value = "JP", requires = "export")]
    jurisdiction: Jurisdiction,
    /// Do not ask the node for news
    #[arg(long)]
    offline: bool,
}

impl GrantsArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        if !self.offline {
            frame.run(async {
                let mut reach = network(&patient.transport())?;
                Ok(sync_patient(&mut patient, &mut reach).await?)
            })?;
        }
        let mut lines = grants(&patient, frame.ambient().now())?;
        lines.retain(|line| self.all || matches!(line.state, GrantState::Active | GrantState::NotYet));
        if let Some(folder) = &self.save {
            save_grants(folder, patient.view()?, &lines)?;
        }
        if self.write_export(&patient)? == Some(Went::ToStdout) {
            return Ok(());
        }
        frame.show(&json(&lines)?, || grants_text(&lines))
    }

    fn write_export(&self, patient: &Patient) -> Result<Option<Went>, Failure> {
        let (Some(path), Some(form)) = (&self.out, self.export) else { return Ok(None) };
        let now = patient.ambient().now();
        let grants = grant_facts(patient, now)?;
        let went = match form {
            GrantForm::Fhir => write_export(path, &consents(&grants, now)),
            GrantForm::Receipt => write_export(path, &receipts(&grants, self.jurisdiction)),
        };
        went.map(Some)
    }
}

/// A table of grants.
pub(in crate::cli) fn grants_text(lines: &[GrantLine]) -> String {
    let mut table = Table::new(&["grant", "holder", "may", "what", "until", "uses", "state"]);
    for line in lines {
        let actions: Vec<&str> = line.actions.iter().map(|action| action.word()).collect();
        let what = match &line.records {
            Some(records) => counted(records.len(), "record"),
            None => kinds_text(&line.kinds),
        };
        let holder = line.holder_name.clone().unwrap_or_else(|| line.holder.to_string());
        let below = if line.parent.is_some() { "  (passed on)" } else { "" };
        table.row([
            line.grant.to_string()[..12].to_owned(),
            format!("{}{below}", shorten(&holder, HOLDER_COLUMNS)),
            actions.join(", "),
            what,
            moment::minute(line.not_after),
            line.uses.map_or("-".to_owned(), |uses| uses.to_string()),
            state_word(line.state).to_owned(),
        ]);
    }
    table.render("no grants")
}

fn state_word(state: GrantState) -> &'static str {
    match state {
        GrantState::Active => "in force",
        GrantState::NotYet => "not yet",
        GrantState::Expired => "over",
        GrantState::Revoked => "revoked",
    }
}

const HOLDER_COLUMNS: usize = 28;
