//! `karute patient audit`: everything that can be checked of the node, and the proof where it lied.

use clap::Args;
use serde_json::json;

use crate::cli::agent::{json as as_json, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::table::counted;
use crate::cli::told;
use crate::failure::Failure;
use crate::flow::agent::auditing::{AuditReport, audit_all};

/// Check everything that the node signed, and keep the proof where it lied
///
/// Reads the whole trail, the whole list of records and the newest head of the node's log, and compares them with one
/// another, with the ledger and with every receipt in this folder: an entry that was changed or left out, a deposit that
/// is gone, a reading after a revocation or beyond its grant, one that nobody asked for, a log that was taken back or
/// that is shown differently to others.
///
/// A lie that the node's own signatures prove becomes a file in the folder findings, which karute verify finding checks
/// for anybody. Exit code 8: something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient audit
  karute verify finding ~/.local/share/karute/patient/findings/rollback-1a2b3c4d5e6f.finding")]
pub(super) struct AuditArgs {}

impl AuditArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        let report = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(audit_all(&mut patient, &mut reach).await?)
        })?;
        let shown = json!({
            "checks": as_json(&report.checks)?,
            "findings": told::lines_json(&report.findings),
            "complaints": told::complaints_json(&report.complaints),
        });
        frame.show(&shown, || text(&report))?;
        told::outcome(&report.findings, &report.complaints)
    }
}

fn text(report: &AuditReport) -> String {
    let checks = &report.checks;
    let erased = if checks.erased > 0 { format!(", {} of them erased", checks.erased) } else { String::new() };
    format!(
        "{} of the trail looked at{erased}, {} judged again by their grants\n\
         {} looked for in the list, {} held here, {} of the node's log compared\n\n{}",
        counted(checks.events as usize, "event"),
        checks.events_judged,
        counted(checks.deposits_looked_for as usize, "confirmed deposit"),
        counted(checks.receipts_held as usize, "receipt"),
        counted(checks.heads_extended as usize, "head"),
        told::lines_text(&report.findings, &report.complaints),
    )
}
