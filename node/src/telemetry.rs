//! Tracing to stderr, for people or for machines.
//!
//! What is logged never holds health data, names or keys: peers, counts, sizes, durations and error kinds only. A success
//! is quiet; an error means a fault of the program.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogShape {
    /// A line for a person.
    Text,
    /// A JSON object a line.
    Json,
}

/// How much is logged unless `KARUTE_LOG` says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors.
    Quiet,
    /// Warnings too.
    Normal,
    /// What happens.
    Verbose,
    /// Details of this program.
    Debug,
}

impl Verbosity {
    /// From the counts of `-v` and `-q`.
    pub fn of(verbose: u8, quiet: bool) -> Self {
        match (quiet, verbose) {
            (true, _) => Self::Quiet,
            (false, 0) => Self::Normal,
            (false, 1) => Self::Verbose,
            (false, _) => Self::Debug,
        }
    }

    fn directives(self) -> &'static str {
        match self {
            Self::Quiet => "error",
            Self::Normal => "warn",
            Self::Verbose => "warn,karute_node=info",
            Self::Debug => "info,karute_node=debug",
        }
    }
}

/// Starts logging for this process. Later calls change nothing.
pub fn start(verbosity: Verbosity, shape: LogShape) {
    let filter = EnvFilter::builder()
        .with_env_var("KARUTE_LOG")
        .try_from_env()
        .unwrap_or_else(|_| EnvFilter::new(verbosity.directives()));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match shape {
        LogShape::Text => lines.compact().try_init(),
        LogShape::Json => lines.json().try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verbosity_is_a_valid_filter() {
        for verbosity in [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose, Verbosity::Debug] {
            EnvFilter::try_new(verbosity.directives()).unwrap();
        }
        assert_eq!(Verbosity::of(2, true), Verbosity::Quiet);
        assert_eq!(Verbosity::of(3, false), Verbosity::Debug);
    }
}
