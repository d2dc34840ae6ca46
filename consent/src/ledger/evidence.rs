//! What a ledger says about evidence: its head, who cosigns it, and which events of the trail are erased.

use std::collections::BTreeSet;

use super::*;
use crate::id::{AuthorityNumber, PartyKey, TrailNumber};
use crate::revocation::{Erasure, ErasureReason};
use crate::statement::{Malformed, StatementError, sign};
use crate::testing::book::{Book, SEALED};
use crate::testing::identity;
use crate::time::Timestamp;
use crate::tree::{digest_of, root_of};
use crate::vault::{Authority, Witness, WitnessSet};

fn witness(number: u8) -> Witness {
    Witness { name: format!("witness {number}"), key: PartyKey::from_bytes([number; 32]) }
}

/// The authority after the one in force, with this witness set, in the ledger.
fn set(book: &mut Book, witness_set: Option<WitnessSet>) -> Result<(), LedgerError> {
    let before = book.state.authority().expect("in force").payload().clone();
    let number = AuthorityNumber(before.number.0 + 1);
    let after = Authority { number, witness_set, roots: digest_of(&[SEALED]), ..before };
    let after = sign(after, &identity(1)).expect("well-formed");
    book.append(EntryKind::Authority, &after, &[SEALED], 1)
}

#[test]
fn the_head_is_the_root_over_the_entries_that_came() {
    let mut book = Book::new();
    for _ in 0..3 {
        book.grant(3, |_| ()).ok();
        let entries: Vec<Vec<u8>> = book.items.iter().map(|item| item.entry.bytes().to_vec()).collect();
        assert_eq!(book.state.head(), crate::request::Head { size: entries.len() as u64, root: root_of(&entries) });
        set(&mut book, None).expect("follows");
    }
}

#[test]
fn the_newest_authority_that_has_a_witness_set_gives_the_one_in_force() {
    let mut book = Book::new();
    assert_eq!(book.state.witness_set(), book.state.charter().payload().witness_set());
    let two = WitnessSet { witnesses: vec![witness(1), witness(2)], quorum: 1 };
    set(&mut book, Some(two.clone())).expect("follows");
    assert_eq!(book.state.witness_set(), two);
    set(&mut book, None).expect("follows");
    assert_eq!(book.state.witness_set(), two, "an authority without a set leaves it");
    set(&mut book, Some(WitnessSet::default())).expect("follows");
    assert_eq!(book.state.witness_set().quorum, 0);
}

/// C-58
#[test]
fn a_witness_set_has_its_witnesses_in_order_and_enough_of_them() {
    let book = Book::new();
    let before = book.state.authority().expect("in force").payload().clone();
    let signed = |witnesses: Vec<Witness>, quorum| {
        let witness_set = Some(WitnessSet { witnesses, quorum });
        sign(Authority { witness_set, ..before.clone() }, &identity(1)).err()
    };
    let refused = |why| Some(StatementError::Rule(why));
    assert_eq!(signed(vec![witness(1), witness(2)], 2), None);
    assert_eq!(signed(vec![witness(1)], 2), refused(Malformed::Quorum));
    assert_eq!(signed(vec![witness(2), witness(1)], 1), refused(Malformed::Order));
    assert_eq!(signed((1..=9).map(witness).collect(), 1), refused(Malformed::Count));
}

/// C-59
#[test]
fn the_events_that_erasures_name_are_erased() {
    let mut book = Book::new();
    let erase = |book: &mut Book, numbers: &[u64]| {
        let events: BTreeSet<TrailNumber> = numbers.iter().copied().map(TrailNumber).collect();
        let (vault, records) = (book.state.vault(), BTreeSet::new());
        let (reason, issued) = (ErasureReason::Wish, Timestamp::from_secs(1_000));
        let erasure = Erasure { vault, records, reason, issued, events: Some(events) };
        let erasure = sign(erasure, &identity(3)).expect("well-formed");
        book.append(EntryKind::Erasure, &erasure, &[], 3).expect("follows");
    };
    erase(&mut book, &[2, 5]);
    erase(&mut book, &[9]);
    let erased: Vec<u64> = (1..12).filter(|number| book.state.is_event_erased(TrailNumber(*number))).collect();
    assert_eq!(erased, [2, 5, 9]);
}
