//! A ledger being written: entries that follow, and drafts that do not yet.

use serde_json::{Map, Value, json};

use super::case::{hex, hexes};
use super::cast::{NOW, party, seed};
use super::cbor::Cbor;
use super::forge::{hash, id_of, sign};
use super::tree::root_of;
use crate::map;

/// Kinds of entries by their types.
const KINDS: [(&str, u64); 7] = [
    ("charter", 1),
    ("authority", 2),
    ("directory", 4),
    ("grant", 5),
    ("revocation", 6),
    ("rotation", 7),
    ("erasure", 8),
];

/// A ledger and what is in force at its end.
#[derive(Clone)]
pub struct Book {
    vault: [u8; 32],
    entries: Vec<Vec<u8>>,
    items: Vec<Value>,
    directory: [u8; 32],
    authority: [u8; 32],
    last: [u8; 32],
}

/// An entry that has not been signed, with its body.
#[derive(Clone)]
pub struct Draft {
    /// Payload of the entry.
    pub entry: Cbor,
    /// Who will sign the entry.
    pub by: &'static str,
    /// The salt that the item shows.
    pub salt: [u8; 32],
    /// The signed body.
    pub body: Vec<u8>,
    /// The collection leaves of a directory, encoded.
    pub leaves: Option<Vec<Vec<u8>>>,
}

impl Book {
    /// A ledger without entries.
    pub fn new(vault: [u8; 32]) -> Self {
        let none = [0; 32];
        Self { vault, entries: Vec::new(), items: Vec::new(), directory: none, authority: none, last: none }
    }

    /// The entry after the last, with a body of this type; a device signs the entry unless it is changed.
    pub fn draft(&self, kind: &str, body: Vec<u8>) -> Draft {
        let seq = self.entries.len() as u64;
        let salt = seed(&format!("salt {seq}"));
        let number = KINDS.iter().find(|(name, _)| *name == kind).expect("a type that a ledger has").1;
        let id = id_of(kind, &body);
        let entry = map! {
            1 => self.vault, 2 => seq, 3 => self.last, 4 => number, 5 => body_hash(&salt, &body),
            6 => if kind == "directory" { id } else { self.directory },
            7 => if kind == "authority" { id } else { self.authority },
            8 => NOW - 7 * 86_400 + 60 * seq,
        };
        Draft { entry, by: "phone", salt, body, leaves: None }
    }

    /// The same with a directory and its leaves.
    pub fn draft_directory(&self, directory: &Cbor, leaves: &[Cbor]) -> Draft {
        let leaves = Some(leaves.iter().map(Cbor::encode).collect());
        Draft { leaves, ..self.draft("directory", sign("directory", directory, &party("phone"))) }
    }

    /// Appends a draft.
    pub fn append(&mut self, draft: &Draft) {
        let entry = draft.signed();
        self.last = id_of("entry", &entry);
        let field = |key| draft.entry.field(key).bytes().try_into().expect("32 bytes");
        (self.directory, self.authority) = (field(6), field(7));
        self.entries.push(entry);
        self.items.push(draft.item());
    }

    /// The items as they stand in a vector.
    pub fn items(&self) -> Vec<Value> {
        self.items.clone()
    }

    /// The signed entries.
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }

    /// What comes out of a good ledger in which these collections are pending.
    pub fn output(&self, pending: &[[u8; 16]]) -> Value {
        let mut pending = pending.to_vec();
        pending.sort();
        json!({ "size": self.entries.len(), "root": hex(root_of(&self.entries)), "pending": hexes(&pending) })
    }
}

impl Draft {
    /// The entry, signed.
    pub fn signed(&self) -> Vec<u8> {
        sign("entry", &self.entry, &party(self.by))
    }

    /// With an entry that somebody else signs.
    pub fn signed_by(mut self, by: &'static str) -> Self {
        self.by = by;
        self
    }

    /// With a field of the entry changed.
    pub fn with(mut self, field: u64, value: impl Into<Cbor>) -> Self {
        self.entry.set(field, value);
        self
    }

    /// The item as it stands in a vector.
    pub fn item(&self) -> Value {
        let mut item = Map::new();
        item.insert("entry".to_owned(), hex(self.signed()).into());
        item.insert("salt".to_owned(), hex(self.salt).into());
        item.insert("body".to_owned(), hex(&self.body).into());
        if let Some(leaves) = &self.leaves {
            item.insert("leaves".to_owned(), hexes(leaves));
        }
        item.into()
    }
}

/// The digest by which an entry names its body.
pub fn body_hash(salt: &[u8; 32], body: &[u8]) -> [u8; 32] {
    hash(&[b"karute-v1/entry-body", &[0], salt, body])
}
