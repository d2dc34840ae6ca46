//! Key packages: what a holder can open, sealed to that holder (SPEC section 4).
//!
//! One structure serves first packages of grants, rotations, delegation and the roots of a vault's devices. A package is
//! as strong as what is in it: a tree node opens the months below it, a record's keys one record, a root everything.

mod item;
mod roots;

use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::{CollectionId, Digest, Generation, RecordId, RotationSequence};
use karute_consent::sealing::SealingKey;
use karute_consent::time::Month;
use karute_consent::tree::digest_of;
use zeroize::Zeroizing;

use crate::directory::EpochKey;
use crate::hpke::{Entropy, SealError, Sealed, SealingSecret, seal};
#[cfg(feature = "open")]
use crate::hpke::{OpenError, open};
use crate::keys::TreeNode;
use crate::label::seal_info;
use crate::limits::PACKAGE_ITEMS_MAX;
use crate::record::keys::RecordKeys;

pub use item::PackageItem;
use item::{Wire, WireItem};
pub use roots::{RootPackage, RootPackageList, RootsError, check_roots};

/// What a grant's key packages are sealed under: the digest of the grant's core, fields 1 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreDigest(pub Digest);

/// Keys in their order, each once. Not printable, not clonable.
pub struct Package {
    /// Not empty, strictly ascending, at most [`PACKAGE_ITEMS_MAX`].
    items: Vec<PackageItem>,
}

impl Package {
    /// Takes items in any order; refuses two for the same place.
    pub fn new(mut items: Vec<PackageItem>) -> Result<Self, PackageError> {
        items.sort_by_key(PackageItem::place);
        Self::of_ascending(items)
    }

    fn of_ascending(items: Vec<PackageItem>) -> Result<Self, PackageError> {
        if items.is_empty() || items.len() > PACKAGE_ITEMS_MAX {
            return Err(PackageError::Count);
        }
        if !items.is_sorted_by(|one, next| one.place() < next.place()) {
            return Err(PackageError::Order); // P-08
        }
        Ok(Self { items })
    }

    /// The items, ascending.
    pub fn items(&self) -> &[PackageItem] {
        &self.items
    }

    /// The items, for a keystore or a narrower package.
    pub fn into_items(self) -> Vec<PackageItem> {
        self.items
    }

    /// Seals the package for the holder of a grant; `rotation` is 0 for the first package.
    pub fn seal(
        &self,
        to: &SealingKey,
        core: CoreDigest,
        rotation: RotationSequence,
        entropy: Entropy,
    ) -> Result<Sealed, PackageError> {
        seal(to, &info_of(core, rotation), &self.encode()?, entropy).map_err(PackageError::Seal)
    }

    /// Opens a package of a grant. The holder then compares its keys with directory and records before it accepts (P-09).
    #[cfg(feature = "open")]
    pub fn open(
        sealed: &Sealed,
        secret: &SealingSecret,
        core: CoreDigest,
        rotation: RotationSequence,
    ) -> Result<Self, PackageError> {
        Self::decode(&open(secret, &info_of(core, rotation), sealed).map_err(PackageError::Open)?)
    }

    /// Refuses unless the tree node for a proven epoch key leads to that key (P-09).
    pub fn check_epoch(&self, proven: &EpochKey) -> Result<(), PackageError> {
        let secret = self.epoch_secret(proven.collection, proven.generation, proven.month);
        let secret = secret.ok_or(PackageError::NotCovered)?;
        if secret.public() == proven.key { Ok(()) } else { Err(PackageError::OtherKey) } // P-09
    }

    /// The tree node that holds a month, if there is one.
    pub fn node(&self, collection: CollectionId, generation: Generation, month: Month) -> Option<&TreeNode> {
        self.items.iter().find_map(|item| match item {
            PackageItem::Node { collection: c, generation: g, node } => {
                ((*c, *g) == (collection, generation) && node.name().contains(month)).then_some(node)
            }
            _ => None,
        })
    }

    /// The private key of a month, if the package holds it.
    pub fn epoch_secret(
        &self,
        collection: CollectionId,
        generation: Generation,
        month: Month,
    ) -> Option<SealingSecret> {
        self.node(collection, generation, month)?.epoch_secret(month).ok()
    }

    /// The keys of a single record, if the package holds them.
    pub fn record_keys(&self, record: RecordId) -> Option<&RecordKeys> {
        self.items.iter().find_map(|item| match item {
            PackageItem::Record { record: r, keys } if *r == record => Some(keys),
            _ => None,
        })
    }

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PackageError> {
        let items = self.items.iter().map(WireItem::from).collect();
        to_bytes(&Wire { items }).map(Zeroizing::new).map_err(PackageError::Encoding)
    }

    #[cfg(any(feature = "open", test))]
    fn decode(bytes: &[u8]) -> Result<Self, PackageError> {
        use crate::limits::SEAL_PLAIN_LEN_MAX;
        use karute_consent::encoding::from_bytes;

        let Wire { items } = from_bytes(bytes, SEAL_PLAIN_LEN_MAX).map_err(PackageError::Encoding)?;
        Self::of_ascending(items.into_iter().map(PackageItem::try_from).collect::<Result<_, _>>()?)
    }
}

/// What a grant or rotation names a package by: `H` of the sealed value's encoding.
pub fn package_hash(package: &Sealed) -> Result<Digest, EncodingError> {
    Ok(digest_of(&[&to_bytes(package)?]))
}

fn info_of(core: CoreDigest, rotation: RotationSequence) -> Vec<u8> {
    seal_info("package", &[core.0.as_bytes(), &rotation.0.to_be_bytes()])
}

/// Why a package is refused, not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// No item, or more than [`PACKAGE_ITEMS_MAX`].
    #[error("wrong number of items in the package")]
    Count,
    /// Items not strictly ascending (P-08).
    #[error("items of the package are not strictly ascending")]
    Order,
    /// An item that has not exactly the fields of its kind (P-08).
    #[error("item of the package has not the fields of its kind")]
    Fields,
    /// A tree node that is not in the tree (P-03).
    #[error("item of the package is no place in a time tree")]
    Place,
    /// Not the one spelling of a package.
    #[error("package is not in its one spelling")]
    Encoding(#[source] EncodingError),
    /// Not sealed.
    #[error("package not sealed")]
    Seal(#[source] SealError),
    /// Sealed to another key, for another grant or rotation, or altered.
    #[cfg(feature = "open")]
    #[error("package does not open")]
    Open(#[source] OpenError),
    /// No tree node for this collection, generation and month.
    #[error("package holds no key for this month")]
    NotCovered,
    /// The key that the node leads to is not the directory's (P-09).
    #[error("key of the package is not the directory's")]
    OtherKey,
}

#[cfg(test)]
mod tests;
