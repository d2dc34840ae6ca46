//! Entries that do not follow, and bodies that have no place: C-21 to C-28, C-31 to C-36.

use serde_json::{Value, json};

use super::book::{Book, Draft};
use super::case::{Case, Fault};
use super::cast::{DAY, NOW, id16, party, seed};
use super::cbor::Cbor;
use super::forge::sign;
use super::ledger_directory::{generation_that_falls, second_directory};
use super::scene::Scene;
use super::world::World;
use super::{ledger_authority, ledger_directory, ledger_grant};
use crate::{faults, list, map};

/// A draft that does not follow.
pub type Wrong = fn(&Scene) -> Draft;

/// The case whose items stand before the others'.
pub const BASE: &str = "a-vault-with-grants";
/// The same after a revocation and a rotation of keys.
pub const REVOKED: &str = "a-vault-after-a-revocation";

/// The cases of `ledger.json`.
pub fn cases(world: &World) -> Vec<Case> {
    let scene = Scene::new(world);
    let mut cases = bases(&scene, "C-21");
    cases.extend(beginnings(&scene));
    cases.extend(growths(&scene));
    cases.extend(after(BASE, &scene, entry_faults()));
    cases.extend(after(BASE, &scene, ledger_directory::faults()));
    cases.extend(after(BASE, &scene, ledger_authority::faults()));
    cases.extend(after(BASE, &scene, ledger_grant::faults()));
    let book = scene.revoked();
    let later = Scene { book, ..scene };
    let faults = faults![Wrong;
        "C-28" "ledger" generation_that_falls,
        "C-36" "ledger" package_for_a_revoked_grant,
    ];
    cases.extend(after(REVOKED, &later, faults));
    cases.extend(after(REVOKED, &later, ledger_grant::faults_after_a_revocation()));
    cases
}

/// The two ledgers that other cases stand behind.
pub fn bases(scene: &Scene, rule: &'static str) -> Vec<Case> {
    let base = Case::good("ledger", rule, BASE, json!({ "items": scene.book.items() })).gives(scene.book.output(&[]));
    let book = scene.revoked();
    let added = book.items().split_off(scene.book.items().len());
    let revoked = Case::good("ledger", rule, REVOKED, json!({ "after": BASE, "items": added }));
    vec![base, revoked.gives(book.output(&[]))]
}

fn after(name: &str, scene: &Scene, faults: Vec<Fault<Wrong>>) -> Vec<Case> {
    let case = |Fault { name: fault, rule, stage, put }: Fault<Wrong>| {
        Case::bad("ledger", rule, stage, &fault, json!({ "after": name, "items": [put(scene).item()] }))
    };
    faults.into_iter().map(case).collect()
}

/// Good items behind the base, with what is pending after them.
fn growths(scene: &Scene) -> Vec<Case> {
    let world = scene.world;
    let rotation = scene.book.draft("rotation", sign("rotation", &rotation(scene), &party("phone")));
    let erasure = map! { 1 => world.vault, 2 => list![id16("record")], 3 => 1, 4 => NOW };
    let erasure = scene.book.draft("erasure", sign("erasure", &erasure, &party("phone")));
    let events = map! { 1 => world.vault, 2 => list![], 3 => 1, 4 => NOW, 5 => list![3, 7] };
    let events = scene.book.draft("erasure", sign("erasure", &events, &party("phone")));
    let both = [world.lab, world.imaging];
    let growths: [(&str, &str, Draft, &[[u8; 16]]); 12] = [
        ("C-34", "device-revokes-and-the-collection-is-pending", scene.revocation(scene.ward, "phone"), &both[..1]),
        ("C-24", "home-appends-a-revocation", scene.revocation(scene.ward, "phone").signed_by("home"), &both[..1]),
        ("C-34", "issuer-revokes-the-child", scene.revocation(scene.below, "hospital").signed_by("home"), &both[..1]),
        ("C-34", "guardian-revokes", scene.revocation(scene.ward, "guardian").signed_by("home"), &both[..1]),
        ("C-34", "revoked-grant-with-single-records-touches-nothing", scene.revocation(scene.single, "phone"), &[]),
        ("C-36", "rotation-of-keys", rotation, &[]),
        ("C-26", "erasure-of-a-record", erasure, &[]),
        ("C-59", "erasure-of-two-events", events, &[]),
        ("C-58", "identity-changes-the-witnesses", ledger_authority::witnesses_changed(scene), &[]),
        ("C-17", "identity-adds-a-device", ledger_authority::device_added(scene), &[]),
        ("C-19", "identity-removes-a-device-and-all-is-pending", ledger_authority::device_replaced(scene), &both),
        ("C-18", "committed-key-takes-over", ledger_authority::recovered(scene), &both),
    ];
    let mut cases: Vec<Case> = growths
        .into_iter()
        .map(|(rule, name, draft, pending)| {
            let mut book = scene.book.clone();
            book.append(&draft);
            let input = json!({ "after": BASE, "items": [draft.item()] });
            Case::good("ledger", rule, name, input).gives(book.output(pending))
        })
        .collect();
    cases.push(child_of_a_child(scene));
    cases
}

