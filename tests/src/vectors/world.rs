//! One small vault, from its root to its grants: what most vectors start from.

use super::cast::{
    DAY, MONTH, NOW, id16, key, party, public, sealed, sealing_key, sealing_secret, secret_of, seed, signed_card,
};
use super::cbor::Cbor;
use super::forge::{hash, id_of, sign};
use super::keys::{collection_id, collection_root, epoch_secret, expand, node};
use super::tree::root_of;
use crate::{list, map};

/// Months that the directory has keys for.
pub const MONTHS: u64 = 2;

/// The vault, its keys and its collections.
pub struct World {
    /// Root 0.
    pub root: [u8; 32],
    /// The signed charter.
    pub charter: Vec<u8>,
    /// Its id.
    pub vault: [u8; 32],
    /// Laboratory results, normal.
    pub lab: [u8; 16],
    /// Imaging, normal.
    pub imaging: [u8; 16],
}

impl World {
    /// The one world.
    pub fn new() -> Self {
        let root = seed("root 0");
        let charter = sign("charter", &charter_of(&root), &party("patient"));
        let vault = id_of("charter", &charter);
        let collection = |category| collection_id(&root, &vault, category, 1);
        let (lab, imaging) = (collection(3), collection(4));
        Self { root, charter, vault, lab, imaging }
    }

    /// The payload of the charter.
    pub fn charter(&self) -> Cbor {
        charter_of(&self.root)
    }

    /// The payload of the first authority: one device, a home and a mirror.
    pub fn authority(&self) -> Cbor {
        let charter = self.charter();
        let host = |name, role: u64| map! { 1 => key(name), 2 => role, 3 => list!["/dns4/node.example/tcp/4801"] };
        let mut hosts = vec![host("home", 1), host("mirror", 2)];
        hosts.sort_by_key(|host| host.field(1).bytes().to_vec());
        map! {
            1 => self.vault, 2 => 0, 3 => key("patient"), 4 => charter.field(2).bytes(), 5 => list![device("phone")],
            6 => hosts, 7 => charter.field(3).clone(), 8 => charter.field(4).clone(), 9 => charter.field(5).clone(),
            10 => 0, 11 => hash(&[&self.root_packages().encode()]),
        }
    }

    /// Root 0, sealed to the phone and to the recovery code.
    pub fn root_packages(&self) -> Cbor {
        let receivers = [("phone", sealing_secret(2, "phone")), ("recovery", recovery_secret())];
        let items = map! { 1 => list![map! { 1 => 3, 6 => self.root, 10 => 0 }] }.encode();
        let mut packages: Vec<Cbor> = receivers
            .iter()
            .map(|(name, secret)| {
                let receiver = hash(&[&public(secret).encode()]);
                let context: [&[u8]; 3] = [&self.vault, &0u32.to_be_bytes(), &receiver];
                map! { 1 => receiver, 2 => sealed(secret, "roots", &context, &items, &format!("roots/{name}")) }
            })
            .collect();
        packages.sort_by_key(|package| package.field(1).bytes().to_vec());
        Cbor::List(packages)
    }

    /// The private key of a collection's month.
    pub fn epoch_secret(&self, collection: &[u8; 16], generation: u32, month: u64) -> [u8; 32] {
        epoch_secret(&collection_root(&self.root, &self.vault, collection, generation), month)
    }

    /// The node of a collection's time tree above a month.
    pub fn node(&self, collection: &[u8; 16], generation: u32, depth: u64, month: u64) -> [u8; 32] {
        node(&collection_root(&self.root, &self.vault, collection, generation), depth, month)
    }

    /// The key leaves of a collection, encoded.
    pub fn key_leaves(&self, collection: &[u8; 16], generation: u32) -> Vec<Vec<u8>> {
        let leaf = |month| {
            let key = public(&secret_of(2, self.epoch_secret(collection, generation, month)));
            map! { 1 => month, 2 => key }.encode()
        };
        (MONTH..MONTH + MONTHS).map(leaf).collect()
    }

    /// The leaf of a collection in the directory.
    pub fn collection_leaf(&self, collection: &[u8; 16], generation: u32) -> Cbor {
        let keys_root = root_of(&self.key_leaves(collection, generation));
        map! { 1 => *collection, 2 => u64::from(generation), 3 => MONTH, 4 => MONTHS, 5 => keys_root, 6 => 0 }
    }

    /// The collection leaves, ascending: generation of the laboratory collection, and 1 for the other.
    pub fn collection_leaves(&self, lab_generation: u32) -> Vec<Cbor> {
        let mut leaves = vec![self.collection_leaf(&self.lab, lab_generation), self.collection_leaf(&self.imaging, 1)];
        leaves.sort_by_key(|leaf| leaf.field(1).bytes().to_vec());
        leaves
    }

