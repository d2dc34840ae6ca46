//! Progress of long work, on stderr, for a person only: no bar without a terminal, none with `--json` or `-q`.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Columns of the terminal on stdout; nothing without one.
pub fn terminal_columns() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Whether bars may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bars {
    /// On stderr.
    Shown,
    /// Nowhere.
    Hidden,
}

impl Bars {
    /// Shown if stderr is a terminal.
    pub fn if_terminal() -> Self {
        if std::io::stderr().is_terminal() { Self::Shown } else { Self::Hidden }
    }

    /// A bar over `len` bytes of what `label` names.
    pub fn bytes(self, label: &str, len: u64) -> Progress {
        let style = "{msg:24!} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        self.bar(label, ProgressBar::new(len), style)
    }

    /// A bar over `len` things.
    pub fn count(self, label: &str, len: u64) -> Progress {
        self.bar(label, ProgressBar::new(len), "{msg:24!} [{bar:30}] {pos}/{len} {eta}")
    }

    /// A sign of life for work whose length is unknown.
    pub fn spinner(self, label: &str) -> Progress {
        let progress = self.bar(label, ProgressBar::new_spinner(), "{spinner} {msg}");
        if self == Self::Shown {
            progress.0.enable_steady_tick(TICK);
        }
        progress
    }

    fn bar(self, label: &str, bar: ProgressBar, template: &str) -> Progress {
        bar.set_draw_target(match self {
            Self::Shown => ProgressDrawTarget::stderr(),
            Self::Hidden => ProgressDrawTarget::hidden(),
        });
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(label.to_owned());
        Progress(bar)
    }
}

/// One bar; it disappears when dropped.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// `by` more are done.
    pub fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    /// `done` are done in all, as after a resume.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// The work now counts `len` in all.
    pub fn set_len(&self, len: u64) {
        self.0.set_length(len);
    }

    /// Names what is being worked on.
    pub fn label(&self, label: &str) {
        self.0.set_message(label.to_owned());
    }

    /// Takes the bar off the screen.
    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}

const TICK: Duration = Duration::from_millis(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_bar_counts_without_drawing() {
        let progress = Bars::Hidden.bytes("deposit", 10);
        progress.advance(4);
        assert_eq!(progress.0.position(), 4);
        assert!(progress.0.is_hidden());
        progress.finish();
    }
}
