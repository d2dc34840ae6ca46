//! `karute verify trail`: a vault's trail as a file, checked again without the node.

use std::path::PathBuf;

use clap::Args;
use karute_consent::id::NodeId;
use serde_json::json;

use super::{read, unproven};
use crate::agent::trail_file::{BYTES_MAX, TrailFile};
use crate::cli::frame::Frame;
use crate::failure::{Failure, FailureKind};

/// Check a trail that karute patient trail --out wrote
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute verify trail trail.karute --node 5f3a...")]
pub(super) struct TrailArgs {
    /// The trail
    file: PathBuf,
    /// The node that must have signed it, by its id
    #[arg(long, value_name = "NODE")]
    node: Option<NodeId>,
}

impl TrailArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let file = TrailFile::from_bytes(&read(&self.file, BYTES_MAX)?).map_err(|e| unproven(&self.file, e))?;
        if self.node.is_some_and(|node| node != file.node) {
            return Err(Failure::new(FailureKind::Verification, format!("the trail is of node {}", file.node)));
        }
        let whole = file.verify().map_err(|e| unproven(&self.file, e))?;
        let shown = json!({ "good": true, "vault": file.vault.to_string(), "node": file.node.to_string(),
            "events": file.items.len(), "trail_size": whole.head.size,
            "erased": whole.erased.iter().map(|number| number.0).collect::<Vec<_>>(), "counted_by_node": whole.answer.is_some() });
        frame.show(&shown, || {
            format!(
                "good: {} events, numbers 1 to {0} without a gap, each proven by the checkpoint of node {}\nvault  {}{}",
                file.items.len(),
                file.node,
                file.vault,
                match whole.erased.len() {
                    0 => String::new(),
                    erased => format!("\nerased {erased}: only the vault's ledger says whether the patient wanted that"),
                }
            )
        })
    }
}
