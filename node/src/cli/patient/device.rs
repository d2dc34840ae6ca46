//! `karute patient device`: the devices that may act for the patient.

use clap::{Args, Subcommand};
use karute_consent::id::PartyKey;
use serde_json::json;

use crate::agent::link::VaultLink;
use crate::agent::patient::Patient;
use crate::agent::store::Store;
use crate::cli::agent::{json as as_json, network, open_patient, settings};
use crate::cli::frame::{Frame, Role};
use crate::cli::table::{Table, counted};
use crate::cli::values::text_or_file;
use crate::cli::{moment, picture};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::device::{approve_device, finish_join, join_text, remove_device};
use crate::flow::agent::status::patient_status;
use crate::flow::agent::sync::sync_patient;

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
        let Some(link) = self.vault else {
            let text = join_text(&patient);
            return frame.show(&json!({ "join": text, "key": patient.device().to_string() }), || {
                let picture = picture::qr(&text).unwrap_or_default();
                format!(
                    "{picture}\n{text}\n\nShow this to the device that has the vault: karute patient device approve ..."
                )
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
        frame.show(&as_json(&changed)?, || {
            format!(
                "device {} is out: the node refuses it from now on\n\
                 {} got new keys that it does not have; {} got them too\n\
                 What it already holds it can still read: that cannot be taken back.",
                changed.key,
                counted(changed.rotated.len(), "collection"),
                counted(changed.resealed as usize, "holder")
            )
        })
    }
}

pub(super) fn not_a_link(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(FailureKind::InvalidInput, error)
        .during("reading the vault's link")
        .hint("copy it whole: it begins with karute:vault:")
}
