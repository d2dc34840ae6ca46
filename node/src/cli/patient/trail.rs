//! `karute patient trail`: what happened in the vault, in plain words, and whether the trail holds.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use karute_consent::id::{PartyKey, StatementId};
use karute_consent::purpose::Purpose;
use karute_consent::time::{Month, Timestamp};
use karute_protocol::trail::EventKind;

use super::export::{TrailForm, Went, write_export};
use super::wording::purpose_words;
use crate::agent::patient::Patient;
use crate::cli::agent::{Names, json, kinds_text, names_in, network, open_patient, short_key};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::table::counted;
use crate::cli::values::{by_prefix, month};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::audit::{Trail, TrailLine, audit};
use crate::flow::agent::export::{audit_events, grant_facts, trail_facts};
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
  karute patient trail --out trail.karute && karute verify trail trail.karute
  karute patient trail --export fhir --out trail.json")]
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
    /// Show each look for news in the ledger too
    #[arg(long)]
    all: bool,
    /// Write the whole trail with its proofs into this file, for karute verify trail
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write what is shown in this form into the file of --out instead; - is stdout
    #[arg(long, value_name = "FORM", requires = "out")]
    export: Option<TrailForm>,
}

impl TrailArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        let mut trail = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(audit(&mut patient, &mut reach).await?)
        })?;
        let known = grants(&patient, frame.ambient().now())?;
        if let (Some(path), None) = (&self.out, self.export) {
            write_atomic(path, &trail.evidence)?;
        }
        let only = match &self.grant {
            Some(typed) => Some(by_prefix(typed, &known.iter().map(|line| line.grant).collect::<Vec<_>>(), "grant")?),
            None => None,
        };
        trail.lines.retain(|line| self.keeps(line, only));
        let whole = only.is_none() && !self.refusals;
        trail.erased.retain(|line| whole && self.since.is_none_or(|month| line.time.month() >= month));
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
        let look_ups = if self.all { LookUps::Shown } else { LookUps::Hidden };
        if self.write_export(&patient, &trail)? != Some(Went::ToStdout) {
            frame.show(&json(&trail)?, || text(&trail, &known, look_ups))?;
        }
        match sound {
            true => Ok(()),
            false => Err(Failure::new(FailureKind::Verification, "the trail does not hold")
                .hint("keep what you have: the checkpoints and receipts in your folder are evidence against the node")),
        }
    }

    fn write_export(&self, patient: &Patient, trail: &Trail) -> Result<Option<Went>, Failure> {
        let (Some(path), Some(TrailForm::Fhir)) = (&self.out, self.export) else { return Ok(None) };
        let grants = grant_facts(patient, patient.ambient().now())?;
        let events = audit_events(&trail_facts(patient, trail, &grants)?);
        write_export(path, &events).map(Some)
    }

    fn keeps(&self, line: &TrailLine, only: Option<StatementId>) -> bool {
        only.is_none_or(|grant| line.chain.contains(&grant))
            && self.since.is_none_or(|month| line.time.month() >= month)
            && (!self.refusals || line.kind == EventKind::Refusal)
    }
}

/// Whom and what the patient knows by name.
pub(super) struct Known<'a> {
    pub(super) grants: HashMap<StatementId, &'a GrantLine>,
    pub(super) names: Names,
    /// Whether a key is the patient's own.
    pub(super) own: &'a dyn Fn(PartyKey) -> bool,
}

impl Known<'_> {
    fn who(&self, line: &TrailLine) -> String {
        if (self.own)(line.party) {
            return "you".to_owned();
        }
        let named = line.party_name.clone().or_else(|| self.names.get(&line.party).cloned());
        named.unwrap_or_else(|| short_key(line.party))
    }

    /// The beginning of a grant's id, as long as it takes to tell it from the others.
    fn short(&self, grant: StatementId) -> String {
        let id = grant.to_string();
        let others: Vec<String> =
            self.grants.keys().filter(|other| **other != grant).map(ToString::to_string).collect();
        let alone = |len: &usize| !others.iter().any(|other| other[..*len] == id[..*len]);
        let len = (GRANT_DIGITS_MIN..id.len()).find(alone).unwrap_or(id.len());
        format!("{}…", &id[..len])
    }
}

