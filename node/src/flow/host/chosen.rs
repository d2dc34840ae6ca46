//! Which records an answer is about: everything a permit reaches, or the ones that a request names.

use karute_consent::id::{Digest, RecordId};
use karute_consent::policy::{DenyReason, Permit};
use karute_protocol::limits::LIST_RECORDS_MAX;
use karute_protocol::message::{FaultCode, Tombstone};
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::PlaceCount;
use karute_protocol::wire::Octets;

use super::answer::Turned;
use crate::vault::{Filed, Gone, Listed, RecordPlace, RecordRow, Store, TombstoneReason};

/// One line of an answer. What a record holds is looked up when its turn comes.
pub(super) enum Line {
    /// A record.
    Record(RecordId),
    /// A number whose record is gone.
    Gone(Filed, Gone),
}

/// Why nothing was chosen.
pub(super) enum Unchosen {
    /// The request names what the permit does not reach.
    Denied(DenyReason),
    /// Something else.
    Turned(Turned),
}

/// Everything the permit reaches, by place and number, with the highest number of each place.
pub(super) fn all(store: &Store, permit: &Permit) -> Result<(Vec<PlaceCount>, Vec<Line>), Turned> {
    let counts = store.place_counts(permit)?;
    let mut lines = Vec::new();
    for count in &counts {
        let place = RecordPlace { collection: count.collection, generation: count.generation };
        let mut from = Some(RecordNumber(1));
        while let Some(next) = from {
            let page = store.list(permit, place, next, PAGE_RECORDS)?;
            lines.extend(page.listed.into_iter().map(|listed| match listed {
                Listed::Record(row) => Line::Record(row.record()),
                Listed::Tombstone(filed, gone) => Line::Gone(filed, gone),
            }));
            if lines.len() as u64 > LIST_RECORDS_MAX {
                return Err(Turned::Fault(FaultCode::Limit));
            }
            from = page.next;
        }
    }
    Ok((counts, lines))
}

/// The records to be read: those that the request names (`by_request`), each of which must be reached, or all that are
/// reached: of single records that the grant names, those that still lie where it reaches.
pub(super) fn to_read(store: &Store, permit: &Permit, by_request: bool) -> Result<Vec<Line>, Unchosen> {
    let Some(named) = &permit.reach().records else {
        let (_, mut lines) = all(store, permit).map_err(Unchosen::Turned)?;
        lines.retain(|line| matches!(line, Line::Record(_)));
        return Ok(lines);
    };
    let mut lines = Vec::with_capacity(named.len());
    for record in named {
        let row = store.find(permit.vault(), *record).map_err(|error| Unchosen::Turned(error.into()))?;
        match row {
            Some(row) if permit.covers(&row.scope_place()) => lines.push(line_of(&row)),
            _ if by_request => return Err(Unchosen::Denied(DenyReason::OutsideScope)), // C-50
            _ => {}
        }
    }
    Ok(lines)
}

/// What is to be said of a record now.
pub(super) fn line_of(row: &RecordRow) -> Line {
    match row.removed() {
        Some(gone) => Line::Gone(row.filed(), gone),
        None => Line::Record(row.record()),
    }
}

/// Ids of the records among the lines.
pub(super) fn records(lines: &[Line]) -> Vec<RecordId> {
    let ids = lines.iter().filter_map(|line| match line {
        Line::Record(record) => Some(*record),
        Line::Gone(..) => None,
    });
    ids.collect()
}

/// A tombstone as it stands in a message, with the statement that took the record away (P-42).
pub(super) fn tombstone(store: &Store, permit: &Permit, filed: Filed, gone: Gone) -> Result<Tombstone, Turned> {
    let statement = gone.by.map(|id| store.removal_statement(permit, id)).transpose()?;
    Ok(Tombstone {
        collection: filed.place.collection,
        generation: filed.place.generation,
        number: filed.number,
        reason: match gone.reason {
            TombstoneReason::Erased => karute_protocol::message::TombstoneReason::Erased,
            TombstoneReason::Withdrawn => karute_protocol::message::TombstoneReason::Withdrawn,
            TombstoneReason::Moved => karute_protocol::message::TombstoneReason::Moved,
        },
        statement: statement.map(Octets::from),
    })
}

/// What a tombstone counts as in the digest of a list answer.
pub(super) const NO_HEADER: Digest = Digest::from_bytes([0; 32]);

impl From<Turned> for Unchosen {
    fn from(turned: Turned) -> Self {
        Self::Turned(turned)
    }
}

/// Numbers looked at together.
const PAGE_RECORDS: usize = 512;
