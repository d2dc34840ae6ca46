//! `karute patient`: what a patient does with the own vault.

mod approve;
mod audit;
mod device;
mod erase;
mod export;
mod grant;
mod grants;
mod init;
mod records;
mod recover;
mod requests;
mod revoke;
mod sheet;
mod show;
mod status;
mod trail;
mod watch;
mod witnesses;
mod wording;

pub(super) use grants::grants_text;

use clap::{Args, Subcommand};

use super::frame::Frame;
use crate::failure::Failure;

/// Keep your own records, say who may read them, see who did
#[derive(Debug, Args)]
pub(super) struct PatientArgs {
    #[command(subcommand)]
    command: PatientCommand,
}

#[derive(Debug, Subcommand)]
enum PatientCommand {
    Init(init::InitArgs),
    Status(status::StatusArgs),
    Device(device::DeviceArgs),
    Recover(recover::RecoverArgs),
    Records(records::RecordsArgs),
    Show(show::ShowArgs),
    Erase(erase::EraseArgs),
    Requests(requests::RequestsArgs),
    Approve(approve::ApproveArgs),
    Grant(grant::GrantArgs),
    Grants(grants::GrantsArgs),
    Revoke(revoke::RevokeArgs),
    Witnesses(witnesses::WitnessesArgs),
    Trail(trail::TrailArgs),
    Watch(watch::WatchArgs),
    Audit(audit::AuditArgs),
}

impl PatientArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        match self.command {
            PatientCommand::Init(args) => args.run(frame),
            PatientCommand::Status(args) => args.run(frame),
            PatientCommand::Device(args) => args.run(frame),
            PatientCommand::Recover(args) => args.run(frame),
            PatientCommand::Records(args) => args.run(frame),
            PatientCommand::Show(args) => args.run(frame),
            PatientCommand::Erase(args) => args.run(frame),
            PatientCommand::Requests(args) => args.run(frame),
            PatientCommand::Approve(args) => args.run(frame),
            PatientCommand::Grant(args) => args.run(frame),
            PatientCommand::Grants(args) => args.run(frame),
            PatientCommand::Revoke(args) => args.run(frame),
            PatientCommand::Witnesses(args) => args.run(frame),
            PatientCommand::Trail(args) => args.run(frame),
            PatientCommand::Watch(args) => args.run(frame),
            PatientCommand::Audit(args) => args.run(frame),
        }
    }
}
