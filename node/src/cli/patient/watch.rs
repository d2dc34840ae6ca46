//! `karute patient watch`: who does what in the vault, as it happens.

use clap::Args;
use karute_consent::id::PartyKey;
use karute_protocol::trail::EventKind;

use super::trail::{Known, line_text};
use crate::agent::error::AgentError;
use crate::agent::patient::Patient;
use crate::cli::agent::{json, names_in, network, open_patient};
use crate::cli::frame::Frame;
use crate::failure::Failure;
use crate::flow::agent::audit::TrailLine;
use crate::flow::agent::grants::grants;
use crate::flow::agent::watch::watch;

/// Show who does what in the vault, as it happens
///
/// The node sends each event of the trail as soon as it is written down. Each is checked: that the node's signed
/// checkpoint has it, that none is left out in between, and that whoever is said to have read something asked for it.
/// When the connection is lost, the watch goes on from the last event as soon as it is back. Other commands work meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient watch
  karute patient watch --from 1
  karute patient watch --json")]
pub(super) struct WatchArgs {
    /// Begin with the event of this number instead of now
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// Show each look for news in the ledger too
    #[arg(long)]
    all: bool,
}

impl WatchArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        frame.run(async {
            let mut reach = network(&patient.transport())?;
            let mut failed = None;
            let mut tell = |patient: &Patient, line: &TrailLine| {
                let look_up = line.kind == EventKind::GrantSync && !self.all && !frame.json;
                let told = if look_up { Ok(()) } else { shown(frame, patient, line) };
                told.map_err(|failure| {
                    failed = Some(failure);
                    AgentError::Malformed("nobody listens") // the failure itself is given below
                })
            };
            let Err(error) = watch(&mut patient, &mut reach, self.from, &mut tell).await;
            Err(failed.unwrap_or_else(|| error.into()))
        })
    }
}

/// Prints one event; who closed our stdout has seen enough.
fn shown(frame: &Frame, patient: &Patient, line: &TrailLine) -> Result<(), Failure> {
    let grants = grants(patient, frame.ambient().now())?;
    let view = patient.view()?;
    let state = view.state()?;
    let identity = [state.identity(), state.charter().payload().identity];
    let own = |key: PartyKey| view.was_device(key) || identity.contains(&key);
    let known =
        Known { names: names_in(&grants), grants: grants.iter().map(|line| (line.grant, line)).collect(), own: &own };
    frame.show(&json(line)?, || line_text(line, &known))
}
