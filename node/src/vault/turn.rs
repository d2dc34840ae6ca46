//! A turn at a vault: decide on what is in force, then commit effects and events together (I-7).

use std::sync::{Arc, PoisonError};

use karute_consent::encoding::{EncodingError, from_bytes};
use karute_consent::id::{PartyKey, RecordId, RequestId, StatementId, VaultId};
use karute_consent::ledger::{Item, LedgerError, LedgerState};
use karute_protocol::trail::Receipt;
use tokio::sync::OwnedMutexGuard;

use super::draft::Draft;
use super::effect::{Effect, Filed, Note};
use super::journal::{Sent, StopReason, SubmitError};
use super::pending::{Pending, UnderWay};
use super::rows::{RequestRow, Rows, VaultRow, request_key, vault_key};
use super::schema::Tree;
use super::store::{ReadError, Slot, Store};

/// The right to change one vault, given to one at a time. Dropping it without a commit changes nothing.
pub struct Turn {
    pub(super) store: Store,
    pub(super) vault: VaultId,
    pub(super) slot: Arc<Slot>,
    pub(super) ledger: Arc<LedgerState>,
    pub(super) row: VaultRow,
    alone: OwnedMutexGuard<()>,
}

/// A batch that the journal will come to, and what is to be done when it has.
struct HandedOver {
    store: Store,
    vault: VaultId,
    slot: Arc<Slot>,
    sent: Sent,
    under_way: UnderWay,
    /// The turn, if nobody else may have it before the batch is applied.
    held: Option<OwnedMutexGuard<()>>,
    after: Option<LedgerState>,
    filed: Vec<Filed>,
    /// Number of its first event, and how many it has.
    events: (u64, usize),
}

/// What was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// One for each note, in order, all proven to one checkpoint.
    pub receipts: Vec<Receipt>,
    /// Place and number of each deposit, in order.
    pub filed: Vec<Filed>,
}

