//! What the commands of both agents share: opening the folder, the way to the node, cards, progress.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use karute_consent::category::Kind;
use karute_consent::id::{PartyKey, RecordId};
use karute_consent::time::Timestamp;

use super::frame::{Frame, Role};
use super::moment;
use super::output::size;
use super::table::{Table, shorten};
use super::values::{kind_word, text_or_file};
use crate::agent::connect::Connect;
use crate::agent::facility::Facility;
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;
use crate::config::AgentConfig;
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::lines::{GrantLine, Records, Step};
use crate::flow::agent::reach::Reach;
use crate::home::{make_private_dir, read_bounded, write_atomic};
pub(super) use crate::net::NodeAddress;
use crate::net::{Dialer, TransportSeed};
use crate::progress::{Bars, Progress};

/// The folder and the configuration of an agent.
pub(super) fn settings(frame: &Frame, role: Role) -> Result<(PathBuf, AgentConfig), Failure> {
    let home = frame.home(role)?;
    let config = AgentConfig::read(&frame.config_path(&home))?;
    Ok((home, config))
}

/// The patient's agent of this folder.
pub(super) fn open_patient(frame: &Frame) -> Result<Patient, Failure> {
    Patient::open_in(&frame.home(Role::Patient)?, &frame.passphrase()?, &frame.ambient())
}

/// The facility's agent of this folder.
pub(super) fn open_facility(frame: &Frame) -> Result<Facility, Failure> {
    Facility::open_in(&frame.home(Role::Facility)?, &frame.passphrase()?, &frame.ambient())
}

/// The way to nodes over the network. Only within a runtime.
pub(super) fn network(transport: &TransportSeed) -> Result<Reach, Failure> {
    let dialer =
        Dialer::new(transport).map_err(|e| Failure::new(FailureKind::Internal, e).during("setting up the network"))?;
    Ok(Reach::new(Connect::Network(dialer)))
}

/// A card from its text or its file.
pub(super) fn card(typed: &str) -> Result<Vec<u8>, Failure> {
    if !typed.starts_with(CARD_PREFIX) {
        let bytes = read_bounded(Path::new(typed), CARD_BYTES_MAX)?;
        if let Some(bytes) = bytes.filter(|bytes| !bytes.starts_with(CARD_PREFIX.as_bytes())) {
            return Ok(bytes);
        }
    }
    let text = text_or_file(typed, CARD_PREFIX)?;
    URL_SAFE_NO_PAD.decode(&text[CARD_PREFIX.len()..]).map_err(|e| {
        Failure::new(FailureKind::InvalidInput, e)
            .during("reading the card")
            .hint("ask for it anew: it was cut or changed")
    })
}

/// A card as text.
pub(super) fn card_text(card: &[u8]) -> String {
    format!("{CARD_PREFIX}{}", URL_SAFE_NO_PAD.encode(card))
}

/// A record id typed whole, as tables show it.
pub(super) fn record(typed: &str) -> Result<RecordId, Failure> {
    typed.trim().parse().map_err(|_| {
        Failure::new(FailureKind::Usage, format!("{typed} is no record id"))
            .hint("it has 32 hexadecimal digits and stands in the first column of the list")
    })
}

