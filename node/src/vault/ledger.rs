//! A vault's ledger as it is stored: entries, bodies and attachments each by themselves.
//!
//! Entries and bodies are no records; who is shown which body is decided by `LedgerState::shows`, and the flows ask it.

use karute_consent::id::{Digest, RotationSequence, Salt, Seq, StatementId, VaultId};
use karute_consent::ledger::{EntryKind, Item, LedgerState, View};
use karute_consent::statement::Unverified;
use karute_protocol::merkle::{Place, RightEdge, TreeHash, TreeHead};
use karute_protocol::trail::{CheckpointText, Log};
use serde_bytes::ByteBuf;

use super::apply::stored_node;
use super::index::Index;
use super::rows::{EntryRow, Rows, VaultRow, node_key, seq_key, vault_key};
use super::schema::Tree;
use super::store::{ReadError, Store};

impl Store {
    /// Number of entries; 0 for a vault that is not here.
    pub fn ledger_size(&self, vault: VaultId) -> Result<u64, ReadError> {
        let row: Option<VaultRow> = self.inner.index.row(Tree::Vaults, vault.as_bytes())?;
        Ok(row.unwrap_or_default().ledger.0)
    }

    /// The signed checkpoint of a ledger; `None` for a vault that is not here.
    pub fn ledger_checkpoint(&self, vault: VaultId) -> Result<Option<CheckpointText>, ReadError> {
        let head = self.ledger_head(vault)?;
        Ok((head.size > 0).then(|| self.inner.trail.sign_ledger(vault, head)))
    }

    /// Size and root of a ledger.
    pub fn ledger_head(&self, vault: VaultId) -> Result<TreeHead, ReadError> {
        self.head_of_part(vault, self.ledger_size(vault)?)
    }

    /// The head that a ledger had when it had this many entries; `None` if it never had.
    pub fn ledger_head_at(&self, vault: VaultId, size: u64) -> Result<Option<TreeHead>, ReadError> {
        if size > self.ledger_size(vault)? {
            return Ok(None);
        }
        self.head_of_part(vault, size).map(Some)
    }

    fn head_of_part(&self, vault: VaultId, size: u64) -> Result<TreeHead, ReadError> {
        let index = &self.inner.index;
        let edge = RightEdge::load(size, |place| ledger_node(index, vault, place))?;
        Ok(TreeHead { size: edge.size(), root: edge.root() })
    }

    /// A stored hash of the tree of a log.
    pub(super) fn node_of(&self, log: Log, place: Place) -> Option<TreeHash> {
        match log {
            Log::Trail => stored_node(&self.inner.index, place),
            Log::Ledger(vault) => ledger_node(&self.inner.index, vault, place),
        }
    }

    /// The bare item at a place: its entry alone.
    pub fn bare_item(&self, vault: VaultId, seq: Seq) -> Result<Option<Item>, ReadError> {
        let row: Option<EntryRow> = self.inner.index.row(Tree::LedgerEntries, &seq_key(vault, seq.0))?;
        Ok(row.map(|row| {
            let entry = Unverified::from_bytes(row.entry.into_vec());
            Item { entry, salt: None, body: None, attachments: None }
        }))
    }

    /// The item at a place with its body, and its first `attachments_max` attachments.
    pub fn item(&self, vault: VaultId, seq: Seq, attachments_max: usize) -> Result<Option<Item>, ReadError> {
        let index = &self.inner.index;
        let Some(row) = index.row::<EntryRow>(Tree::LedgerEntries, &seq_key(vault, seq.0))? else { return Ok(None) };
        let body = index.read_pieces(Tree::LedgerBodies, &seq_key(vault, seq.0))?.ok_or(ReadError::Damaged)?;
        let (salt, body) = body.split_first_chunk::<{ Salt::LEN }>().ok_or(ReadError::Damaged)?;
        let mut attachments = Vec::new();
        for number in 0..row.attachments.min(u8::try_from(attachments_max).unwrap_or(u8::MAX)) {
            attachments.push(ByteBuf::from(self.attachment(vault, seq.0, number)?));
        }
        Ok(Some(Item {
            entry: Unverified::from_bytes(row.entry.into_vec()),
            salt: Some(Salt::from_bytes(*salt)),
            body: Some(body.to_vec()),
            attachments: (!attachments.is_empty()).then_some(attachments),
        }))
    }

