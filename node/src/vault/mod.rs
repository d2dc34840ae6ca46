//! The vault store of a host: what a node keeps for the vaults it hosts, blind to what is in them.
//!
//! Three kinds of files, in the order in which they are believed:
//! 1. the [`journal`]: the truth, and all that an acknowledgement waits for;
//! 2. [`bodies`]: sealed bodies as content-addressed files, durable before the frame that names them;
//! 3. the [`index`] (sled): made from the journal, flushed behind it, rebuilt from it when it does not open.
//!
//! A deed takes a vault's [`Turn`] ([`Store::turn`]), decides on what it sees there, and commits its effects together with
//! their events in the trail ([`Turn::commit`], I-7). Only one turn of a vault is given out at a time, so what was decided
//! is still true when it is committed, and a revocation that has been answered binds everything after it. Batches that no
//! other decision rests on give the turn back before they are durable (`pending`): their answers wait, the next
//! in line does not. Reading records takes a `Permit` (I-1).

mod apply;
mod asks;
pub mod bodies;
mod change;
mod cosignatures;
mod draft;
mod effect;
pub mod index;
pub mod journal;
mod lease;
mod ledger;
mod pending;
mod rebuild;
mod records;
mod rows;
pub mod schema;
mod store;
#[cfg(test)]
mod tests;
mod trail;
mod turn;
mod uploads;

pub use asks::WaitingAsk;
pub use cosignatures::{Cosigned, KnownSize};
pub use effect::{
    AskReply, Effect, Filed, Gone, NewAsk, NewReWrap, NewRecord, NewRun, Note, PassedPackage, RecordPlace, Removal,
    TombstoneReason, Use,
};
pub use lease::{Cut, Entered, Lease, OnItsWay};
pub use records::{Listed, Page, StoredBody, StoredRecord};
pub use rows::{RecordRow, RequestRow, RunRow};
pub use store::{OpenError, Opened, Progress, ReadError, Store, StoreSettings};
pub use trail::{SignedHead, TrailItem};
pub use turn::{CommitError, Done, Turn};
pub use uploads::upload_id;
