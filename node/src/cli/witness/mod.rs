//! `karute witness`: what somebody does who watches logs for others.

mod init;
mod run;
mod status;

use clap::{Args, Subcommand};

use super::frame::Frame;
use crate::failure::{Failure, FailureKind};
use crate::witness::{GuardError, OpenError};

/// Cosign the logs of nodes, so that none can show two histories
///
/// A witness signs that it saw a log only grow. It speaks C2SP tlog-witness over HTTP, holds no record and no right, and
/// learns which logs grow when. Patients name witnesses when they make a vault.
#[derive(Debug, Args)]
pub(super) struct WitnessArgs {
    #[command(subcommand)]
    command: WitnessCommand,
}

#[derive(Debug, Subcommand)]
enum WitnessCommand {
    Init(init::InitArgs),
    Run(run::RunArgs),
    Status(status::StatusArgs),
}

impl WitnessArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        match self.command {
            WitnessCommand::Init(args) => args.run(frame),
            WitnessCommand::Run(args) => args.run(frame),
            WitnessCommand::Status(args) => args.run(frame),
        }
    }
}

/// What to do when the store and its guard do not fit.
fn not_opened(error: OpenError) -> Failure {
    let full = |e: &std::io::Error| e.kind() == std::io::ErrorKind::StorageFull;
    let (kind, hint) = match &error {
        OpenError::Disk(e) if full(e) => {
            (FailureKind::DiskFull, "free some space on that disk and run the command again")
        }
        OpenError::Disk(_) => (FailureKind::Storage, "check the disk, and who owns the folder"),
        OpenError::NotOurs => (FailureKind::InvalidInput, "name the witness's own folder with --home"),
        OpenError::Absent | OpenError::Damaged { .. } | OpenError::Behind { .. } => (FailureKind::Storage, FORGOT),
        OpenError::Guard(guard) => return guard_refuses(guard, &error),
    };
    Failure::new(kind, error).during("opening what this witness signed").hint(hint)
}

fn guard_refuses(guard: &GuardError, error: &OpenError) -> Failure {
    let (kind, hint) = match guard {
        GuardError::Absent | GuardError::Damaged => (FailureKind::Storage, NO_GUARD),
        GuardError::OtherWitness | GuardError::InUse(_) => (FailureKind::Config, OTHER_GUARD),
        GuardError::Disk(_) => (FailureKind::Storage, "check the disk, and who owns the guard's file"),
    };
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Failure::new(kind, cause).during("opening the guard").hint(hint)
}

const FORGOT: &str = "a witness that forgot what it signed must not sign: bring back the newer folder, or make a new witness \
    with a new key (karute witness init --home) and have patients name that one";
const NO_GUARD: &str = "bring back the guard that belongs to this folder (config.toml may name it); without it nobody knows \
    whether this folder is the newest, and a new witness with a new key is the way on";
const OTHER_GUARD: &str = "name this witness's guard with guard = '...' in config.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_that_forgot_is_told_what_to_do() {
        for error in
            [OpenError::Absent, OpenError::Behind { store: 1, guard: 2 }, OpenError::Damaged { offset: 48, guard: 2 }]
        {
            let failure = not_opened(error);
            assert_eq!(failure.kind(), FailureKind::Storage);
            assert!(failure.advice().is_some_and(|hint| hint.contains("newer folder")));
        }
        let failure = not_opened(OpenError::Guard(GuardError::Absent));
        assert!(failure.chain().contains("guard") && failure.advice().is_some_and(|hint| hint.contains("guard")));
    }
}