    /// The encoded array of key leaves with this keys root.
    pub fn key_leaves(&self, vault: VaultId, keys_root: Digest) -> Result<Option<Vec<u8>>, ReadError> {
        let place = self.inner.index.read(Tree::KeyLeaves, &vault_key(vault, &[keys_root.as_bytes()]))?;
        place.map(|place| self.attachment_at(vault, &place)).transpose()
    }

    /// The key packages of a grant, by rotation sequence.
    pub fn packages(&self, vault: VaultId, grant: StatementId) -> Result<Vec<(RotationSequence, Vec<u8>)>, ReadError> {
        let prefix = vault_key(vault, &[grant.as_bytes()]);
        let mut packages = Vec::new();
        for entry in self.inner.index.range(Tree::Packages, &prefix, b"") {
            let (key, place) = entry?;
            let sequence = key[prefix.len()..].try_into().map_err(|_| ReadError::Damaged)?;
            let package = if place.is_empty() {
                self.inner.index.read_pieces(Tree::PassedPackages, &key)?.ok_or(ReadError::Damaged)?
            } else {
                self.attachment_at(vault, &place)?
            };
            packages.push((RotationSequence(u32::from_be_bytes(sequence)), package));
        }
        Ok(packages)
    }

    fn attachment_at(&self, vault: VaultId, place: &[u8]) -> Result<Vec<u8>, ReadError> {
        let (seq, index) = place.split_first_chunk::<8>().ok_or(ReadError::Damaged)?;
        let [index] = index else { return Err(ReadError::Damaged) };
        self.attachment(vault, u64::from_be_bytes(*seq), *index)
    }

    /// One attachment of an item.
    fn attachment(&self, vault: VaultId, seq: u64, index: u8) -> Result<Vec<u8>, ReadError> {
        let key = vault_key(vault, &[&seq.to_be_bytes(), &[index]]);
        self.inner.index.read_pieces(Tree::LedgerAttachments, &key)?.ok_or(ReadError::Damaged)
    }

    /// Replays a vault's stored ledger; `None` if the vault is not here.
    pub(super) fn replay_ledger(&self, vault: VaultId) -> Result<Option<LedgerState>, ReadError> {
        let size = self.ledger_size(vault)?;
        let mut state: Option<LedgerState> = None;
        for seq in 0..size {
            let item = self.item_to_replay(vault, Seq(seq))?;
            match &mut state {
                None => state = Some(LedgerState::begin(&item).map_err(|_| ReadError::Damaged)?),
                Some(state) => state.apply(&item, View::Whole).map_err(|_| ReadError::Damaged)?,
            }
        }
        Ok(state)
    }

    /// With the leaves of a directory, which are its first attachment, and without what the state does not need.
    fn item_to_replay(&self, vault: VaultId, seq: Seq) -> Result<Item, ReadError> {
        let mut item = self.item(vault, seq, 1)?.ok_or(ReadError::Damaged)?;
        let entry = item.entry.clone().verify().map_err(|_| ReadError::Damaged)?;
        if entry.payload().kind != EntryKind::Directory {
            item.attachments = None;
        }
        Ok(item)
    }
}

fn ledger_node(index: &Index, vault: VaultId, place: Place) -> Option<TreeHash> {
    let bytes = index.read(Tree::LedgerNodes, &vault_key(vault, &[&node_key(place)])).ok()??;
    bytes.try_into().ok().map(TreeHash)
}
