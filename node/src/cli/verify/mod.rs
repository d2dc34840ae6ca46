//! `karute verify`: evidence is checked from files, without a network.

mod finding;
mod grant;
mod receipt;
mod record;
mod trail;

use std::path::Path;

use clap::{Args, Subcommand};

use super::frame::Frame;
use crate::failure::{Failure, FailureKind};
use crate::home::read_bounded;

/// Check a record, a grant, a receipt, a trail or a finding from files, offline
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(subcommand)]
    command: VerifyCommand,
}

#[derive(Debug, Subcommand)]
enum VerifyCommand {
    Record(record::RecordArgs),
    Grant(grant::GrantArgs),
    Receipt(receipt::ReceiptArgs),
    Trail(trail::TrailArgs),
    Finding(finding::FindingArgs),
}

impl VerifyArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        match self.command {
            VerifyCommand::Record(args) => args.run(frame),
            VerifyCommand::Grant(args) => args.run(frame),
            VerifyCommand::Receipt(args) => args.run(frame),
            VerifyCommand::Trail(args) => args.run(frame),
            VerifyCommand::Finding(args) => args.run(frame),
        }
    }
}

/// The whole of a file that must exist.
fn read(path: &Path, max: usize) -> Result<Vec<u8>, Failure> {
    read_bounded(path, max as u64)?
        .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("there is no file {}", path.display())))
}

/// A file that is not what it should be, or whose evidence does not hold.
fn unproven(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(FailureKind::Verification, error)
        .during(format!("checking {}", path.display()))
        .hint("the file was changed, belongs to another, or is of another kind")
}
