//! A vault's ledger: the one order in which its statements count.
//!
//! `item` holds what an entry looks like and how a body is bound to it; `rules` judges whether an item may follow;
//! `state` is what is in force after it. Proofs in the Merkle tree over the entries are the
//! protocol's.

#[cfg(test)]
mod attacks;
mod error;
#[cfg(test)]
mod evidence;
mod item;
mod rules;
mod state;
#[cfg(test)]
mod tests;

pub use error::{GrantError, LedgerError, RevocationError, RotationError};
pub use item::{Body, Entry, EntryKind, Item, ItemError, Subject, body_hash};
pub use rules::View;
pub use state::{DirectoryInForce, LedgerGrant, LedgerState, RootKeys, Shown};
