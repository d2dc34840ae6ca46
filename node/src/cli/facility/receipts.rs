//! `karute facility receipts`: what a node confirmed to this party, and whether its log still says so.

use clap::Args;
use karute_consent::id::VaultId;
use serde_json::json;

use super::query::VaultArgs;
use crate::agent::facility::Facility;
use crate::cli::agent::{json as as_json, network, open_facility};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::table::{Table, counted};
use crate::cli::told;
use crate::failure::Failure;
use crate::flow::agent::receipts::{ReceiptLine, ReceiptReport, check_receipts, receipts};

/// List the receipts about a vault, and check them against the node's log as it is now
///
/// Each receipt carries a head of the node's log under its signature. The newest head must extend every one of them: a log
/// that was taken back, that was changed or that is shown differently to others is a lie, and its proof becomes a file in
/// the folder findings, which karute verify finding checks for anybody. Exit code 8: something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility receipts --vault karute:vault:...
  karute facility receipts --vault karute:vault:... --offline")]
pub(super) struct ReceiptsArgs {
    #[command(flatten)]
    vault: VaultArgs,
    /// List only; do not ask the node
    #[arg(long)]
    offline: bool,
}

impl ReceiptsArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut facility = open_facility(frame)?;
        let vault = self.vault.find(&mut facility)?;
        if self.offline {
            return list(frame, &facility, vault);
        }
        let report = frame.run(async {
            let mut reach = network(&facility.transport())?;
            Ok(check_receipts(&mut facility, &mut reach, vault).await?)
        })?;
        let shown = json!({
            "receipts": as_json(&report.lines)?,
            "node": report.node.to_string(),
            "checked": report.checked,
            "confirmed": report.confirmed,
            "findings": told::lines_json(&report.findings),
            "complaints": told::complaints_json(&report.complaints),
        });
        frame.show(&shown, || text(&report))?;
        told::outcome(&report.findings, &report.complaints)
    }
}

fn list(frame: &Frame, facility: &Facility, vault: VaultId) -> Result<(), Failure> {
    let lines = receipts(facility, vault)?;
    frame.show(&json!({ "receipts": as_json(&lines)? }), || table(&lines))
}

fn text(report: &ReceiptReport) -> String {
    format!(
        "{}\n{} of node {} checked, {} confirmed by its newest head\n\n{}",
        table(&report.lines),
        counted(report.checked as usize, "receipt"),
        report.node,
        report.confirmed,
        told::lines_text(&report.findings, &report.complaints),
    )
}

fn table(lines: &[ReceiptLine]) -> String {
    let mut table = Table::new(&["time (UTC)", "what", "number", "records", "receipt"]);
    for line in lines {
        let receipt = line.receipt.to_string();
        table.row([
            moment::minute(line.time),
            line.kind.to_string(),
            line.number.to_string(),
            line.records.len().to_string(),
            receipt[..RECEIPT_DIGITS].to_owned(),
        ]);
    }
    table.render("no receipts about this vault")
}

/// Digits of a receipt's name that are shown.
const RECEIPT_DIGITS: usize = 12;
