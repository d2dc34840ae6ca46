//! Kinds 1 to 3.

use karute_consent::id::VaultId;
use karute_consent::party::Identity;
use karute_consent::statement::{StatementError, sign};

use super::super::*;
use super::bent;
use super::cast::*;
use crate::merkle::{TreeHash, TreeHead};
use crate::trail::SignedTreeHead;
use crate::trail::{CheckpointText, HeadNonce, Log};
use karute_consent::statement::Unverified;

fn ledger_head(vault: VaultId, root: u8, size: u64) -> CheckpointText {
    CheckpointText::sign(Log::Ledger(vault), TreeHead { size, root: TreeHash([root; 32]) }, &host())
}

#[test]
fn two_roots_of_one_size_convict_in_whatever_form_they_were_signed() {
    let (trail, fork) = forked();
    let note = |diary: &Diary| SignedHead::Checkpoint(diary.checkpoint_at(5));
    let answer = |diary: &Diary| SignedHead::TreeHead(tree_head_of(Log::Trail, diary.head_at(5), 100));
    for (a, b) in [
        (note(&trail), note(&fork)),
        (note(&trail), answer(&fork)),
        (answer(&trail), note(&fork)),
        (answer(&trail), answer(&fork)),
    ] {
        let finding = Finding::equivocation(node(), a, b).unwrap();
        let Facts::TwoRoots { size, root_a, root_b, .. } = finding.verify().unwrap().facts else { panic!() };
        assert_eq!((size, root_a, root_b), (5, trail.head_at(5).root, fork.head_at(5).root));
    }
    let ledger = |root| checkpoint(ledger_head(VAULT, root, 3));
    assert!(Finding::equivocation(node(), ledger(1), ledger(2)).is_ok());
}

#[test]
fn honest_heads_are_no_equivocation() {
    let (trail, fork) = forked();
    let refused =
        |a: CheckpointText, b: CheckpointText| Finding::equivocation(node(), checkpoint(a), checkpoint(b)).unwrap_err();
    assert_eq!(refused(trail.checkpoint(), trail.checkpoint()), NotAFinding::SameRoot);
    assert_eq!(refused(trail.checkpoint_at(4), fork.checkpoint()), NotAFinding::Sizes);
    assert_eq!(refused(trail.checkpoint_at(4), fork.checkpoint_at(4)), NotAFinding::SameRoot);
    assert_eq!(refused(ledger_head(VAULT, 1, 3), ledger_head(OTHER_VAULT, 2, 3)), NotAFinding::OtherLog);
    assert_eq!(refused(trail.checkpoint_at(3), ledger_head(VAULT, 2, 3)), NotAFinding::OtherLog);
}

#[test]
fn a_head_that_another_key_signed_or_of_another_origin_convicts_nobody() {
    let (trail, fork) = forked();
    let other = Identity::from_seed(&[50; 32]);
    let foreign = CheckpointText::sign(Log::Trail, trail.head_at(5), &other);
    let refused = Finding::equivocation(node(), checkpoint(foreign), checkpoint(fork.checkpoint()));
    assert_eq!(refused, Err(NotAFinding::Origin));
    let forged = CheckpointText::sign(Log::Ledger(VAULT), trail.head_at(5), &other);
    let refused = Finding::equivocation(node(), checkpoint(forged), checkpoint(ledger_head(VAULT, 1, 5)));
    assert!(matches!(refused, Err(NotAFinding::Checkpoint(_))));
    let said = |origin: &str, by: &Identity| {
        let TreeHead { size, root } = trail.head_at(5);
        let (origin, nonce) = (origin.to_owned(), HeadNonce::from_bytes([1; 32]));
        let head = SignedTreeHead { origin, size, root, time: at(1), nonce };
        SignedHead::TreeHead(sign(head, by).unwrap().to_unverified())
    };
    let own = Log::Trail.origin(node()).to_string();
    let refused = |a| Finding::equivocation(node(), a, checkpoint(fork.checkpoint())).unwrap_err();
    assert_eq!(refused(said(&own, &other)), NotAFinding::TreeHead(StatementError::OtherSigner));
    for origin in ["karute/trail/00", "karute/ledger/AA", "karute/ledger/", "elsewhere.example"] {
        assert_eq!(refused(said(origin, &host())), NotAFinding::Origin, "{origin}");
    }
    assert!(Finding::equivocation(node(), said(&own, &host()), checkpoint(fork.checkpoint())).is_ok());
}

