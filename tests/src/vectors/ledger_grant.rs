//! Grants and revocations that have no place: C-31 to C-34.

use super::book::Draft;
use super::case::Fault;
use super::cast::{MONTH, NOW, key, seed};
use super::cbor::Cbor;
use super::ledger::{Wrong, validity};
use super::scene::{Scene, below_core, opaque, partner_core, records};
use crate::{faults, list, map};

/// Faults in grants and revocations behind the first ledger.
pub fn faults() -> Vec<Fault<Wrong>> {
    let mut faults = faults![Wrong;
        "C-31" "ledger" grant_by_a_stranger,
        "C-31" "ledger" grant_by_the_identity_key,
        "C-31" "ledger" child_by_somebody_who_does_not_hold_the_parent,
        "C-31" "ledger" child_by_a_device,
        "C-31" "ledger" child_of_a_grant_that_is_not_there,
        "C-33" "ledger" the_same_grant_again,
        "C-33" "ledger" grant_to_a_device,
        "C-34" "ledger" revocation_by_a_stranger,
        "C-34" "ledger" revocation_by_a_holder_without_that_action,
        "C-34" "ledger" revocation_by_the_holder_itself,
        "C-34" "ledger" revocation_by_a_guardian_after_the_end_of_its_grant,
        "C-34" "ledger" revocation_of_a_grant_that_is_not_there,
    ];
    faults.extend(faults![Wrong;
        "C-32" "ledger" child_with_another_action,
        "C-32" "ledger" child_with_another_collection,
        "C-32" "ledger" child_with_more_months,
        "C-32" "ledger" child_without_the_limit_on_months,
        "C-32" "ledger" child_with_another_record,
        "C-32" "ledger" child_without_the_limit_on_records,
        "C-32" "ledger" child_without_the_limit_on_depositors,
        "C-32" "ledger" child_with_another_purpose,
        "C-32" "ledger" child_that_begins_earlier,
        "C-32" "ledger" child_that_ends_later,
        "C-32" "ledger" child_with_more_uses,
        "C-32" "ledger" child_without_the_limit_on_uses,
        "C-32" "ledger" child_as_deep_as_its_parent,
        "C-32" "ledger" child_of_a_grant_that_may_not_be_passed_on,
    ]);
    faults
}

/// Faults behind the ledger in which the grant to the hospital is revoked.
pub fn faults_after_a_revocation() -> Vec<Fault<Wrong>> {
    faults![Wrong;
        "C-31" "ledger" child_of_a_revoked_grant,
        "C-31" "ledger" child_of_a_child_of_a_revoked_grant,
    ]
}

/// Good: the study passes on what it may.
pub fn partner(scene: &Scene) -> Draft {
    scene.child(&opaque(partner_core(scene)), "study")
}

fn from_study(scene: &Scene, change: impl FnOnce(&mut Cbor)) -> Draft {
    let mut core = partner_core(scene);
    change(&mut core);
    scene.child(&opaque(core), "study")
}

fn grant_by_a_stranger(scene: &Scene) -> Draft {
    let core = scene.world.core("dentist", list![3], &[scene.world.lab], 1);
    scene.child(&opaque(core), "stranger").signed_by("phone")
}

fn grant_by_the_identity_key(scene: &Scene) -> Draft {
    let core = scene.world.core("dentist", list![3], &[scene.world.lab], 1);
    scene.child(&opaque(core), "patient").signed_by("phone")
}

fn child_by_somebody_who_does_not_hold_the_parent(scene: &Scene) -> Draft {
    scene.child(&opaque(partner_core(scene)), "hospital")
}

fn child_by_a_device(scene: &Scene) -> Draft {
    scene.child(&opaque(partner_core(scene)), "phone")
}

fn child_of_a_grant_that_is_not_there(scene: &Scene) -> Draft {
    from_study(scene, |core| core.set(8, seed("no grant")))
}

fn the_same_grant_again(scene: &Scene) -> Draft {
    scene.grant(&scene.world.ward().grant)
}

fn grant_to_a_device(scene: &Scene) -> Draft {
    scene.grant(&scene.world.ward().grant.with(2, key("phone")))
}

fn revocation_by_a_stranger(scene: &Scene) -> Draft {
    scene.revocation(scene.ward, "stranger").signed_by("home")
}

fn revocation_by_a_holder_without_that_action(scene: &Scene) -> Draft {
    scene.revocation(scene.ward, "study").signed_by("home")
}

fn revocation_by_the_holder_itself(scene: &Scene) -> Draft {
    scene.revocation(scene.ward, "hospital").signed_by("home")
}

fn revocation_by_a_guardian_after_the_end_of_its_grant(scene: &Scene) -> Draft {
    scene.revocation(scene.ward, "guardian").signed_by("home").with(8, validity(0, 0).field(2).number())
}

fn revocation_of_a_grant_that_is_not_there(scene: &Scene) -> Draft {
    scene.revocation(seed("no grant"), "phone")
}

fn child_with_another_action(scene: &Scene) -> Draft {
    from_study(scene, |core| core.field_mut(3).set(1, list![2, 3, 4]))
}

fn child_with_another_collection(scene: &Scene) -> Draft {
    from_study(scene, |core| core.field_mut(3).set(2, list![scene.world.imaging]))
}

fn child_with_more_months(scene: &Scene) -> Draft {
    from_study(scene, |core| core.field_mut(3).set(3, map! { 1 => MONTH - 3, 2 => MONTH + 1 }))
}

fn child_without_the_limit_on_months(scene: &Scene) -> Draft {
    from_study(scene, |core| core.field_mut(3).leave_away(3))
}

fn child_with_another_record(scene: &Scene) -> Draft {
    from_study(scene, |core| core.field_mut(3).set(4, records(3)))
}

fn child_without_the_limit_on_records(scene: &Scene) -> Draft {
    from_study(scene, |core| core.field_mut(3).leave_away(4))
}

fn child_without_the_limit_on_depositors(scene: &Scene) -> Draft {
    from_study(scene, |core| core.field_mut(3).leave_away(5))
}

fn child_with_another_purpose(scene: &Scene) -> Draft {
    from_study(scene, |core| core.set(4, list![1]))
}

fn child_that_begins_earlier(scene: &Scene) -> Draft {
    from_study(scene, |core| core.set(5, validity(1, 0)))
}

fn child_that_ends_later(scene: &Scene) -> Draft {
    from_study(scene, |core| core.set(5, validity(0, 1)))
}

fn child_with_more_uses(scene: &Scene) -> Draft {
    from_study(scene, |core| core.set(6, 6))
}

fn child_without_the_limit_on_uses(scene: &Scene) -> Draft {
    from_study(scene, |core| core.leave_away(6))
}

fn child_as_deep_as_its_parent(scene: &Scene) -> Draft {
    from_study(scene, |core| core.set(7, 2))
}

fn child_of_a_grant_that_may_not_be_passed_on(scene: &Scene) -> Draft {
    let core = scene.world.core("dentist", list![3], &[scene.world.lab], 1).with(8, scene.below);
    scene.child(&opaque(core), "specialist")
}

fn child_of_a_revoked_grant(scene: &Scene) -> Draft {
    let core =
        below_core(scene.world, scene.ward).with(2, key("second specialist")).with(5, map! { 1 => NOW, 2 => NOW + 60 });
    scene.child(&opaque(core), "hospital")
}

fn child_of_a_child_of_a_revoked_grant(scene: &Scene) -> Draft {
    let core = below_core(scene.world, scene.below).with(2, key("third specialist"));
    scene.child(&opaque(core), "specialist")
}
