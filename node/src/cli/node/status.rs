//! `karute node status`: what stands in a node's folder, without its passphrase.

use std::path::Path;

use clap::Args;
use serde_json::json;

use crate::cli::frame::{Frame, Role};
use crate::cli::output;
use crate::config::NodeConfig;
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
        let shown = json!({ "home": path, "node": facts.node, "peer": facts.peer, "addresses": addresses,
            "running": running, "index_damaged": damaged, "disk_bytes": bytes, "registration_code": code });
        frame.show(&shown, || {
            let state = if running { "running" } else { "stopped" };
            let mut text = format!("node      {}\nfolder    {}\nstate     {state}\n", facts.node, path.display());
            for address in &addresses {
                text.push_str(&format!("address   {address}\n"));
            }
            if let Some(code) = &code {
                text.push_str(&format!("code      {code}\n"));
            }
            if damaged {
                text.push_str("index     damaged; made anew at the next start\n");
            }
            text.push_str(&format!("on disk   {}", output::size(bytes)));
            text
        })
    }
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
