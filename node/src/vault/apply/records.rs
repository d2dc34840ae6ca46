//! Runs, records, re-wraps and removals.

use karute_consent::id::VaultId;
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::TrailIndex;
use karute_protocol::wire::Octets;

use super::{ApplyError, Pass};
use crate::vault::change::{RecordContent, RecordStored, RecordsRemoved, RunBegun, RunReWrapped};
use crate::vault::effect::{Gone, RecordPlace};
use crate::vault::journal::CommittedFrame;
use crate::vault::rows::{
    Numbered, RecordRow, Rows, RunRow, body_name_key, numbered_key, place_key, record_key, run_key, vault_key,
    write_row,
};
use crate::vault::schema::Tree;

impl Pass<'_> {
    pub(super) fn run_begun(&mut self, vault: VaultId, change: &RunBegun) -> Result<(), ApplyError> {
        let row = RunRow {
            run: change.run,
            depositor: change.depositor,
            collection: change.collection,
            generation: change.generation,
            epoch: change.epoch,
            id: change.id,
            in_force: change.id,
        };
        let key = run_key(vault, change.run);
        self.writes.put(Tree::Runs, &key, &write_row(&row)?)?;
        Ok(self.writes.put_pieces(Tree::RunStatements, &key, &change.statement)?)
    }

    pub(super) fn record_stored(
        &mut self,
        vault: VaultId,
        change: &RecordStored,
        receipt: TrailIndex,
    ) -> Result<(), ApplyError> {
        let run: RunRow = self.writes.row(Tree::Runs, &run_key(vault, change.run))?.ok_or(ApplyError::Missing)?;
        let row = RecordRow {
            record: change.record,
            run: change.run,
            depositor: run.depositor,
            collection: run.collection,
            generation: run.generation,
            number: change.number,
            month: run.epoch,
            header_id: change.header_id,
            body_root: change.body_root,
            body_length: change.body_length,
            receipt,
            content: None,
            removed: None,
            inline: false,
        };
        self.writes.put(Tree::PlaceCounts, &place_key(vault, run.place()), &change.number.0.to_be_bytes())?;
        let numbered = Numbered::Record(change.record).to_bytes();
        self.writes.put(Tree::Places, &numbered_key(vault, row.filed()), &numbered)?;
        let run_record = vault_key(vault, &[change.run.as_bytes(), change.record.as_bytes()]);
        self.writes.put(Tree::RunRecords, &run_record, &[])?;
        self.writes.put(Tree::BodyNames, &body_name_key(&change.body_root, vault, change.record), &[])?;
        self.put_record(vault, &row)
    }

    fn put_record(&mut self, vault: VaultId, row: &RecordRow) -> Result<(), ApplyError> {
        Ok(self.writes.put(Tree::Records, &record_key(vault, row.record), &write_row(row)?)?)
    }

    pub(super) fn record_content(
        &mut self,
        vault: VaultId,
        frame: &CommittedFrame,
        change: &RecordContent,
    ) -> Result<(), ApplyError> {
        let key = record_key(vault, change.record);
        let mut row: RecordRow = self.writes.row(Tree::Records, &key)?.ok_or(ApplyError::Missing)?;
        row.content = Some(Octets(frame.position.to_bytes().to_vec()));
        row.inline = change.body.is_some();
        self.put_record(vault, &row)?;
        self.writes.put_pieces(Tree::Headers, &key, &change.header)?;
        self.writes.put_pieces(Tree::Metas, &key, &change.meta)?;
        if let Some(body) = &change.body {
            self.writes.put_pieces(Tree::ShortBodies, &key, body)?;
        }
        Ok(())
    }

    pub(super) fn run_re_wrapped(&mut self, vault: VaultId, change: &RunReWrapped) -> Result<(), ApplyError> {
        let key = run_key(vault, change.run);
        let mut run: RunRow = self.writes.row(Tree::Runs, &key)?.ok_or(ApplyError::Missing)?;
        run.collection = change.collection;
        run.generation = change.generation;
        run.epoch = change.epoch;
        run.in_force = change.id;
        self.writes.put(Tree::Runs, &key, &write_row(&run)?)?;
        self.writes.put_pieces(Tree::ReWraps, &key, &change.statement)?;
        let mut moved = Vec::new();
        for (run_record, _) in self.writes.scan(Tree::RunRecords, &key)? {
            let record_key = vault_key(vault, &[&run_record[key.len()..]]);
            let row: RecordRow = self.writes.row(Tree::Records, &record_key)?.ok_or(ApplyError::Missing)?;
            if row.removed.is_none() {
                moved.push(row);
            }
        }
        moved.sort_by_key(|row| (row.collection, row.generation, row.number.0));
        for mut row in moved {
            let tombstone = Numbered::Tombstone(Gone::MOVED).to_bytes();
            self.writes.put(Tree::Places, &numbered_key(vault, row.filed()), &tombstone)?;
            row.collection = run.collection;
            row.generation = run.generation;
            row.month = run.epoch;
            row.number = self.next_number(vault, run.place())?;
            let numbered = Numbered::Record(row.record).to_bytes();
            self.writes.put(Tree::Places, &numbered_key(vault, row.filed()), &numbered)?;
            self.put_record(vault, &row)?;
        }
        Ok(())
    }

    fn next_number(&mut self, vault: VaultId, place: RecordPlace) -> Result<RecordNumber, ApplyError> {
        let key = place_key(vault, place);
        let number = self.writes.number(Tree::PlaceCounts, &key)? + 1;
        self.writes.put(Tree::PlaceCounts, &key, &number.to_be_bytes())?;
        Ok(RecordNumber(number))
    }

    pub(super) fn records_removed(&mut self, vault: VaultId, change: &RecordsRemoved) -> Result<(), ApplyError> {
        let gone = Gone { reason: change.reason, by: Some(change.id) };
        let statement = vault_key(vault, &[change.id.as_bytes()]);
        self.writes.put_pieces(Tree::RemovalStatements, &statement, &change.statement)?;
        for record in &change.records {
            let key = record_key(vault, *record);
            let Some(mut row) = self.writes.row::<RecordRow>(Tree::Records, &key)? else { continue };
            if row.removed.is_some() {
                continue;
            }
            row.removed = Some(gone);
            row.content = None;
            row.inline = false;
            let filed = row.filed();
            self.writes.put(Tree::Places, &numbered_key(vault, filed), &Numbered::Tombstone(gone).to_bytes())?;
            self.writes.remove(Tree::BodyNames, &body_name_key(&row.body_root, vault, *record));
            for tree in [Tree::Headers, Tree::Metas, Tree::ShortBodies] {
                self.writes.remove_pieces(tree, &key)?;
            }
            self.unnamed.push(row.body_root);
            self.put_record(vault, &row)?;
        }
        Ok(())
    }
}
