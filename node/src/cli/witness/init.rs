//! `karute witness init`: key, store and guard of a new witness.

use std::path::{Path, PathBuf};

use clap::Args;
use karute_protocol::note::KeyName;
use serde_json::json;

use super::not_opened;
use crate::cli::frame::{Frame, Role};
use crate::config::{WITNESS_LISTEN_DEFAULT, WitnessRoleConfig};
use crate::failure::{Failure, FailureKind};
use crate::home::{Home, write_atomic};
use crate::witness::{Guard, OpenError, Store, WitnessFacts, WitnessKeys};

/// Make the key of a new witness
///
/// Prints the verifier key, which patients put into the witness set of their vaults and custodians into the configuration
/// of their nodes. A counter is kept in a second place, the guard: with it the witness notices that its folder was
/// replaced by an older one, and refuses to sign.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute witness init --name witness.example/w1
  karute witness init --name witness.example/w1 --listen 127.0.0.1:7500 --guard /mnt/other-disk/w1.guard")]
pub(super) struct InitArgs {
    /// Name in its signatures, best an address without http:// that is its own; cannot be changed later
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = WITNESS_LISTEN_DEFAULT)]
    listen: String,
    /// File of the guard, best on another disk [default: beside the folder]
    #[arg(long, value_name = "FILE")]
    guard: Option<PathBuf>,
}

impl InitArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let path = frame.home(Role::Witness)?;
        if WitnessKeys::exist(&path) {
            return Err(Failure::new(FailureKind::InvalidInput, format!("{} has keys already", path.display()))
                .hint("start it with karute witness run, or make another witness with --home"));
        }
        let name: KeyName = self.name.parse().map_err(|e| {
            Failure::new(FailureKind::Usage, e)
                .during("reading --name")
                .hint("no spaces and no plus: witness.example/w1")
        })?;
        let passphrase = frame.new_passphrase()?;
        let home = Home::create(&path)?;
        let guard = absolute(self.guard)?;
        let settings = NewConfig { listen: &self.listen, guard: guard.as_deref() };
        write_atomic(&home.join("config.toml"), settings.text()?.as_bytes())?;
        let keys = WitnessKeys::draw(name, &frame.ambient());
        let party = keys.key().party.key();
        // The key is kept last: what fails before it can be begun again.
        let guard = WitnessRoleConfig { guard, ..WitnessRoleConfig::default() }.guard_of(&path);
        Guard::create(&guard, party).map_err(OpenError::Guard).map_err(not_opened)?;
        Store::create(home.path(), party)?;
        keys.keep(&home, &passphrase, &frame.ambient())?;
        let facts = WitnessFacts::of(&keys);
        facts.save(&home)?;
        let shown =
            json!({ "home": path, "name": facts.name, "vkey": facts.vkey, "listen": self.listen, "guard": guard });
        frame.show(&shown, || text(&facts, &path, &self.listen, &guard))
    }
}

fn text(facts: &WitnessFacts, home: &Path, listen: &str, guard: &Path) -> String {
    format!(
        "name      {}\nkey       {}\nfolder    {}\nguard     {}\nlistens   {listen}\n\n\
        Start it with karute witness run. Give the key and the address http://... at which this witness is reached to\n\
        custodians, who put both into the config.toml of their nodes; patients name the key when they make a vault.\n\
        Never restore an older copy of the folder: a witness that forgot what it signed must not sign.",
        facts.name,
        facts.vkey,
        home.display(),
        guard.display()
    )
}

fn absolute(guard: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    let absolute = guard.map(|path| std::path::absolute(&path).map_err(|e| Failure::io("looking for", &path, e)));
    absolute.transpose()
}

#[derive(serde::Serialize)]
struct NewConfig<'a> {
    listen: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<&'a Path>,
}

impl NewConfig<'_> {
    fn text(&self) -> Result<String, Failure> {
        toml::to_string(self).map_err(|e| Failure::new(FailureKind::Internal, e).during("writing the configuration"))
    }
}
