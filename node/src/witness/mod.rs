//! The witness: cosigns checkpoints of logs that only grow, and keeps nothing else of them.
//!
//! One thread, the desk, owns everything that decides: it judges a request by the head that it signed last (protocol,
//! `witness`), puts the new head on the disk, advances the guard, and only then lets the signature go. So no two requests
//! are ever judged by one state, and requests that wait together share one sync. HTTP stands in front of it (`serve`).
//!
//! Trusted for: a log that shows two histories to two people needs this key's signature under both, and does not get it.
//! The key is lost: make another witness, and have vaults name it. The store is lost: the key must not sign again, since
//! nobody knows what it signed; the guard, a counter in a second place, notices a store that is older than it.

mod desk;
mod guard;
mod keys;
pub mod limits;
mod record;
mod serve;
mod socket;
mod store;

pub use desk::{Desk, DeskEnding, Refusal, Rules, RulesError};
pub use guard::{Guard, GuardError};
pub use keys::{WitnessFacts, WitnessKeys};
pub use serve::{Ending, Witness};
pub use store::{OpenError, Store, Survey};
