//! `karute patient revoke`: a grant ends, and the person is told exactly how far that goes.

use clap::Args;
use karute_consent::category::Sensitivity;
use karute_consent::revocation::RevocationReason;
use karute_protocol::freshness::secs_max;

use crate::agent::freshness::span;
use crate::cli::agent::{json, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::table::counted;
use crate::cli::values::{by_prefix, words};
use crate::cli::vouching::NONE;
use crate::failure::Failure;
use crate::flow::agent::grants::grants;
use crate::flow::agent::revoke::{Revoke, Revoked, revoke};
use crate::flow::agent::sync::sync_patient;
use crate::flow::agent::witnesses::Witnessing;

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

/// The levels of a revocation, each reached or not, and what none of them can do.
fn levels_text(revoked: &Revoked) -> String {
    let levels = &revoked.levels;
    let line = |reached: bool, done: String, open: String| match reached {
        true => format!("  [x] {done}\n"),
        false => format!("  [ ] {open}\n"),
    };
    let mut text = format!("grant {} is revoked\n", revoked.grant);
    text.push_str(&line(
        levels.signed,
        "signed: nobody can take the revocation back".to_owned(),
        "not signed".to_owned(),
    ));
    text.push_str(&line(
        levels.refused,
        "refused: the node sends nothing more under this grant, nor under any passed on from it".to_owned(),
        "not yet refused: the node has not confirmed it; run the command again".to_owned(),
    ));
    text.push_str(&line(
        levels.appended,
        format!("in the ledger, which has {} entries now: no node can drop it unseen", revoked.size),
        "not yet in the ledger: the home host will enter it".to_owned(),
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
        "no new keys yet: until then new records go to the inbox, which the holder cannot open".to_owned(),
    ));
    text.push_str(&line(
        levels.resealed,
        match revoked.resealed {
            0 => "nobody else holds keys that had to be renewed".to_owned(),
            count => format!("{} who may still read got the new keys", counted(count as usize, "other holder")),
        },
        "those who may still read have not got the new keys yet".to_owned(),
    ));
    text.push_str(&line(levels.witnessed, witnessed_text(&revoked.witnesses), unwitnessed_text(&revoked.witnesses)));
    if let Some(why) = &revoked.stopped {
        text.push_str(&format!(
            "\nIt stopped there: {why}. Run the command again, or karute patient status, to finish it.\n"
        ));
    }
    text.push_str(CANNOT);
    text
}

fn witnessed_text(found: &Witnessing) -> String {
    format!(
        "witnessed: {} of {} witnesses have seen it. A depositor who is shown an older state takes it for {} more at\n      \
         most, for sensitive kinds {}; one who has seen the new state, never",
        found.count(),
        found.witnesses.len(),
        span(secs_max(Sensitivity::Normal)),
        span(secs_max(Sensitivity::Sensitive)),
    )
}

fn unwitnessed_text(found: &Witnessing) -> String {
    match found.quorum {
        0 => format!(
            "{NONE}: a node that lies could still show the old keys to a depositor who has not seen the new ones,\n      \
             and its signed word would convict it only later"
        ),
        quorum => format!(
            "accepted, not yet witnessed ({} of {quorum} needed): a node that lies could still show the old keys to a\n      \
             depositor. karute patient status asks once more",
            found.count()
        ),
    }
}

/// What no level can do.
const CANNOT: &str = "
What was read before cannot be un-read, and copies stay where they are. A node that conspires with
the former holder could still hand over what was sealed before now.";
