//! Applying changes to the index: the only writer of its content, live and when rebuilding.
//!
//! Deterministic: the same batches on an empty index give the same bytes in every tree.

mod records;
mod trail;

use std::sync::Arc;

use karute_consent::encoding::EncodingError;
use karute_consent::id::{Digest, VaultId};
use karute_consent::time::Timestamp;
use karute_protocol::bao::BodyRoot;
use karute_protocol::merkle::{Place as TreePlace, ProofError, RightEdge, TreeHash, TreeHead};
use karute_protocol::trail::TrailIndex;
use karute_protocol::wire::{LedgerSize, Octets};

use super::bodies::Bodies;
use super::change::{
    AskAnswered, AskContent, AskReceived, Change, EventsErased, LedgerAttachment, LedgerBody, LedgerEntry, Name,
    PackagePassed, RecordContent, RecordStored, RecordsRemoved, RightUsed, RunBegun, RunReWrapped, TrailContent,
    TrailEntry,
};
use super::index::{Index, IndexError, Writes};
use super::journal::{CommittedBatch, CommittedFrame, Mark};
use super::rows::{
    AskRow, EntryRow, RequestRow, Rows, VaultRow, answer_key, ask_key, node_key, request_key, seq_key, vault_key,
    write_row,
};
use super::schema::Tree;

/// Why a durable batch could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The index failed.
    #[error("the index failed")]
    Index(#[from] IndexError),
    /// A frame does not hold what its kind says.
    #[error("a journal frame does not hold what its kind says")]
    Frame(#[from] EncodingError),
    /// A frame of a kind that this version does not know.
    #[error("the journal was written by a newer version")]
    UnknownKind,
    /// A change speaks of something that is not there.
    #[error("a journal frame speaks of something that is not there")]
    Missing,
    /// A stored tree is not whole.
    #[error("a stored tree is not whole")]
    Tree(#[from] ProofError),
}

/// Leaves in the trail.
const KEY_TRAIL_SIZE: &[u8] = b"trail-size";
/// Newest time of a committed event, in seconds since 1970.
const KEY_LAST_TIME: &[u8] = b"last-time";

/// Writes gathered before they go into the index during a rebuild, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Applies batches; lives on the journal's writer thread.
pub(super) struct Applier {
    index: Arc<Index>,
    bodies: Arc<Bodies>,
    edge: RightEdge,
    /// Bodies that lost a record which named them.
    unnamed: Vec<Digest>,
}

/// One group under way.
struct Pass<'a> {
    writes: Writes<'a>,
    edge: RightEdge,
    last_time: u64,
    /// Bodies that lost a record which named them.
    unnamed: Vec<Digest>,
}

impl Applier {
    pub(super) fn new(index: Arc<Index>, bodies: Arc<Bodies>) -> Result<Applier, ApplyError> {
        let size = index.number(Tree::Meta, KEY_TRAIL_SIZE)?;
        let edge = RightEdge::load(size, |place| stored_node(&index, place))?;
        Ok(Applier { index, bodies, edge, unnamed: Vec::new() })
    }

    /// Size and root of the trail.
    pub(super) fn trail_head(&self) -> TreeHead {
        TreeHead { size: self.edge.size(), root: self.edge.root() }
    }

    /// Newest time of an event.
    pub(super) fn last_time(&self) -> Result<Timestamp, ApplyError> {
        Ok(Timestamp::from_secs(self.index.number(Tree::Meta, KEY_LAST_TIME)?))
    }

    /// Applies batches in order. What goes into the index together is whole batches, about a mebibyte of them.
    pub(super) fn apply(&mut self, batches: &[CommittedBatch]) -> Result<(), ApplyError> {
        let index = Arc::clone(&self.index);
        let mut pass = self.begin(&index)?;
        for (place, batch) in batches.iter().enumerate() {
            pass.batch(batch)?;
            if pass.writes.bytes() >= CHUNK_BYTES || place + 1 == batches.len() {
                self.finish(pass, &batch.mark)?;
                pass = self.begin(&index)?;
            }
        }
        Ok(())
    }

    /// Unlinks bodies that no record names any more. Not during a replay: a later batch may name one again.
    pub(super) fn unlink_unnamed(&mut self) {
        for root in std::mem::take(&mut self.unnamed) {
            if self.index.range(Tree::BodyNames, root.as_bytes(), b"").next().is_none()
                && let Err(cause) = self.bodies.remove(BodyRoot(*root.as_bytes()))
            {
                tracing::warn!(%cause, "a removed body could not be unlinked; it is swept at the next start");
            }
        }
    }

    fn begin<'a>(&self, index: &'a Index) -> Result<Pass<'a>, ApplyError> {
        let last_time = index.number(Tree::Meta, KEY_LAST_TIME)?;
        Ok(Pass { writes: index.writes(), edge: self.edge.clone(), last_time, unnamed: Vec::new() })
    }

    fn finish(&mut self, mut pass: Pass<'_>, mark: &Mark) -> Result<(), ApplyError> {
        pass.writes.put(Tree::Meta, KEY_TRAIL_SIZE, &pass.edge.size().to_be_bytes())?;
        pass.writes.put(Tree::Meta, KEY_LAST_TIME, &pass.last_time.to_be_bytes())?;
        pass.writes.apply(mark)?;
        self.edge = pass.edge;
        self.unnamed.append(&mut pass.unnamed);
        Ok(())
    }
}

