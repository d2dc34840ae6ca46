//! `karute patient trail`: what happened in the vault, in plain words, and whether the trail holds.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use karute_consent::id::{PartyKey, StatementId};
use karute_consent::time::Month;
use karute_protocol::trail::EventKind;

use crate::cli::agent::{Names, json, kinds_text, names_in, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::table::counted;
use crate::cli::values::{by_prefix, month};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::audit::{Trail, TrailLine, audit};
use crate::flow::agent::grants::grants;
use crate::flow::agent::lines::GrantLine;
use crate::home::write_atomic;

/// Show who did what in the vault, and check that nothing was left out
///
/// Pulls the trail from the node, checks that its numbers have no gap, that every entry is proven by the node's signed
/// checkpoint, that it is not shorter than it was, and that what this device had receipts for stands in it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient trail
  karute patient trail --grant 1a2b3c4d --since 2026-11
  karute patient trail --refusals
  karute patient trail --out trail.karute && karute verify trail trail.karute")]
pub(super) struct TrailArgs {
    /// Only what was done under this grant, by the beginning of its id
    #[arg(long, value_name = "GRANT")]
    grant: Option<String>,
    /// Only from this month on
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    since: Option<Month>,
    /// Only what was refused
    #[arg(long)]
    refusals: bool,
    /// Write the whole trail with its proofs into this file, for karute verify trail
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl TrailArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        let mut trail = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(audit(&mut patient, &mut reach).await?)
        })?;
        let known = grants(&patient, frame.ambient().now())?;
        if let Some(path) = &self.out {
            write_atomic(path, &trail.evidence)?;
        }
        let only = match &self.grant {
            Some(typed) => Some(by_prefix(typed, &known.iter().map(|line| line.grant).collect::<Vec<_>>(), "grant")?),
            None => None,
        };
        trail.lines.retain(|line| self.keeps(line, only));
        let sound = trail.checks.gapless
            && trail.checks.proofs
            && trail.checks.not_shorter
            && trail.checks.receipts_missing == 0;
        let view = patient.view()?;
        let state = view.state()?;
        let charter = state.charter().payload();
        let own = |key: PartyKey| view.was_device(key) || [state.identity(), charter.identity].contains(&key);
        let known =
            Known { names: names_in(&known), grants: known.iter().map(|line| (line.grant, line)).collect(), own: &own };
        frame.show(&json(&trail)?, || text(&trail, &known))?;
        match sound {
            true => Ok(()),
            false => Err(Failure::new(FailureKind::Verification, "the trail does not hold")
                .hint("keep what you have: the checkpoints and receipts in your folder are evidence against the node")),
        }
    }

    fn keeps(&self, line: &TrailLine, only: Option<StatementId>) -> bool {
        only.is_none_or(|grant| line.chain.contains(&grant))
            && self.since.is_none_or(|month| line.time.month() >= month)
            && (!self.refusals || line.kind == EventKind::Refusal)
    }
}

/// Whom and what the patient knows by name.
struct Known<'a> {
    grants: HashMap<StatementId, &'a GrantLine>,
    names: Names,
    /// Whether a key is the patient's own.
    own: &'a dyn Fn(PartyKey) -> bool,
}

fn text(trail: &Trail, known: &Known<'_>) -> String {
    let mut text = String::new();
    let mut lines =
        trail.lines.iter().map(|line| (moment::minute(line.time), sentence(line, known), acting(line))).peekable();
    while let Some(line) = lines.next() {
        let mut times = 1;
        while lines.next_if_eq(&line).is_some() {
            times += 1;
        }
        let (minute, sentence, acting) = line;
        let again = if times > 1 { format!("  ({times} times)") } else { String::new() };
        text.push_str(&format!("{minute} UTC  {sentence}{again}\n"));
        if let Some(acting) = acting {
            text.push_str(&format!("{ACTING_INDENT}{acting}\n"));
        }
    }
    if trail.lines.is_empty() {
        text.push_str("nothing\n");
    }
    let checks = &trail.checks;
    let mark = |holds: bool| if holds { "yes" } else { "NO" };
    text.push_str(&format!(
        "\nnumbers without gap: {}   all entries proven: {}   not shorter than seen before: {}\nyour own receipts in it: {} of {}\n",
        mark(checks.gapless),
        mark(checks.proofs),
        mark(checks.not_shorter),
        checks.receipts_found,
        checks.receipts_found + checks.receipts_missing,
    ));
    text
}