fn child_of_a_child(scene: &Scene) -> Case {
    let partner = ledger_grant::partner(scene);
    let mut book = scene.book.clone();
    book.append(&partner);
    let input = json!({ "after": BASE, "items": [partner.item()] });
    Case::good("ledger", "C-32", "child-within-its-parent-on-every-axis", input).gives(book.output(&[]))
}

/// What must not stand at the first and second place.
fn beginnings(scene: &Scene) -> Vec<Case> {
    let world = scene.world;
    let empty = Book::new(world.vault);
    let charter = |by| empty.draft("charter", world.charter.clone()).signed_by(by);
    let mut begun = empty.clone();
    begun.append(&charter("patient"));
    let signed = |kind, payload: &Cbor, by| sign(kind, payload, &party(by));
    let second = |kind, payload: &Cbor| begun.draft(kind, signed(kind, payload, "patient")).signed_by("patient");
    let authority = world.authority();
    let leaves = world.collection_leaves(1);
    let one =
        |rule, stage, name: &str, items: Vec<Value>| Case::bad("ledger", rule, stage, name, json!({ "items": items }));
    let at_second =
        |rule, name: &str, draft: Draft| one(rule, "ledger", name, vec![begun.items().remove(0), draft.item()]);
    vec![
        one("C-24", "ledger", "charter-appended-by-a-stranger", vec![charter("stranger").item()]),
        one("C-21", "ledger", "charter-after-something", vec![charter("patient").with(3, seed("an entry")).item()]),
        one("C-21", "ledger", "charter-at-place-1", vec![charter("patient").with(2, 1).item()]),
        one(
            "C-23",
            "ledger",
            "charter-with-an-authority-in-force",
            vec![charter("patient").with(7, seed("it")).item()],
        ),
        one("C-22", "ledger", "authority-at-the-first-place", vec![scene_first_authority(world).item()]),
        at_second(
            "C-22",
            "directory-at-the-second-place",
            begun.draft_directory(&world.directory(0, &leaves), &leaves),
        ),
        at_second("C-22", "first-authority-with-number-1", second("authority", &authority.clone().with(2, 1))),
        at_second(
            "C-24",
            "first-authority-appended-by-a-stranger",
            second("authority", &authority).signed_by("stranger"),
        ),
        at_second(
            "C-17",
            "first-authority-signed-by-its-own-device",
            begun.draft("authority", signed("authority", &authority, "phone")).signed_by("patient"),
        ),
    ]
}

fn scene_first_authority(world: &World) -> Draft {
    Book::new(world.vault)
        .draft("authority", sign("authority", &world.authority(), &party("patient")))
        .signed_by("patient")
}

