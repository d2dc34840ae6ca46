//! Directories that do not follow: C-27, C-28.

use super::book::Draft;
use super::case::Fault;
use super::cast::seed;
use super::cbor::Cbor;
use super::ledger::Wrong;
use super::scene::Scene;
use crate::faults;

/// Faults in the second directory.
pub fn faults() -> Vec<Fault<Wrong>> {
    faults![Wrong;
        "C-27" "ledger" directory_number_left_out,
        "C-27" "ledger" directory_number_again,
        "C-27" "ledger" fewer_leaves_than_counted,
        "C-27" "ledger" leaves_that_hash_to_another_root,
        "C-27" "ledger" leaves_out_of_order,
        "C-27" "ledger" inbox_in_the_directory,
        "C-27" "ledger" keys_for_twenty_five_months,
        "C-27" "ledger" generation_0,
        "C-28" "ledger" collection_that_is_gone,
        "C-28" "ledger" root_number_that_changes_alone,
    ]
}

fn of_leaves(scene: &Scene, number: u64, leaves: &[Cbor]) -> Draft {
    scene.directory(&scene.world.directory(number, leaves), leaves)
}

/// Good: the second directory, over the same leaves.
pub fn second_directory(scene: &Scene) -> Draft {
    of_leaves(scene, 1, &scene.world.collection_leaves(1))
}

fn directory_number_left_out(scene: &Scene) -> Draft {
    of_leaves(scene, 2, &scene.world.collection_leaves(1))
}

fn directory_number_again(scene: &Scene) -> Draft {
    of_leaves(scene, 0, &scene.world.collection_leaves(2))
}

fn fewer_leaves_than_counted(scene: &Scene) -> Draft {
    let leaves = scene.world.collection_leaves(1);
    let directory = scene.world.directory(1, &leaves).with(4, 3);
    scene.directory(&directory, &leaves)
}

fn leaves_that_hash_to_another_root(scene: &Scene) -> Draft {
    let leaves = scene.world.collection_leaves(1);
    scene.directory(&scene.world.directory(1, &leaves).with(3, seed("another root")), &leaves)
}

fn leaves_out_of_order(scene: &Scene) -> Draft {
    let mut leaves = scene.world.collection_leaves(1);
    leaves.reverse();
    of_leaves(scene, 1, &leaves)
}

fn inbox_in_the_directory(scene: &Scene) -> Draft {
    let mut leaves = scene.world.collection_leaves(1);
    leaves.insert(0, scene.world.collection_leaf(&[0; 16], 1));
    of_leaves(scene, 1, &leaves)
}

fn changed_leaf(scene: &Scene, field: u64, value: u64) -> Draft {
    let mut leaves = scene.world.collection_leaves(2);
    leaves[0].set(field, value);
    of_leaves(scene, 1, &leaves)
}

fn keys_for_twenty_five_months(scene: &Scene) -> Draft {
    changed_leaf(scene, 4, 25)
}

fn generation_0(scene: &Scene) -> Draft {
    changed_leaf(scene, 2, 0)
}

fn collection_that_is_gone(scene: &Scene) -> Draft {
    of_leaves(scene, 1, &scene.world.collection_leaves(1)[1..])
}

fn root_number_that_changes_alone(scene: &Scene) -> Draft {
    let mut leaves = scene.world.collection_leaves(1);
    leaves[0].set(6, 1);
    of_leaves(scene, 1, &leaves)
}

/// The third directory, with the generation of the first.
pub fn generation_that_falls(scene: &Scene) -> Draft {
    of_leaves(scene, 2, &scene.world.collection_leaves(1))
}
