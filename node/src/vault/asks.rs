//! The mailbox of a vault: asks that wait, and answers that their senders fetch.

use karute_consent::id::{PartyKey, VaultId};
use karute_consent::time::Timestamp;
use karute_protocol::limits::{ASKS_OF_SENDER_MAX, ASKS_WAITING_MAX};

use super::rows::{AskRow, read_row, vault_key};
use super::schema::Tree;
use super::store::{ReadError, Store};

/// An ask that waits for the patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingAsk {
    /// Who asks.
    pub sender: PartyKey,
    /// The signed envelope.
    pub envelope: Vec<u8>,
    /// The sealed ask.
    pub sealed: Vec<u8>,
    /// When it came, by the host's time.
    pub received: Timestamp,
}

impl Store {
    /// All asks that wait in a vault's mailbox; for a device.
    pub fn asks_waiting(&self, vault: VaultId) -> Result<Vec<WaitingAsk>, ReadError> {
        let mut waiting = Vec::new();
        for entry in self.inner.index.range(Tree::Asks, vault.as_bytes(), b"") {
            let (key, row) = entry?;
            let row: AskRow = read_row(&row)?;
            // Answered between the two reads: it does not wait any more.
            let Some(sealed) = self.inner.index.read_pieces(Tree::AskContents, &key)? else { continue };
            let AskRow { sender, envelope, received, .. } = row;
            waiting.push(WaitingAsk { sender, envelope: envelope.into_vec(), sealed, received });
        }
        Ok(waiting)
    }

    /// The signed answers to a sender's asks.
    pub fn ask_answers(&self, vault: VaultId, sender: PartyKey) -> Result<Vec<Vec<u8>>, ReadError> {
        let prefix = vault_key(vault, &[sender.as_bytes()]);
        let mut answers = Vec::new();
        for entry in self.inner.index.range(Tree::AskAnswers, &prefix, b"") {
            let (key, _) = entry?;
            // Pieces of one answer are neighbours: only the first names it.
            let Some((name, [0, 0])) = key.split_last_chunk::<2>() else { continue };
            answers.extend(self.inner.index.read_pieces(Tree::AskAnswers, name)?);
        }
        Ok(answers)
    }

    /// Whether the mailbox has room for an ask of this sender.
    pub fn has_room_for_ask(&self, vault: VaultId, sender: PartyKey) -> Result<bool, ReadError> {
        let (all, own) = self.count_asks(vault, sender)?;
        Ok(all < ASKS_WAITING_MAX && own < ASKS_OF_SENDER_MAX)
    }

    /// How many asks of a sender wait or were answered: who has one may sync, which is how the answer is fetched.
    pub fn asks_of(&self, vault: VaultId, sender: PartyKey) -> Result<u32, ReadError> {
        let (_, waiting) = self.count_asks(vault, sender)?;
        let answered = self.ask_answers(vault, sender)?.len();
        Ok(u32::try_from(waiting + answered).unwrap_or(u32::MAX))
    }

    /// How many asks wait in all, and of this sender.
    fn count_asks(&self, vault: VaultId, sender: PartyKey) -> Result<(usize, usize), ReadError> {
        let (mut all, mut own) = (0, 0);
        for entry in self.inner.index.range(Tree::Asks, vault.as_bytes(), b"") {
            let row: AskRow = read_row(&entry?.1)?;
            all += 1;
            own += usize::from(row.sender == sender);
        }
        Ok((all, own))
    }
}
