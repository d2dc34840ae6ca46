//! What every command shares: where the role's folder is, how to speak, where the passphrase comes from.

use std::future::Future;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use serde_json::Value;

use super::output;
use crate::ambient::Ambient;
use crate::config::{ConfigPath, default_home};
use crate::failure::{Failure, FailureKind};
use crate::home::check_folder;
use crate::passphrase::Passphrase;
use crate::progress::Bars;
use crate::telemetry::{self, LogShape, Verbosity};

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Shared options")]
pub(super) struct Frame {
    /// Print one JSON value on stdout, and a failure as JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Folder of this role's keys and state [default: the data folder, karute/<role>]
    #[arg(long, global = true, value_name = "DIR", env = "KARUTE_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// File whose first line is the passphrase; without it the terminal is asked
    #[arg(long, global = true, value_name = "FILE", env = "KARUTE_PASSPHRASE_FILE", hide_env_values = true)]
    passphrase_file: Option<PathBuf>,
    /// Configuration file [default: config.toml in the folder of the role]
    #[arg(long, global = true, value_name = "FILE", env = "KARUTE_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Log more; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Log errors only and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// Whose folder a command works in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Node,
    Witness,
    #[cfg(feature = "agent")]
    Patient,
    #[cfg(feature = "agent")]
    Facility,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Witness => "witness",
            #[cfg(feature = "agent")]
            Self::Patient => "patient",
            #[cfg(feature = "agent")]
            Self::Facility => "facility",
        }
    }
}

impl Frame {
    pub(super) fn start_telemetry(&self) {
        let shape = if self.json { LogShape::Json } else { LogShape::Text };
        telemetry::start(Verbosity::of(self.verbose, self.quiet), shape);
    }

    /// The role's folder: the flag or KARUTE_HOME, else the platform's data folder.
    pub(super) fn home(&self, role: Role) -> Result<PathBuf, Failure> {
        let home = match &self.home {
            Some(home) => home.clone(),
            None => default_home(role.name(), |key| std::env::var(key).ok())?,
        };
        check_folder(&home)?;
        Ok(home)
    }

    /// Where the role's configuration is read from.
    pub(super) fn config_path(&self, home: &Path) -> ConfigPath {
        ConfigPath::choose(self.config.as_deref(), home)
    }

    /// The passphrase of existing keys.
    pub(super) fn passphrase(&self) -> Result<Passphrase, Failure> {
        Passphrase::ask(self.passphrase_file.as_deref())
    }

    /// The passphrase of keys about to be made.
    pub(super) fn new_passphrase(&self) -> Result<Passphrase, Failure> {
        Passphrase::choose(self.passphrase_file.as_deref())
    }

    /// The clock and randomness of this process.
    pub(super) fn ambient(&self) -> Ambient {
        Ambient::system()
    }

    /// Whether progress is drawn.
    pub(super) fn bars(&self) -> Bars {
        if self.json || self.quiet { Bars::Hidden } else { Bars::if_terminal() }
    }

    /// Prints the result: `json` with `--json`, else the text.
    pub(super) fn show(&self, json: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { output::print(&json.to_string()) } else { output::print(&text()) }
    }

    /// Prints a remark for a person on stderr; nothing with `--json` or `-q`.
    #[cfg(feature = "agent")]
    pub(super) fn remark(&self, text: &str) {
        if !self.json && !self.quiet {
            eprintln!("{text}");
        }
    }

    /// Runs a deed to its end on a runtime of its own.
    pub(super) fn run<T>(&self, deed: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .map_err(|e| Failure::new(FailureKind::Internal, e).during("starting the runtime"))?;
        runtime.block_on(deed)
    }
}

/// An agent talks to one node at a time: one thread for the network, one for sealing.
const WORKERS: usize = 2;
