//! Reading records: every way takes a permit and stays within what it reaches (I-1).

use karute_consent::id::{CollectionId, Generation, RecordId, RunId, StatementId, VaultId};
use karute_consent::policy::Permit;
use karute_consent::scope::Action;
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::PlaceCount;

use super::bodies::BodyFile;
use super::effect::{Filed, Gone, RecordPlace};
use super::rows::{
    Numbered, RecordRow, Rows, RunRow, numbered_key, place_key, read_number, record_key, run_key, vault_key,
};
use super::schema::Tree;
use super::store::{ReadError, Store};

/// What stands under a running number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// A record.
    Record(RecordRow),
    /// Nothing any more.
    Tombstone(Filed, Gone),
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What the permit reaches, by number.
    pub listed: Vec<Listed>,
    /// Where the next part begins; `None`: this was the last.
    pub next: Option<RecordNumber>,
}

/// The signed and sealed bytes of a record, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The signed header.
    pub header: Vec<u8>,
    /// The sealed meta.
    pub meta: Vec<u8>,
    /// The signed run.
    pub run: Vec<u8>,
    /// The signed re-wrap in force, if there is one.
    pub re_wrap: Option<Vec<u8>>,
}

/// A sealed body.
#[derive(Debug)]
pub enum StoredBody {
    /// Short, from the index.
    Inline(Vec<u8>),
    /// A file with its hash pairs.
    File(BodyFile),
}

/// Refuses unless the permit is for one of these actions.
pub(super) fn check(permit: &Permit, actions: &[Action]) -> Result<(), ReadError> {
    if actions.contains(&permit.action()) { Ok(()) } else { Err(ReadError::NotPermitted) }
}

/// Refuses unless the permit reaches this record of its vault.
fn check_record(permit: &Permit, actions: &[Action], row: &RecordRow) -> Result<(), ReadError> {
    check(permit, actions)?;
    if permit.reach().covers(&row.scope_place()) { Ok(()) } else { Err(ReadError::NotPermitted) }
}

const META_ACTIONS: &[Action] = &[Action::List, Action::Read, Action::Export];
const BODY_ACTIONS: &[Action] = &[Action::Read, Action::Export];

impl Store {
    /// What the host itself knows of a record: nothing that is sealed.
    pub fn find(&self, vault: VaultId, record: RecordId) -> Result<Option<RecordRow>, ReadError> {
        Ok(self.inner.index.row(Tree::Records, &record_key(vault, record))?)
    }

    /// What the host itself knows of a run.
    pub fn run(&self, vault: VaultId, run: RunId) -> Result<Option<RunRow>, ReadError> {
        Ok(self.inner.index.row(Tree::Runs, &run_key(vault, run))?)
    }

    /// The places that the permit's collections have, with the highest number of each; ascending.
    pub fn place_counts(&self, permit: &Permit) -> Result<Vec<PlaceCount>, ReadError> {
        check(permit, META_ACTIONS)?;
        let vault = permit.vault();
        let reached = permit.reach().collections.as_ref();
        let mut counts = Vec::new();
        for entry in self.inner.index.range(Tree::PlaceCounts, vault.as_bytes(), b"") {
            let (key, value) = entry?;
            let (collection, generation) = read_place(&key[VaultId::LEN..])?;
            if reached.is_none_or(|reached| reached.contains(&collection)) {
                counts.push(PlaceCount { collection, generation, count: read_number(&value)? });
            }
        }
        Ok(counts)
    }

