//! Root packages: the roots of a vault, sealed to each device and to the recovery key.

use std::collections::BTreeSet;

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{AuthorityNumber, Digest, RootNumber, VaultId};
use karute_consent::limits::{ATTACHMENT_BYTES_MAX, DEVICES_MAX};
use karute_consent::sealing::SealingKey;
use karute_consent::tree::digest_of;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{Package, PackageError, PackageItem};
use crate::hpke::{Entropy, SealError, Sealed, seal};
#[cfg(feature = "open")]
use crate::hpke::{OpenError, SealingSecret, open};
use crate::keys::Root;
use crate::label::seal_info;

/// One receiver's package: `{1: receiver hash, 2: sealed}`.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RootPackage {
    /// `H` of the encoding of the receiver's sealing key.
    #[serde(index = 1)]
    pub receiver: Digest,
    /// All roots, sealed to that key.
    #[serde(index = 2)]
    pub sealed: Sealed,
}

/// The packages of an authority, ascending by receiver. Its digest stands in the authority, its bytes are the attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPackageList(Vec<RootPackage>);

impl RootPackageList {
    /// Seals all roots to each receiver: every device of the set and the recovery key. `entropy` gives one for each.
    pub fn seal(
        receivers: &[SealingKey],
        roots: Vec<Root>,
        vault: VaultId,
        number: AuthorityNumber,
        mut entropy: impl FnMut() -> Entropy,
    ) -> Result<Self, RootsError> {
        let package = Package::new(roots.into_iter().map(PackageItem::Root).collect()).map_err(RootsError::Package)?;
        let plain = package.encode().map_err(RootsError::Package)?;
        let mut list = Vec::with_capacity(receivers.len());
        for key in receivers {
            let receiver = receiver_hash(key)?;
            let info = info_of(vault, number, &receiver);
            list.push(RootPackage { receiver, sealed: seal(key, &info, &plain, entropy()).map_err(RootsError::Seal)? });
        }
        list.sort_by_key(|package| package.receiver);
        let list = Self(list);
        list.check(receivers)?;
        Ok(list)
    }

    /// Reads an attachment and checks that it has one package for each receiver and no other (P-10).
    pub fn from_attachment(attachment: &[u8], receivers: &[SealingKey]) -> Result<Self, RootsError> {
        let list = Self(from_bytes(attachment, ATTACHMENT_BYTES_MAX).map_err(RootsError::Encoding)?);
        list.check(receivers)?;
        Ok(list)
    }

    /// The list as it goes with an authority.
    pub fn to_attachment(&self) -> Result<Vec<u8>, RootsError> {
        to_bytes(&self.0).map_err(RootsError::Encoding)
    }

    /// What the authority names the list by: `H` of its encoding.
    pub fn digest(&self) -> Result<Digest, RootsError> {
        Ok(digest_of(&[&self.to_attachment()?]))
    }

    /// The packages, ascending by receiver.
    pub fn packages(&self) -> &[RootPackage] {
        &self.0
    }

    fn check(&self, receivers: &[SealingKey]) -> Result<(), RootsError> {
        if self.0.len() > DEVICES_MAX + 1 || !self.0.is_sorted_by(|one, next| one.receiver < next.receiver) {
            return Err(RootsError::Order);
        }
        let expected: BTreeSet<Digest> = receivers.iter().map(receiver_hash).collect::<Result<_, _>>()?;
        if self.0.iter().map(|package| package.receiver).ne(expected) {
            return Err(RootsError::Receivers); // P-10
        }
        Ok(())
    }

    /// The roots, for a device or the recovery code; they count from 0 without gap.
    #[cfg(feature = "open")]
    pub fn open(
        &self,
        secret: &SealingSecret,
        vault: VaultId,
        number: AuthorityNumber,
    ) -> Result<Vec<Root>, RootsError> {
        let receiver = receiver_hash(&secret.public())?;
        let package = self.0.iter().find(|package| package.receiver == receiver).ok_or(RootsError::NotForThisKey)?;
        let plain = open(secret, &info_of(vault, number, &receiver), &package.sealed).map_err(RootsError::Open)?;
        let mut roots = Vec::new();
        for item in Package::decode(&plain).map_err(RootsError::Package)?.into_items() {
            match item {
                PackageItem::Root(root) if root.number().0 as usize == roots.len() => roots.push(root),
                _ => return Err(RootsError::Gap),
            }
        }
        Ok(roots)
    }
}

/// Refuses roots that are not the vault's (P-34): `keys_of` knows the inbox and the audit key that a charter or authority
/// of the ledger gives for each root. Without this, whoever has the identity key could have a device exchange roots that
/// it holds for others, and lose what they open.
pub fn check_roots(
    roots: &[Root],
    keys_of: impl Fn(RootNumber) -> Option<(SealingKey, SealingKey)>,
) -> Result<(), RootsError> {
    for root in roots {
        let (inbox, audit) = keys_of(root.number()).ok_or(RootsError::OtherRoot)?;
        if root.inbox_secret().public() != inbox || root.audit_secret().public() != audit {
            return Err(RootsError::OtherRoot); // P-34
        }
    }
    Ok(())
}

fn receiver_hash(key: &SealingKey) -> Result<Digest, RootsError> {
    Ok(digest_of(&[&to_bytes(key).map_err(RootsError::Encoding)?]))
}

fn info_of(vault: VaultId, number: AuthorityNumber, receiver: &Digest) -> Vec<u8> {
    seal_info("roots", &[vault.as_bytes(), &number.0.to_be_bytes(), receiver.as_bytes()])
}

/// Why root packages are refused, not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// Not the one spelling of a list.
    #[error("root package list is not in its one spelling")]
    Encoding(#[source] EncodingError),
    /// Too many, or not strictly ascending by receiver.
    #[error("root packages are too many or not strictly ascending")]
    Order,
    /// A device or the recovery key has none, or somebody else has one (P-10).
    #[error("root packages are not exactly those of the devices and the recovery key")]
    Receivers,
    /// The roots are no package.
    #[error("roots are no package")]
    Package(#[source] PackageError),
    /// Not sealed.
    #[error("root package not sealed")]
    Seal(#[source] SealError),
    /// There is no package for this key.
    #[error("no root package for this key")]
    NotForThisKey,
    /// Sealed under another vault or authority number, or altered.
    #[cfg(feature = "open")]
    #[error("root package does not open")]
    Open(#[source] OpenError),
    /// A root that does not lead to the inbox and audit keys that the ledger has for it (P-34).
    #[error("a root is not the vault's")]
    OtherRoot,
    /// Not all roots from 0 on, or something that is no root.
    #[error("roots do not count from 0 without gap")]
    Gap,
}
