//! `karute man`: one manual page for each command.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::frame::Frame;
use crate::failure::Failure;

/// Write the manual pages into a folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute man --out ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Folder for the pages; made if absent
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl ManArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.out).map_err(|e| Failure::io("making the folder", &self.out, e))?;
        clap_mangen::generate_to(super::command(), &self.out)
            .map_err(|e| Failure::io("writing manual pages into", &self.out, e))?;
        frame.show(&json!({ "out": self.out }), || format!("manual pages are in {}", self.out.display()))
    }
}
