//! The trail of the host: leaves of all vaults in one tree, numbered without gap in each vault; receipts, checkpoints.
//!
//! A checkpoint is signed once for each group commit, after it is durable, so that no signed root can be lost; all
//! receipts of the group are proven against it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use karute_consent::encoding::EncodingError;
use karute_consent::id::{Salt, VaultId};
use karute_consent::party::Identity;
use karute_consent::policy::Permit;
use karute_consent::scope::Action;
use karute_consent::time::Timestamp;
use karute_protocol::merkle::{Place as TreePlace, ProofError, RightEdge, TreeHash, TreeHead, prove_inclusion};
use karute_protocol::trail::{CheckpointText, Event, Leaf, Log, Receipt, TrailIndex, TrailNumber};
use tokio::sync::watch;

use super::apply::stored_node;
use super::draft::Leaves;
use super::index::{Index, IndexError};
use super::journal::{NewBatch, Position, Room, Sent};
use super::records::check;
use super::rows::{RecordRow, Rows, VaultRow, read_row, seq_key};
use super::schema::Tree;
use super::store::{ReadError, Store};

/// One event as it is shown in an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailItem {
    /// The leaf.
    pub leaf: Leaf,
    /// Salt of its event hash and the event, if they are not erased.
    pub content: Option<(Salt, Event)>,
    /// Place in the host's trail.
    pub index: TrailIndex,
    /// Proof to the checkpoint that was asked for.
    pub proof: Vec<TreeHash>,
}

/// A checkpoint and the size it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// Leaves.
    pub size: u64,
    /// The root over them.
    pub root: TreeHash,
    /// The signed note.
    pub text: CheckpointText,
}

/// The newest checkpoint, and the key that signs them.
pub(super) struct TrailSigner {
    log: Identity,
    newest: watch::Sender<Arc<SignedHead>>,
    /// Newest time of an event, in seconds since 1970. Rises only.
    last_time: AtomicU64,
    /// Time of the last leaf that was sent to the journal. Held while a batch is sent.
    last_leaf: Mutex<Timestamp>,
}

impl TrailSigner {
    pub(super) fn new(log: Identity, head: TreeHead, last_time: Timestamp) -> TrailSigner {
        let newest = watch::Sender::new(Arc::new(sign(head, &log)));
        let last_leaf = Mutex::new(last_time);
        TrailSigner { log, newest, last_time: AtomicU64::new(last_time.secs()), last_leaf }
    }

    /// Signs a head that is durable.
    pub(super) fn advance(&self, head: TreeHead, last_time: Timestamp) {
        self.last_time.fetch_max(last_time.secs(), Ordering::AcqRel);
        self.newest.send_replace(Arc::new(sign(head, &self.log)));
    }

    /// Sends a batch to the journal; along the trail the times of leaves never fall (P-38).
    pub(super) fn send_in_order(&self, room: Room, mut batch: NewBatch, leaves: Leaves) -> Result<Sent, EncodingError> {
        let mut last = self.last_leaf.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = leaves.settle(&mut batch, *last)?;
        let sent = room.send(batch);
        *last = newest;
        Ok(sent)
    }

    pub(super) fn last_time(&self) -> Timestamp {
        Timestamp::from_secs(self.last_time.load(Ordering::Acquire))
    }

    pub(super) fn newest(&self) -> Arc<SignedHead> {
        Arc::clone(&self.newest.borrow())
    }

    fn heads(&self) -> watch::Receiver<Arc<SignedHead>> {
        self.newest.subscribe()
    }

    /// Signs the head of a vault's ledger.
    pub(super) fn sign_ledger(&self, vault: VaultId, head: TreeHead) -> CheckpointText {
        CheckpointText::sign(Log::Ledger(vault), head, &self.log)
    }
}

fn sign(head: TreeHead, log: &Identity) -> SignedHead {
    SignedHead { size: head.size, root: head.root, text: CheckpointText::sign(Log::Trail, head, log) }
}

impl Store {
    /// The newest checkpoint of the trail, if it has a leaf.
    pub fn trail_checkpoint(&self) -> Option<CheckpointText> {
        let head = self.inner.trail.newest();
        (head.size > 0).then(|| head.text.clone())
    }

    /// The newest checkpoint with its size: what an audit proves its items against.
    pub fn trail_head(&self) -> Arc<SignedHead> {
        self.inner.trail.newest()
    }

    /// The same, told of every later one.
    pub fn trail_heads(&self) -> watch::Receiver<Arc<SignedHead>> {
        self.inner.trail.heads()
    }

    /// The head that the trail had when it had this many leaves; `None` if it never had.
    pub fn trail_head_at(&self, size: u64) -> Result<Option<TreeHead>, ReadError> {
        if size > self.trail_head().size {
            return Ok(None);
        }
        let edge = RightEdge::load(size, |place| stored_node(&self.inner.index, place))?;
        Ok(Some(TreeHead { size, root: edge.root() }))
    }

