//! `karute patient device`: the devices that may act for the patient.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use karute_consent::id::PartyKey;
use serde_json::json;

use crate::agent::link::VaultLink;
use crate::agent::patient::Patient;
use crate::agent::store::Store;
use crate::cli::agent::{json as as_json, kinds_text, network, open_patient, settings, short_key};
use crate::cli::frame::{Frame, Role};
use crate::cli::moment;
use crate::cli::picture::{self, Draw};
use crate::cli::table::{Table, counted};
use crate::cli::values::text_or_file;
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::device::{approve_device, finish_join, join_text, remove_device};
use crate::flow::agent::grants::grants_signed_by;
use crate::flow::agent::lines::GrantLine;
use crate::flow::agent::status::patient_status;
use crate::flow::agent::sync::sync_patient;
use crate::home::write_atomic;

/// List, add and remove the devices of the vault
#[derive(Debug, Args)]
pub(super) struct DeviceArgs {
    #[command(subcommand)]
    command: DeviceCommand,
}

#[derive(Debug, Subcommand)]
enum DeviceCommand {
    List(ListArgs),
    Join(JoinArgs),
    Approve(ApproveArgs),
    Remove(RemoveArgs),
}

/// List the devices in force
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute patient device list")]
struct ListArgs {}

/// Join a vault from a new device: first print its keys, then, once approved, fetch the vault's
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient device join --name 'Yamada Taro'     on the new device: prints karute:join:...
  karute patient device approve karute:join:...       on the old device: prints the vault's link
  karute patient device join --vault karute:vault:... on the new device: done")]
struct JoinArgs {
    /// Your name
    #[arg(long)]
    name: Option<String>,
    /// The vault's link, once the old device has approved this one
    #[arg(long, value_name = "LINK")]
    vault: Option<String>,
    /// Write the text for the old device into this file
    #[arg(long, value_name = "FILE", conflicts_with = "vault")]
    out: Option<PathBuf>,
    /// Draw its QR picture, however wide the terminal is
    #[arg(long, conflicts_with = "vault")]
    qr: bool,
}

/// Let a new device act for you; only the device that holds the identity key can
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute patient device approve karute:join:...")]
struct ApproveArgs {
    /// What the new device printed, or a file with it
    join: String,
}

/// Remove a device; every collection gets new keys that it does not have
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute patient device remove did:key:z6Mk...")]
struct RemoveArgs {
    /// The device's key, as the list shows it
    key: PartyKey,
}

impl DeviceArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        match self.command {
            DeviceCommand::List(args) => args.run(frame),
            DeviceCommand::Join(args) => args.run(frame),
            DeviceCommand::Approve(args) => args.run(frame),
            DeviceCommand::Remove(args) => args.run(frame),
        }
    }
}

impl ListArgs {
    fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(sync_patient(&mut patient, &mut reach).await?)
        })?;
        let status = patient_status(&patient, frame.ambient().now())?;
        frame.show(&as_json(&status.devices)?, || {
            let mut table = Table::new(&["device", "added", ""]);
            for device in &status.devices {
                let this = if device.this { "this one" } else { "" };
                table.row([device.key.to_string(), moment::minute(device.added), this.to_owned()]);
            }
            table.render("no devices")
        })
    }
}

impl JoinArgs {
    fn run(self, frame: &Frame) -> Result<(), Failure> {
        let (home, config) = settings(frame, Role::Patient)?;
        let mut patient = match Store::exists(&home) {
            true => Patient::open_in(&home, &frame.passphrase()?, &frame.ambient())?,
            false => {
                let name = self.name.or(config.name).ok_or_else(|| {
                    Failure::new(FailureKind::Usage, "your name is missing").hint("give it with --name NAME")
                })?;
                Patient::create_in(&home, &frame.new_passphrase()?, &frame.ambient(), &name)?
            }
        };
        if self.vault.is_none() && patient.vault().is_some() {
            return Err(Failure::new(FailureKind::InvalidInput, format!("{} has a vault already", home.display()))
                .hint("run this on the new device, or with another folder: --home"));
        }
        let Some(link) = self.vault else {
            let text = join_text(&patient);
            if let Some(path) = &self.out {
                write_atomic(path, text.as_bytes())?;
            }
            let draw = Draw::of_flag(self.qr);
            return frame.show(&json!({ "join": text, "key": patient.device().to_string() }), || match &self.out {
                Some(path) => format!("on the old device run: karute patient device approve {}", path.display()),
                None => format!(
                    "{}{text}\n\nOn the device that has the vault run: karute patient device approve karute:join:...",
                    picture::block(&text, draw)
                ),
            });
        };
        let link: VaultLink = text_or_file(&link, "karute:vault:")?.parse().map_err(not_a_link)?;
        let sync = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(finish_join(&mut patient, &mut reach, &link).await?)
        })?;
        frame.show(&as_json(&sync)?, || format!("this device is in; the ledger has {} entries", sync.size))
    }
}

impl ApproveArgs {
    fn run(self, frame: &Frame) -> Result<(), Failure> {
        let join = text_or_file(&self.join, "karute:join:")?;
        let mut patient = open_patient(frame)?;
        let changed = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(approve_device(&mut patient, &mut reach, &join).await?)
        })?;
        frame.show(&as_json(&changed)?, || {
            format!(
                "device {} is in force\non the new device run: karute patient device join --vault {}",
                changed.key, changed.link
            )
        })
    }
}

impl RemoveArgs {
    fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        let changed = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(remove_device(&mut patient, &mut reach, self.key).await?)
        })?;
        let still = grants_signed_by(&patient, self.key, frame.ambient().now())?;
        let mut shown = as_json(&changed)?;
        shown["grants_in_force"] = as_json(&still)?;
        frame.show(&shown, || {
            format!(
                "device {} is out: the node refuses it from now on\n\
                 {} got new keys that it does not have; {} got them too\n\
                 What it already holds it can still read: that cannot be taken back.\n{}",
                changed.key,
                counted(changed.rotated.len(), "collection"),
                counted(changed.resealed as usize, "holder"),
                still_granted(&still),
            )
        })
    }
}

/// What a removed device granted stays granted: each of it with the line that ends it.
fn still_granted(still: &[GrantLine]) -> String {
    if still.is_empty() {
        return "No grant that it signed is in force.".to_owned();
    }
    let mut text = format!(
        "\n{} that it signed {} in force. If somebody else had the device, end what you do not know:\n",
        counted(still.len(), "grant"),
        if still.len() == 1 { "is still" } else { "are still" }
    );
    for line in still {
        let actions: Vec<&str> = line.actions.iter().map(|action| action.word()).collect();
        let holder = line.holder_name.clone().unwrap_or_else(|| short_key(line.holder));
        text.push_str(&format!(
            "  karute patient revoke {}   # {holder}: {} {}, until {}\n",
            &line.grant.to_string()[..12],
            actions.join(", "),
            kinds_text(&line.kinds),
            moment::minute(line.not_after)
        ));
    }
    text
}

pub(super) fn not_a_link(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(FailureKind::InvalidInput, error)
        .during("reading the vault's link")
        .hint("copy it whole: it begins with karute:vault:")
}
