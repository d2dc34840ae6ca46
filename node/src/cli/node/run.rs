//! `karute node run`: a node at work until it is told to stop.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::witnesses::witness_text;
use crate::cli::frame::{Frame, Role};
use crate::cli::signals::told_to_stop;
use crate::config::{ChosenWitness, NodeConfig, NodeLimits, Registration};
use crate::cosign::{Connect, WitnessEnd, Witnesses};
use crate::failure::{Failure, FailureKind};
use crate::flow::host::run::{Ending, Node};
use crate::flow::host::{Host, Registration as Admission};
use crate::home::Home;
use crate::net::ListenError;
use crate::node_keys::NodeKeys;
use crate::vault::bodies::BodyLimits;
use crate::vault::journal::{PrepareError, StopReason};
use crate::vault::{OpenError, Store, StoreSettings};

/// Run a node until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute node run
  karute node run --listen /ip4/127.0.0.1/tcp/7400 --passphrase-file node.pass
  karute node run --witness witness.example+0a1b2c3d+BGf4...=https://witness.example")]
pub(super) struct RunArgs {
    /// Address to listen on instead of the configured ones; may be repeated
    #[arg(long, value_name = "ADDRESS", env = "KARUTE_LISTEN", hide_env_values = true, value_delimiter = ',')]
    listen: Vec<String>,
    /// Who may make a vault here, instead of what is configured
    #[arg(long, value_enum, env = "KARUTE_REGISTRATION", hide_env_values = true)]
    registration: Option<Registration>,
    /// Witness that cosigns this node's logs, instead of the configured ones: its key and where it is; may be repeated
    #[arg(long, value_name = "VKEY=URL", value_parser = ChosenWitness::from_flag)]
    witness: Vec<ChosenWitness>,
}

impl RunArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let path = frame.home(Role::Node)?;
        let mut config = NodeConfig::read(&frame.config_path(&path))?;
        if !self.witness.is_empty() {
            config.witnesses = self.witness;
        }
        let (ends, pace) = (config.witness_ends()?, config.pace()?);
        let home = Home::open(&path)?;
        let keys = NodeKeys::open(home.path(), &frame.passphrase()?)?;
        let listen = if self.listen.is_empty() { config.listen_or_default() } else { self.listen };
        let admission = match self.registration.or(config.registration).unwrap_or_default() {
            Registration::Closed => Admission::Closed,
            Registration::Code => Admission::Code(keys.registration_code()),
        };
        frame.run(async {
            let store = open_store(&home, &keys, &config.limits, frame)?;
            let witnesses = Witnesses::new(ends.clone(), Connect::network(), pace);
            let host = Host::with_witnesses(store, keys.log(), admission, frame.ambient(), witnesses);
            if host.is_put_back() {
                return ended(Ending::PutBack);
            }
            let node = Node::start(Arc::clone(&host), &keys.transport(), &listen).await.map_err(not_listening)?;
            let addresses: Vec<String> = match config.external.is_empty() {
                true => node.addresses().iter().map(ToString::to_string).collect(),
                false => config.external.iter().map(|at| format!("{at}/p2p/{}", keys.transport().peer_key())).collect(),
            };
            show_running(frame, &keys, &addresses, &ends)?;
            let ending = node.run(told_to_stop()).await;
            host.close();
            ended(ending)
        })
    }
}

fn show_running(frame: &Frame, keys: &NodeKeys, addresses: &[String], ends: &[WitnessEnd]) -> Result<(), Failure> {
    let names: Vec<&str> = ends.iter().map(|end| end.key.name.as_str()).collect();
    let node = keys.node().to_hex();
    let shown = json!({ "event": "running", "node": node, "addresses": addresses, "witnesses": names });
    frame.show(&shown, || {
        let mut text = format!("node       {node}\n");
        for address in addresses {
            text.push_str(&format!("address    {address}\n"));
        }
        text.push_str(&witness_text(ends));
        text.push_str("running; Ctrl-C ends it");
        text
    })
}