fn entry_faults() -> Vec<Fault<Wrong>> {
    faults![Wrong;
        "C-21" "ledger" entry_of_another_vault,
        "C-21" "ledger" place_left_out,
        "C-21" "ledger" place_taken_twice,
        "C-21" "ledger" not_after_the_last_entry,
        "C-21" "ledger" body_of_another_vault,
        "C-22" "ledger" body_with_another_salt,
        "C-22" "ledger" another_body_than_the_entry_names,
        "C-22" "ledger" grant_under_the_kind_of_a_revocation,
        "C-22" "ledger" second_charter,
        "C-23" "ledger" grant_that_changes_the_directory_in_force,
        "C-23" "ledger" grant_that_changes_the_authority_in_force,
        "C-23" "ledger" directory_that_leaves_the_old_one_in_force,
        "C-24" "ledger" entry_by_a_stranger,
        "C-24" "ledger" grant_entry_by_the_identity_key,
        "C-24" "ledger" grant_entry_by_its_holder,
        "C-24" "ledger" grant_without_parent_by_the_home_host,
        "C-24" "ledger" revocation_by_the_mirror,
        "C-25" "ledger" a_second_before_the_entry_before,
        "C-26" "ledger" directory_signed_by_the_identity_key,
        "C-26" "ledger" rotation_signed_by_a_holder,
        "C-26" "ledger" erasure_signed_by_the_home_host,
        "C-26" "ledger" erasure_of_an_event_signed_by_the_home_host,
        "C-36" "ledger" first_rotation_with_sequence_2,
        "C-36" "ledger" rotation_of_a_generation_not_in_force,
        "C-36" "ledger" rotation_of_an_unknown_collection,
        "C-36" "ledger" package_for_a_grant_that_is_not_there,
    ]
}

fn new_grant(scene: &Scene) -> Cbor {
    super::scene::opaque(scene.world.core("dentist", list![3], &[scene.world.lab], 1))
}

fn good(scene: &Scene) -> Draft {
    scene.grant(&new_grant(scene))
}

fn entry_of_another_vault(scene: &Scene) -> Draft {
    good(scene).with(1, seed("another vault"))
}

fn place_left_out(scene: &Scene) -> Draft {
    let draft = good(scene);
    let seq = draft.entry.field(2).number();
    draft.with(2, seq + 1)
}

fn place_taken_twice(scene: &Scene) -> Draft {
    let draft = good(scene);
    let seq = draft.entry.field(2).number();
    draft.with(2, seq - 1)
}

fn not_after_the_last_entry(scene: &Scene) -> Draft {
    good(scene).with(3, seed("an entry that nobody has seen"))
}

fn body_of_another_vault(scene: &Scene) -> Draft {
    scene.grant(&new_grant(scene).with(1, seed("another vault")))
}

fn body_with_another_salt(scene: &Scene) -> Draft {
    Draft { salt: seed("another salt"), ..good(scene) }
}

fn another_body_than_the_entry_names(scene: &Scene) -> Draft {
    let other = scene.grant(&new_grant(scene).with(7, 1));
    Draft { body: other.body, ..good(scene) }
}

fn grant_under_the_kind_of_a_revocation(scene: &Scene) -> Draft {
    good(scene).with(4, 6)
}

fn second_charter(scene: &Scene) -> Draft {
    scene.book.draft("charter", scene.world.charter.clone()).signed_by("patient")
}

fn grant_that_changes_the_directory_in_force(scene: &Scene) -> Draft {
    good(scene).with(6, seed("another directory"))
}

fn grant_that_changes_the_authority_in_force(scene: &Scene) -> Draft {
    good(scene).with(7, seed("another authority"))
}

fn directory_that_leaves_the_old_one_in_force(scene: &Scene) -> Draft {
    let before = good(scene).entry.field(6).clone();
    second_directory(scene).with(6, before)
}

fn entry_by_a_stranger(scene: &Scene) -> Draft {
    good(scene).signed_by("stranger")
}

