//! The lies, each with a name and a line that says what it is. Those that consist in showing another host change no frame.

use std::fmt;
use std::str::FromStr;

use karute_consent::ledger::Item;
use karute_consent::party::Identity;
use karute_protocol::message::{GrantPackage, HeadsFound, KeyFound, Listed, Message, TombstoneReason};
use karute_protocol::wire::Octets;

use super::answers::{self, Instead};
use super::copy::same;
use super::relay::Telling;
use super::{Tape, ledger, story};

macro_rules! lies {
    ($($lie:ident $name:literal $line:literal,)+) => {
        /// A lie that the liar can tell.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Lie {
            $(#[doc = $line] $lie,)+
        }

        impl Lie {
            /// All of them.
            pub const ALL: &'static [Lie] = &[$(Lie::$lie,)+];

            /// Its name on a command line.
            pub fn name(self) -> &'static str {
                match self { $(Lie::$lie => $name,)+ }
            }

            /// What it is, in one line.
            pub fn line(self) -> &'static str {
                match self { $(Lie::$lie => $line,)+ }
            }
        }
    };
}

lies! {
    DropsADeposit "drops-a-deposit" "leaves the newest record out of every list, and signs counts without it",
    ForgetsADeposit "forgets-a-deposit" "confirms what is deposited, and goes on from a disk that never had it",
    HidesARevocation "hides-a-revocation" "shows the vault as it was before a revocation, and goes on from there",
    RestoresAnOldDisk "restores-an-old-disk" "serves everybody from an old copy of its folder",
    ForksTheLog "forks-the-log" "goes on with two copies of its folder, for two parties",
    ServesAfterRevocation "serves-after-revocation" "serves a revoked holder, and tells of a reading behind the revocation",
    ShowsAnOlderDirectory "shows-an-older-directory" "answers a depositor with keys of an older directory",
    MovesAKeyPackageBetweenGrants "moves-a-key-package-between-grants" "shows each grant the key package of another",
    MovesKeysBetweenRecords "moves-keys-between-records" "shows each record with the sealed keys of the one before",
    TurnsItsClockBack "turns-its-clock-back" "lives a day in the past",
    TurnsItsClockForward "turns-its-clock-forward" "lives a day in the future",
    ReplaysARequest "replays-a-request" "sends a party's signed requests once more, from another peer id",
    TruncatesAStream "truncates-a-stream" "cuts every stream of records after the first",
    EndsAnAnswerEarly "ends-an-answer-early" "sends one record and then the end",
    ReordersRecords "reorders-records" "sends two records in the wrong order",
    ReordersTheLedger "reorders-the-ledger" "sends two entries of the ledger in the wrong order",
    OmitsTheLastEntry "omits-the-last-entry" "leaves out the last entry of the ledger",
    OmitsAMiddleEntry "omits-a-middle-entry" "leaves out an entry in the middle of the ledger",
    ShowsAnothersLedger "shows-anothers-ledger" "puts an entry of another vault in the place of the first",
    ShowsAnOldCheckpoint "shows-an-old-checkpoint" "signs for an older ledger than it shows",
    CopiesACosignature "copies-a-cosignature" "puts one witness's signature under another's name",
    CountsAWitnessTwice "counts-a-witness-twice" "shows one witness's line three times",
    DatesCosignaturesLater "dates-cosignatures-later" "adds a day to the times of the witnesses",
    DatesCosignaturesEarlier "dates-cosignatures-earlier" "takes a day from the times of the witnesses",
    HidesTheWitnesses "hides-the-witnesses" "shows the ledger without the witnesses' lines",
    AnswersAnOldNonce "answers-an-old-nonce" "gives an earlier word on its newest heads once more",
    SwapsRecords "swaps-records" "shows another record in the place of the one asked for",
    SwapsBodies "swaps-bodies" "shows a record with the body of the one before",
    SwapsRangesOfABody "swaps-ranges-of-a-body" "sends the halves of every piece in the wrong order",
    ShowsWrongNumbers "shows-wrong-numbers" "gives every record the number after its own",
    EndsAsAnotherList "ends-as-another-list" "ends a list with the signed end of an earlier one",
    OmitsALine "omits-a-line" "leaves the first record out of every answer",
    MovesARecordAway "moves-a-record-away" "puts a tombstone without a statement in the place of the newest record",
    ShowsAnothersTombstone "shows-anothers-tombstone" "says that the newest record is gone, with the statement on another one",
    TellsOfAReadingWithoutRequest "tells-of-a-reading-without-request" "writes down a reading without its request",
    TellsOfARequestTwice "tells-of-a-request-twice" "writes down a second reading with the request of the first",
    TellsOfAnotherParty "tells-of-another-party" "puts a reading down to somebody else",
    ShortensTheTrail "shortens-the-trail" "ends the trail before events that it confirmed",
    RewritesAnEvent "rewrites-an-event" "changes an event that it confirmed",
    OmitsAnEvent "omits-an-event" "leaves a reading out of the middle of the trail",
    TellsOfAReadingTooLate "tells-of-a-reading-too-late" "dates a reading after the end of its grant",
    DatesEventsBackwards "dates-events-backwards" "makes the last event older than the one before",
}

