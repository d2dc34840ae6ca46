//! `karute node status`: what stands in a node's folder, without its passphrase.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::witnesses::{note_text, witness_text};
use crate::cli::frame::{Frame, Role};
use crate::cli::output;
use crate::config::NodeConfig;
use crate::cosign::WitnessNote;
use crate::failure::{Failure, FailureKind};
use crate::home::Home;
use crate::node_keys::{NodeFacts, NodeKeys};
use crate::vault::Store;

/// Show a node's address, whether it runs, and what its folder takes on the disk
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  karute node status --json\n  karute node status --code")]
pub(super) struct StatusArgs {
    /// Show the registration code too; this needs the passphrase
    #[arg(long)]
    code: bool,
}

impl StatusArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let path = frame.home(Role::Node)?;
        let facts = NodeFacts::read(&path)?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("there is no node in {}", path.display()))
                .hint("make one with karute node init, or name its folder with --home")
        })?;
        let config = NodeConfig::read(&frame.config_path(&path))?;
        let ends = config.witness_ends()?;
        let running = match Home::open(&path) {
            Ok(_) => false,
            Err(failure) if failure.kind() == FailureKind::Busy => true,
            Err(failure) => return Err(failure),
        };
        let addresses: Vec<String> =
            config.addresses().iter().map(|address| format!("{address}/p2p/{}", facts.peer)).collect();
        let bytes = bytes_under(&path);
        let damaged = Store::index_is_distrusted(&path.join("store"));
        let code = match self.code {
            true => Some(NodeKeys::open(&path, &frame.passphrase()?)?.registration_code()),
            false => None,
        };
        let notes = witness_notes(&path);
        let names: Vec<&str> = ends.iter().map(|end| end.key.name.as_str()).collect();
        let shown = json!({ "home": path, "node": facts.node, "peer": facts.peer, "addresses": addresses,
            "running": running, "witnesses": names, "witness_notes": notes, "index_damaged": damaged, "disk_bytes": bytes, "registration_code": code });
        frame.show(&shown, || {
            let state = if running { "running" } else { "stopped" };
            let mut text = format!("node       {}\nfolder     {}\nstate      {state}\n", facts.node, path.display());
            for address in &addresses {
                text.push_str(&format!("address    {address}\n"));
            }
            text.push_str(&witness_text(&ends));
            notes.iter().for_each(|note| text.push_str(&note_text(note)));
            if let Some(code) = &code {
                text.push_str(&format!("code       {code}\n"));
            }
            if damaged {
                text.push_str("index      damaged; made anew at the next start\n");
            }
            text.push_str(&format!("on disk    {}", output::size(bytes)));
            text
        })
    }
}

/// What the node wrote down of its witnesses when it ran last; nothing if it cannot be read.
fn witness_notes(folder: &Path) -> Vec<WitnessNote> {
    let notes = Store::witness_notes(&folder.join("store"));
    notes.and_then(|notes| serde_json::from_slice(&notes).ok()).unwrap_or_default()
}

/// Bytes of all plain files below a folder; what cannot be read counts nothing.
fn bytes_under(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_under(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |meta| meta.len()),
        _ => 0,
    });
    sizes.sum()
}
