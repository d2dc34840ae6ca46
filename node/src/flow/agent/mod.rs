//! The agent's deeds over the network: one function each, read, verify, decide, commit, answer.
//!
//! Every deed takes the party's agent ([`Patient`](crate::agent::patient::Patient) or
//! [`Facility`](crate::agent::facility::Facility)), the way to hosts ([`reach::Reach`]) and a plain struct, and gives a plain
//! struct that can be printed or written as JSON. Nothing a host says is used before it is verified.
//!
//! | who | deeds |
//! |---|---|
//! | patient | [`create`], [`sync`], [`status`], [`records`], [`show`], [`fetch_range`], [`erase`], [`requests`], [`approve`], [`grant`], [`grants`], [`revoke`], [`device`], [`witnesses`], [`recover`], [`audit`], [`auditing`] |
//! | facility | [`sync`], [`mod@ask`], [`deposit`], [`withdraw`], [`list`], [`fetch`], [`fetch_range`], [`delegate`], [`receipts`] |

mod append;
pub mod approve;
pub mod ask;
pub mod audit;
pub mod auditing;
mod check_receipts;
mod collections;
pub mod convict;
pub mod create;
pub mod delegate;
pub mod deposit;
pub mod device;
mod download;
pub mod erase;
pub mod export;
pub mod fetch;
pub mod fetch_range;
mod fetching;
mod file;
mod fresh;
pub mod grant;
pub mod grants;
mod holding;
pub mod lines;
pub mod list;
mod packing;
mod pass_on;
mod pull;
pub mod reach;
mod reading;
mod receipt;
pub mod receipts;
mod record_keys;
pub mod records;
pub mod recover;
mod refile;
pub mod requests;
pub mod revoke;
mod roots;
mod rotate;
mod run;
pub mod session;
mod settle;
pub mod show;
mod source;
pub mod status;
pub mod sync;
mod upload;
pub mod watch;
pub mod withdraw;
pub mod witnesses;

#[cfg(test)]
mod tests;
