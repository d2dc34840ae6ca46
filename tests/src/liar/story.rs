//! Another story of a trail: the events of an audit changed, put elsewhere or left out, then numbered, proven and signed
//! anew with the log key, a little later than the true answer.

#![allow(clippy::ptr_arg)] // every rewriting has the same type, whether it needs a Vec or not

use karute_consent::id::Salt;
use karute_consent::party::Identity;
use karute_consent::statement::sign;
use karute_consent::time::Timestamp;
use karute_protocol::merkle::{Place, TreeHash, TreeHead, prove_inclusion, root_of};
use karute_protocol::message::{Listed, Message, TrailItem};
use karute_protocol::trail::{
    AuditAnswer, CheckpointText, Event, EventKind, Leaf, Log, Outcome, TrailIndex, TrailNumber,
};

use super::relay::{Said, Telling};

/// One line of a trail.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// When.
    pub time: Timestamp,
    /// What hides the event from who has only the leaf.
    pub salt: Salt,
    /// What.
    pub event: Event,
}

/// What the liar makes of a trail.
pub(super) type Rewrite = fn(&mut Vec<Line>);

/// Tells every audit so.
pub(super) fn retold(log: Identity, rewrite: Rewrite) -> Telling {
    let mut held: Vec<TrailItem> = Vec::new();
    Box::new(move |said| {
        let Said::Message(message) = said else { return vec![said] };
        match *message {
            Message::TrailItem(item) => {
                held.push(*item);
                Vec::new()
            }
            Message::Listed(listed) if listed.audit.is_some() => {
                let told = retell(std::mem::take(&mut held), *listed, rewrite, &log);
                told.into_iter().map(Said::from).collect()
            }
            other => vec![other.into()],
        }
    })
}

fn retell(items: Vec<TrailItem>, listed: Listed, rewrite: Rewrite, log: &Identity) -> Vec<Message> {
    let said = listed.audit.expect("an audit has an answer").verify().expect("the host signed it").into_payload();
    let line = |item: TrailItem| Some(Line { time: item.leaf.time, salt: item.salt?, event: item.event? });
    let mut story: Vec<Line> = items.into_iter().filter_map(line).collect();
    rewrite(&mut story);
    let leaf = |(place, line): (usize, &Line)| {
        let number = TrailNumber(place as u64 + 1);
        Leaf::new(said.vault, number, line.time, &line.event, &line.salt).expect("an event within its limits")
    };
    let leaves: Vec<Leaf> = story.iter().enumerate().map(leaf).collect();
    let hashes: Vec<TreeHash> = leaves.iter().map(|leaf| leaf.hash().expect("a leaf has bytes")).collect();
    let stored = |place: Place| {
        let (start, len) = ((place.index as usize) << place.level, 1 << place.level);
        hashes.get(start..start + len).map(root_of)
    };
    let (size, root) = (leaves.len() as u64, root_of(&hashes));
    let mut told: Vec<Message> = Vec::new();
    for (place, (leaf, line)) in leaves.iter().zip(story).enumerate() {
        let index = TrailIndex(place as u64);
        let proof = prove_inclusion(index.0, size, stored).expect("every leaf is there");
        told.push(TrailItem { leaf: *leaf, salt: Some(line.salt), event: Some(line.event), index, proof }.into());
    }
    let answer = AuditAnswer { count: TrailNumber(size), time: said.time.plus_secs(LATER_SECS), size, root, ..said };
    let checkpoint = CheckpointText::sign(Log::Trail, TreeHead { size, root }, log);
    let audit = Some(sign(answer, log).expect("a well-formed answer").to_unverified());
    told.push(Listed { answer: None, checkpoint, audit }.into());
    told
}

fn read_in(story: &[Line]) -> usize {
    let read = |line: &Line| line.event.kind == EventKind::Read && line.event.outcome == Outcome(0);
    story.iter().position(|line| read(line) && !line.event.chain.is_empty()).expect("somebody read under a grant")
}

/// A reading without the request that it came of.
pub(super) fn without_request(story: &mut Vec<Line>) {
    let read = read_in(story);
    story[read].event.request_statement = None;
}

/// A reading told once more: its request is used for an event that never was.
pub(super) fn request_again(story: &mut Vec<Line>) {
    let read = read_in(story);
    let again = story[read].clone();
    story.insert(read + 1, again);
}

/// A reading put down to somebody else.
pub(super) fn other_party(story: &mut Vec<Line>) {
    let read = read_in(story);
    story[read].event.party = Identity::from_seed(&[99; 32]).key();
}

/// The last events left out: the trail ends before the newest audit that the patient has a receipt of.
pub(super) fn shortened(story: &mut Vec<Line>) {
    let audited = story.iter().position(|line| line.event.kind == EventKind::Audit).expect("an audit came before");
    story.truncate(audited);
}

/// Another count in an audit of which there is a receipt.
pub(super) fn rewritten(story: &mut Vec<Line>) {
    let audited = story.iter_mut().find(|line| line.event.kind == EventKind::Audit).expect("an audit came before");
    audited.event.count = 7;
}

/// A reading of the revoked holder, put behind the revocation.
pub(super) fn read_after_revocation(story: &mut Vec<Line>) {
    let read = read_in(story);
    let mut read = story.remove(read);
    read.time = story.last().expect("a trail has events").time;
    story.push(read);
}

/// A reading long after its grant ended.
pub(super) fn beyond_grant(story: &mut Vec<Line>) {
    let read = read_in(story);
    story[read..].iter_mut().for_each(|line| line.time = line.time.plus_secs(400 * 86_400));
}

/// The last event older than the one before.
pub(super) fn backwards(story: &mut Vec<Line>) {
    let last = story.last_mut().expect("a trail has events");
    last.time = last.time.minus_secs(100_000);
}

/// An event that the patient holds no receipt of, left out of the middle.
pub(super) fn middle_left_out(story: &mut Vec<Line>) {
    let read = read_in(story);
    story.remove(read);
}

/// Later than the true answer by more than a host may be behind (P-41).
const LATER_SECS: u64 = 100;
