//! Items of a package, in memory and on the wire.

use karute_consent::id::{CollectionId, Generation, RecordId, RootNumber};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use zeroize::Zeroizing;

use super::PackageError;
use crate::keys::{NodeName, Root, TreeNode};
use crate::label::SECRET_LEN;
use crate::record::keys::{RecordKey, RecordKeys};
use crate::wire::WireSecret;

/// One thing that a package opens.
pub enum PackageItem {
    /// Months of a collection in one generation.
    Node {
        /// The collection.
        collection: CollectionId,
        /// Its generation.
        generation: Generation,
        /// The node above these months.
        node: TreeNode,
    },
    /// A single record, or its meta alone.
    Record {
        /// The record.
        record: RecordId,
        /// Its keys.
        keys: RecordKeys,
    },
    /// A whole vault.
    Root(Root),
}

/// Where an item stands in its package.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemPlace {
    kind: u8,
    of: [u8; 16],
    root: u32,
    generation: u32,
    depth: u8,
    prefix: u16,
}

impl PackageItem {
    pub(super) fn place(&self) -> ItemPlace {
        let nowhere = ItemPlace { kind: 0, of: [0; 16], root: 0, generation: 0, depth: 0, prefix: 0 };
        match self {
            Self::Node { collection, generation, node } => ItemPlace {
                kind: KIND_NODE,
                of: *collection.as_bytes(),
                generation: generation.0,
                depth: node.name().depth(),
                prefix: node.name().prefix(),
                ..nowhere
            },
            Self::Record { record, .. } => ItemPlace { kind: KIND_RECORD, of: *record.as_bytes(), ..nowhere },
            Self::Root(root) => ItemPlace { kind: KIND_ROOT, root: root.number().0, ..nowhere },
        }
    }
}

/// `{1: items}`.
#[derive(SerializeIndexed, DeserializeIndexed)]
pub(super) struct Wire {
    #[serde(index = 1)]
    pub(super) items: Vec<WireItem>,
}

/// An item of any kind, as it stands in the map.
#[derive(Default, SerializeIndexed, DeserializeIndexed)]
pub(super) struct WireItem {
    #[serde(index = 1)]
    kind: u8,
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    collection: Option<CollectionId>,
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    generation: Option<Generation>,
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    depth: Option<u8>,
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    prefix: Option<u16>,
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    seed: Option<WireSecret>,
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    record: Option<RecordId>,
    #[serde(index = 8, skip_serializing_if = "Option::is_none")]
    meta_key: Option<WireSecret>,
    #[serde(index = 9, skip_serializing_if = "Option::is_none")]
    body_key: Option<WireSecret>,
    #[serde(index = 10, skip_serializing_if = "Option::is_none")]
    root: Option<RootNumber>,
}

impl From<&PackageItem> for WireItem {
    fn from(item: &PackageItem) -> Self {
        let secret = |bytes: &Zeroizing<[u8; SECRET_LEN]>| Some(WireSecret(bytes.clone()));
        match item {
            PackageItem::Node { collection, generation, node } => Self {
                kind: KIND_NODE,
                collection: Some(*collection),
                generation: Some(*generation),
                depth: Some(node.name().depth()),
                prefix: Some(node.name().prefix()),
                seed: secret(node.seed()),
                ..Self::default()
            },
            PackageItem::Record { record, keys } => Self {
                kind: KIND_RECORD,
                record: Some(*record),
                meta_key: secret(keys.meta.bytes()),
                body_key: keys.body.as_ref().and_then(|key| secret(key.bytes())),
                ..Self::default()
            },
            PackageItem::Root(root) => {
                Self { kind: KIND_ROOT, seed: secret(root.seed()), root: Some(root.number()), ..Self::default() }
            }
        }
    }
}

impl TryFrom<WireItem> for PackageItem {
    type Error = PackageError;

    /// Refuses a missing field of the kind, and a field of another kind (P-08).
    fn try_from(wire: WireItem) -> Result<Self, PackageError> {
        let WireItem { kind, collection, generation, depth, prefix, seed, record, meta_key, body_key, root } = wire;
        let fields = (collection, generation, depth, prefix, seed, record, meta_key, body_key, root);
        match (kind, fields) {
            (
                KIND_NODE,
                (Some(collection), Some(generation), Some(depth), Some(prefix), Some(seed), None, None, None, None),
            ) => {
                let name = NodeName::new(depth, prefix).map_err(|_| PackageError::Place)?; // P-03
                Ok(Self::Node { collection, generation, node: TreeNode::new(name, seed.0) })
            }
            (KIND_RECORD, (None, None, None, None, None, Some(record), Some(meta), body, None)) => {
                let keys = RecordKeys { meta: RecordKey::new(meta.0), body: body.map(|key| RecordKey::new(key.0)) };
                Ok(Self::Record { record, keys })
            }
            (KIND_ROOT, (None, None, None, None, Some(seed), None, None, None, Some(number))) => {
                Ok(Self::Root(Root::new(number, seed.0)))
            }
            _ => Err(PackageError::Fields), // P-08
        }
    }
}

const KIND_NODE: u8 = 1;
const KIND_RECORD: u8 = 2;
const KIND_ROOT: u8 = 3;
