//! karute-node acts: the only crate with disk, network, clock, randomness and terminal.
//!
//! One binary, two sides. The **host** side keeps vaults it cannot read; the **agent** side (cargo feature `agent`)
//! holds a party's keys. Modules of the host side name nothing of the agent side, and a build without the feature
//! holds no code that opens a record.

pub mod ambient;
pub mod cli;
pub mod config;
pub mod failure;
pub mod home;
pub mod keystore;
pub mod passphrase;
pub mod progress;
pub mod telemetry;

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "agent")]
pub mod intake;
