//! `karute witness status`: what stands in a witness's folder, without its passphrase.

use clap::Args;
use karute_protocol::cosignature::WitnessKey;
use serde_json::json;

use super::not_opened;
use crate::cli::frame::{Frame, Role};
use crate::cli::moment;
use crate::config::WitnessRoleConfig;
use crate::failure::{Failure, FailureKind};
use crate::home::Home;
use crate::witness::{Store, WitnessFacts};

/// Show a witness's key, whether it runs, and how many logs it has cosigned
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute witness status --json")]
pub(super) struct StatusArgs {}

impl StatusArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let path = frame.home(Role::Witness)?;
        let facts = WitnessFacts::read(&path)?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("there is no witness in {}", path.display()))
                .hint("make one with karute witness init, or name its folder with --home")
        })?;
        let key: WitnessKey = facts.vkey.parse().map_err(|e| {
            Failure::new(FailureKind::Storage, e)
                .during("reading witness.json")
                .hint("restore that file: karute witness run prints the key too")
        })?;
        let config = WitnessRoleConfig::read(&frame.config_path(&path))?;
        let running = match Home::open(&path) {
            Ok(_) => false,
            Err(failure) if failure.kind() == FailureKind::Busy => true,
            Err(failure) => return Err(failure),
        };
        let survey = Store::survey(&path, &key).map_err(not_opened)?;
        let guard = config.guard_of(&path);
        let guarded = guard.exists();
        let shown = json!({ "home": path, "name": facts.name, "vkey": facts.vkey, "listen": config.listen,
            "running": running, "origins": survey.origins, "vaults": survey.vaults,
            "last_signed": survey.last.map(|at| at.secs()), "guard": guard, "guard_exists": guarded });
        frame.show(&shown, || {
            let state = if running { "running" } else { "stopped" };
            let last = survey.last.map_or_else(|| "never".to_owned(), moment::minute);
            let absent = if guarded { "" } else { "   (absent: this witness cannot start)" };
            format!(
                "name      {}\nkey       {}\nfolder    {}\nstate     {state}\nlistens   {}\nlogs      {}\nvaults    {}\n\
                signed    {last}   (newest head that was stored)\nguard     {}{absent}",
                facts.name,
                facts.vkey,
                path.display(),
                config.listen,
                survey.origins,
                survey.vaults,
                guard.display()
            )
        })
    }
}
