//! karute-node acts: the only crate with disk, network, clock, randomness and terminal.
//!
//! One binary, two sides. The **host** side keeps vaults it cannot read; the **agent** side (cargo feature `agent`)
//! holds a party's keys. Modules of the host side name nothing of the agent side, and a build without the feature
//! holds no code that opens a record.

// Tests may: a panic is how a test says no. What is not a test is checked in the build without them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod ambient;
pub mod cli;
pub mod config;
pub mod cosign;
pub mod failure;
pub mod flow;
pub mod frame;
pub mod home;
pub mod keystore;
pub mod net;
pub mod node_keys;
pub mod passphrase;
pub mod progress;
pub mod telemetry;
pub mod vault;
pub mod witness;

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "agent")]
pub mod intake;
