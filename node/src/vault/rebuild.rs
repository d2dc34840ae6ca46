//! Bringing the index to where the journal ends, from where it stands or from nothing.

use std::path::Path;
use std::sync::Arc;

use super::apply::{Applier, ApplyError};
use super::bodies::Bodies;
use super::index::{Index, Opened as OpenedIndex};
use super::journal::{CommittedBatch, JournalBroken, Prepared};
use super::store::{OpenError, Opened, Progress};

/// How often a rebuild tells how far it is, in batches.
const PROGRESS_EVERY: u64 = 1000;
/// Bytes of payloads that are applied together.
const REPLAY_BYTES: usize = 8 << 20;

/// An index that stands where the journal ends.
pub(super) struct Rebuilt {
    pub(super) index: Arc<Index>,
    pub(super) applier: Applier,
    pub(super) opened: Opened,
}

/// Opens the index, checks the journal from its mark on and applies what is missing. An index that does not open, does
/// not match the journal or cannot take what follows is thrown away and made from the whole journal.
pub(super) fn bring_up(
    folder: &Path,
    prepared: &Prepared,
    bodies: &Arc<Bodies>,
    progress: Progress<'_>,
) -> Result<Rebuilt, OpenError> {
    let found = Index::open(folder)?;
    let wiped = found.wiped;
    let behind = match catch_up(found, prepared, bodies, progress) {
        Err(OpenError::Journal(JournalBroken::MarkUnknown)) => true,
        // Only an index that was just made from the journal alone is a reason to give up.
        Err(OpenError::Apply(_) | OpenError::Index(_)) if !wiped => false,
        done => return done,
    };
    let mut rebuilt = catch_up(Index::wipe_and_open(folder)?, prepared, bodies, progress)?;
    rebuilt.opened.journal_is_behind = behind;
    Ok(rebuilt)
}

fn catch_up(
    found: OpenedIndex,
    prepared: &Prepared,
    bodies: &Arc<Bodies>,
    progress: Progress<'_>,
) -> Result<Rebuilt, OpenError> {
    let OpenedIndex { index, mark, wiped } = found;
    let mut opened = Opened { journal: prepared.check(mark.as_ref())?, rebuilt: wiped, ..Opened::default() };
    let index = Arc::new(index);
    let mut applier = Applier::new(Arc::clone(&index), Arc::clone(bodies))?;
    let mut waiting = Waiting::default();
    prepared.replay(mark.as_ref(), &mut |batch| {
        waiting.take(batch, &mut applier)?;
        opened.applied += 1;
        if opened.applied.is_multiple_of(PROGRESS_EVERY) {
            progress(opened.applied);
        }
        Ok::<(), OpenError>(())
    })?;
    waiting.apply(&mut applier)?;
    applier.unlink_unnamed();
    index.sync()?;
    Ok(Rebuilt { index, applier, opened })
}

/// Batches that are read and not yet applied.
#[derive(Default)]
struct Waiting {
    batches: Vec<CommittedBatch>,
    bytes: usize,
}

impl Waiting {
    fn take(&mut self, batch: CommittedBatch, applier: &mut Applier) -> Result<(), ApplyError> {
        self.bytes += batch.frames.iter().filter_map(|frame| frame.payload.as_ref()).map(Vec::len).sum::<usize>();
        self.batches.push(batch);
        if self.bytes >= REPLAY_BYTES { self.apply(applier) } else { Ok(()) }
    }

    fn apply(&mut self, applier: &mut Applier) -> Result<(), ApplyError> {
        self.bytes = 0;
        applier.apply(&std::mem::take(&mut self.batches))
    }
}
