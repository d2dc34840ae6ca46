//! The ledger that faults are put behind: a vault with grants of every sort, and the same after a revocation.

use super::book::{Book, Draft};
use super::cast::{MONTH, NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::forge::{id_of, sign};
use super::world::World;
use crate::{list, map};

/// A ledger, and the ids of what stands in it.
pub struct Scene<'w> {
    /// The vault.
    pub world: &'w World,
    /// Charter, authority, directory and grants.
    pub book: Book,
    /// To the hospital: lists and reads, may be passed on once.
    pub ward: [u8; 32],
    /// To the specialist, below `ward`: reads.
    pub below: [u8; 32],
    /// To the clinic: deposits.
    pub store: [u8; 32],
    /// To the guardian: lists, reads, audits, revokes in both collections.
    pub guardian: [u8; 32],
    /// To the pharmacy: reads two records, once.
    pub single: [u8; 32],
    /// To the study: has a limit on every axis, may be passed on twice.
    pub study: [u8; 32],
}

impl<'w> Scene<'w> {
    /// The vault with its grants.
    pub fn new(world: &'w World) -> Self {
        let mut book = Book::new(world.vault);
        let charter = book.draft("charter", world.charter.clone()).signed_by("patient");
        book.append(&charter);
        let authority = sign("authority", &world.authority(), &party("patient"));
        book.append(&book.draft("authority", authority).signed_by("patient"));
        let leaves = world.collection_leaves(1);
        book.append(&book.draft_directory(&world.directory(0, &leaves), &leaves));
        let mut grant = |payload: &Cbor, by| {
            let body = sign("grant", payload, &party(by));
            let draft = book.draft("grant", body.clone());
            book.append(&if payload_has_parent(payload) { draft.signed_by("home") } else { draft });
            id_of("grant", &body)
        };
        let ward = grant(&world.ward().grant, "phone");
        let both = [world.lab, world.imaging];
        let store = grant(&opaque(world.core("clinic", list![1], &both, 1)), "phone");
        let guardian = grant(&opaque(world.core("guardian", list![2, 3, 4, 5], &both, 7)), "phone");
        let single = grant(&opaque(single_core(world)), "phone");
        let study = grant(&opaque(study_core(world)), "phone");
        let below = grant(&opaque(below_core(world, ward)), "hospital");
        Self { world, book, ward, below, store, guardian, single, study }
    }

    /// The same after the grant to the hospital was revoked and the collection has new keys.
    pub fn revoked(&self) -> Book {
        let mut book = self.book.clone();
        book.append(&self.revocation(self.ward, "phone"));
        let leaves = self.world.collection_leaves(2);
        book.append(&book.draft_directory(&self.world.directory(1, &leaves), &leaves));
        book
    }

    /// A revocation of a grant, not appended.
    pub fn revocation(&self, grant: [u8; 32], by: &'static str) -> Draft {
        let payload = map! { 1 => self.world.vault, 2 => grant, 3 => 1, 4 => NOW };
        self.book.draft("revocation", sign("revocation", &payload, &party(by)))
    }

    /// A grant that a device issues, not appended.
    pub fn grant(&self, payload: &Cbor) -> Draft {
        self.book.draft("grant", sign("grant", payload, &party("phone")))
    }

    /// A child grant; the home host makes its entry.
    pub fn child(&self, payload: &Cbor, by: &'static str) -> Draft {
        self.book.draft("grant", sign("grant", payload, &party(by))).signed_by("home")
    }

    /// A directory, not appended.
    pub fn directory(&self, directory: &Cbor, leaves: &[Cbor]) -> Draft {
        self.book.draft_directory(directory, leaves)
    }

    /// An authority that this party signs, entry and body.
    pub fn authority(&self, payload: &Cbor, by: &'static str) -> Draft {
        self.book.draft("authority", sign("authority", payload, &party(by))).signed_by(by)
    }
}

fn payload_has_parent(payload: &Cbor) -> bool {
    let Cbor::Map(fields) = payload else { return false };
    fields.iter().any(|(key, _)| *key == Cbor::Uint(8))
}

/// A grant from its core; what was sealed for it is of no concern here.
pub fn opaque(core: Cbor) -> Cbor {
    core.with(10, seed("a sealed part"))
}

fn single_core(world: &World) -> Cbor {
    let mut core = world.core("pharmacy", list![3], &[world.lab], 1).with(6, 1);
    core.field_mut(3).set(4, records(2));
    core
}

fn study_core(world: &World) -> Cbor {
    let mut core = world.core("study", list![2, 3], &[world.lab], 3).with(6, 5).with(7, 2);
    let scope = core.field_mut(3);
    scope.set(3, map! { 1 => MONTH - 2, 2 => MONTH + 1 });
    scope.set(4, records(2));
    scope.set(5, list![key("clinic")]);
    core
}

/// The core of the grant that the hospital gives to the specialist.
pub fn below_core(world: &World, ward: [u8; 32]) -> Cbor {
    world.core("specialist", list![3], &[world.lab], 1).with(8, ward)
}

/// The core of a grant that the study could give to a partner.
pub fn partner_core(scene: &Scene) -> Cbor {
    let mut core = study_core(scene.world).with(2, key("partner")).with(7, 1).with(8, scene.study);
    core.set(9, id16("partner/nonce"));
    core
}

/// The ids of the first records, ascending.
pub fn records(count: usize) -> Cbor {
    let mut records: Vec<_> = (0..count).map(|n| id16(&format!("record {n}"))).collect();
    records.sort();
    Cbor::List(records.into_iter().map(Cbor::from).collect())
}
