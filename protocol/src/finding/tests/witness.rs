//! Kind 10.

use karute_consent::party::Identity;

use super::super::*;
use super::bent;
use super::cast::*;
use crate::cosignature::{WitnessKey, cosign};
use crate::merkle::{TreeHash, TreeHead};
use crate::note::Note;
use crate::trail::{CheckpointText, Log};
use karute_consent::vault::Witness;

#[test]
fn a_witness_that_cosigned_two_roots_is_convicted() {
    let (trail, fork) = forked();
    let (a, b) = (cosigned(&trail.checkpoint_at(5)), cosigned(&fork.checkpoint()));
    let finding = Finding::witness_equivocation(&witness().1, a, b).unwrap();
    assert_eq!(finding.accused(), witness().0.key());
    assert!(matches!(finding.verify().unwrap().facts, Facts::TwoRoots { size: 5, .. }));
    let renamed = bent(&finding, |evidence| {
        evidence.witness = evidence.witness.clone().map(|of| Witness { name: "other.example".to_owned(), ..of });
    });
    assert_eq!(renamed, Err(NotAFinding::Cosignature));
    let other = bent(&finding, |evidence| evidence.accused = host().key());
    assert_eq!(other, Err(NotAFinding::Cosignature));
}

#[test]
fn a_witness_answers_for_logs_that_are_not_ours_too() {
    let elsewhere = |root: u8| {
        let log = Identity::from_seed(&[60; 32]);
        let root = TreeHash([root; 32]);
        let head = TreeHead { size: 3, root };
        let origin: crate::note::KeyName = "log.example/7".parse().unwrap();
        let text = crate::checkpoint::Checkpoint { origin: origin.clone(), head }.text() + "an extension line\n";
        cosigned(&CheckpointText(Note::sign(text, origin, &log).unwrap().to_string()))
    };
    assert!(Finding::witness_equivocation(&witness().1, elsewhere(1), elsewhere(2)).is_ok());
}

#[test]
fn an_honest_witness_is_not_convicted() {
    let (trail, fork) = forked();
    let refused = |a, b| Finding::witness_equivocation(&witness().1, a, b).unwrap_err();
    let cosigned_at = |size| cosigned(&trail.checkpoint_at(size));
    assert_eq!(refused(cosigned_at(5), cosigned_at(5)), NotAFinding::SameRoot);
    assert_eq!(refused(cosigned_at(4), cosigned_at(5)), NotAFinding::Sizes);
    // The fork is the host's lie; the witness cosigned one branch only.
    assert_eq!(refused(cosigned_at(5), fork.checkpoint()), NotAFinding::Cosignature);
    assert_eq!(refused(trail.checkpoint_at(5), cosigned(&fork.checkpoint())), NotAFinding::Cosignature);
    let ledger = CheckpointText::sign(Log::Ledger(VAULT), fork.head_at(5), &host());
    assert_eq!(refused(cosigned_at(5), cosigned(&ledger)), NotAFinding::OtherLog);
}

#[test]
fn a_line_of_somebody_else_under_the_name_of_the_witness_does_not_count() {
    let (trail, fork) = forked();
    let (_, key) = witness();
    let thief = Identity::from_seed(&[61; 32]);
    let own = WitnessKey { name: key.name.clone(), party: thief.party() };
    let text = fork.checkpoint().body().unwrap();
    let line = cosign(&text, &key.name, &thief, at(1));
    let forged = fork.checkpoint().with_lines(&line, &own).unwrap();
    let refused = Finding::witness_equivocation(&key, cosigned(&trail.checkpoint_at(5)), forged);
    assert_eq!(refused, Err(NotAFinding::Cosignature));
    // A line under name and id that does not verify: taken from the other branch.
    let line = cosigned(&trail.checkpoint_at(5)).0.lines().last().unwrap().to_owned();
    let grafted = CheckpointText(format!("{}{line}\n", fork.checkpoint().0));
    let refused = Finding::witness_equivocation(&key, cosigned(&trail.checkpoint_at(5)), grafted);
    assert!(matches!(refused, Err(NotAFinding::Cosignatures(_))));
    let none = CheckpointText("no note".to_owned());
    let refused = Finding::witness_equivocation(&key, none.clone(), none);
    assert!(matches!(refused, Err(NotAFinding::Cosignatures(_))));
}
