//! `karute patient status`: the vault as this device knows it, after asking the node for news.

use clap::Args;

use crate::cli::agent::{json, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::picture;
use crate::cli::table::{Table, counted};
use crate::cli::values::kind_word;
use crate::cli::vouching::{findings_line, status_line};
use crate::failure::Failure;
use crate::flow::agent::status::patient_status;
use crate::flow::agent::sync::sync_patient;
use karute_consent::category::Kind;

/// Show the vault: devices, hosts, collections, grants in force
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  karute patient status\n  karute patient status --offline --json")]
pub(super) struct StatusArgs {
    /// Do not ask the node for news
    #[arg(long)]
    offline: bool,
    /// Show the vault's link as a QR picture too
    #[arg(long)]
    qr: bool,
}

impl StatusArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        if !self.offline {
            frame.run(async {
                let mut reach = network(&patient.transport())?;
                Ok(sync_patient(&mut patient, &mut reach).await?)
            })?;
        }
        let status = patient_status(&patient, frame.ambient().now())?;
        frame.show(&json(&status)?, || {
            let mut text = format!(
                "vault       {}\nlink        {}\nledger      {}\ngrants      {} in force\n",
                status.vault,
                status.link,
                counted(status.size as usize, "entry").replace("entrys", "entries"),
                status.grants_active
            );
            let now = frame.ambient().now();
            text.push_str(&format!("witnesses   {}\n", status_line(&status.witnesses, now)));
            if let Some(line) = findings_line(status.findings) {
                text.push_str(&format!("findings    {line}\n"));
            }
            if !status.holds_identity {
                text.push_str("identity    on another device: that one adds and removes devices\n");
            }
            let mut devices = Table::new(&["device", "added", ""]);
            for device in &status.devices {
                let this = if device.this { "this one" } else { "" };
                devices.row([device.key.to_string(), moment::minute(device.added), this.to_owned()]);
            }
            text.push_str(&format!("\n{}", devices.render("")));
            let mut hosts = Table::new(&["host", "role", "address"]);
            for host in &status.hosts {
                hosts.row([host.node.to_string(), host.role.to_string(), host.addresses.join(" ")]);
            }
            text.push_str(&format!("\n{}", hosts.render("")));
            let mut collections = Table::new(&["collection", "generation", ""]);
            let mut lines: Vec<_> = status.collections.iter().collect();
            lines.sort_by_key(|line| (line.category, line.sensitivity));
            for line in lines {
                let kind =
                    line.category.zip(line.sensitivity).map(|(category, sensitivity)| Kind { category, sensitivity });
                let pending = if line.pending { "new keys pending" } else { "" };
                collections.row([
                    kind.map_or_else(|| line.collection.to_string(), kind_word),
                    line.generation.to_string(),
                    pending.to_owned(),
                ]);
            }
            text.push_str(&format!("\n{}", collections.render("no collections yet\n")));
            if let Some(picture) = self.qr.then(|| picture::qr(&status.link)).flatten() {
                text.push_str(&picture);
            }
            text
        })
    }
}
