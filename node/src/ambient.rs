//! The one place that asks the world for the time and for randomness.
//!
//! Everything else is given an [`Ambient`]. Tests make one with a hand-moved clock and a seeded, reproducible source,
//! so that a whole history runs the same way twice. A clone shares clock and source with its original.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use karute_consent::time::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Clock and randomness, the system's own or a test's.
#[derive(Clone)]
pub struct Ambient(Arc<Source>);

enum Source {
    System,
    Fixed {
        /// Seconds since 1970; moved only by [`Ambient::advance`] and [`Ambient::set`].
        clock_secs: AtomicU64,
        /// Seed and number of blocks drawn; the lock covers both.
        stream: Mutex<Stream>,
    },
}

struct Stream {
    seed: [u8; 32],
    drawn: u64,
}

impl Ambient {
    /// The system's clock and the operating system's randomness.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// A clock that stands at `start` until moved, and randomness that `seed` determines. For tests and simulations only:
    /// keys made with it are public knowledge.
    pub fn fixed(start: Timestamp, seed: u64) -> Self {
        let seed =
            Sha256::new().chain_update(b"karute ambient seed").chain_update(seed.to_be_bytes()).finalize().into();
        Self(Arc::new(Source::Fixed {
            clock_secs: AtomicU64::new(start.secs()),
            stream: Mutex::new(Stream { seed, drawn: 0 }),
        }))
    }

    /// The time by this machine's clock. A system clock before 1970 reads as 1970.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                Timestamp::from_secs(since.map_or(0, |passed| passed.as_secs()))
            }
            Source::Fixed { clock_secs, .. } => Timestamp::from_secs(clock_secs.load(Ordering::SeqCst)),
        }
    }

    /// `N` fresh random bytes.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing that follows would be safe.
    pub fn entropy<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// `N` fresh random bytes that are wiped when dropped.
    pub fn secret<const N: usize>(&self) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        self.fill(&mut bytes[..]);
        bytes
    }

    /// Fills `bytes` with randomness.
    ///
    /// # Panics
    /// As [`Ambient::entropy`].
    pub fn fill(&self, bytes: &mut [u8]) {
        match &*self.0 {
            Source::System => getrandom::fill(bytes).expect("an operating system without randomness cannot make keys"),
            Source::Fixed { stream, .. } => {
                let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in bytes.chunks_mut(32) {
                    let block = stream.block();
                    chunk.copy_from_slice(&block[..chunk.len()]);
                }
            }
        }
    }

    /// Moves a fixed clock forward; the system's clock is not moved, and the answer is then `false`.
    pub fn advance(&self, secs: u64) -> bool {
        match &*self.0 {
            Source::System => false,
            Source::Fixed { clock_secs, .. } => {
                clock_secs.fetch_add(secs, Ordering::SeqCst);
                true
            }
        }
    }

    /// Sets a fixed clock, backwards too; the system's clock is not set, and the answer is then `false`.
    pub fn set(&self, to: Timestamp) -> bool {
        match &*self.0 {
            Source::System => false,
            Source::Fixed { clock_secs, .. } => {
                clock_secs.store(to.secs(), Ordering::SeqCst);
                true
            }
        }
    }
}

impl Stream {
    fn block(&mut self) -> [u8; 32] {
        let hash = Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_be_bytes());
        self.drawn += 1;
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_by_hand_and_clones_share_it() {
        let ambient = Ambient::fixed(Timestamp::from_secs(1_000), 1);
        let other = ambient.clone();
        assert_eq!(other.now(), Timestamp::from_secs(1_000));
        assert!(ambient.advance(5));
        assert_eq!(other.now(), Timestamp::from_secs(1_005));
        assert!(other.set(Timestamp::from_secs(7)));
        assert_eq!(ambient.now(), Timestamp::from_secs(7));
    }

    #[test]
    fn a_seed_determines_the_bytes_and_no_draw_repeats() {
        let one = Ambient::fixed(Timestamp::from_secs(0), 9);
        let two = Ambient::fixed(Timestamp::from_secs(0), 9);
        let first: [u8; 70] = one.entropy();
        assert_eq!(first, two.entropy::<70>());
        assert_ne!(first, one.entropy::<70>());
        assert_ne!(first, Ambient::fixed(Timestamp::from_secs(0), 10).entropy::<70>());
    }

    #[test]
    fn the_system_clock_cannot_be_moved_and_its_bytes_differ() {
        let ambient = Ambient::system();
        assert!(!ambient.advance(1));
        assert_ne!(ambient.entropy::<32>(), ambient.entropy::<32>());
        assert!(ambient.now().secs() > 1_700_000_000);
    }
}
