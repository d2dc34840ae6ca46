//! Authorities that do not follow: C-17 to C-20.

use super::book::Draft;
use super::case::Fault;
use super::cast::{key, sealing_key, seed};
use super::cbor::Cbor;
use super::ledger::Wrong;
use super::scene::Scene;
use super::world::{commit_to_next, device};
use crate::{faults, list, map};

/// Faults in the second authority.
pub fn faults() -> Vec<Fault<Wrong>> {
    faults![Wrong;
        "C-17" "ledger" authority_by_a_device,
        "C-17" "ledger" authority_by_a_stranger,
        "C-17" "ledger" witnesses_changed_by_a_device,
        "C-18" "ledger" identity_key_names_its_successor,
        "C-18" "ledger" identity_key_hands_over,
        "C-18" "ledger" committed_key_commits_to_itself_again,
        "C-18" "ledger" committed_key_leaves_the_identity,
        "C-19" "ledger" authority_number_left_out,
        "C-19" "ledger" root_number_rises_by_two,
        "C-19" "ledger" device_removed_under_the_same_root,
        "C-19" "ledger" recovery_under_the_same_root,
        "C-20" "ledger" new_inbox_under_the_same_root,
        "C-20" "ledger" new_root_with_the_old_inbox,
        "C-20" "ledger" new_root_with_the_old_audit_key,
        "C-20" "ledger" new_recovery_key_without_a_new_identity,
        "C-20" "ledger" new_identity_with_the_old_recovery_key,
    ]
}

/// The authority after the first, nothing else changed.
fn next(scene: &Scene) -> Cbor {
    scene.world.authority().with(2, 1)
}

fn two_devices() -> Cbor {
    let mut devices = vec![device("phone"), device("tablet")];
    devices.sort_by_key(|device| device.field(1).bytes().to_vec());
    Cbor::List(devices)
}

fn with_new_root(authority: Cbor) -> Cbor {
    authority.with(7, sealing_key(2, "inbox 1")).with(8, sealing_key(2, "audit 1")).with(10, 1)
}

fn recovered_payload(scene: &Scene) -> Cbor {
    with_new_root(next(scene))
        .with(3, key("next patient"))
        .with(4, commit_to_next(&key("patient after next")))
        .with(9, sealing_key(2, "new recovery"))
}

/// Good: a second device.
pub fn device_added(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(5, two_devices()), "patient")
}

/// Good: another witness, and nothing else changed.
pub fn witnesses_changed(scene: &Scene) -> Draft {
    let witness = map! { 1 => "another-witness.example", 2 => key("another witness") };
    scene.authority(&next(scene).with(12, map! { 1 => list![witness], 2 => 1 }), "patient")
}

/// Good: another device in place of the first, under a new root.
pub fn device_replaced(scene: &Scene) -> Draft {
    scene.authority(&with_new_root(next(scene)).with(5, list![device("tablet")]), "patient")
}

/// Good: the committed key takes over.
pub fn recovered(scene: &Scene) -> Draft {
    scene.authority(&recovered_payload(scene), "next patient")
}

fn authority_by_a_device(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(5, two_devices()), "phone")
}

fn authority_by_a_stranger(scene: &Scene) -> Draft {
    scene.authority(&next(scene), "stranger")
}

fn witnesses_changed_by_a_device(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(12, map! { 1 => list![], 2 => 0 }), "phone")
}

fn identity_key_names_its_successor(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(4, commit_to_next(&key("stranger"))), "patient")
}

fn identity_key_hands_over(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(3, key("next patient")), "patient")
}

fn committed_key_commits_to_itself_again(scene: &Scene) -> Draft {
    let before = next(scene).field(4).clone();
    scene.authority(&recovered_payload(scene).with(4, before), "next patient")
}

fn committed_key_leaves_the_identity(scene: &Scene) -> Draft {
    scene.authority(&recovered_payload(scene).with(3, key("patient")), "next patient")
}

fn authority_number_left_out(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(2, 2), "patient")
}

fn root_number_rises_by_two(scene: &Scene) -> Draft {
    scene.authority(&with_new_root(next(scene)).with(10, 2), "patient")
}

fn device_removed_under_the_same_root(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(5, list![device("tablet")]), "patient")
}

fn recovery_under_the_same_root(scene: &Scene) -> Draft {
    let before = next(scene);
    let (inbox, audit) = (before.field(7).clone(), before.field(8).clone());
    scene.authority(&recovered_payload(scene).with(7, inbox).with(8, audit).with(10, 0), "next patient")
}

fn new_inbox_under_the_same_root(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(7, sealing_key(2, "inbox 1")), "patient")
}

fn new_root_with_the_old_inbox(scene: &Scene) -> Draft {
    let before = next(scene).field(7).clone();
    scene.authority(&with_new_root(next(scene)).with(7, before), "patient")
}

fn new_root_with_the_old_audit_key(scene: &Scene) -> Draft {
    let before = next(scene).field(8).clone();
    scene.authority(&with_new_root(next(scene)).with(8, before).with(11, seed("roots 1")), "patient")
}

fn new_recovery_key_without_a_new_identity(scene: &Scene) -> Draft {
    scene.authority(&next(scene).with(9, sealing_key(2, "new recovery")), "patient")
}

fn new_identity_with_the_old_recovery_key(scene: &Scene) -> Draft {
    let before = next(scene).field(9).clone();
    scene.authority(&recovered_payload(scene).with(9, before), "next patient")
}