/// "Hospital B read 3 records (imaging), purpose TREAT, under grant 1a2b3c4d5e6f…"
fn sentence(line: &TrailLine, known: &Known<'_>) -> String {
    let own = (known.own)(line.party);
    let who = match own {
        true => "you".to_owned(),
        false => line
            .party_name
            .clone()
            .or_else(|| known.names.get(&line.party).cloned())
            .unwrap_or_else(|| line.party.to_string()),
    };
    let records = counted(line.count as usize, "record");
    let last = line.chain.last();
    let kinds = last
        .and_then(|grant| known.grants.get(grant))
        .filter(|line| !line.kinds.is_empty())
        .map_or(String::new(), |line| format!(" ({})", kinds_text(&line.kinds)));
    let mut sentence = match line.kind {
        EventKind::LedgerAppend => format!("{who} changed the ledger"),
        EventKind::Deposit if line.count == 0 => format!("{who} prepared a deposit"),
        EventKind::Deposit => format!("{who} deposited {records}"),
        EventKind::List => format!("{who} listed {records}{kinds}"),
        EventKind::Read => format!("{who} read {records}{kinds}"),
        EventKind::Audit => format!("{who} read the trail"),
        EventKind::Refusal => format!("{who} {} refused{}", if own { "were" } else { "was" }, refused(line)),
        EventKind::Withdrawal => format!("{who} withdrew {records}"),
        EventKind::Erasure => format!("{who} erased {records}"),
        EventKind::ReWrap => format!("{who} filed {records} under other keys"),
        EventKind::Ask if own => format!("{who} answered a request for access"),
        EventKind::Ask => format!("{who} asked for access"),
        EventKind::GrantSync => format!("{who} looked up what concerns it in the ledger"),
        EventKind::Export => format!("{who} exported {records}"),
    };
    if let Some(purpose) =
        line.purpose.as_ref().filter(|_| matches!(line.kind, EventKind::List | EventKind::Read | EventKind::Export))
    {
        sentence.push_str(&format!(", purpose {purpose}"));
    }
    if let Some(grant) = last {
        sentence.push_str(&format!(", under grant {}…", &grant.to_string()[..12]));
    }
    sentence
}

fn acting(line: &TrailLine) -> Option<String> {
    let acting = line.acting.as_ref()?;
    let role = if acting.role == "-" { String::new() } else { format!(" ({})", acting.role) };
    let reason = if acting.reason == "-" { String::new() } else { format!(": {}", acting.reason) };
    Some(format!("acting: {}{role}{reason}", acting.name))
}

/// ": to read, because the grant is revoked"
fn refused(line: &TrailLine) -> String {
    let what = line.action.map_or(String::new(), |action| format!(" to {action}"));
    let why = match line.outcome {
        0 => return what,
        1 => "it named another vault",
        2 => "it was meant for another node",
        3 => "it came from another machine than it said",
        4 | 5 => "it was a repetition of an earlier request",
        6 => "its clock is wrong",
        7 => "the node's own clock is wrong",
        8 => "it had no grant",
        9 => "its grant is not in the ledger",
        10 => "its grants do not belong together",
        11 => "the grant is somebody else's",
        12 => "the grant is revoked",
        13 => "the grant has not begun",
        14 => "the grant is over",
        15 => "the grant does not allow this",
        16 => "the grant is for another purpose",
        17 => "the grant is used up",
        18 => "the grant does not cover this",
        _ => "of a reason this program does not know",
    };
    format!("{what}: {why}")
}

const ACTING_INDENT: &str = "                      ";
