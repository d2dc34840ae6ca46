//! Findings that hold, and those that nearly do.

mod access;
mod cast;
mod deposit;
mod heads;
mod law;
mod receipts;
mod witness;

use karute_consent::id::StatementId;
use karute_consent::vault::Witness;

use self::cast::{Diary, every_kind, host};
use super::*;
use crate::trail::TrailNumber;
use crate::wire::Octets;

/// A finding, bent.
fn bent(finding: &Finding, change: impl FnOnce(&mut Evidence)) -> Result<Verdict, NotAFinding> {
    let mut finding = finding.clone();
    change(&mut finding.evidence);
    finding.verify()
}

#[test]
fn a_finding_of_each_kind_holds_and_reads_back() {
    let findings = every_kind();
    let mut kinds: Vec<_> = findings.iter().map(Finding::kind).collect();
    kinds.dedup();
    assert_eq!(kinds, FindingKind::ALL);
    for finding in findings {
        let bytes = finding.to_bytes().unwrap();
        let read = Finding::from_bytes(&bytes).unwrap();
        assert_eq!(read, finding);
        let verdict = read.verify().unwrap();
        assert_eq!((verdict.kind, verdict.accused), (finding.kind(), finding.accused()));
        assert_eq!(verdict.refutable, [2, 6].contains(&finding.kind().number()));
    }
}

/// P-50: each field of the kind taken away, and each other one added.
#[test]
fn a_finding_has_exactly_the_fields_of_its_kind() {
    for finding in every_kind() {
        let there = finding.evidence.fields();
        for number in 4..=15 {
            let refused =
                bent(
                    &finding,
                    |evidence| {
                        if there & 1 << number == 0 { fill(evidence, number) } else { clear(evidence, number) }
                    },
                );
            assert_eq!(refused, Err(NotAFinding::Fields), "{} field {number}", finding.kind());
        }
    }
}

/// P-50: a bit of every byte. What may be changed is what nobody signed: a wrong proof, and lines that do not count.
#[test]
fn a_finding_with_any_bit_flipped_is_none() {
    for finding in every_kind() {
        let bytes = finding.to_bytes().unwrap();
        let free = match finding.kind() {
            // The wrong proof stands last; the log's own signature does not matter to what a witness signed.
            FindingKind::Inconsistency => bytes.len() - 34..bytes.len(),
            FindingKind::WitnessEquivocation => continue,
            _ => 0..0,
        };
        for place in (0..bytes.len()).filter(|place| !free.contains(place)) {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            let verdict = Finding::from_bytes(&flipped).map(|finding| finding.verify());
            assert!(!matches!(verdict, Ok(Ok(_))), "{} byte {place}", finding.kind());
        }
    }
}

#[test]
fn a_finding_accuses_nobody_but_who_signed() {
    for finding in every_kind() {
        let other = karute_consent::party::Identity::from_seed(&[77; 32]).key();
        assert!(bent(&finding, |evidence| evidence.accused = other).is_err(), "{}", finding.kind());
    }
}

#[test]
fn evidence_of_one_kind_is_none_of_another() {
    for finding in every_kind() {
        for kind in FindingKind::ALL.iter().filter(|kind| **kind != finding.kind()) {
            let other = bent(&finding, |evidence| evidence.kind = *kind);
            assert!(other.is_err(), "{} taken for {kind}", finding.kind());
        }
    }
}

#[test]
fn what_is_too_long_or_of_another_version_is_not_read() {
    let finding = every_kind().remove(0);
    let long = vec![0; FINDING_LEN_MAX + 1];
    assert!(matches!(Finding::from_bytes(&long), Err(FindingError::Encoding(_))));
    let later = Finding { evidence: Evidence { version: 2, ..finding.evidence } };
    assert_eq!(Finding::from_bytes(&later.to_bytes().unwrap()), Err(FindingError::Version));
    let evidence = Evidence::new(FindingKind::ForgedEntry, host().key());
    let ids = Some(vec![StatementId::NONE; FINDING_LEN_MAX / 34 + 1]);
    assert_eq!(Finding { evidence: Evidence { ids, ..evidence } }.to_bytes(), Err(FindingError::TooLong));
}

fn clear(evidence: &mut Evidence, number: u8) {
    match number {
        4 => evidence.checkpoint_a = None,
        5 => evidence.checkpoint_b = None,
        6 => evidence.tree_head_a = None,
        7 => evidence.tree_head_b = None,
        8 => evidence.receipt_a = None,
        9 => evidence.receipt_b = None,
        10 => evidence.answer = None,
        11 => evidence.ids = None,
        12 => evidence.request = None,
        13 => evidence.items = None,
        14 => evidence.proof = None,
        _ => evidence.witness = None,
    }
}

fn fill(evidence: &mut Evidence, number: u8) {
    let diary = Diary::of_reads(3);
    match number {
        4 => evidence.checkpoint_a = Some(diary.checkpoint()),
        5 => evidence.checkpoint_b = Some(diary.checkpoint()),
        6 => evidence.tree_head_a = Some(diary.tree_head(500)),
        7 => evidence.tree_head_b = Some(diary.tree_head(500)),
        8 => evidence.receipt_a = Some(diary.receipt(0)),
        9 => evidence.receipt_b = Some(diary.receipt(0)),
        10 => evidence.answer = Some(Octets(diary.audit_answer(500).bytes().to_vec())),
        11 => evidence.ids = Some(Vec::new()),
        12 => evidence.request = diary.receipt(0).event.request_statement,
        13 => evidence.items = Some(Vec::new()),
        14 => evidence.proof = Some(Vec::new()),
        _ => evidence.witness = Some(Witness { name: "w".to_owned(), key: host().key() }),
    }
    assert_eq!(diary.receipt(0).leaf.number, TrailNumber(1));
}
