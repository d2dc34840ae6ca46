//! `karute witness run`: a witness at work until it is told to stop.

use std::collections::BTreeSet;

use clap::Args;
use karute_consent::id::NodeId;
use karute_protocol::note::NoteKey;
use serde_json::json;

use super::not_opened;
use crate::cli::frame::{Frame, Role};
use crate::cli::signals::told_to_stop;
use crate::config::WitnessRoleConfig;
use crate::failure::{Failure, FailureKind};
use crate::home::Home;
use crate::witness::{Desk, Ending, Guard, OpenError, Rules, Store, Witness, WitnessKeys};

/// Run a witness until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute witness run
  karute witness run --listen 127.0.0.1:7500 --passphrase-file witness.pass")]
pub(super) struct RunArgs {
    /// Address and port to listen on instead of the configured one
    #[arg(long, value_name = "ADDRESS:PORT", env = "KARUTE_LISTEN", hide_env_values = true)]
    listen: Option<String>,
}

impl RunArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let path = frame.home(Role::Witness)?;
        let config = WitnessRoleConfig::read(&frame.config_path(&path))?;
        let rules = rules(&config)?;
        let home = Home::open(&path)?;
        let keys = WitnessKeys::open(home.path(), &frame.passphrase()?)?;
        let party = keys.key().party.key();
        let guard = Guard::open(&config.guard_of(&path), party).map_err(OpenError::Guard).map_err(not_opened)?;
        let store = Store::open(home.path(), party, guard).map_err(not_opened)?;
        let listen = self.listen.unwrap_or(config.listen);
        frame.run(async {
            let failed = |e| Failure::new(FailureKind::Internal, e).during("starting the witness's thread");
            let (desk, ending) = Desk::start(store, &keys, rules, frame.ambient()).map_err(failed)?;
            let witness = Witness::bind(&listen, desk, ending).await.map_err(|e| not_listening(e, &listen))?;
            let address = witness.address().map_err(|e| not_listening(e, &listen))?.to_string();
            let (name, vkey) = (keys.name().as_str(), keys.key().to_string());
            let shown = json!({ "event": "running", "name": name, "vkey": vkey, "address": address });
            frame.show(&shown, || {
                format!("name     {name}\nkey      {vkey}\naddress  http://{address}\nrunning; Ctrl-C ends it")
            })?;
            match witness.run(told_to_stop()).await {
                Ending::Asked => Ok(()),
                Ending::StoreStopped => Err(Failure::new(FailureKind::Storage, "the store could not be written")
                    .during("running the witness")
                    .hint("look at the disk and its free space, then run the command again: nothing was signed since")),
            }
        })
    }
}

/// Whose logs are taken on, as configured.
fn rules(config: &WitnessRoleConfig) -> Result<Rules, Failure> {
    let wrong = |what: &str, text: &str| {
        Failure::new(FailureKind::Config, format!("{what} {text:?} is not one"))
            .hint("nodes are node ids in hex; logs are verifier keys: name+id+key")
    };
    let nodes: BTreeSet<NodeId> = config
        .nodes
        .iter()
        .map(|text| text.parse().map_err(|_| wrong("the node id", text)))
        .collect::<Result<_, _>>()?;
    let logs: Vec<NoteKey> = config
        .logs
        .iter()
        .map(|text| text.parse().map_err(|_| wrong("the log key", text)))
        .collect::<Result<_, _>>()?;
    Rules::new(nodes, logs, config.origins_max)
        .map_err(|e| Failure::new(FailureKind::Config, e).hint("correct logs in config.toml"))
}

fn not_listening(error: std::io::Error, listen: &str) -> Failure {
    let kind = match error.kind() {
        std::io::ErrorKind::AddrInUse => FailureKind::Busy,
        _ => FailureKind::Config,
    };
    Failure::new(kind, error).during(format!("listening on {listen}")).hint("choose another address with --listen")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_node_or_log_in_the_configuration_is_named() {
        let config = |nodes: &[&str], logs: &[&str]| WitnessRoleConfig {
            nodes: nodes.iter().map(ToString::to_string).collect(),
            logs: logs.iter().map(ToString::to_string).collect(),
            ..WitnessRoleConfig::default()
        };
        let good = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        assert!(rules(&config(&[&"07".repeat(32)], &[good])).is_ok());
        for wrong in [config(&["abc"], &[]), config(&[], &["example.com/foo"]), config(&[], &[good; 5])] {
            assert_eq!(rules(&wrong).unwrap_err().kind(), FailureKind::Config);
        }
    }
}