    /// Up to `max` numbers of a place from `from` on. Records that the permit does not reach are left out.
    pub fn list(&self, permit: &Permit, place: RecordPlace, from: RecordNumber, max: usize) -> Result<Page, ReadError> {
        check(permit, META_ACTIONS)?;
        let vault = permit.vault();
        if permit.reach().collections.as_ref().is_some_and(|reached| !reached.contains(&place.collection)) {
            return Err(ReadError::NotPermitted);
        }
        let prefix = place_key(vault, place);
        let start = numbered_key(vault, Filed { place, number: from });
        let mut page = Page { listed: Vec::new(), next: None };
        for (seen, entry) in self.inner.index.range(Tree::Places, &prefix, &start).enumerate() {
            let (key, value) = entry?;
            let number = RecordNumber(read_number(&key[prefix.len()..])?);
            if seen == max {
                page.next = Some(number);
                break;
            }
            match Numbered::read(&value)? {
                Numbered::Tombstone(gone) => page.listed.push(Listed::Tombstone(Filed { place, number }, gone)),
                Numbered::Record(record) => {
                    let row = self.find(vault, record)?.ok_or(ReadError::Damaged)?;
                    if permit.reach().covers(&row.scope_place()) {
                        page.listed.push(Listed::Record(row));
                    }
                }
            }
        }
        Ok(page)
    }

    /// Header, meta and run of a record that the permit reaches; `None` if it was taken away meanwhile.
    pub fn record(&self, permit: &Permit, row: &RecordRow) -> Result<Option<StoredRecord>, ReadError> {
        check_record(permit, META_ACTIONS, row)?;
        let index = &self.inner.index;
        let key = record_key(permit.vault(), row.record);
        let run = run_key(permit.vault(), row.run);
        let (Some(header), Some(meta)) =
            (index.read_pieces(Tree::Headers, &key)?, index.read_pieces(Tree::Metas, &key)?)
        else {
            return Ok(None);
        };
        let statement = index.read_pieces(Tree::RunStatements, &run)?.ok_or(ReadError::Damaged)?;
        let re_wrap = index.read_pieces(Tree::ReWraps, &run)?;
        Ok(Some(StoredRecord { header, meta, run: statement, re_wrap }))
    }

    /// The sealed body of a record that the permit reaches; `None` if it was taken away meanwhile.
    pub fn body(&self, permit: &Permit, row: &RecordRow) -> Result<Option<StoredBody>, ReadError> {
        check_record(permit, BODY_ACTIONS, row)?;
        // Asked again: what the row said may have been taken away since.
        let Some(row) = self.find(permit.vault(), row.record)?.filter(|row| row.removed.is_none()) else {
            return Ok(None);
        };
        check_record(permit, BODY_ACTIONS, &row)?;
        if row.inline {
            let body = self.inner.index.read_pieces(Tree::ShortBodies, &record_key(permit.vault(), row.record))?;
            return Ok(body.map(StoredBody::Inline));
        }
        match self.inner.bodies.read(row.body().root) {
            Ok(file) => Ok(Some(StoredBody::File(file))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReadError::Disk(error)),
        }
    }

    /// The signed erasure or withdrawal that took records of a vault away.
    pub fn removal_statement(&self, permit: &Permit, id: StatementId) -> Result<Vec<u8>, ReadError> {
        check(permit, META_ACTIONS)?;
        let key = vault_key(permit.vault(), &[id.as_bytes()]);
        self.inner.index.read_pieces(Tree::RemovalStatements, &key)?.ok_or(ReadError::Damaged)
    }

    /// Records of a run, whether still there or not.
    pub fn run_records(&self, vault: VaultId, run: RunId) -> Result<Vec<RecordId>, ReadError> {
        let prefix = vault_key(vault, &[run.as_bytes()]);
        let keys = self.inner.index.range(Tree::RunRecords, &prefix, b"");
        keys.map(|entry| RecordId::from_slice(&entry?.0[prefix.len()..]).ok_or(ReadError::Damaged)).collect()
    }
}

fn read_place(bytes: &[u8]) -> Result<(CollectionId, Generation), ReadError> {
    let (collection, generation) = bytes.split_first_chunk::<{ CollectionId::LEN }>().ok_or(ReadError::Damaged)?;
    let generation = generation.try_into().map_err(|_| ReadError::Damaged)?;
    Ok((CollectionId::from_bytes(*collection), Generation(u32::from_be_bytes(generation))))
}
