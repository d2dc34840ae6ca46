//! `karute node init`: keys and configuration of a new node.

use clap::Args;
use serde_json::json;

use crate::cli::frame::{Frame, Role};
use crate::config::{LISTEN_DEFAULT, Registration};
use crate::failure::{Failure, FailureKind};
use crate::home::{Home, write_atomic};
use crate::node_keys::{NodeFacts, NodeKeys};

/// Make the keys of a new node
///
/// Prints the node's address and the registration code that a patient needs to make a vault on it. The node's own keys
/// are kept under a passphrase; they open no record.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute node init
  karute node init --listen /ip4/0.0.0.0/tcp/7400 --registration code --passphrase-file node.pass")]
pub(super) struct InitArgs {
    /// Address to listen on; may be repeated [default: /ip4/0.0.0.0/tcp/7400]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Who may make a vault here
    #[arg(long, value_enum, default_value_t)]
    registration: Registration,
}

impl InitArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let path = frame.home(Role::Node)?;
        if NodeKeys::exist(&path) {
            return Err(Failure::new(FailureKind::InvalidInput, format!("{} has keys already", path.display()))
                .hint("start it with karute node run, or make another node with --home"));
        }
        let passphrase = frame.new_passphrase()?;
        let home = Home::create(&path)?;
        let listen = match self.listen.is_empty() {
            true => vec![LISTEN_DEFAULT.to_owned()],
            false => self.listen,
        };
        let settings = NewConfig { listen: &listen, registration: self.registration };
        write_atomic(&home.join("config.toml"), settings.text()?.as_bytes())?;
        let keys = NodeKeys::create(&home, &passphrase, &frame.ambient())?;
        let facts = NodeFacts::of(&keys);
        facts.save(&home)?;
        let addresses: Vec<String> = listen.iter().map(|address| format!("{address}/p2p/{}", facts.peer)).collect();
        let code = (self.registration == Registration::Code).then(|| keys.registration_code());
        let shown = json!({ "home": path, "node": facts.node, "peer": facts.peer, "addresses": addresses, "registration_code": code });
        frame.show(&shown, || {
            let mut text = format!("node      {}\nfolder    {}\n", facts.node, path.display());
            for address in &addresses {
                text.push_str(&format!("address   {address}\n"));
            }
            if let Some(code) = &code {
                text.push_str(&format!("code      {code}   (a patient shows it to make a vault here)\n"));
            }
            text.push_str("\nStart it with karute node run.");
            if addresses.iter().any(|address| address.contains("/0.0.0.0/") || address.contains("/::/")) {
                text.push_str(ANY_ADDRESS);
            }
            text
        })
    }
}

const ANY_ADDRESS: &str = " Others need the address with this machine's own IP address or DNS name in the
place of 0.0.0.0, such as /dns4/node.example/tcp/7400/p2p/...; put it into config.toml as external = ['/dns4/...'].";

#[derive(serde::Serialize)]
struct NewConfig<'a> {
    listen: &'a [String],
    registration: Registration,
}

impl NewConfig<'_> {
    fn text(&self) -> Result<String, Failure> {
        toml::to_string(self).map_err(|e| Failure::new(FailureKind::Internal, e).during("writing the configuration"))
    }
}
