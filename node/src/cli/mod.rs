//! The command line: one command, one file, one Args struct whose doc comment is its help.
//!
//! Here the line is read, the frame (shared flags) is set up, the command runs, and a failure is printed once.

mod completions;
mod frame;
mod man;
mod moment;
mod node;
mod output;
mod signals;
mod witness;

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "agent")]
mod facility;
#[cfg(feature = "agent")]
mod patient;
#[cfg(feature = "agent")]
mod picture;
#[cfg(feature = "agent")]
mod table;
#[cfg(feature = "agent")]
mod told;
#[cfg(feature = "agent")]
mod values;
#[cfg(feature = "agent")]
mod verify;
#[cfg(feature = "agent")]
mod vouching;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::{Failure, FailureKind};
use frame::Frame;
use karute_consent::time::Timestamp;

/// Keep a health record that its patient controls
///
/// A patient keeps a vault on a node that cannot read it. Facilities deposit into the vault; they read from it only under
/// a grant that the patient signed, and every reading stands in the trail.
#[derive(Debug, Parser)]
#[command(name = "karute", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    frame: Frame,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Node(node::NodeArgs),
    Witness(witness::WitnessArgs),
    #[cfg(feature = "agent")]
    Patient(patient::PatientArgs),
    #[cfg(feature = "agent")]
    Facility(facility::FacilityArgs),
    #[cfg(feature = "agent")]
    Verify(verify::VerifyArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

const EXAMPLES: &str = "\
Exit codes: 0 done, 2 usage, 3 configuration, 4 node unreachable, 5 refused, 6 not found, 7 invalid input,
8 verification failed, 9 storage, 10 passphrase, 11 in use, 12 disk full, 70 fault of the program

Examples:
  karute node init && karute node run
  karute witness init --name witness.example/w1 && karute witness run
  karute patient init --name 'Yamada Taro' --node /ip4/192.0.2.1/tcp/7400/p2p/12D3KooW...
  karute facility deposit ct/ rx.json --vault karute:vault:...
  karute patient grant --to hospital-b.card --template ongoing-care --category imaging
  karute facility fetch --vault karute:vault:... --out records/
  karute patient trail";

/// Runs the command line of this process and gives its exit code.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs one command line, the program's name first.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line: Vec<OsString> = line.into_iter().collect();
    let cli = match Cli::try_parse_from(&line) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, line.iter().any(|word| word == "--json")),
    };
    cli.frame.start_telemetry();
    let clock = || check_clock(cli.frame.ambient().now());
    let done = match cli.command {
        Command::Node(args) => clock().and_then(|()| args.run(&cli.frame)),
        Command::Witness(args) => clock().and_then(|()| args.run(&cli.frame)),
        #[cfg(feature = "agent")]
        Command::Patient(args) => clock().and_then(|()| args.run(&cli.frame)),
        #[cfg(feature = "agent")]
        Command::Facility(args) => clock().and_then(|()| args.run(&cli.frame)),
        #[cfg(feature = "agent")]
        Command::Verify(args) => args.run(&cli.frame),
        Command::Completions(args) => args.run(&cli.frame),
        Command::Man(args) => args.run(&cli.frame),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure, cli.frame.json),
    }
}

/// Refuses to sign or judge anything by a clock that was never set.
fn check_clock(now: Timestamp) -> Result<(), Failure> {
    if now >= CLOCK_MIN {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Config, "this machine's clock is before the year 2020")
        .hint("set the clock, or let the network set it; grants and requests are signed with its time"))
}

/// 2020-01-01T00:00Z. A machine whose clock has no battery begins years before.
const CLOCK_MIN: Timestamp = Timestamp::from_secs(1_577_836_800);

/// The whole command line, as completions and man pages need it.
fn command() -> clap::Command {
    Cli::command()
}

/// Help and version go to stdout and succeed; everything else is a usage failure.
fn not_parsed(error: &clap::Error, json: bool) -> ExitCode {
    if !error.use_stderr() || !json {
        let _ = error.print(); // nowhere is left to report to
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FailureKind::Usage.exit_code()));
    }
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    report(&Failure::new(FailureKind::Usage, first).hint("see karute --help"), json)
}

fn report(failure: &Failure, json: bool) -> ExitCode {
    let text = if json { failure.to_json().to_string() } else { failure.to_text() };
    eprintln!("{text}");
    ExitCode::from(failure.kind().exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &clap::Command, path: &str, look: &mut impl FnMut(&str, &clap::Command)) {
        let path = format!("{path} {}", command.get_name());
        look(path.trim(), command);
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            each(inner, &path, look);
        }
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_every_flag_what_it_is() {
        each(&command(), "", &mut |path, command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.ends_with('.'), "{path}: {about:?}");
            if !command.has_subcommands() {
                let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(examples.contains("Example") && examples.contains(path), "{path} has no example of itself");
            }
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
        });
    }

    #[test]
    fn a_clock_that_was_never_set_is_refused() {
        for secs in [0, 1_577_836_799] {
            assert_eq!(check_clock(Timestamp::from_secs(secs)).unwrap_err().kind(), FailureKind::Config);
        }
        assert!(check_clock(Timestamp::from_secs(1_577_836_800)).is_ok());
    }

    #[test]
    fn a_wrong_line_is_a_usage_failure() {
        let line = |words: &[&str]| run(words.iter().map(OsString::from));
        for words in [&["karute", "nothing"][..], &["karute", "--json", "nothing"], &["karute", "patient", "grant"]] {
            assert_eq!(format!("{:?}", line(words)), format!("{:?}", ExitCode::from(2)), "{words:?}");
        }
    }

    /// The golden file is written anew with `KARUTE_BLESS=1`.
    #[cfg(feature = "agent")]
    #[test]
    fn help_is_as_it_was() {
        let mut text = String::new();
        each(&command().term_width(100), "", &mut |path, command| {
            text.push_str(&format!("== {path}\n{}\n", command.clone().term_width(100).render_long_help()));
        });
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help.txt");
        if std::env::var_os("KARUTE_BLESS").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&golden).unwrap(), "help changed: see the comment above this test");
    }
}
