//! `karute completions`: a shell learns the commands and flags.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use super::frame::Frame;
use super::output;
use crate::failure::{Failure, FailureKind};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute completions bash > ~/.local/share/bash-completion/completions/karute")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self, _frame: &Frame) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "karute", script.by_ref());
        let text = String::from_utf8(script)
            .map_err(|e| Failure::new(FailureKind::Internal, e).during("writing completions"))?;
        output::print(&text)
    }
}
