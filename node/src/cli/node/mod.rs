//! `karute node`: what a custodian does.

mod init;
mod run;
mod status;
mod witnesses;

use clap::builder::PossibleValue;
use clap::{Args, Subcommand, ValueEnum};

use super::frame::Frame;
use crate::config::Registration;
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

impl ValueEnum for Registration {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Closed, Self::Code]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Closed => PossibleValue::new("closed").help("Nobody"),
            Self::Code => PossibleValue::new("code").help("Whoever shows the code that `karute node init` printed"),
        })
    }
}
