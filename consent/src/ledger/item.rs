//! Entries and what lies beside them. An entry shows nothing of its body but a salted digest; the body goes to whom
//! it concerns.

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::directory::Directory;
use crate::grant::Grant;
use crate::id::{Digest, PartyKey, Salt, Seq, StatementId, VaultId};
use crate::limits::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, ENTRY_BYTES_MAX};
use crate::revocation::{Erasure, Revocation, Rotation};
use crate::statement::{Malformed, Statement, StatementError, Unverified, Verified};
use crate::time::Timestamp;
use crate::tree::digest_of;
use crate::vault::{Authority, Charter};

/// One place in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Entry {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// The place.
    #[serde(index = 2)]
    pub seq: Seq,
    /// Id of the entry before; none at the first place.
    #[serde(index = 3)]
    pub prev: StatementId,
    /// What the body is.
    #[serde(index = 4)]
    pub kind: EntryKind,
    /// Salted digest of the body: see [`body_hash`].
    #[serde(index = 5)]
    pub body_hash: Digest,
    /// The directory in force after this entry.
    #[serde(index = 6)]
    pub directory: StatementId,
    /// The authority in force after this entry.
    #[serde(index = 7)]
    pub authority: StatementId,
    /// When it was appended, by the signer's clock.
    #[serde(index = 8)]
    pub time: Timestamp,
}

crate::wire_enum! {
    /// What the body of an entry is. The number 3 is never used.
    EntryKind {
        /// A charter.
        Charter = 1 "charter",
        /// An authority.
        Authority = 2 "authority",
        /// A directory.
        Directory = 4 "directory",
        /// A grant.
        Grant = 5 "grant",
        /// A revocation.
        Revocation = 6 "revocation",
        /// A rotation.
        Rotation = 7 "rotation",
        /// An erasure.
        Erasure = 8 "erasure",
    }
}

/// An entry with what the reader is shown of it.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Item {
    /// The signed entry.
    #[serde(index = 1)]
    pub entry: Unverified<Entry>,
    /// The salt of the body hash; there when the body is.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Salt>,
    /// The signed statement that the entry is about.
    #[serde(index = 3, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub body: Option<Vec<u8>>,
    /// What belongs to the body, bound by digests inside it.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<ByteBuf>>,
}

/// A verified body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A charter.
    Charter(Box<Verified<Charter>>),
    /// An authority.
    Authority(Box<Verified<Authority>>),
    /// A directory.
    Directory(Verified<Directory>),
    /// A grant.
    Grant(Box<Verified<Grant>>),
    /// A revocation.
    Revocation(Verified<Revocation>),
    /// A rotation.
    Rotation(Verified<Rotation>),
    /// An erasure.
    Erasure(Verified<Erasure>),
}

/// What an entry is about: decides who is shown its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The charter.
    Charter,
    /// An authority.
    Authority,
    /// A directory.
    Directory,
    /// This grant.
    Grant(StatementId),
    /// The revocation of this grant.
    Revocation(StatementId),
    /// A rotation.
    Rotation,
    /// An erasure.
    Erasure,
    /// Something that this reader was not shown.
    Hidden,
}