impl Lie {
    /// Whether it needs nothing that was said before: such a lie can be told from the first session on.
    pub fn needs_no_past(self) -> bool {
        !matches!(
            self,
            Self::ShowsAnothersLedger
                | Self::ShowsAnOldCheckpoint
                | Self::ShowsAnOlderDirectory
                | Self::MovesAKeyPackageBetweenGrants
                | Self::AnswersAnOldNonce
                | Self::EndsAsAnotherList
                | Self::ShowsAnothersTombstone
                | Self::ReplaysARequest
                | Self::TurnsItsClockBack
                | Self::TurnsItsClockForward
        )
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Lie {
    type Err = NoSuchLie;

    fn from_str(name: &str) -> Result<Self, NoSuchLie> {
        Self::ALL.iter().copied().find(|lie| lie.name() == name).ok_or(NoSuchLie)
    }
}

/// No lie has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no lie has this name")]
pub struct NoSuchLie;

/// What a session's answers become. Without what it would have to have heard before, the liar says the truth.
pub(super) fn telling(lie: Option<Lie>, log: &Identity, tape: &Tape) -> Telling {
    let Some(lie) = lie else { return honest() };
    of_records(lie, log, tape)
        .or_else(|| of_ledger(lie, tape))
        .or_else(|| of_trail(lie).map(|rewrite| story::retold(same(log), rewrite)))
        .unwrap_or_else(honest)
}

fn honest() -> Telling {
    Box::new(|said| vec![said])
}

fn of_records(lie: Lie, log: &Identity, tape: &Tape) -> Option<Telling> {
    let instead = |instead| Some(answers::without_last(same(log), instead));
    match lie {
        Lie::DropsADeposit => instead(Instead::Nothing),
        Lie::MovesARecordAway => instead(Instead::Tombstone(TombstoneReason::Moved, None)),
        Lie::ShowsAnothersTombstone => instead(Instead::Tombstone(TombstoneReason::Withdrawn, Some(withdrawal(tape)?))),
        Lie::OmitsALine => Some(answers::without_first()),
        Lie::ShowsWrongNumbers => Some(answers::wrong_numbers()),
        Lie::EndsAsAnotherList => Some(answers::ends_as(last(tape, list)?)),
        Lie::EndsAnAnswerEarly => Some(answers::ends_early()),
        Lie::TruncatesAStream => Some(answers::cut()),
        Lie::ReordersRecords => Some(answers::reordered()),
        Lie::MovesKeysBetweenRecords => Some(answers::mixed(answers::other_keys)),
        Lie::SwapsRecords => Some(answers::mixed(answers::other_record)),
        Lie::SwapsBodies => Some(answers::mixed(answers::other_body)),
        Lie::SwapsRangesOfABody => Some(answers::swapped_ranges()),
        _ => None,
    }
}

fn of_ledger(lie: Lie, tape: &Tape) -> Option<Telling> {
    match lie {
        Lie::ReordersTheLedger => Some(ledger::dealt(Box::new(ledger::reordered))),
        Lie::OmitsTheLastEntry => Some(ledger::dealt(Box::new(ledger::without_last))),
        Lie::OmitsAMiddleEntry => Some(ledger::dealt(Box::new(ledger::without_middle))),
        Lie::ShowsAnothersLedger => {
            let other = last(tape, item)?;
            Some(ledger::dealt(Box::new(move |items: &mut Vec<Item>| {
                items.first_mut().into_iter().for_each(|first| *first = other.clone());
            })))
        }
        Lie::ShowsAnOldCheckpoint => {
            let older = first(tape, |message| match message {
                Message::Synced(synced) => Some(synced.checkpoint.clone()),
                _ => None,
            });
            Some(ledger::older_checkpoint(older?))
        }
        Lie::ShowsAnOlderDirectory => Some(ledger::older_key(first(tape, key)?)),
        Lie::MovesAKeyPackageBetweenGrants => Some(ledger::other_package(all(tape, package))),
        Lie::AnswersAnOldNonce => Some(ledger::older_words(all(tape, heads))),
        Lie::CopiesACosignature => Some(ledger::cosigned_so(ledger::copied_cosignature)),
        Lie::CountsAWitnessTwice => Some(ledger::cosigned_so(ledger::one_witness_thrice)),
        Lie::DatesCosignaturesLater => Some(ledger::cosigned_so(ledger::later_cosignature)),
        Lie::DatesCosignaturesEarlier => Some(ledger::cosigned_so(ledger::earlier_cosignature)),
        Lie::HidesTheWitnesses => Some(ledger::cosigned_so(ledger::no_cosignature)),
        _ => None,
    }
}

fn of_trail(lie: Lie) -> Option<story::Rewrite> {
    match lie {
        Lie::ServesAfterRevocation => Some(story::read_after_revocation),
        Lie::TellsOfAReadingWithoutRequest => Some(story::without_request),
        Lie::TellsOfARequestTwice => Some(story::request_again),
        Lie::TellsOfAnotherParty => Some(story::other_party),
        Lie::ShortensTheTrail => Some(story::shortened),
        Lie::RewritesAnEvent => Some(story::rewritten),
        Lie::OmitsAnEvent => Some(story::middle_left_out),
        Lie::TellsOfAReadingTooLate => Some(story::beyond_grant),
        Lie::DatesEventsBackwards => Some(story::backwards),
        _ => None,
    }
}

fn all<T>(tape: &Tape, pick: fn(&Message) -> Option<T>) -> Vec<T> {
    tape.answered.iter().filter_map(pick).collect()
}

fn first<T>(tape: &Tape, pick: fn(&Message) -> Option<T>) -> Option<T> {
    tape.answered.iter().find_map(pick)
}

fn last<T>(tape: &Tape, pick: fn(&Message) -> Option<T>) -> Option<T> {
    tape.answered.iter().rev().find_map(pick)
}

fn list(message: &Message) -> Option<Listed> {
    match message {
        Message::Listed(listed) if listed.answer.is_some() => Some((**listed).clone()),
        _ => None,
    }
}

fn item(message: &Message) -> Option<Item> {
    match message {
        Message::Item(item) => Some((**item).clone()),
        _ => None,
    }
}

fn key(message: &Message) -> Option<KeyFound> {
    match message {
        Message::KeyFound(found) => Some((**found).clone()),
        _ => None,
    }
}

fn package(message: &Message) -> Option<GrantPackage> {
    match message {
        Message::GrantPackage(package) => Some((**package).clone()),
        _ => None,
    }
}

fn heads(message: &Message) -> Option<HeadsFound> {
    match message {
        Message::HeadsFound(found) => Some((**found).clone()),
        _ => None,
    }
}

fn withdrawal(tape: &Tape) -> Option<Octets> {
    first(tape, |message| match message {
        Message::Tombstone(gone) if gone.reason == TombstoneReason::Withdrawn => gone.statement.clone(),
        _ => None,
    })
}