    /// The payload of a directory over these leaves.
    pub fn directory(&self, number: u64, leaves: &[Cbor]) -> Cbor {
        let encoded: Vec<_> = leaves.iter().map(Cbor::encode).collect();
        map! { 1 => self.vault, 2 => number, 3 => root_of(&encoded), 4 => leaves.len() as u64, 5 => NOW - 9 * DAY }
    }

    /// The fields 1 to 9 of a grant.
    pub fn core(&self, holder: &str, actions: Cbor, collections: &[[u8; 16]], purpose: u64) -> Cbor {
        let mut collections = collections.to_vec();
        collections.sort();
        let collections: Vec<Cbor> = collections.into_iter().map(Cbor::from).collect();
        map! {
            1 => self.vault, 2 => key(holder), 3 => map! { 1 => actions, 2 => collections }, 4 => list![purpose],
            5 => map! { 1 => NOW - 8 * DAY, 2 => NOW + 82 * DAY }, 7 => 0, 9 => id16(&format!("{holder}/nonce")),
        }
    }

    /// The grant to the hospital: lists and reads laboratory results, may be passed on once. With what belongs to it.
    pub fn ward(&self) -> Ward {
        let core = self.core("hospital", list![2, 3], &[self.lab], 1).with(7, 1);
        let core_hash = hash(&[&core.encode()]);
        let items = map! { 1 => list![self.month_item(14)] };
        let package = sealed(&hospital(), "package", &[&core_hash, &[0; 4]], &items.encode(), "ward package");
        let particulars = self.particulars().encode();
        let part = |to, who: u8| sealed(to, "particulars", &[&core_hash, &[who]], &particulars, &format!("ward {who}"));
        let sealed_part = map! { 1 => part(&hospital(), 1), 2 => part(&self.audit(), 2) };
        let hashes = (hash(&[&sealed_part.encode()]), hash(&[&package.encode()]));
        let grant = core.clone().with(10, hashes.0).with(11, hashes.1);
        Ward { grant, core, sealed_part, package }
    }

    /// The package item of the node that is `depth` above the month of [`NOW`], in the laboratory collection.
    pub fn month_item(&self, depth: u64) -> Cbor {
        let seed = self.node(&self.lab, 1, depth, MONTH);
        map! { 1 => 1, 2 => self.lab, 3 => 1, 4 => depth, 5 => MONTH >> (16 - depth), 6 => seed }
    }

    /// What was shown to the patient for the grant to the hospital.
    pub fn particulars(&self) -> Cbor {
        let text = "B病院に、診療のため、検査結果の閲覧を90日間認めます。\nいつでも取り消せます。";
        let collections = list![map! { 1 => self.lab, 2 => 3, 3 => 1 }];
        map! {
            1 => signed_card("hospital"), 2 => "春日 花子", 3 => collections, 4 => 2, 5 => hash(&[text.as_bytes()]),
            6 => "ja", 7 => list![1, 3], 8 => text,
        }
    }

    /// The private key that side letters to the patient are sealed to.
    pub fn audit(&self) -> karute_protocol::hpke::SealingSecret {
        secret_of(2, expand(&self.root, "audit", &[]))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// A grant with its attachments.
pub struct Ward {
    /// The payload.
    pub grant: Cbor,
    /// Its fields 1 to 9.
    pub core: Cbor,
    /// The sealed part.
    pub sealed_part: Cbor,
    /// The first key package.
    pub package: Cbor,
}

/// The hospital's private sealing key: the one of its card.
pub fn hospital() -> karute_protocol::hpke::SealingSecret {
    sealing_secret(1, "hospital")
}

/// The private key that the recovery code leads to.
pub fn recovery_secret() -> karute_protocol::hpke::SealingSecret {
    secret_of(2, expand(&seed("recovery code"), "recovery-seal", &[]))
}

/// The commitment to a key that may follow the identity key.
pub fn commit_to_next(key: &[u8; 32]) -> [u8; 32] {
    hash(&[b"karute-v1/next-identity", &[0], key])
}

/// A device as it stands in an authority.
pub fn device(name: &str) -> Cbor {
    map! { 1 => key(name), 2 => sealing_key(2, name), 3 => NOW - 10 * DAY }
}

fn charter_of(root: &[u8; 32]) -> Cbor {
    let derived = |label| public(&secret_of(2, expand(root, label, &[])));
    map! {
        1 => key("patient"), 2 => commit_to_next(&key("next patient")), 3 => derived("inbox"), 4 => derived("audit"),
        5 => public(&recovery_secret()), 6 => list![map! { 1 => "witness.example", 2 => key("witness") }], 7 => 1,
        8 => NOW - 10 * DAY, 9 => id16("charter/nonce"),
    }
}
