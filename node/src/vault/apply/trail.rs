//! Leaves of the trail, and the events behind them.

use karute_consent::id::VaultId;
use karute_protocol::merkle::TreeHash;
use karute_protocol::trail::TrailNumber;

use super::{ApplyError, Pass};
use crate::vault::change::{EventsErased, TrailContent, TrailEntry};
use crate::vault::journal::CommittedFrame;
use crate::vault::rows::{Rows, VaultRow, node_key, seq_key, write_row};
use crate::vault::schema::Tree;

impl Pass<'_> {
    pub(super) fn trail_entry(&mut self, vault: VaultId, change: &TrailEntry) -> Result<(), ApplyError> {
        let index = self.edge.size();
        let leaf = write_row(&change.leaf)?;
        let mut nodes = Vec::new();
        self.edge.append(TreeHash::leaf(&leaf), |place, hash| nodes.push((place, hash)))?;
        for (place, hash) in nodes {
            self.writes.put(Tree::TrailNodes, &node_key(place), &hash.0)?;
        }
        self.writes.put(Tree::TrailLeaves, &index.to_be_bytes(), &leaf)?;
        let number = change.leaf.number.0;
        self.writes.put(Tree::TrailNumbers, &seq_key(vault, number), &index.to_be_bytes())?;
        let mut row: VaultRow = self.writes.row(Tree::Vaults, vault.as_bytes())?.unwrap_or_default();
        row.trail = number;
        self.writes.put(Tree::Vaults, vault.as_bytes(), &write_row(&row)?)?;
        self.last_time = self.last_time.max(change.leaf.time.secs());
        Ok(())
    }

    pub(super) fn trail_content(
        &mut self,
        vault: VaultId,
        frame: &CommittedFrame,
        change: &TrailContent,
    ) -> Result<(), ApplyError> {
        let index = self.trail_index(vault, change.number)?.ok_or(ApplyError::Missing)?;
        let value = [change.salt.as_bytes().as_slice(), &change.event].concat();
        self.writes.put(Tree::TrailPlaces, &index, &frame.position.to_bytes())?;
        Ok(self.writes.put_pieces(Tree::TrailEvents, &index, &value)?)
    }

    pub(super) fn events_erased(&mut self, vault: VaultId, change: &EventsErased) -> Result<(), ApplyError> {
        for number in &change.numbers {
            let index = self.trail_index(vault, *number)?.ok_or(ApplyError::Missing)?;
            self.writes.remove(Tree::TrailPlaces, &index);
            self.writes.remove_pieces(Tree::TrailEvents, &index)?;
        }
        Ok(())
    }

    fn trail_index(&self, vault: VaultId, number: TrailNumber) -> Result<Option<Vec<u8>>, ApplyError> {
        Ok(self.writes.read(Tree::TrailNumbers, &seq_key(vault, number.0))?)
    }
}
