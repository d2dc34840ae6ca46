//! One run with one record, as the clinic deposits it: what the vectors of runs, records and proofs start from.

use hmac::{Hmac, KeyInit, Mac};
use karute_protocol::bao::BodyHasher;
use karute_protocol::body::{BodyKey, Salt, seal_whole};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cast::{MONTH, NOW, id16, key, party, sealed, secret_of, seed};
use super::cbor::Cbor;
use super::forge::{hash, sign};
use super::keys::expand;
use super::world::World;
use crate::{list, map};

/// A run and a record of it.
pub struct Deposit {
    /// The secret of the run.
    pub run_secret: [u8; 32],
    /// The payload of the run.
    pub run: Cbor,
    /// The record's id.
    pub record: [u8; 16],
    /// The key of its meta.
    pub meta_key: [u8; 32],
    /// The key of its body.
    pub body_key: [u8; 32],
    /// The file.
    pub file: Vec<u8>,
    /// What the meta says.
    pub meta: Cbor,
    /// The sealed meta.
    pub sealed_meta: Vec<u8>,
    /// The sealed body.
    pub sealed_body: Vec<u8>,
}

impl Deposit {
    /// The run and the record of this file.
    pub fn of(world: &World, file: &[u8]) -> Self {
        let run_secret = seed("run secret");
        let record = record_id(world, file);
        let keys = record_keys(world, &run_secret, &record);
        let meta = meta_of(file);
        let sealed_meta = seal_meta(&keys.0, &meta.encode());
        let sealed_body = seal_body(&keys.1, &padded(file));
        Self {
            run_secret,
            run: run(world, &run_secret),
            record,
            meta_key: keys.0,
            body_key: keys.1,
            file: file.to_vec(),
            meta,
            sealed_meta,
            sealed_body,
        }
    }

    /// The small record of most vectors.
    pub fn small(world: &World) -> Self {
        Self::of(world, "HbA1c 6.1 % (2027-01-15)\n".as_bytes())
    }

    /// The signed run.
    pub fn signed_run(&self) -> Vec<u8> {
        sign("run", &self.run, &party("clinic"))
    }

    /// The payload of the header.
    pub fn header(&self) -> Cbor {
        header_of(&self.run, &self.record, &self.sealed_meta, &self.sealed_body)
    }

    /// The signed header.
    pub fn signed_header(&self) -> Vec<u8> {
        sign("header", &self.header(), &party("clinic"))
    }
}

/// The run to the laboratory collection of this month.
fn run(world: &World, secret: &[u8; 32]) -> Cbor {
    let facts = map! {
        1 => id16("run"), 2 => world.vault, 3 => world.lab, 4 => 1, 5 => MONTH, 6 => key("clinic"),
        7 => seed("grant to deposit"), 8 => map! { 1 => 9, 2 => seed("ledger root") },
    };
    seal_run(world, facts, secret)
}

/// Seals a run secret under these facts to the epoch key of the laboratory collection.
pub fn seal_run(world: &World, facts: Cbor, secret: &[u8]) -> Cbor {
    let to = secret_of(2, world.epoch_secret(&world.lab, 1, MONTH));
    let seal = sealed(&to, "run", &[&facts.encode()], secret, "run");
    facts.with(9, seal)
}

/// The header that goes with a sealed meta and a sealed body.
pub fn header_of(run: &Cbor, record: &[u8; 16], sealed_meta: &[u8], sealed_body: &[u8]) -> Cbor {
    let mut hasher = BodyHasher::new();
    hasher.update(sealed_body);
    map! {
        1 => 1, 2 => 1, 3 => run.field(2).bytes(), 4 => *record, 5 => run.field(1).bytes(), 6 => 1,
        7 => sealed_body.len() as u64, 8 => hasher.finish().root.0, 9 => &sealed_body[24..56],
        10 => hash(&[sealed_meta]), 12 => NOW,
    }
}

/// What the meta of the vectors says about a file.
pub fn meta_of(file: &[u8]) -> Cbor {
    map! {
        1 => "検査結果", 2 => 3, 3 => 1, 4 => "text/plain", 5 => "2027-01-15", 6 => "A病院 検査部", 7 => list!["HbA1c"],
        8 => file.len() as u64, 9 => hash(&[file]), 10 => "hba1c.txt",
    }
}

fn record_id(world: &World, file: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&seed("record secret")).expect("HMAC takes keys of any length");
    mac.update(&world.vault);
    mac.update(&hash(&[file]));
    let mut id = [0; 16];
    id.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    id
}

fn record_keys(world: &World, secret: &[u8; 32], record: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    let x = [&[1], &world.vault[..], &id16("run"), &key("clinic"), record].concat();
    (expand(secret, "record-meta", &x), expand(secret, "record-body", &x))
}

/// Seals the encoding of a meta, padded.
pub fn seal_meta(key: &[u8; 32], encoding: &[u8]) -> Vec<u8> {
    let length = (encoding.len() as u32).to_be_bytes();
    seal_meta_plain(key, &padded(&[&length, encoding].concat()))
}

/// Seals what stands where a meta should.
pub fn seal_meta_plain(key: &[u8; 32], plain: &[u8]) -> Vec<u8> {
    let mut salt = [0; 24];
    salt.copy_from_slice(&seed("meta salt")[..24]);
    seal_chunks(key, salt, b"karute-v1/meta", plain)
}

/// Seals a body whose plaintext is padded already.
pub fn seal_body(key: &[u8; 32], plain: &[u8]) -> Vec<u8> {
    let mut salt = [0; 24];
    salt.copy_from_slice(&expand(key, "body-salt", &[])[..24]);
    seal_chunks(key, salt, b"karute-v1/body", plain)
}

fn seal_chunks(key: &[u8; 32], salt: [u8; 24], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let key = BodyKey::new(Zeroizing::new(*key));
    seal_whole(&key, Salt(salt), context, plain).expect("a short plaintext")
}

/// With zero bytes up to the padded length.
pub fn padded(plain: &[u8]) -> Vec<u8> {
    let length = plain.len().max(256);
    let exponent = length.ilog2();
    let mask = (1 << (exponent - (exponent.ilog2() + 1))) - 1;
    let mut padded = plain.to_vec();
    padded.resize((length + mask) & !mask, 0);
    padded
}