/// Lines of one day that say the same, one after the other.
struct Group {
    first: Timestamp,
    last: Timestamp,
    times: usize,
    sentence: String,
    acting: Option<String>,
}

/// One event, in the words of the whole trail.
pub(super) fn line_text(line: &TrailLine, known: &Known<'_>) -> String {
    let sentence = sentence(line, line.count, known);
    group_text(&Group { first: line.time, last: line.time, times: 1, sentence, acting: acting(line) })
}

fn text(trail: &Trail, known: &Known<'_>, look_ups: LookUps) -> String {
    let hidden = |line: &TrailLine| look_ups == LookUps::Hidden && line.kind == EventKind::GrantSync;
    let shown: Vec<&TrailLine> = trail.lines.iter().filter(|line| !hidden(line)).collect();
    let mut text: String = grouped(&shown, known).iter().map(group_text).collect();
    if shown.is_empty() {
        text.push_str("nothing\n");
    }
    let unseen = trail.lines.len() - shown.len();
    if unseen > 0 {
        text.push_str(&format!("\n{} for news in the ledger not shown (shown with --all)\n", counted(unseen, "look")));
    }
    let checks = &trail.checks;
    if !trail.erased.is_empty() {
        let numbers: Vec<String> = trail.erased.iter().map(|line| line.number.to_string()).collect();
        text.push_str(&format!("\nwhat these events said was erased: {}\n", numbers.join(", ")));
    }
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

/// The lines in words. Deposits of one party after each other are added up, and what prepared them is left out.
fn grouped(lines: &[&TrailLine], known: &Known<'_>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let goes_on = |next: &&&TrailLine| {
            line.kind == EventKind::Deposit
                && (next.kind, next.party, &next.chain) == (line.kind, line.party, &line.chain)
                && day(next.time) == day(line.time)
        };
        let same: Vec<&TrailLine> = lines[at..].iter().take_while(goes_on).copied().collect();
        let run = if same.is_empty() { vec![*line] } else { same };
        at += run.len();
        let count = run.iter().map(|line| line.count).sum();
        let last = run.last().map_or(line.time, |last| last.time);
        let (sentence, acting) = (sentence(line, count, known), acting(line));
        match groups.last_mut() {
            Some(before)
                if (&before.sentence, &before.acting, day(before.first)) == (&sentence, &acting, day(line.time)) =>
            {
                (before.last, before.times) = (last, before.times + 1);
            }
            _ => groups.push(Group { first: line.time, last, times: 1, sentence, acting }),
        }
    }
    groups
}

fn group_text(group: &Group) -> String {
    let (first, last) = (moment::minute(group.first), moment::minute(group.last));
    let until = if first == last { String::new() } else { format!("until {}", &last[last.len() - 5..]) };
    let times = if group.times > 1 { format!("{} times", group.times) } else { String::new() };
    let again = [times, until].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let again = if again.is_empty() { again } else { format!("  ({again})") };
    let acting = group.acting.as_ref().map_or(String::new(), |acting| format!("{ACTING_INDENT}{acting}\n"));
    format!("{first} UTC  {}{again}\n{acting}", group.sentence)
}

fn day(time: Timestamp) -> u64 {
    time.secs() / DAY_SECS
}