/// A party's key, short enough for a sentence: `did:key:z6Mk…` with as much as tells it from others.
pub(super) fn short_key(key: PartyKey) -> String {
    let text = key.to_string();
    match text.char_indices().nth(KEY_CHARS_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Kinds of data in words, a few of them named.
pub(super) fn kinds_text(kinds: &[Kind]) -> String {
    let mut kinds = kinds.to_vec();
    kinds.sort();
    match kinds.as_slice() {
        [] => "-".to_owned(),
        kinds if kinds.len() > KINDS_NAMED => {
            let named: Vec<String> = kinds[..KINDS_NAMED].iter().map(|kind| kind_word(*kind)).collect();
            format!("{} and {} more", named.join(", "), kinds.len() - KINDS_NAMED)
        }
        kinds => kinds.iter().map(|kind| kind_word(*kind)).collect::<Vec<_>>().join(", "),
    }
}

/// Writes signed grants into a folder, one file each, for karute verify grant.
pub(super) fn save_grants(folder: &Path, view: &VaultView, lines: &[GrantLine]) -> Result<(), Failure> {
    make_private_dir(folder)?;
    for line in lines {
        if let Some(grant) = view.state()?.grant(line.grant) {
            write_atomic(&folder.join(format!("{}.grant", line.grant)), grant.statement.bytes())?;
        }
    }
    Ok(())
}

/// Names of parties by their cards.
pub(super) type Names = HashMap<PartyKey, String>;

/// The names that stand in grants.
pub(super) fn names_in(grants: &[GrantLine]) -> Names {
    grants.iter().filter_map(|line| Some((line.holder, line.holder_name.clone()?))).collect()
}

/// A table of records, and what is to be said of those that it does not show.
pub(super) fn records_text(records: &Records, names: &Names, with_replaced: bool) -> String {
    let mut table = Table::new(&["record", "date", "kind", "size", "title", "from"]);
    let mut replaced = 0;
    for line in &records.records {
        if line.superseded_by.is_some() && !with_replaced {
            replaced += 1;
            continue;
        }
        let kind = Kind { category: line.category, sensitivity: line.sensitivity };
        let mut title = shorten(&line.title, TITLE_COLUMNS);
        for label in &line.labels {
            title.push_str(&format!(" [{label}]"));
        }
        table.row([
            line.record.to_string(),
            line.service_date.clone().unwrap_or_else(|| "-".to_owned()),
            kind_word(kind),
            size(line.length),
            title,
            shorten(
                line.depositor_name
                    .as_deref()
                    .or_else(|| names.get(&line.depositor).map(String::as_str))
                    .or(line.author.as_deref())
                    .unwrap_or("-"),
                NAME_COLUMNS,
            ),
        ]);
    }
    let mut text = table.render("no records\n");
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            text.push_str(&format!("{count} {what}\n"));
        }
    };
    say(replaced, "replaced by a later record (shown with --all)");
    say(records.gone.len() as u64, "erased, withdrawn or moved");
    say(records.closed, "that no key here opens");
    if !records.complete {
        text.push_str("The node's signed counts do not cover this selection: here an omission would not be seen.\n");
    }
    text
}

/// A bar that follows the steps of one deed.
pub(super) struct Follow {
    bar: Progress,
    /// Whether the deed counts bytes; then records do not move the bar.
    by_bytes: bool,
}

impl Follow {
    pub(super) fn new(bars: Bars, label: &str) -> Self {
        Self { bar: bars.bytes(label, 0), by_bytes: false }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Files { count } if !self.by_bytes => self.bar.set_len(count),
            Step::Files { .. } => {}
            Step::Total { bytes } => {
                self.by_bytes = true;
                self.bar.set_len(bytes);
            }
            Step::Bytes { done } => self.bar.set(done),
            Step::Record { path } => {
                if let Some(name) = path.file_name() {
                    self.bar.label(&name.to_string_lossy());
                }
            }
        }
    }

    pub(super) fn finish(self) {
        self.bar.finish();
    }
}

/// From and until, as a grant has them.
pub(super) fn span(from: Timestamp, until: Timestamp) -> String {
    format!("{} to {} UTC", moment::minute(from), moment::minute(until))
}

/// A result as JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(value).map_err(|e| Failure::new(FailureKind::Internal, e).during("writing JSON"))
}

pub(super) const CARD_PREFIX: &str = "karute:card:";
const CARD_BYTES_MAX: u64 = 64 * 1024;
/// Kinds named before the rest is only counted.
const KINDS_NAMED: usize = 4;
/// Characters of a key in a sentence: `did:key:z6Mk` is the same for all, the rest is not.
const KEY_CHARS_SHOWN: usize = 20;
const TITLE_COLUMNS: usize = 40;
const NAME_COLUMNS: usize = 24;
