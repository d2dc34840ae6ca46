//! `karute facility deposit`: files into a patient's vault, sealed before they leave this machine.

use std::path::PathBuf;

use clap::Args;
use karute_consent::category::{Category, Sensitivity};
use karute_consent::id::RecordId;
use karute_consent::time::Timestamp;
use serde_json::json;

use super::query::{VaultArgs, without_grant};
use crate::cli::agent::{Follow, json as as_json, network, open_facility, record};
use crate::cli::frame::Frame;
use crate::cli::output::size;
use crate::cli::table::{Table, counted, shorten};
use crate::cli::values::words;
use crate::cli::vouching::freshness_text;
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::deposit::{Deposited, NewRecord, deposit};
use crate::intake::{self, Intake, ServiceDate};

/// Deposit files or folders into a patient's vault
///
/// FHIR R4 JSON, DICOM, JAHIS texts and PDF are recognised and filed by kind and date of service; anything else is kept
/// as it is. The same file twice is one record; a deposit that was cut off goes on when the command is run again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility deposit rx.txt ct-study/ --vault karute:vault:...
  karute facility deposit ct-study/ --dry-run
  karute facility deposit letter.pdf --category referral --title 'Referral letter' --date 2026-11-22")]
pub(super) struct DepositArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    vault: VaultArgs,
    /// File all of them under this category instead of the detected one
    #[arg(long, value_parser = words!(Category))]
    category: Option<Category>,
    /// File them as sensitive
    #[arg(long)]
    sensitive: bool,
    /// Title instead of the detected one; for one file
    #[arg(long)]
    title: Option<String>,
    /// Date of service instead of the detected one
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    date: Option<ServiceDate>,
    /// Author instead of the detected one
    #[arg(long)]
    author: Option<String>,
    /// Record of this facility that the file takes the place of; for one file
    #[arg(long, value_name = "RECORD")]
    supersedes: Option<String>,
    /// Show what was recognised and deposit nothing
    #[arg(long)]
    dry_run: bool,
}

impl DepositArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let walk = intake::walk(&self.paths)?;
        for (path, why) in &walk.skipped {
            frame.remark(&format!("left out: {} ({})", path.display(), why.reason()));
        }
        if walk.files.is_empty() {
            return Err(Failure::new(FailureKind::InvalidInput, "there is no file to deposit"));
        }
        if walk.files.len() > 1 && (self.title.is_some() || self.supersedes.is_some()) {
            return Err(Failure::new(FailureKind::Usage, "--title and --supersedes are for one file"));
        }
        let bar = frame.bars().count("looking", walk.files.len() as u64);
        let mut found = Vec::with_capacity(walk.files.len());
        for path in walk.files {
            let intake = intake::examine(&path)?;
            found.push((path, intake));
            bar.advance(1);
        }
        bar.finish();
        if self.dry_run {
            return show_found(&found, frame);
        }
        let supersedes = self.supersedes.as_deref().map(record).transpose()?;
        let mut facility = open_facility(frame)?;
        let vault = self.vault.find(&mut facility)?;
        let records = found.into_iter().map(|(path, intake)| self.record(path, intake, supersedes)).collect();
        let mut follow = Follow::new(frame.bars(), "depositing");
        let deposited = frame.run(async {
            let mut reach = network(&facility.transport())?;
            Ok(deposit(&mut facility, &mut reach, vault, records, &mut |step| follow.step(step)).await?)
        });
        follow.finish();
        let deposited = deposited.map_err(|failure| without_grant(failure, &facility, vault))?;
        frame.show(&as_json(&deposited)?, || deposited_text(&deposited, frame.ambient().now()))
    }

    fn record(&self, path: PathBuf, intake: Intake, supersedes: Option<RecordId>) -> NewRecord {
        NewRecord {
            path,
            title: self.title.clone().unwrap_or(intake.title),
            category: self.category.unwrap_or(intake.category),
            sensitivity: if self.sensitive { Sensitivity::Sensitive } else { Sensitivity::Normal },
            media_type: intake.media_type,
            service_date: self.date.or(intake.service_date).map(|date| date.to_string()),
            author: self.author.clone().or(intake.author),
            labels: intake.labels,
            file_name: intake.file_name,
            supersedes,
        }
    }
}

fn show_found(found: &[(PathBuf, Intake)], frame: &Frame) -> Result<(), Failure> {
    let shown: Vec<_> = found
        .iter()
        .map(|(path, intake)| {
            json!({ "path": path, "format": intake.kind.name(), "media_type": intake.media_type, "title": intake.title,
                "service_date": intake.service_date.map(|date| date.to_string()), "author": intake.author,
                "category": intake.category.word(), "labels": intake.labels, "length": intake.length })
        })
        .collect();
    frame.show(&json!({ "dry_run": true, "files": shown }), || {
        let mut table = Table::new(&["file", "format", "category", "date", "size", "title", "author"]);
        for (path, intake) in found {
            table.row([
                path.display().to_string(),
                intake.kind.name().to_owned(),
                intake.category.to_string(),
                intake.service_date.map_or("-".to_owned(), |date| date.to_string()),
                size(intake.length),
                format!("{}{}", shorten(&intake.title, TITLE_COLUMNS), labels_text(&intake.labels)),
                shorten(intake.author.as_deref().unwrap_or("-"), AUTHOR_COLUMNS),
            ]);
        }
        format!("{}nothing was deposited (--dry-run)", table.render(""))
    })
}

fn deposited_text(deposited: &Deposited, now: Timestamp) -> String {
    let mut table = Table::new(&["record", "number", "file", ""]);
    for line in &deposited.records {
        let mut remarks = Vec::new();
        if line.existing {
            remarks.push("was there already");
        }
        if line.inbox {
            remarks.push("waits in the patient's inbox");
        }
        table.row([
            line.record.to_string(),
            line.number.map_or("-".to_owned(), |number| number.to_string()),
            line.path.display().to_string(),
            remarks.join(", "),
        ]);
    }
    let there = deposited.records.iter().filter(|line| line.existing).count();
    let mut text = table.render("");
    if there < deposited.records.len() {
        text.push_str(&format!(
            "{} deposited; the receipts are kept\n",
            counted(deposited.records.len() - there, "record")
        ));
    }
    if there > 0 {
        text.push_str(&format!("{} there already: the same file twice is one record\n", counted(there, "record")));
    }
    if let Some(fresh) = &deposited.freshness {
        text.push_str(&freshness_text(fresh, now));
    }
    text
}

fn labels_text(labels: &[String]) -> String {
    labels.iter().map(|label| format!(" [{label}]")).collect()
}

fn date(text: &str) -> Result<ServiceDate, String> {
    ServiceDate::from_iso(text).filter(|_| text.len() == 10).ok_or_else(|| "a date is YYYY-MM-DD".to_owned())
}

const TITLE_COLUMNS: usize = 40;
const AUTHOR_COLUMNS: usize = 24;
