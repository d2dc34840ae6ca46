//! A host that lies (see `karute_tests::liar`), lie by lie and role by role. Each lie is told to everybody in turn, in a
//! world of its own; what comes of it must be exactly what the table says. A lie ends in one of these ways:
//!
//! - **Finding**: the host signed what convicts it. The finding is kept, holds for anybody, and holds no more after a flipped bit.
//! - **Refused**: what it says does not hold; nothing of it is believed, opened or sealed.
//! - **Told**: the deed goes on and says what is wrong, without a proof for others.
//! - **Harmless**: the party gets what it would get of an honest host.
//! - **Less**: all that it gets is true, and it gets less; the patient's check has the finding or the refusal.
//! - **Vouched**: a vault without witnesses, and a depositor who never saw more: nobody can tell, and the deposit says that
//!   only the host vouches. It is found when the party meets the truth.

mod roles;
mod rollback;
mod stage;
mod table;

use karute_protocol::finding::FindingKind;
use karute_tests::liar::Lie;

use roles::Role;
use stage::Stage;
use table::expected;

/// What a lie comes to for a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Finding(FindingKind),
    Refused(&'static str),
    Told,
    Harmless,
    Less,
    Vouched,
    /// It believed what is not so. No cell of the table may be this.
    Deceived,
}

/// Tells a lie to everybody, and compares what came of it with the table.
async fn tell(lie: Lie) {
    let mut stage = Stage::new(900 + lie as u64).await;
    stage.begins(lie).await;
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let (came, why) = stage.plays(role, lie).await;
        let wanted = expected(lie, role);
        if came != wanted.came {
            wrong.push(format!("{lie} to the {role:?}: {came:?} instead of {:?}; {why}", wanted.came));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! lie_tests {
    ($($name:ident $lie:ident,)+) => {
        $(#[tokio::test]
        async fn $name() {
            tell(Lie::$lie).await;
        })+

        /// The lies that a test of this file tells.
        const TOLD: &[Lie] = &[$(Lie::$lie,)+];
    };
}

lie_tests! {
    drops_a_deposit DropsADeposit,
    forgets_a_deposit ForgetsADeposit,
    hides_a_revocation HidesARevocation,
    restores_an_old_disk RestoresAnOldDisk,
    forks_the_log ForksTheLog,
    serves_after_revocation ServesAfterRevocation,
    shows_an_older_directory ShowsAnOlderDirectory,
    moves_a_key_package_between_grants MovesAKeyPackageBetweenGrants,
    moves_keys_between_records MovesKeysBetweenRecords,
    turns_its_clock_back TurnsItsClockBack,
    turns_its_clock_forward TurnsItsClockForward,
    replays_a_request ReplaysARequest,
    truncates_a_stream TruncatesAStream,
    ends_an_answer_early EndsAnAnswerEarly,
    reorders_records ReordersRecords,
    reorders_the_ledger ReordersTheLedger,
    omits_the_last_entry OmitsTheLastEntry,
    omits_a_middle_entry OmitsAMiddleEntry,
    shows_anothers_ledger ShowsAnothersLedger,
    shows_an_old_checkpoint ShowsAnOldCheckpoint,
    copies_a_cosignature CopiesACosignature,
    counts_a_witness_twice CountsAWitnessTwice,
    dates_cosignatures_later DatesCosignaturesLater,
    dates_cosignatures_earlier DatesCosignaturesEarlier,
    hides_the_witnesses HidesTheWitnesses,
    answers_an_old_nonce AnswersAnOldNonce,
    swaps_records SwapsRecords,
    swaps_bodies SwapsBodies,
    swaps_ranges_of_a_body SwapsRangesOfABody,
    shows_wrong_numbers ShowsWrongNumbers,
    ends_as_another_list EndsAsAnotherList,
    omits_a_line OmitsALine,
    moves_a_record_away MovesARecordAway,
    shows_anothers_tombstone ShowsAnothersTombstone,
    tells_of_a_reading_without_request TellsOfAReadingWithoutRequest,
    tells_of_a_request_twice TellsOfARequestTwice,
    tells_of_another_party TellsOfAnotherParty,
    shortens_the_trail ShortensTheTrail,
    rewrites_an_event RewritesAnEvent,
    omits_an_event OmitsAnEvent,
    tells_of_a_reading_too_late TellsOfAReadingTooLate,
    dates_events_backwards DatesEventsBackwards,
}

#[test]
fn every_lie_is_told_to_every_role_and_none_is_believed() {
    assert_eq!(TOLD, Lie::ALL, "a test for each lie");
    for lie in Lie::ALL {
        let row = Role::ALL.map(|role| expected(*lie, role));
        assert!(!row.iter().any(|cell| cell.came == Came::Deceived || cell.why.is_empty()), "{lie}");
        let caught = |came: Came| matches!(came, Came::Finding(_) | Came::Refused(_) | Came::Told);
        if row.iter().any(|cell| cell.came == Came::Less) {
            assert!(caught(expected(*lie, Role::Patient).came), "{lie}: somebody gets less, and nobody finds out");
        }
    }
}

/// Nobody is accused, refused or told less by a host that does not lie: else the table would show nothing.
#[tokio::test]
async fn without_a_lie_everybody_gets_what_they_should() {
    let mut stage = Stage::new(890).await;
    for role in Role::ALL {
        let (came, why) = stage.plays(role, Lie::DropsADeposit).await;
        let wanted = if role == Role::RevokedReader { Came::Refused("refused") } else { Came::Harmless };
        assert_eq!(came, wanted, "{role:?}: {why}");
    }
}