/// Why the parts of an item do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// The entry's statement is refused.
    #[error("entry is refused")]
    Entry(#[source] StatementError),
    /// Salt without body or body without salt.
    #[error("salt and body come together or not at all")]
    Salt,
    /// The body is not the one that the entry names (C-22).
    #[error("body is not the one that the entry names")]
    BodyHash,
    /// The body's statement is refused, or of another type than the entry says (C-22).
    #[error("body is refused")]
    Body(#[source] StatementError),
    /// Attachments that are too many, too long, or not those that the body names.
    #[error("attachments are not those that the body names")]
    Attachments,
}

/// The digest by which an entry names its body.
pub fn body_hash(salt: &Salt, body: &[u8]) -> Digest {
    digest_of(&[b"karute-v1/entry-body", &[0], salt.as_bytes(), body])
}

impl Item {
    /// Verifies entry, body and attachments, as far as they are shown, and that they belong together.
    pub fn open(&self) -> Result<(Verified<Entry>, Option<Body>), ItemError> {
        let entry = self.entry.clone().verify().map_err(ItemError::Entry)?;
        let body = match (&self.salt, &self.body) {
            (None, None) => None,
            (Some(salt), Some(body)) => Some((salt, body)),
            _ => return Err(ItemError::Salt),
        };
        let Some((salt, bytes)) = body else {
            return if self.attachments.is_none() { Ok((entry, None)) } else { Err(ItemError::Attachments) };
        };
        // C-22
        if body_hash(salt, bytes) != entry.payload().body_hash {
            return Err(ItemError::BodyHash);
        }
        let body = Body::read(entry.payload().kind, bytes.clone()).map_err(ItemError::Body)?;
        if let Some(attachments) = &self.attachments {
            check_attachments(&body, attachments)?;
        }
        Ok((entry, Some(body)))
    }

    /// This item as it is shown to who may not see the body.
    pub fn bare(&self) -> Self {
        Self { entry: self.entry.clone(), salt: None, body: None, attachments: None }
    }
}

impl Body {
    /// Verifies a body of this kind.
    pub fn read(kind: EntryKind, bytes: Vec<u8>) -> Result<Self, StatementError> {
        fn verify<T: Statement>(bytes: Vec<u8>) -> Result<Verified<T>, StatementError> {
            Unverified::from_bytes(bytes).verify()
        }
        Ok(match kind {
            EntryKind::Charter => Self::Charter(Box::new(verify(bytes)?)),
            EntryKind::Authority => Self::Authority(Box::new(verify(bytes)?)),
            EntryKind::Directory => Self::Directory(verify(bytes)?),
            EntryKind::Grant => Self::Grant(Box::new(verify(bytes)?)),
            EntryKind::Revocation => Self::Revocation(verify(bytes)?),
            EntryKind::Rotation => Self::Rotation(verify(bytes)?),
            EntryKind::Erasure => Self::Erasure(verify(bytes)?),
        })
    }

    /// The kind of entry that this is a body of.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::Charter(_) => EntryKind::Charter,
            Self::Authority(_) => EntryKind::Authority,
            Self::Directory(_) => EntryKind::Directory,
            Self::Grant(_) => EntryKind::Grant,
            Self::Revocation(_) => EntryKind::Revocation,
            Self::Rotation(_) => EntryKind::Rotation,
            Self::Erasure(_) => EntryKind::Erasure,
        }
    }

    /// The vault that the body is about; a charter makes its own.
    pub fn vault(&self) -> VaultId {
        match self {
            Self::Charter(charter) => charter.vault(),
            Self::Authority(authority) => authority.payload().vault,
            Self::Directory(directory) => directory.payload().vault,
            Self::Grant(grant) => grant.payload().core.vault,
            Self::Revocation(revocation) => revocation.payload().vault,
            Self::Rotation(rotation) => rotation.payload().vault,
            Self::Erasure(erasure) => erasure.payload().vault,
        }
    }

    /// Who signed the body.
    pub fn signer(&self) -> PartyKey {
        match self {
            Self::Charter(charter) => charter.signer(),
            Self::Authority(authority) => authority.signer(),
            Self::Directory(directory) => directory.signer(),
            Self::Grant(grant) => grant.signer(),
            Self::Revocation(revocation) => revocation.signer(),
            Self::Rotation(rotation) => rotation.signer(),
            Self::Erasure(erasure) => erasure.signer(),
        }
    }

    /// The body's statement id.
    pub fn id(&self) -> StatementId {
        match self {
            Self::Charter(charter) => charter.id(),
            Self::Authority(authority) => authority.id(),
            Self::Directory(directory) => directory.id(),
            Self::Grant(grant) => grant.id(),
            Self::Revocation(revocation) => revocation.id(),
            Self::Rotation(rotation) => rotation.id(),
            Self::Erasure(erasure) => erasure.id(),
        }
    }

    /// What the body is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Charter(_) => Subject::Charter,
            Self::Authority(_) => Subject::Authority,
            Self::Directory(_) => Subject::Directory,
            Self::Grant(grant) => Subject::Grant(grant.id()),
            Self::Revocation(revocation) => Subject::Revocation(revocation.payload().grant),
            Self::Rotation(_) => Subject::Rotation,
            Self::Erasure(_) => Subject::Erasure,
        }
    }

    /// The digests that this body's attachments must have, in order. A directory's are judged by their tree roots.
    pub(super) fn attachment_hashes(&self) -> Option<Vec<Digest>> {
        match self {
            Self::Directory(_) => None,
            Self::Authority(authority) => Some(vec![authority.payload().roots]),
            Self::Grant(grant) => {
                let grant = grant.payload();
                Some([Some(grant.sealed_hash), grant.package_hash].into_iter().flatten().collect())
            }
            Self::Rotation(rotation) => {
                Some(rotation.payload().packages.iter().map(|package| package.package_hash).collect())
            }
            Self::Charter(_) | Self::Revocation(_) | Self::Erasure(_) => Some(Vec::new()),
        }
    }
}

fn check_attachments(body: &Body, attachments: &[ByteBuf]) -> Result<(), ItemError> {
    let too_long = attachments.iter().any(|attachment| attachment.len() > ATTACHMENT_BYTES_MAX);
    if too_long || attachments.len() > ATTACHMENTS_MAX {
        return Err(ItemError::Attachments);
    }
    let named = body.attachment_hashes();
    let fit = named.is_none_or(|named| attachments.iter().map(|bytes| digest_of(&[bytes])).eq(named));
    if fit { Ok(()) } else { Err(ItemError::Attachments) }
}

impl Statement for Entry {
    const TYPE: &'static str = "entry";
    const BYTES_MAX: usize = ENTRY_BYTES_MAX;

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        Ok(())
    }
}
