//! Lies about the ledger and the heads of the logs: items in another order, left out or of another vault, an older
//! checkpoint, an answer to another nonce, witnesses that did not sign.

use data_encoding::BASE64;
use karute_consent::ledger::Item;
use karute_protocol::message::{GrantPackage, HeadsFound, KeyFound, Message};
use karute_protocol::trail::CheckpointText;

use super::answers::changed;
use super::relay::{Said, Telling};

/// What is done with the items of a sync, once all of them are known.
pub(super) type Deal = Box<dyn FnMut(&mut Vec<Item>) + Send>;

/// Items of a sync, dealt anew.
pub(super) fn dealt(mut deal: Deal) -> Telling {
    let mut items: Vec<Item> = Vec::new();
    Box::new(move |said| {
        let Said::Message(message) = said else { return vec![said] };
        match *message {
            Message::Item(item) => {
                items.push(*item);
                Vec::new()
            }
            Message::Synced(_) | Message::Faced(_) => {
                let mut told = std::mem::take(&mut items);
                deal(&mut told);
                told.into_iter().map(Message::from).chain([*message]).map(Said::from).collect()
            }
            other => vec![other.into()],
        }
    })
}

/// The first two change places.
#[allow(clippy::ptr_arg)] // as the others of its type
pub(super) fn reordered(items: &mut Vec<Item>) {
    if items.len() > 1 {
        items.swap(0, 1);
    }
}

/// The last is missing.
pub(super) fn without_last(items: &mut Vec<Item>) {
    items.pop();
}

/// One of the middle is missing.
pub(super) fn without_middle(items: &mut Vec<Item>) {
    if items.len() > 1 {
        items.remove(items.len() / 2 - usize::from(items.len() == 2));
    }
}

/// Each checkpoint of a sync is an older one.
pub(super) fn older_checkpoint(older: CheckpointText) -> Telling {
    changed(move |message| match message {
        Message::Synced(mut synced) => {
            synced.checkpoint = older.clone();
            Some(Message::Synced(synced))
        }
        other => Some(other),
    })
}

/// Each key package is that of another grant.
pub(super) fn other_package(packages: Vec<GrantPackage>) -> Telling {
    changed(move |message| match message {
        Message::GrantPackage(mut package) => {
            let other = packages.iter().find(|other| other.grant != package.grant && other.package != package.package);
            package.package = other.expect("another grant has a package").package.clone();
            Some(Message::GrantPackage(package))
        }
        other => Some(other),
    })
}

/// Each key for a deposit is proven from an older directory.
pub(super) fn older_key(older: KeyFound) -> Telling {
    changed(move |message| match message {
        Message::KeyFound(_) => Some(older.clone().into()),
        other => Some(other),
    })
}

/// The words on the newest heads are those of an earlier answer.
pub(super) fn older_words(older: Vec<HeadsFound>) -> Telling {
    on_heads(move |found| {
        let same = |older: &&HeadsFound| older.ledger.is_some() == found.ledger.is_some();
        let older = older.iter().find(same).expect("such an answer was given before").clone();
        (found.trail, found.ledger) = (older.trail, older.ledger);
    })
}

/// Every checkpoint of the ledger passes `change`.
pub(super) fn cosigned_so(change: fn(&CheckpointText) -> CheckpointText) -> Telling {
    changed(move |message| match message {
        Message::HeadsFound(mut found) => {
            found.ledger_checkpoint = found.ledger_checkpoint.as_ref().map(change);
            Some(Message::HeadsFound(found))
        }
        Message::Synced(mut synced) => {
            synced.checkpoint = change(&synced.checkpoint);
            Some(Message::Synced(synced))
        }
        other => Some(other),
    })
}

fn on_heads(mut change: impl FnMut(&mut HeadsFound) + Send + 'static) -> Telling {
    changed(move |message| match message {
        Message::HeadsFound(mut found) => {
            change(&mut found);
            Some(Message::HeadsFound(found))
        }
        other => Some(other),
    })
}

/// A line of a witness: name and what stands in base64.
type WitnessLine = (String, Vec<u8>);

/// The lines behind the host's own.
fn witness_lines(text: &CheckpointText) -> (String, Vec<WitnessLine>) {
    let mut lines: Vec<&str> = text.0.lines().collect();
    let first = lines.iter().position(|line| line.starts_with(DASH)).expect("the host signed it") + 1;
    let parts = |line: &str| {
        let (name, blob) = line.trim_start_matches(DASH).trim().split_once(' ')?;
        Some((name.to_owned(), BASE64.decode(blob.as_bytes()).ok()?))
    };
    let of_witnesses = lines.split_off(first).into_iter().filter_map(parts).collect();
    (lines.join("\n") + "\n", of_witnesses)
}

fn written((body, lines): (String, Vec<WitnessLine>)) -> CheckpointText {
    let line = |(name, blob): WitnessLine| format!("{DASH} {name} {}\n", BASE64.encode(&blob));
    CheckpointText(body + &lines.into_iter().map(line).collect::<String>())
}

/// The first witness's signature under the second one's name and key id.
pub(super) fn copied_cosignature(text: &CheckpointText) -> CheckpointText {
    let (body, mut lines) = witness_lines(text);
    if let [one, other, ..] = lines.as_mut_slice() {
        other.1[4..].copy_from_slice(&one.1[4..]);
    }
    written((body, lines))
}

/// One witness's line three times, and no other's.
pub(super) fn one_witness_thrice(text: &CheckpointText) -> CheckpointText {
    let (body, lines) = witness_lines(text);
    let thrice = lines.into_iter().take(1).flat_map(|line| [line.clone(), line.clone(), line]).collect();
    written((body, thrice))
}

/// The time of every cosignature a day later.
pub(super) fn later_cosignature(text: &CheckpointText) -> CheckpointText {
    with_time(text, |time| time + 86_400)
}

/// The time of every cosignature a day earlier.
pub(super) fn earlier_cosignature(text: &CheckpointText) -> CheckpointText {
    with_time(text, |time| time - 86_400)
}

/// No witness at all.
pub(super) fn no_cosignature(text: &CheckpointText) -> CheckpointText {
    written((witness_lines(text).0, Vec::new()))
}

fn with_time(text: &CheckpointText, change: fn(u64) -> u64) -> CheckpointText {
    let (body, mut lines) = witness_lines(text);
    for (_, blob) in &mut lines {
        if let Some(time) = blob.get_mut(4..12).and_then(|bytes| <&mut [u8; 8]>::try_from(bytes).ok()) {
            *time = change(u64::from_be_bytes(*time)).to_be_bytes();
        }
    }
    written((body, lines))
}

/// How a line of a note's signature begins.
const DASH: char = '—';