/// Why nothing was committed, or it is not known.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The journal does not accept the batch; if it has stopped, whether the batch is durable is not known.
    #[error("the journal did not commit")]
    Journal(#[from] SubmitError),
    /// What must be known of the vault could not be read.
    #[error("the vault could not be read")]
    Read(#[from] ReadError),
    /// A value could not be encoded.
    #[error("a value could not be encoded")]
    Encoding(#[from] EncodingError),
    /// Effects without an event, or a vault without an item.
    #[error("effects need an event, and a vault its charter")]
    Incomplete,
    /// An item may not follow in the ledger.
    #[error("an item may not follow in the ledger")]
    Refused(#[source] LedgerError),
    /// An item is not whole or of another vault, or the vault to be made is here already.
    #[error("an item is not whole, or not of this vault")]
    Item,
    /// The record id is taken.
    #[error("the record is here already")]
    RecordExists,
    /// The run is known with another statement.
    #[error("the run is known with another statement")]
    OtherRun,
    /// The body is not in its place.
    #[error("the body is not here")]
    NoBody,
    /// An ask of another sender waits under this id.
    #[error("the id of the ask is taken")]
    AskExists,
    /// A re-wrap or an answer names something that is not here, or not what is in force.
    #[error("it names what is not here")]
    Unknown,
    /// A value is above what the index takes.
    #[error("a value is too large")]
    TooLarge,
}

impl Store {
    /// Waits for the turn at a vault; `None` if the vault is not here. The index has every record that was deposited.
    pub async fn turn(&self, vault: VaultId) -> Result<Option<Turn>, ReadError> {
        self.turn_when_arrived(vault, None).await
    }

    /// Waits for the turn at a vault to deposit a record. Deposits of other records may still be under way: the index
    /// has neither them nor runs that they began.
    pub async fn deposit_turn(&self, vault: VaultId, record: RecordId) -> Result<Option<Turn>, ReadError> {
        self.turn_when_arrived(vault, Some(record)).await
    }

    async fn turn_when_arrived(&self, vault: VaultId, record: Option<RecordId>) -> Result<Option<Turn>, ReadError> {
        let Some(slot) = self.slot(vault)? else { return Ok(None) };
        let alone = Arc::clone(&slot.turn).lock_owned().await;
        slot.pending.arrived(record).await;
        let Some(ledger) = self.ledger_of(vault, &slot)? else { return Ok(None) };
        // Looked for in this order: what is not under way any more is in the index.
        let under_way = slot.pending.trail();
        let mut row: VaultRow = self.inner.index.row(Tree::Vaults, vault.as_bytes())?.unwrap_or_default();
        row.trail = row.trail.max(under_way.unwrap_or(0));
        Ok(Some(Turn { store: self.clone(), vault, slot, ledger, row, alone }))
    }

    /// Makes a vault from its first items, the charter foremost. Refused if the vault is here already.
    pub async fn begin(&self, vault: VaultId, items: Vec<Item>, notes: Vec<Note>) -> Result<Done, CommitError> {
        let slot = self.new_slot(vault);
        let alone = Arc::clone(&slot.turn).lock_owned().await;
        let first = items.first().ok_or(CommitError::Incomplete)?;
        if self.ledger_size(vault)? != 0 {
            return Err(CommitError::Item);
        }
        // The first item is judged here and, as every other, when it is drafted.
        let ledger = Arc::new(LedgerState::begin(first).map_err(CommitError::Refused)?);
        let row = VaultRow::default();
        let turn = Turn { store: self.clone(), vault, slot, ledger, row, alone };
        turn.commit(items.into_iter().map(|item| Effect::Append(Box::new(item))).collect(), notes).await
    }

    /// How often a grant was used.
    pub fn uses(&self, vault: VaultId, grant: StatementId) -> Result<u32, ReadError> {
        let uses = self.inner.index.number(Tree::Uses, &vault_key(vault, &[grant.as_bytes()]))?;
        Ok(u32::try_from(uses).unwrap_or(u32::MAX))
    }

    /// A request of this signer that was permitted earlier and cost a use.
    pub fn request(
        &self,
        vault: VaultId,
        signer: PartyKey,
        request: RequestId,
    ) -> Result<Option<RequestRow>, ReadError> {
        let row = self.inner.index.read_pieces(Tree::Requests, &request_key(vault, signer, request))?;
        row.map(|row| from_bytes(&row, row.len()).map_err(|_| ReadError::Damaged)).transpose()
    }
}

impl Turn {
    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The ledger in force.
    pub fn ledger(&self) -> &LedgerState {
        &self.ledger
    }

    /// Commits effects with their events, durably, and ends the turn. Appended items are judged again by every rule of
    /// the ledger. Goes on to its end even if the caller does not wait for it.
    pub async fn commit(self, effects: Vec<Effect>, notes: Vec<Note>) -> Result<Done, CommitError> {
        let committing = tokio::spawn(async move { self.hand_over(effects, notes).await?.arrives().await });
        let gone = SubmitError::Stopped(StopReason::WriterGone);
        committing.await.unwrap_or(Err(CommitError::Journal(gone)))
    }

    /// Writes an event down and ends the turn, without waiting for the disk. It is behind everything that was committed
    /// before and in front of everything after; when the journal stops it may be lost, and nothing follows it.
    pub async fn note_down(self, note: Note) -> Result<(), CommitError> {
        let handed_over = self.hand_over(Vec::new(), vec![note]).await?;
        tokio::spawn(async move { drop(handed_over.arrives().await) });
        Ok(())
    }

    /// Gives a batch to the journal: up to here nothing has happened, from here on it is written, whatever becomes of
    /// the caller.
    async fn hand_over(self, effects: Vec<Effect>, mut notes: Vec<Note>) -> Result<HandedOver, CommitError> {
        if notes.is_empty() {
            return Err(CommitError::Incomplete);
        }
        let binds_nobody = effects.iter().all(Effect::binds_nobody);
        if !binds_nobody {
            self.slot.pending.arrived(None).await;
        }
        let mut draft = Draft::new(&self);
        for effect in effects {
            draft.effect(effect)?;
        }
        draft.tell_places(&mut notes);
        let first = self.row.trail + 1;
        for (number, note) in (first..).zip(&notes) {
            draft.note(number, note)?;
        }
        let Draft { batch, filed, after, brings, leaves, .. } = draft;
        let room = self.store.inner.journal.room_for(&batch).await?;
        let Turn { store, vault, slot, alone, .. } = self;
        let under_way = Pending::hand_over(&slot, brings, first + notes.len() as u64 - 1);
        let sent = store.inner.trail.send_in_order(room, batch, leaves)?;
        let held = (!binds_nobody).then_some(alone);
        Ok(HandedOver { store, vault, slot, sent, under_way, held, after, filed, events: (first, notes.len()) })
    }
}

impl HandedOver {
    /// Waits until the batch is durable and applied, and lets the vault go on.
    async fn arrives(self) -> Result<Done, CommitError> {
        let Self { store, vault, slot, sent, under_way, held, after, filed, events: (first, count) } = self;
        if let Err(error) = sent.arrives().await {
            // Only a batch that takes something away can fail while the journal goes on, and it holds the turn.
            under_way.take_back();
            drop(held);
            return Err(CommitError::Journal(error));
        }
        if let Some(after) = after {
            *slot.ledger.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(after));
        }
        drop(under_way);
        drop(held);
        let receipts = (first..).take(count).map(|number| {
            let place = store.trail_index(vault, number)?;
            store.receipt(place)
        });
        Ok(Done { receipts: receipts.collect::<Result<_, ReadError>>()?, filed })
    }
}
