//! `karute patient`: what a patient does with the own vault.

mod approve;
mod device;
mod erase;
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
    Trail(trail::TrailArgs),
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
            PatientCommand::Trail(args) => args.run(frame),
        }
    }
}
