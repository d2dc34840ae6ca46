//! A ledger that grows item by item, as its home host would append it.

use serde_bytes::ByteBuf;

use super::{authority, charter, grant_core, identity};
use crate::directory::{CollectionLeaf, CollectionLeaves, Directory};
use crate::grant::{Grant, GrantCore};
use crate::id::{Digest, DirectoryNumber, RotationSequence, Salt, StatementId, VaultId};
use crate::ledger::{Entry, EntryKind, Item, LedgerError, LedgerState, View, body_hash};
use crate::revocation::{Revocation, RevocationReason, RotatedCollection, Rotation};
use crate::statement::{Statement, Verified, sign};
use crate::time::Timestamp;
use crate::tree::digest_of;
use crate::vault::{Authority, Nonce};

/// Sealed bytes that the fixtures bind: the sealed part of grants and the root packages of authorities.
pub(crate) const SEALED: &[u8] = b"sealed";

pub(crate) struct Book {
    pub(crate) state: LedgerState,
    pub(crate) items: Vec<Item>,
}

/// Makes an item that follows `state`, before anything is appended; a test may spoil the entry in between.
pub(crate) fn item<T: Statement>(
    state: Option<&LedgerState>,
    kind: EntryKind,
    body: &Verified<T>,
    attachments: &[&[u8]],
    (signer, spoil): (u8, &dyn Fn(&mut Entry)),
) -> Item {
    let salt = Salt::from_bytes([9; 32]);
    let vault = state.map_or(VaultId::from_bytes(*body.id().as_bytes()), LedgerState::vault);
    let or = |own, other| if own { body.id() } else { other };
    let mut entry = Entry {
        vault,
        seq: state.map_or(Default::default(), LedgerState::next_seq),
        prev: state.map_or(StatementId::NONE, LedgerState::last),
        kind,
        body_hash: body_hash(&salt, body.bytes()),
        directory: or(kind == EntryKind::Directory, state.map_or(StatementId::NONE, LedgerState::directory_id)),
        authority: or(kind == EntryKind::Authority, state.map_or(StatementId::NONE, LedgerState::authority_id)),
        time: state.map_or(Timestamp::from_secs(1_000), LedgerState::time),
    };
    spoil(&mut entry);
    let entry = sign(entry, &identity(signer)).expect("well-formed entry").to_unverified();
    let attachments = attachments.iter().map(|bytes| ByteBuf::from(*bytes)).collect::<Vec<_>>();
    let attachments = Some(attachments).filter(|all| !all.is_empty());
    Item { entry, salt: Some(salt), body: Some(body.bytes().to_vec()), attachments }
}

impl Book {
    /// A ledger with charter, authority (device 3, home 4) and a directory of collections 1 and 2.
    pub(crate) fn new() -> Self {
        let mut book = Self::chartered();
        let authority = Self::first_authority(book.state.vault());
        book.append(EntryKind::Authority, &authority, &[SEALED], 1).expect("first authority");
        book.direct(0, vec![super::leaf(1, 1), super::leaf(2, 1)]).expect("first directory");
        book
    }

    /// A ledger with a charter only.
    pub(crate) fn chartered() -> Self {
        let charter = sign(charter(), &identity(1)).expect("well-formed charter");
        let first = item(None, EntryKind::Charter, &charter, &[], (1, &|_| ()));
        Self { state: LedgerState::begin(&first).expect("charter begins"), items: vec![first] }
    }

    pub(crate) fn first_authority(vault: VaultId) -> Verified<Authority> {
        sign(Authority { roots: digest_of(&[SEALED]), ..authority(vault) }, &identity(1)).expect("well-formed")
    }

    pub(crate) fn push(&mut self, item: Item) -> Result<(), LedgerError> {
        self.state.apply(&item, View::Append)?;
        self.items.push(item);
        Ok(())
    }

    pub(crate) fn append<T: Statement>(
        &mut self,
        kind: EntryKind,
        body: &Verified<T>,
        attachments: &[&[u8]],
        signer: u8,
    ) -> Result<(), LedgerError> {
        self.push(item(Some(&self.state), kind, body, attachments, (signer, &|_| ())))
    }

    pub(crate) fn direct(&mut self, number: u32, leaves: Vec<CollectionLeaf>) -> Result<(), LedgerError> {
        self.direct_by(3, number, leaves)
    }

    pub(crate) fn direct_by(&mut self, by: u8, number: u32, leaves: Vec<CollectionLeaf>) -> Result<(), LedgerError> {
        let leaves = CollectionLeaves::new(leaves).expect("ascending");
        let directory = Directory {
            vault: self.state.vault(),
            number: DirectoryNumber(number),
            root: leaves.root().expect("encodes"),
            count: leaves.len() as u8,
            issued: Timestamp::from_secs(1_000),
        };
        let directory = sign(directory, &identity(by)).expect("well-formed");
        let attachment = leaves.to_attachment().expect("encodes");
        self.append(EntryKind::Directory, &directory, &[&attachment], by)
    }

    pub(crate) fn signed_grant(&self, signer: u8, change: impl Fn(&mut GrantCore)) -> Verified<Grant> {
        let mut core = GrantCore { vault: self.state.vault(), ..grant_core() };
        change(&mut core);
        let grant = Grant { core, sealed_hash: digest_of(&[SEALED]), package_hash: None };
        sign(grant, &identity(signer)).expect("well-formed grant")
    }

    /// Grants by a device, or by the holder of the parent.
    pub(crate) fn grant(&mut self, signer: u8, change: impl Fn(&mut GrantCore)) -> Result<StatementId, LedgerError> {
        let grant = self.signed_grant(signer, change);
        let entry_signer = if grant.payload().core.parent.is_some() { 4 } else { 3 };
        self.append(EntryKind::Grant, &grant, &[SEALED], entry_signer)?;
        Ok(grant.id())
    }

    pub(crate) fn signed_revocation(&self, signer: u8, grant: StatementId) -> Verified<Revocation> {
        let (vault, issued) = (self.state.vault(), self.state.time());
        sign(Revocation { vault, grant, reason: RevocationReason::Wish, issued }, &identity(signer))
            .expect("well-formed")
    }

    pub(crate) fn revoke(&mut self, signer: u8, grant: StatementId) -> Result<(), LedgerError> {
        let revocation = self.signed_revocation(signer, grant);
        self.append(EntryKind::Revocation, &revocation, &[], 4)
    }

    pub(crate) fn rotate(&mut self, sequence: u32, collections: Vec<RotatedCollection>) -> Result<(), LedgerError> {
        let rotation = Rotation {
            vault: self.state.vault(),
            cause: StatementId::NONE,
            sequence: RotationSequence(sequence),
            collections,
            packages: Vec::new(),
        };
        self.append(EntryKind::Rotation, &sign(rotation, &identity(3)).expect("well-formed"), &[], 3)
    }
}

pub(crate) fn nonce(number: u8) -> Nonce {
    Nonce::from_bytes([number; 16])
}

pub(crate) fn other_digest() -> Digest {
    Digest::from_bytes([0xee; 32])
}
