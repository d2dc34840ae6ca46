//! `karute patient revoke`: a grant ends, and the person is told exactly how far that goes.

use clap::Args;
use karute_consent::revocation::RevocationReason;

use crate::cli::agent::{json, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::table::counted;
use crate::cli::values::{by_prefix, words};
use crate::failure::Failure;
use crate::flow::agent::grants::grants;
use crate::flow::agent::revoke::{Revoke, Revoked, revoke};
use crate::flow::agent::sync::sync_patient;

/// End a grant, and everything passed on from it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient revoke 1a2b3c4d5e6f
  karute patient revoke 1a2b3c4d5e6f --reason care-ended")]
pub(super) struct RevokeArgs {
    /// The grant, or the beginning of its id
    grant: String,
    /// Why
    #[arg(long, default_value = "wish", value_parser = words!(RevocationReason))]
    reason: RevocationReason,
}

impl RevokeArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        let revoked = frame.run(async {
            let mut reach = network(&patient.transport())?;
            sync_patient(&mut patient, &mut reach).await?;
            let known: Vec<_> = grants(&patient, frame.ambient().now())?.iter().map(|line| line.grant).collect();
            let grant = by_prefix(&self.grant, &known, "grant")?;
            Ok(revoke(&mut patient, &mut reach, Revoke { grant, reason: self.reason }).await?)
        })?;
        frame.show(&json(&revoked)?, || levels_text(&revoked))
    }
}

/// The five levels of a revocation, each reached or not, and what none of them can do.
fn levels_text(revoked: &Revoked) -> String {
    let levels = &revoked.levels;
    let line = |reached: bool, done: String, open: &str| match reached {
        true => format!("  [x] {done}\n"),
        false => format!("  [ ] {open}\n"),
    };
    let mut text = format!("grant {} is revoked\n", revoked.grant);
    text.push_str(&line(levels.signed, "signed: nobody can take the revocation back".to_owned(), "not signed"));
    text.push_str(&line(
        levels.refused,
        "refused: the node answers this grant no more, nor any passed on from it".to_owned(),
        "not yet refused: the node has not confirmed it; run the command again",
    ));
    text.push_str(&line(
        levels.appended,
        format!("in the ledger, which has {} entries now", revoked.size),
        "not yet in the ledger: the home host will enter it",
    ));
    text.push_str(&line(
        levels.rotated,
        match revoked.rotated.len() {
            0 => "new keys: none were needed, the holder had no collection keys".to_owned(),
            count => format!(
                "new keys for {}: what comes from now on is sealed to keys the holder never had",
                counted(count, "collection")
            ),
        },
        "no new keys yet: until then new records go to the inbox, which the holder cannot open",
    ));
    text.push_str(&line(
        levels.resealed,
        match revoked.resealed {
            0 => "nobody else holds keys that had to be renewed".to_owned(),
            count => format!("{} who may still read got the new keys", counted(count as usize, "other holder")),
        },
        "those who may still read have not got the new keys yet",
    ));
    if let Some(why) = &revoked.stopped {
        text.push_str(&format!(
            "\nIt stopped there: {why}. Run the command again, or karute patient status, to finish it.\n"
        ));
    }
    text.push_str(
        "\nWhat was read before cannot be un-read, and copies stay where they are. A node that conspires with\n\
         the former holder could still hand over what was sealed before now.",
    );
    text
}
