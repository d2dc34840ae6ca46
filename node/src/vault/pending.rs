//! What was handed to the journal and does not stand in the index yet.
//!
//! A batch that changes nothing that another decision rests on gives the turn back as soon as it is handed over: notes,
//! requests that cost no counted use, and deposits. The next turn needs to know the numbers that were given out since
//! (of events, and in each place), the runs that were begun, and the records that are on their way: they stand here
//! until the index has them. A batch leaves this room only after it is applied, so whoever looks here first and in the
//! index then misses nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use karute_consent::id::{RecordId, RunId, StatementId};
use tokio::sync::Notify;

use super::effect::RecordPlace;
use super::store::Slot;

/// What one vault has under way.
#[derive(Default)]
pub(super) struct Pending {
    handed: Mutex<Handed>,
    settled: Notify,
}

/// What batches under way bring.
#[derive(Default)]
pub(super) struct Handed {
    batches: u64,
    /// Number of the last event that was handed over.
    trail: Option<u64>,
    pub(super) records: HashSet<RecordId>,
    pub(super) runs: HashMap<RunId, (StatementId, RecordPlace)>,
    /// Highest number that was given out in a place.
    pub(super) counts: BTreeMap<RecordPlace, u64>,
}

/// A batch under way; it has arrived, or never will, when this is dropped.
pub(super) struct UnderWay {
    slot: Arc<Slot>,
    trail_before: Option<u64>,
    records: Vec<RecordId>,
    runs: Vec<RunId>,
}

impl Pending {
    /// Notes what a batch brings, whose last event has the number `trail`. Only who has the vault's turn calls this.
    pub(super) fn hand_over(slot: &Arc<Slot>, brings: Handed, trail: u64) -> UnderWay {
        let mut handed = slot.pending.handed();
        let trail_before = handed.trail.replace(trail);
        handed.batches += 1;
        let records = brings.records.iter().copied().collect();
        let runs = brings.runs.keys().copied().collect();
        handed.records.extend(brings.records);
        handed.runs.extend(brings.runs);
        handed.counts.extend(brings.counts);
        drop(handed);
        UnderWay { slot: Arc::clone(slot), trail_before, records, runs }
    }

    /// Number of the last event that was handed over, if it may not be in the index yet.
    pub(super) fn trail(&self) -> Option<u64> {
        self.handed().trail
    }

    /// Statement and place of a run that was begun.
    pub(super) fn run(&self, run: RunId) -> Option<(StatementId, RecordPlace)> {
        self.handed().runs.get(&run).copied()
    }

    /// Highest number that was given out in a place.
    pub(super) fn count(&self, place: RecordPlace) -> Option<u64> {
        self.handed().counts.get(&place).copied()
    }

    /// Waits until no record is under way: all of them, or this one.
    pub(super) async fn arrived(&self, record: Option<RecordId>) {
        let arrived = || {
            let handed = self.handed();
            Ok::<_, Infallible>(record.map_or(handed.records.is_empty(), |record| !handed.records.contains(&record)))
        };
        let Ok(()) = self.until(arrived).await;
    }

    /// Looks now, and each time that a batch has arrived, until it is so.
    pub(super) async fn until<E>(&self, so: impl Fn() -> Result<bool, E>) -> Result<(), E> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if so()? {
                return Ok(());
            }
            settled.await;
        }
    }

    /// Nothing in here panics while the lock is held.
    fn handed(&self) -> MutexGuard<'_, Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// The batch was not taken, though the journal goes on: its numbers are free again. The turn must still be held.
    pub(super) fn take_back(self) {
        self.slot.pending.handed().trail = self.trail_before;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let pending = &self.slot.pending;
        let mut handed = pending.handed();
        handed.batches -= 1;
        for record in &self.records {
            handed.records.remove(record);
        }
        for run in &self.runs {
            handed.runs.remove(run);
        }
        if handed.batches == 0 {
            *handed = Handed::default();
        }
        drop(handed);
        pending.settled.notify_waiters();
    }
}