fn grant_entry_by_the_identity_key(scene: &Scene) -> Draft {
    good(scene).signed_by("patient")
}

fn grant_entry_by_its_holder(scene: &Scene) -> Draft {
    good(scene).signed_by("dentist")
}

fn grant_without_parent_by_the_home_host(scene: &Scene) -> Draft {
    good(scene).signed_by("home")
}

fn revocation_by_the_mirror(scene: &Scene) -> Draft {
    scene.revocation(scene.ward, "phone").signed_by("mirror")
}

fn a_second_before_the_entry_before(scene: &Scene) -> Draft {
    let draft = good(scene);
    let time = draft.entry.field(8).number();
    draft.with(8, time - 61)
}

fn directory_signed_by_the_identity_key(scene: &Scene) -> Draft {
    let leaves = scene.world.collection_leaves(1);
    let body = sign("directory", &scene.world.directory(1, &leaves), &party("patient"));
    Draft { leaves: second_directory(scene).leaves, ..scene.book.draft("directory", body) }
}

fn rotation_signed_by_a_holder(scene: &Scene) -> Draft {
    scene.book.draft("rotation", sign("rotation", &rotation(scene), &party("hospital")))
}

fn erasure_signed_by_the_home_host(scene: &Scene) -> Draft {
    let erasure = map! { 1 => scene.world.vault, 2 => list![id16("record")], 3 => 1, 4 => NOW };
    scene.book.draft("erasure", sign("erasure", &erasure, &party("home")))
}

/// A host that would like its own trail to be shorter.
fn erasure_of_an_event_signed_by_the_home_host(scene: &Scene) -> Draft {
    let erasure = map! { 1 => scene.world.vault, 2 => list![], 3 => 1, 4 => NOW, 5 => list![3] };
    scene.book.draft("erasure", sign("erasure", &erasure, &party("home")))
}

/// The laboratory collection has new keys; the hospital and the study get them.
pub fn rotation(scene: &Scene) -> Cbor {
    let mut grants = [scene.ward, scene.study];
    grants.sort();
    let packages = grants.map(|grant| map! { 1 => grant, 2 => seed("a package") }).to_vec();
    let collections = list![map! { 1 => scene.world.lab, 2 => 1, 3 => 0 }];
    map! { 1 => scene.world.vault, 2 => seed("its cause"), 3 => 1, 4 => collections, 5 => packages }
}

fn rotated(scene: &Scene, change: impl FnOnce(&mut Cbor)) -> Draft {
    let mut rotation = rotation(scene);
    change(&mut rotation);
    scene.book.draft("rotation", sign("rotation", &rotation, &party("phone")))
}

fn first_rotation_with_sequence_2(scene: &Scene) -> Draft {
    rotated(scene, |rotation| rotation.set(3, 2))
}

fn rotation_of_a_generation_not_in_force(scene: &Scene) -> Draft {
    rotated(scene, |rotation| rotation.field_mut(4).items_mut()[0].set(2, 2))
}

fn rotation_of_an_unknown_collection(scene: &Scene) -> Draft {
    rotated(scene, |rotation| rotation.field_mut(4).items_mut()[0].set(1, id16("no collection")))
}

fn package_for_a_grant_that_is_not_there(scene: &Scene) -> Draft {
    rotated(scene, |rotation| rotation.set(5, list![map! { 1 => seed("no grant"), 2 => seed("a package") }]))
}

fn package_for_a_revoked_grant(scene: &Scene) -> Draft {
    rotated(scene, |rotation| {
        rotation.field_mut(4).items_mut()[0].set(2, 2);
        rotation.set(5, list![map! { 1 => scene.ward, 2 => seed("a package") }]);
    })
}

/// The validity of grants in these ledgers, moved by days at both ends.
pub fn validity(earlier: u64, later: u64) -> Cbor {
    map! { 1 => NOW - (8 + earlier) * DAY, 2 => NOW + (82 + later) * DAY }
}