/// "Hospital B read 3 records (imaging) for treatment, under grant 1a2b3c…"
fn sentence(line: &TrailLine, count: u64, known: &Known<'_>) -> String {
    let own = (known.own)(line.party);
    let who = known.who(line);
    let records = counted(count as usize, "record");
    let last = line.chain.last();
    let kinds = last
        .and_then(|grant| known.grants.get(grant))
        .filter(|line| !line.kinds.is_empty())
        .map_or(String::new(), |line| format!(" ({})", kinds_text(&line.kinds)));
    let mut sentence = match line.kind {
        EventKind::LedgerAppend => format!("{who} changed the ledger"),
        EventKind::Deposit if count == 0 => format!("{who} prepared a deposit"),
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
        EventKind::GrantSync if own => format!("{who} looked for news in the ledger"),
        EventKind::GrantSync => format!("{who} looked up what concerns it in the ledger"),
        EventKind::Export => format!("{who} exported {records}"),
        EventKind::PassOn => format!("{who} passed keys on"),
    };
    let read = matches!(line.kind, EventKind::List | EventKind::Read | EventKind::Export);
    if let Some(purpose) = line.purpose.as_ref().filter(|_| read && !own) {
        let words = purpose.parse::<Purpose>().map_or(purpose.as_str(), |purpose| purpose_words(purpose).0);
        sentence.push_str(&format!(" for {words}"));
    }
    if let Some(grant) = last {
        sentence.push_str(&format!(", under grant {}", known.short(*grant)));
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

/// Whether looks for news in the ledger are shown: every command makes one, and none reads a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LookUps {
    Shown,
    Hidden,
}

const DAY_SECS: u64 = 86_400;
/// Fewest digits of a grant's id that are shown.
const GRANT_DIGITS_MIN: usize = 6;
const ACTING_INDENT: &str = "                      ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::agent::audit::TrailChecks;

    const PATIENT: [u8; 32] = [1; 32];
    const HOSPITAL: [u8; 32] = [2; 32];

    fn line(secs: u64, kind: EventKind, party: [u8; 32], count: u64) -> TrailLine {
        TrailLine {
            number: 0,
            time: Timestamp::from_secs(1_795_356_180 + secs),
            kind,
            party: PartyKey::from_bytes(party),
            party_name: (party == HOSPITAL).then(|| "Hospital B".to_owned()),
            action: None,
            purpose: Some("TREAT".to_owned()),
            records: Vec::new(),
            count,
            outcome: 0,
            acting: None,
            chain: if party == HOSPITAL { vec![StatementId::from_bytes([0xab; 32])] } else { Vec::new() },
        }
    }

    fn told(lines: Vec<TrailLine>, look_ups: LookUps) -> String {
        let checks =
            TrailChecks { gapless: true, proofs: true, not_shorter: true, receipts_found: 0, receipts_missing: 0 };
        let trail = Trail { lines, erased: Vec::new(), checks, checkpoint: String::new(), evidence: Vec::new() };
        let own = |key: PartyKey| key == PartyKey::from_bytes(PATIENT);
        text(&trail, &Known { grants: HashMap::new(), names: Names::new(), own: &own }, look_ups)
    }

    #[test]
    fn what_repeats_is_said_once_and_deposits_are_added_up() {
        let lines = || {
            vec![
                line(0, EventKind::Deposit, HOSPITAL, 0),
                line(1, EventKind::Deposit, HOSPITAL, 1),
                line(70, EventKind::Deposit, HOSPITAL, 1),
                line(80, EventKind::GrantSync, HOSPITAL, 0),
                line(90, EventKind::Read, HOSPITAL, 1),
                line(100, EventKind::GrantSync, HOSPITAL, 0),
                line(300, EventKind::Read, HOSPITAL, 1),
                line(301, EventKind::Read, PATIENT, 1),
            ]
        };
        let text = told(lines(), LookUps::Hidden);
        let first: Vec<&str> = text.lines().take(5).collect();
        assert_eq!(
            first,
            [
                "2026-11-22 14:03 UTC  Hospital B deposited 2 records, under grant ababab…  (until 14:04)",
                "2026-11-22 14:04 UTC  Hospital B read 1 record for treatment, under grant ababab…  (2 times, until 14:08)",
                "2026-11-22 14:08 UTC  you read 1 record",
                "",
                "2 looks for news in the ledger not shown (shown with --all)",
            ]
        );
        assert_eq!(told(lines(), LookUps::Shown).matches("looked up").count(), 2);
    }

    #[test]
    fn a_stranger_is_shown_by_the_beginning_of_its_key() {
        let text = told(vec![line(0, EventKind::Ask, [7; 32], 0)], LookUps::Hidden);
        assert!(text.contains("did:key:z6Mk") && text.contains("… asked for access"), "{text}");
    }
}
