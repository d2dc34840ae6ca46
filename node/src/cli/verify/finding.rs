//! `karute verify finding`: proof that a node or a witness lied, checked by anybody.

use std::path::PathBuf;

use clap::Args;
use karute_consent::id::NodeId;
use karute_protocol::finding::{Finding, Verdict};
use karute_protocol::limits::FINDING_LEN_MAX;
use serde_json::json;

use super::{read, unproven};
use crate::cli::frame::Frame;
use crate::cli::told;
use crate::failure::{Failure, FailureKind};

/// Check the proof that a node or a witness lied
///
/// A finding holds what the accused itself signed: nobody else can have made it, and it is checked here without asking
/// anybody. karute patient audit and karute facility receipts write findings into the folder findings of the role.
///
/// Exit code 0: it holds, the accused lied. 8: it is no finding, and says nothing against anybody.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute verify finding findings/rollback-1a2b3c4d5e6f.finding
  karute verify finding rollback.finding --node 5f3a...")]
pub(super) struct FindingArgs {
    /// The finding
    file: PathBuf,
    /// The node that must be the accused, by its id
    #[arg(long, value_name = "NODE")]
    node: Option<NodeId>,
}

impl FindingArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let bytes = read(&self.file, FINDING_LEN_MAX)?;
        let finding = Finding::from_bytes(&bytes).map_err(|e| unproven(&self.file, e))?;
        let verdict: Verdict = finding.verify().map_err(|e| {
            Failure::new(FailureKind::Verification, e)
                .during(format!("checking {}", self.file.display()))
                .hint("this is no finding: it says nothing against anybody")
        })?;
        if self.node.is_some_and(|node| node.key() != verdict.accused) {
            let text = format!(
                "the finding is about another node than {}",
                self.node.map_or_else(String::new, |n| n.to_string())
            );
            return Err(Failure::new(FailureKind::Verification, text));
        }
        let mut shown = told::as_json(&verdict);
        shown["holds"] = json!(true);
        frame.show(&shown, || format!("holds: {}", told::told(&verdict)))
    }
}
