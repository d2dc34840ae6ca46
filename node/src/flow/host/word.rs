//! The time of the host's word on its newest heads.
//!
//! Two such words of which the later one names a smaller head convict the host (SPEC section 16, kind 3), so time and
//! head are read in one step, and the time never goes back: not when the clock does, not when two are signed at once,
//! and not over a restart. For that a time a little ahead is kept on the disk before any time up to it is signed.

use std::sync::{Mutex, PoisonError};

use karute_consent::time::Timestamp;

use super::Host;
use crate::vault::Store;

/// The times that were given out. Locked while a head is read, never across an await.
pub(super) struct WordTimes(Mutex<Given>);

struct Given {
    /// The last one.
    last: Timestamp,
    /// No later one was given out so far, nor before the last restart.
    reserved: Timestamp,
}

impl WordTimes {
    /// Goes on behind everything that was signed over this store before.
    pub(super) fn new(store: &Store) -> Self {
        let before = store.reserved_time();
        Self(Mutex::new(Given { last: before, reserved: before }))
    }
}

impl Host {
    /// What `read` finds, and a time at which that was the newest.
    pub(super) fn at_one_time<T>(&self, read: impl FnOnce() -> T) -> (Timestamp, T) {
        let mut given = self.word_times.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time = self.now().max(given.last);
        if time > given.reserved {
            let reserved = Timestamp::from_secs(time.secs().saturating_add(AHEAD_SECS));
            if let Err(error) = self.store.keep_reserved_time(reserved) {
                tracing::error!(%error, "the time of signed heads cannot be kept");
            }
            given.reserved = reserved;
        }
        given.last = time;
        (time, read())
    }
}

/// A host that is started again signs times at most so many seconds ahead of its clock.
const AHEAD_SECS: u64 = 10;
