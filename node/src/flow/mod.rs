//! Flows: one file, one deed, on either side. `host` serves vaults it cannot read; `agent` holds a party's keys.

#[cfg(feature = "agent")]
pub mod agent;
pub mod host;