fn open_store(home: &Home, keys: &NodeKeys, limits: &NodeLimits, frame: &Frame) -> Result<Store, Failure> {
    let ambient = frame.ambient();
    let settings = StoreSettings {
        folder: home.join("store"),
        log: keys.log(),
        entropy: Arc::new(move |bytes: &mut [u8]| ambient.fill(bytes)),
        bodies: BodyLimits { body_bytes_max: limits.body_bytes_max, uploads_max: limits.uploads_max },
    };
    let bar = frame.bars().spinner("opening the store");
    let opened = Store::open(settings, &mut |batches| bar.label(&format!("making the index anew: {batches} batches")));
    bar.finish();
    let (store, opened) = opened.map_err(not_opened)?;
    if opened.rebuilt {
        tracing::warn!(batches = opened.applied, "the index was made anew from the journal");
    }
    if opened.journal_is_behind {
        tracing::error!("the index knew of more than the journal holds: restore the journal from a backup or mirror");
    }
    Ok(store)
}

fn not_opened(error: OpenError) -> Failure {
    let full = |e: &std::io::Error| e.kind() == std::io::ErrorKind::StorageFull;
    let (kind, hint) = match &error {
        OpenError::Prepare(PrepareError::InUse) => {
            (FailureKind::Busy, "another karute node run uses this folder: stop it")
        }
        OpenError::Prepare(PrepareError::Disk(e)) | OpenError::Disk(e) if full(e) => {
            (FailureKind::DiskFull, "free some space on that disk and run the command again")
        }
        OpenError::Prepare(PrepareError::Disk(_)) | OpenError::Disk(_) => {
            (FailureKind::Storage, "check the disk, and who owns the folder")
        }
        OpenError::Journal(_) => {
            (FailureKind::Storage, "restore the folder from a backup: the journal is the truth and is damaged")
        }
        OpenError::Index(_) | OpenError::Apply(_) => {
            (FailureKind::Storage, "move the folder store/sled away and run the command again: it is made anew")
        }
    };
    Failure::new(kind, error).during("opening the store").hint(hint)
}

/// A node that was told to end has done its work; one whose store stopped has not.
fn ended(ending: Ending) -> Result<(), Failure> {
    let why = match ending {
        Ending::Asked => return Ok(()),
        Ending::StoreStopped(StopReason::Write) => "the journal could not be written",
        Ending::StoreStopped(StopReason::Sync) => "the disk did not confirm what was written",
        Ending::StoreStopped(StopReason::Erase) => "an erased record could not be overwritten",
        Ending::StoreStopped(StopReason::Apply) => "the index could not take what the journal holds",
        Ending::StoreStopped(StopReason::WriterGone) => "the journal's writer ended",
        Ending::PutBack => {
            let cause = "this store is older than what this node has signed";
            return Err(Failure::new(FailureKind::Storage, cause).during("running the node").hint(PUT_BACK_HINT));
        }
    };
    Err(Failure::new(FailureKind::Storage, format!("the store has stopped: {why}"))
        .during("running the node")
        .hint("look at the disk and its free space, then run the command again: what was acknowledged is safe"))
}

const PUT_BACK_HINT: &str = "bring back the newer folder; if it is lost for good, make a new node with karute node \
    init in another folder and move the vaults to it: this one's name stands under two different pasts";

fn not_listening(error: ListenError) -> Failure {
    let kind = match &error {
        ListenError::PortInUse(_) => FailureKind::Busy,
        ListenError::HowMany | ListenError::BadAddress(_) | ListenError::NotOurs(_) | ListenError::NotAllowed(_) => {
            FailureKind::Config
        }
        ListenError::Failed(_) | ListenError::TimedOut | ListenError::SetUp(_) => FailureKind::Storage,
    };
    Failure::new(kind, error).during("starting to listen").hint("choose other addresses with --listen")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_that_was_told_to_end_succeeds() {
        assert!(ended(Ending::Asked).is_ok());
        assert_eq!(ended(Ending::PutBack).unwrap_err().kind(), FailureKind::Storage);
        for reason in
            [StopReason::Write, StopReason::Sync, StopReason::Erase, StopReason::Apply, StopReason::WriterGone]
        {
            let failure = ended(Ending::StoreStopped(reason)).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Storage);
            assert!(failure.advice().is_some());
        }
    }
}
