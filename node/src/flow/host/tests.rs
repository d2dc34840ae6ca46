//! The host, spoken to over an in-memory stream by a client that may say anything.

mod attacks;
mod cast;
mod deposits;
mod ledgers;
mod mailbox;
mod reads;
mod sessions;
mod timing;
mod watching;
mod world;
