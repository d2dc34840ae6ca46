//! `karute node`: what a custodian does.

mod init;
mod run;
mod status;

use clap::{Args, Subcommand};

use super::frame::Frame;
use crate::failure::Failure;

/// Host vaults that this machine cannot read
#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    #[command(subcommand)]
    command: NodeCommand,
}

#[derive(Debug, Subcommand)]
enum NodeCommand {
    Init(init::InitArgs),
    Run(run::RunArgs),
    Status(status::StatusArgs),
}

impl NodeArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        match self.command {
            NodeCommand::Init(args) => args.run(frame),
            NodeCommand::Run(args) => args.run(frame),
            NodeCommand::Status(args) => args.run(frame),
        }
    }
}