#[test]
fn a_fork_of_another_size_has_no_proof_and_a_right_proof_refutes() {
    let (trail, fork) = forked();
    let (a, b) = (|| checkpoint(fork.checkpoint()), || checkpoint(trail.checkpoint()));
    for given in [Vec::new(), trail.consistency(5, 8), fork.consistency(4, 5)] {
        let finding = Finding::inconsistency(node(), a(), b(), given).unwrap();
        assert!(!finding.is_refuted_by_proof(&trail.consistency(5, 8)));
        assert!(finding.verify().unwrap().refutable);
    }
    let refused = |a, b, given| Finding::inconsistency(node(), a, b, given).unwrap_err();
    assert_eq!(refused(b(), a(), Vec::new()), NotAFinding::Sizes);
    assert_eq!(refused(a(), checkpoint(trail.checkpoint_at(5)), Vec::new()), NotAFinding::Sizes);
    assert_eq!(refused(a(), b(), vec![TreeHash([0; 32]); 50]), NotAFinding::Fields);
    assert_eq!(refused(checkpoint(ledger_head(VAULT, 1, 3)), b(), Vec::new()), NotAFinding::OtherLog);
    let honest = || checkpoint(trail.checkpoint_at(5));
    assert_eq!(refused(honest(), b(), trail.consistency(5, 8)), NotAFinding::Consistent);
    assert_eq!(refused(checkpoint(trail.checkpoint_at(0)), b(), vec![TreeHash([0; 32])]), NotAFinding::Consistent);
    // A host that kept its proof back may show it later.
    let withheld = Finding::inconsistency(node(), honest(), b(), Vec::new()).unwrap();
    assert!(withheld.is_refuted_by_proof(&trail.consistency(5, 8)));
    assert!(!withheld.is_refuted_by_proof(&trail.consistency(4, 8)));
}

#[test]
fn a_log_that_is_shorter_later_was_rolled_back() {
    let (long, short) = (Diary::of_reads(8), Diary::of_reads(5));
    let finding = Finding::rollback(node(), long.tree_head(100), short.tree_head(101)).unwrap();
    let Facts::Shrunk { size_a, size_b, .. } = finding.verify().unwrap().facts else { panic!() };
    assert_eq!((size_a, size_b), (8, 5));
    let refused = |a, b| Finding::rollback(node(), a, b).unwrap_err();
    assert_eq!(refused(long.tree_head(100), short.tree_head(100)), NotAFinding::NotLater);
    assert_eq!(refused(long.tree_head(100), short.tree_head(99)), NotAFinding::NotLater);
    assert_eq!(refused(short.tree_head(100), long.tree_head(101)), NotAFinding::Sizes);
    assert_eq!(refused(long.tree_head(100), long.tree_head(101)), NotAFinding::Sizes);
    let ledger = tree_head_of(Log::Ledger(VAULT), short.head_at(5), 101);
    assert_eq!(refused(long.tree_head(100), ledger), NotAFinding::OtherLog);
    let bent = bent(&finding, |evidence| {
        evidence.tree_head_b = Some(Unverified::from_bytes(vec![0]));
    });
    assert!(matches!(bent, Err(NotAFinding::TreeHead(_))));
}

#[test]
fn a_log_that_ends_before_a_receipt_was_rolled_back() {
    let (long, short) = (Diary::of_reads(8), Diary::of_reads(5));
    // Event 5 is of second 50: at second 111 every answer must cover it.
    assert!(Finding::rollback_of_event(node(), long.receipt(5), short.tree_head(111)).is_ok());
    let refused = |index, head| Finding::rollback_of_event(node(), long.receipt(index), head).unwrap_err();
    assert_eq!(refused(5, short.tree_head(110)), NotAFinding::NotLater);
    assert_eq!(refused(4, short.tree_head(500)), NotAFinding::Sizes);
    let ledger = tree_head_of(Log::Ledger(VAULT), short.head_at(5), 500);
    assert_eq!(refused(5, ledger), NotAFinding::OtherLog);
    let mut changed = long.receipt(5);
    changed.event.count += 1;
    let refused = Finding::rollback_of_event(node(), changed, short.tree_head(500));
    assert!(matches!(refused, Err(NotAFinding::Receipt(_))));
}