pub(super) fn stored_node(index: &Index, place: TreePlace) -> Option<TreeHash> {
    let bytes = index.read(Tree::TrailNodes, &node_key(place)).ok()??;
    bytes.try_into().ok().map(TreeHash)
}

impl Pass<'_> {
    fn batch(&mut self, batch: &CommittedBatch) -> Result<(), ApplyError> {
        // The first event of a batch is the receipt of everything in it.
        let receipt = TrailIndex(self.edge.size());
        for frame in &batch.frames {
            let Some(payload) = &frame.payload else { continue };
            let vault = VaultId::from_bytes(frame.vault.0);
            self.change(vault, frame, payload, receipt)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        vault: VaultId,
        frame: &CommittedFrame,
        payload: &[u8],
        receipt: TrailIndex,
    ) -> Result<(), ApplyError> {
        match frame.kind {
            LedgerEntry::KIND => self.ledger_entry(vault, Change::read(payload)?),
            LedgerBody::KIND => self.ledger_body(vault, &Change::read(payload)?),
            LedgerAttachment::KIND => self.ledger_attachment(vault, &Change::read(payload)?),
            TrailEntry::KIND => self.trail_entry(vault, &Change::read(payload)?),
            TrailContent::KIND => self.trail_content(vault, frame, &Change::read(payload)?),
            EventsErased::KIND => self.events_erased(vault, &Change::read(payload)?),
            RunBegun::KIND => self.run_begun(vault, &Change::read(payload)?),
            RecordStored::KIND => self.record_stored(vault, &Change::read(payload)?, receipt),
            RecordContent::KIND => self.record_content(vault, frame, &Change::read(payload)?),
            RunReWrapped::KIND => self.run_re_wrapped(vault, &Change::read(payload)?),
            RecordsRemoved::KIND => self.records_removed(vault, &Change::read(payload)?),
            RightUsed::KIND => self.right_used(vault, Change::read(payload)?, receipt),
            AskReceived::KIND => self.ask_received(vault, Change::read(payload)?),
            AskContent::KIND => self.ask_content(vault, frame, &Change::read(payload)?),
            AskAnswered::KIND => self.ask_answered(vault, &Change::read(payload)?),
            PackagePassed::KIND => self.package_passed(vault, &Change::read(payload)?),
            _ => Err(ApplyError::UnknownKind),
        }
    }

    fn ledger_entry(&mut self, vault: VaultId, change: LedgerEntry) -> Result<(), ApplyError> {
        let mut row: VaultRow = self.writes.row(Tree::Vaults, vault.as_bytes())?.unwrap_or_default();
        let mut edge = RightEdge::load(row.ledger.0, |place| {
            let bytes = self.writes.read(Tree::LedgerNodes, &vault_key(vault, &[&node_key(place)])).ok()??;
            bytes.try_into().ok().map(TreeHash)
        })?;
        let mut nodes = Vec::new();
        edge.append(TreeHash::leaf(&change.entry), |place, hash| nodes.push((place, hash)))?;
        for (place, hash) in nodes {
            self.writes.put(Tree::LedgerNodes, &vault_key(vault, &[&node_key(place)]), &hash.0)?;
        }
        row.ledger = LedgerSize(edge.size());
        self.writes.put(Tree::Vaults, vault.as_bytes(), &write_row(&row)?)?;
        let seq = change.seq.0;
        let entry = EntryRow { entry: change.entry, attachments: change.attachments };
        self.writes.put(Tree::LedgerEntries, &seq_key(vault, seq), &write_row(&entry)?)?;
        for name in change.names {
            let place = [&seq.to_be_bytes()[..], &[name.index]].concat();
            let sequence = name.sequence.0.to_be_bytes();
            match name.kind {
                Name::KEY_LEAVES => {
                    self.writes.put(Tree::KeyLeaves, &vault_key(vault, &[name.key.as_bytes()]), &place)?
                }
                Name::PACKAGE => {
                    self.writes.put(Tree::Packages, &vault_key(vault, &[name.key.as_bytes(), &sequence]), &place)?;
                }
                _ => return Err(ApplyError::UnknownKind),
            }
        }
        Ok(())
    }

    fn ledger_body(&mut self, vault: VaultId, change: &LedgerBody) -> Result<(), ApplyError> {
        let value = [change.salt.as_bytes().as_slice(), &change.body].concat();
        Ok(self.writes.put_pieces(Tree::LedgerBodies, &seq_key(vault, change.seq.0), &value)?)
    }

    fn ledger_attachment(&mut self, vault: VaultId, change: &LedgerAttachment) -> Result<(), ApplyError> {
        let key = vault_key(vault, &[&change.seq.0.to_be_bytes(), &[change.index]]);
        Ok(self.writes.put_pieces(Tree::LedgerAttachments, &key, &change.bytes)?)
    }

    fn right_used(&mut self, vault: VaultId, change: RightUsed, receipt: TrailIndex) -> Result<(), ApplyError> {
        for grant in &change.counted {
            let key = vault_key(vault, &[grant.as_bytes()]);
            let uses = self.writes.number(Tree::Uses, &key)? + 1;
            self.writes.put(Tree::Uses, &key, &uses.to_be_bytes())?;
        }
        let key = request_key(vault, change.signer, change.request);
        let RightUsed { signer, chain, time, action, selector, .. } = change;
        let row = RequestRow { signer, chain, time, event: receipt, action, selector };
        Ok(self.writes.put_pieces(Tree::Requests, &key, &write_row(&row)?)?)
    }

    fn ask_received(&mut self, vault: VaultId, change: AskReceived) -> Result<(), ApplyError> {
        let row = AskRow { sender: change.sender, envelope: change.envelope, received: change.received, content: None };
        Ok(self.writes.put(Tree::Asks, &ask_key(vault, change.ask), &write_row(&row)?)?)
    }

    fn ask_content(&mut self, vault: VaultId, frame: &CommittedFrame, change: &AskContent) -> Result<(), ApplyError> {
        let key = ask_key(vault, change.ask);
        let mut row: AskRow = self.writes.row(Tree::Asks, &key)?.ok_or(ApplyError::Missing)?;
        row.content = Some(Octets(frame.position.to_bytes().to_vec()));
        self.writes.put(Tree::Asks, &key, &write_row(&row)?)?;
        Ok(self.writes.put_pieces(Tree::AskContents, &key, &change.sealed)?)
    }

    fn ask_answered(&mut self, vault: VaultId, change: &AskAnswered) -> Result<(), ApplyError> {
        let key = ask_key(vault, change.ask);
        let row: AskRow = self.writes.row(Tree::Asks, &key)?.ok_or(ApplyError::Missing)?;
        self.writes.remove(Tree::Asks, &key);
        self.writes.remove_pieces(Tree::AskContents, &key)?;
        let answer = answer_key(vault, row.sender, change.ask);
        Ok(self.writes.put_pieces(Tree::AskAnswers, &answer, &change.statement)?)
    }

    fn package_passed(&mut self, vault: VaultId, change: &PackagePassed) -> Result<(), ApplyError> {
        let key = vault_key(vault, &[change.grant.as_bytes(), &change.rotation.0.to_be_bytes()]);
        self.writes.put(Tree::Packages, &key, &[])?;
        Ok(self.writes.put_pieces(Tree::PassedPackages, &key, &change.package)?)
    }
}
