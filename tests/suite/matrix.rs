//! The authorisation matrix: every role, with every operation, at every state of a grant, at every moment.
//!
//! What must come out stands in [`table`], written by hand from the two specifications and in their order; it calls
//! nothing of the product. What does come out is asked of the real decision ([`judge`], every cell) and of a real host
//! over real frames ([`session`], every operation, role and state). A cell that no rule permits is denied: the table has
//! a list of what is permitted and a list of why the rest is not, and each cell must stand in exactly one of them.
//!
//! The parties of every vault of the matrix:
//!
//! ```text
//!   patient: identity, next identity, device, removed device
//!      |
//!      +-- P -> parent --- G -> holder --- D -> delegate --- (X: a child that no ledger has)
//!      +-- W -> guardian (list, read, audit, revoke)
//!      +-- O -> other holder (another collection)
//!   asker: an ask waits in the mailbox      stranger: nothing
//! ```

mod cell;
mod judge;
mod operations;
mod session;
mod table;
mod vault;
