//! Messages about a ledger: its face, appending, revoking, syncing.

use karute_consent::id::{Digest, RotationSequence, Salt, StatementId, VaultId};
use karute_consent::ledger::{Entry, Item};
use karute_consent::limits::{APPEND_ITEMS_MAX, ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX};
use karute_consent::request::Request;
use karute_consent::revocation::Revocation;
use karute_consent::statement::Unverified;
use karute_consent::time::Timestamp;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{MessageError, Payload, Registration, at_most};
use crate::hpke::Sealed;
use crate::limits;
use crate::trail::{CheckpointText, Receipt};
use crate::wire::{LedgerSize, Octets};

/// 3: asks for charter and authorities of a vault.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Face {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
}

impl Payload for Face {
    const TAG: u8 = 3;
}

/// 4: the items of the face came before this.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Faced {
    /// The host's checkpoint of this ledger.
    #[serde(index = 1)]
    pub checkpoint: CheckpointText,
    /// Entries of the ledger, all of which were sent.
    #[serde(index = 2)]
    pub size: LedgerSize,
    /// The host's time.
    #[serde(index = 3)]
    pub now: Timestamp,
}

impl Payload for Faced {
    const TAG: u8 = 4;
}

/// 5: an attachment, kept for the session and named by its hash in an append.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Attach {
    /// The attachment.
    #[serde(index = 1)]
    pub bytes: Octets,
}

impl Payload for Attach {
    const TAG: u8 = 5;

    fn check(&self) -> Result<(), MessageError> {
        at_most(self.bytes.len(), ATTACHMENT_BYTES_MAX)
    }
}

/// 7: appends items, all or none, if the ledger has the expected size.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Append {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Entries that the ledger is expected to have.
    #[serde(index = 2)]
    pub size: LedgerSize,
    /// 1 to 16 items.
    #[serde(index = 3)]
    pub items: Vec<AppendItem>,
    /// For a new vault, where the host wants one.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
}

impl Payload for Append {
    const TAG: u8 = 7;

    fn check(&self) -> Result<(), MessageError> {
        if self.items.is_empty() {
            return Err(MessageError::Inconsistent);
        }
        at_most(self.items.len(), APPEND_ITEMS_MAX)?;
        if let Some(code) = &self.registration {
            at_most(code.0.len(), limits::REGISTRATION_LEN_MAX)?;
        }
        // In all, not of each item: one attachment that is named again and again would be copied as often.
        at_most(self.items.iter().map(|item| item.attachments.len()).sum(), ATTACHMENTS_MAX)
    }
}

/// One item to append.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct AppendItem {
    /// The entry.
    #[serde(index = 1)]
    pub entry: Unverified<Entry>,
    /// The salt of its body hash.
    #[serde(index = 2)]
    pub salt: Salt,
    /// The signed statement that the entry's kind names.
    #[serde(index = 3)]
    pub body: Octets,
    /// SHA-256 of each attachment, in order; the attachments came before in [`Attach`].
    #[serde(index = 4)]
    pub attachments: Vec<Digest>,
}

/// 9: a revocation; the host refuses the grant from here on.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Revoke {
    /// The revocation.
    #[serde(index = 1)]
    pub revocation: Unverified<Revocation>,
}

impl Payload for Revoke {
    const TAG: u8 = 9;
}

/// 10: appended.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Appended {
    /// The host's checkpoint of this ledger, the new entries in it.
    #[serde(index = 1)]
    pub checkpoint: CheckpointText,
    /// The event of this append.
    #[serde(index = 2)]
    pub receipt: Receipt,
}

impl Payload for Appended {
    const TAG: u8 = 10;
}

/// 11: asks for the entries from one on, and for what concerns the asking party.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Sync {
    /// A request with action sync.
    #[serde(index = 1)]
    pub request: Unverified<Request>,
    /// Entries that the client holds.
    #[serde(index = 2)]
    pub from: LedgerSize,
}

impl Payload for Sync {
    const TAG: u8 = 11;
}

/// 12: an item of a ledger; a bare entry to whom the body does not concern. Attachments are absent when there are none,
/// or when they came before in [`Attachment`].
impl Payload for Item {
    const TAG: u8 = 12;

    fn check(&self) -> Result<(), MessageError> {
        if self.salt.is_some() != self.body.is_some() || (self.attachments.is_some() && self.body.is_none()) {
            return Err(MessageError::Inconsistent);
        }
        let attachments = self.attachments.as_deref().unwrap_or_default();
        at_most(attachments.len(), ATTACHMENTS_MAX)?;
        attachments.iter().try_for_each(|bytes| at_most(bytes.len(), ATTACHMENT_BYTES_MAX))
    }
}

/// 40: an attachment of the item that follows, in order.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Attachment {
    /// The attachment.
    #[serde(index = 1)]
    pub bytes: Octets,
}

impl Payload for Attachment {
    const TAG: u8 = 40;

    fn check(&self) -> Result<(), MessageError> {
        at_most(self.bytes.len(), ATTACHMENT_BYTES_MAX)
    }
}

/// 16: a key package for a grant of the asking party; they come by rotation sequence.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct GrantPackage {
    /// The grant.
    #[serde(index = 1)]
    pub grant: StatementId,
    /// The rotation that brought it; 0 for the first package.
    #[serde(index = 2)]
    pub rotation: RotationSequence,
    /// The package.
    #[serde(index = 3)]
    pub package: Sealed,
}

impl Payload for GrantPackage {
    const TAG: u8 = 16;
}

/// 39: the issuer of a child grant seals a later package on to its holder.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct PassOn {
    /// The child grant.
    #[serde(index = 1)]
    pub grant: StatementId,
    /// The rotation that the package answers to.
    #[serde(index = 2)]
    pub rotation: RotationSequence,
    /// The package.
    #[serde(index = 3)]
    pub package: Sealed,
}

impl Payload for PassOn {
    const TAG: u8 = 39;
}

/// 18: all of a sync came before this.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Synced {
    /// The host's checkpoint of this ledger.
    #[serde(index = 1)]
    pub checkpoint: CheckpointText,
    /// Entries of the ledger.
    #[serde(index = 2)]
    pub size: LedgerSize,
    /// The host's time.
    #[serde(index = 3)]
    pub now: Timestamp,
}

impl Payload for Synced {
    const TAG: u8 = 18;
}
