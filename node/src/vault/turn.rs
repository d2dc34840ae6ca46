//! A turn at a vault: decide on what is in force, then commit effects and events together (I-7).

use std::sync::{Arc, PoisonError};

use karute_consent::encoding::EncodingError;
use karute_consent::id::{RequestId, StatementId, VaultId};
use karute_consent::ledger::{Item, LedgerError, LedgerState};
use karute_protocol::trail::Receipt;
use tokio::sync::OwnedMutexGuard;

use super::draft::Draft;
use super::effect::{Effect, Filed, Note};
use super::journal::{StopReason, SubmitError};
use super::rows::{RequestRow, Rows, VaultRow, request_key, vault_key};
use super::schema::Tree;
use super::store::{ReadError, Slot, Store};

/// The right to change one vault, given to one at a time. Dropping it without a commit changes nothing.
pub struct Turn {
    pub(super) store: Store,
    pub(super) vault: VaultId,
    slot: Arc<Slot>,
    pub(super) ledger: Arc<LedgerState>,
    pub(super) row: VaultRow,
    _alone: OwnedMutexGuard<()>,
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
    /// A re-wrap or an answer names something that is not here, or not what is in force.
    #[error("it names what is not here")]
    Unknown,
    /// A value is above what the index takes.
    #[error("a value is too large")]
    TooLarge,
}

impl Store {
    /// Waits for the turn at a vault; `None` if the vault is not here.
    pub async fn turn(&self, vault: VaultId) -> Result<Option<Turn>, ReadError> {
        let Some(slot) = self.slot(vault)? else { return Ok(None) };
        let alone = Arc::clone(&slot.turn).lock_owned().await;
        let Some(ledger) = self.ledger_of(vault, &slot)? else { return Ok(None) };
        let row = self.inner.index.row(Tree::Vaults, vault.as_bytes())?.unwrap_or_default();
        Ok(Some(Turn { store: self.clone(), vault, slot, ledger, row, _alone: alone }))
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
        let turn = Turn { store: self.clone(), vault, slot, ledger, row, _alone: alone };
        turn.commit(items.into_iter().map(|item| Effect::Append(Box::new(item))).collect(), notes).await
    }

    /// How often a grant was used.
    pub fn uses(&self, vault: VaultId, grant: StatementId) -> Result<u32, ReadError> {
        let uses = self.inner.index.number(Tree::Uses, &vault_key(vault, &[grant.as_bytes()]))?;
        Ok(u32::try_from(uses).unwrap_or(u32::MAX))
    }

    /// A request that was permitted earlier and cost a use.
    pub fn request(&self, vault: VaultId, request: RequestId) -> Result<Option<RequestRow>, ReadError> {
        Ok(self.inner.index.row(Tree::Requests, &request_key(vault, request))?)
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
        let committing = tokio::spawn(self.commit_to_end(effects, notes));
        let gone = SubmitError::Stopped(StopReason::WriterGone);
        committing.await.unwrap_or(Err(CommitError::Journal(gone)))
    }

    async fn commit_to_end(self, effects: Vec<Effect>, notes: Vec<Note>) -> Result<Done, CommitError> {
        if notes.is_empty() {
            return Err(CommitError::Incomplete);
        }
        let mut draft = Draft::new(&self);
        for effect in effects {
            draft.effect(effect)?;
        }
        let first = self.row.trail + 1;
        for (number, note) in (first..).zip(&notes) {
            draft.note(number, note)?;
        }
        let Draft { batch, filed, after, .. } = draft;
        self.store.inner.journal.submit(batch).await?;
        if let Some(after) = after {
            *self.slot.ledger.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(after));
        }
        let receipts = (first..).zip(&notes).map(|(number, _)| {
            let place = self.store.trail_index(self.vault, number)?;
            self.store.receipt(place)
        });
        Ok(Done { receipts: receipts.collect::<Result<_, ReadError>>()?, filed })
    }
}