    /// How many events a vault has; they are numbered from 1 to this.
    pub fn trail_count(&self, vault: VaultId) -> Result<u64, ReadError> {
        let row: Option<VaultRow> = self.inner.index.row(Tree::Vaults, vault.as_bytes())?;
        Ok(row.unwrap_or_default().trail)
    }

    /// Waits until a vault has an event with this number.
    pub async fn trail_reaches(&self, vault: VaultId, number: TrailNumber) -> Result<(), ReadError> {
        let slot = self.slot(vault)?.ok_or(ReadError::Damaged)?;
        let there = || Ok(self.trail_count(vault)? >= number.0);
        slot.pending.until(there).await
    }

    /// Up to `max` events of the permit's vault from number `from` on, proven to `head`; events behind it are left out.
    pub fn trail_items(
        &self,
        permit: &Permit,
        from: TrailNumber,
        max: usize,
        head: &SignedHead,
    ) -> Result<Vec<TrailItem>, ReadError> {
        check(permit, &[Action::Audit])?;
        let index = &self.inner.index;
        let vault = permit.vault();
        let mut items = Vec::new();
        for entry in index.range(Tree::TrailNumbers, vault.as_bytes(), &seq_key(vault, from.0)).take(max) {
            let (_, place) = entry?;
            let place = super::rows::read_number(&place)?;
            if place >= head.size {
                break;
            }
            items.push(trail_item(index, place, head.size)?);
        }
        Ok(items)
    }

    /// The receipt that was given when a record was stored, proven to the newest checkpoint.
    pub fn record_receipt(&self, row: &RecordRow) -> Result<Receipt, ReadError> {
        self.receipt(row.receipt)
    }

    /// A receipt for a leaf of the trail, proven to the newest checkpoint.
    pub fn receipt(&self, place: TrailIndex) -> Result<Receipt, ReadError> {
        let head = self.inner.trail.newest();
        let TrailItem { leaf, content, index, proof } = trail_item(&self.inner.index, place.0, head.size)?;
        let (salt, event) = content.ok_or(ReadError::EventErased)?;
        Ok(Receipt { leaf, salt, event, index, proof, checkpoint: head.text.clone() })
    }

    /// Where salt and content of an event stand in the journal; `None` if there is no such event, or they are erased.
    pub(super) fn event_position(&self, vault: VaultId, number: TrailNumber) -> Result<Option<Position>, ReadError> {
        let index = &self.inner.index;
        let Some(place) = index.read(Tree::TrailNumbers, &seq_key(vault, number.0))? else { return Ok(None) };
        let position = index.read(Tree::TrailPlaces, &place)?;
        let position = position.map(|bytes| bytes.as_slice().try_into().map_err(|_| ReadError::Damaged)).transpose()?;
        Ok(position.as_ref().map(Position::from_bytes))
    }

    /// Where the event with a number stands in the trail.
    pub(super) fn trail_index(&self, vault: VaultId, number: u64) -> Result<TrailIndex, ReadError> {
        let place = self.inner.index.bytes(Tree::TrailNumbers, &seq_key(vault, number))?.ok_or(ReadError::Damaged)?;
        Ok(TrailIndex(super::rows::read_number(&place)?))
    }
}

fn trail_item(index: &Index, place: u64, size: u64) -> Result<TrailItem, ReadError> {
    let leaf = index.read(Tree::TrailLeaves, &place.to_be_bytes())?.ok_or(ReadError::Damaged)?;
    let content = index.read_pieces(Tree::TrailEvents, &place.to_be_bytes())?;
    Ok(TrailItem {
        leaf: read_row(&leaf)?,
        content: content.as_deref().map(read_content).transpose()?,
        index: TrailIndex(place),
        proof: prove(index, place, size)?,
    })
}

/// Salt and event as they are stored.
fn read_content(stored: &[u8]) -> Result<(Salt, Event), ReadError> {
    let (salt, event) = stored.split_first_chunk::<{ Salt::LEN }>().ok_or(ReadError::Damaged)?;
    let event = karute_consent::encoding::from_bytes(event, event.len()).map_err(|_| ReadError::Damaged)?;
    Ok((Salt::from_bytes(*salt), event))
}

fn prove(index: &Index, place: u64, size: u64) -> Result<Vec<TreeHash>, ReadError> {
    prove_inclusion(place, size, |node: TreePlace| stored_node(index, node)).map_err(ReadError::Proof)
}

impl From<ProofError> for ReadError {
    fn from(error: ProofError) -> ReadError {
        ReadError::Proof(error)
    }
}

impl From<IndexError> for ReadError {
    fn from(error: IndexError) -> ReadError {
        ReadError::Index(error)
    }
}
