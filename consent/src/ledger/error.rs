//! Why an item cannot follow in a ledger, rule by rule.

use crate::directory::DirectoryError;
use crate::grant::Widening;
use crate::ledger::item::ItemError;
use crate::statement::Stage;
use crate::vault::SuccessionError;

/// Why an item cannot follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Entry, body and attachments are refused or do not belong together.
    #[error("item is refused")]
    Item(#[source] ItemError),
    /// The ledger has as many entries as it can have, or has room for other kinds only (C-56).
    #[error("ledger has no room for an entry of this kind")]
    Full,
    /// Entry or body of another vault (C-21).
    #[error("entry or body of another vault")]
    OtherVault,
    /// Not the next place (C-21).
    #[error("entry is not at the next place")]
    Seq,
    /// Not after the last entry (C-21).
    #[error("entry does not follow the last entry")]
    Prev,
    /// The body or its attachments, which this reader has to see, are missing (C-22).
    #[error("body or attachments missing")]
    Missing,
    /// A charter, or something else where a charter or the first authority has to be (C-22).
    #[error("entry of this kind has no place here")]
    Kind,
    /// Directory or authority are not what is in force after the entry (C-23).
    #[error("entry names another directory or authority than is in force after it")]
    InForce,
    /// The entry's signer may not sign it (C-24).
    #[error("entry signed by a party that may not")]
    EntrySigner,
    /// Earlier than the entry before (C-25).
    #[error("entry is earlier than the entry before")]
    Time,
    /// The body's signer is no device in force (C-26).
    #[error("body signed by a party that may not")]
    BodySigner,
    /// The authority does not follow from what is in force (C-17 to C-20).
    #[error("authority does not follow")]
    Authority(#[source] SuccessionError),
    /// The directory does not follow from what is in force (C-27, C-28).
    #[error("directory does not follow")]
    Directory(#[source] DirectoryError),
    /// The grant cannot be granted (C-31 to C-33).
    #[error("grant is refused")]
    Grant(#[source] GrantError),
    /// The grant cannot be revoked so (C-34).
    #[error("revocation is refused")]
    Revocation(#[source] RevocationError),
    /// The rotation does not fit what is in force (C-36).
    #[error("rotation is refused")]
    Rotation(#[source] RotationError),
}

/// Why a grant has no place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Signed neither by a device nor by the holder of its parent (C-31).
    #[error("grant signed by a party that may not")]
    Issuer,
    /// The parent is not in the ledger (C-31).
    #[error("parent is not in the ledger")]
    NoParent,
    /// The parent or one above it is revoked (C-31).
    #[error("parent is revoked")]
    ParentRevoked,
    /// It exceeds its parent (C-32).
    #[error("grant exceeds its parent")]
    Exceeds(#[source] Widening),
    /// There are as many grants below the one without parent as there can be (C-57).
    #[error("too many grants below one")]
    TooMany,
    /// It is in the ledger already (C-33).
    #[error("grant is in the ledger already")]
    Again,
    /// The holder is a device in force (C-33).
    #[error("holder is a device of the vault")]
    HolderIsDevice,
}

/// Why a revocation is refused (C-34).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// The grant is not in the ledger.
    #[error("no such grant in the ledger")]
    NoSuchGrant,
    /// The signer may not revoke this grant.
    #[error("revocation signed by a party that may not")]
    Signer,
    /// It is about another vault.
    #[error("revocation is about another vault")]
    OtherVault,
}

/// Why a rotation is refused (C-36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// The sequence does not rise by one.
    #[error("rotation sequence does not rise by one")]
    Sequence,
    /// A collection is not in force with this generation and root.
    #[error("a collection is not in force with this generation and root")]
    Collection,
    /// A grant is not in the ledger, or revoked.
    #[error("a grant is not in the ledger or is revoked")]
    Grant,
}

impl LedgerError {
    /// The stage that noticed it.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Item(ItemError::Entry(error)) => error.stage(),
            // C-22: a body that is no statement of its kind is the ledger's fault, one with bad values is its own.
            Self::Item(ItemError::Body(error)) if error.stage() == Stage::Payload => Stage::Payload,
            _ => Stage::Ledger,
        }
    }
}
