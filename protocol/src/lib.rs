//! # karute-protocol: speaks
//!
//! Bytes in, bytes out. What is sealed here can be opened by the holder of a key and by nobody else; what is logged
//! here can be proven and not taken back. The crate is pure: no clock, randomness, file, socket, async or logging;
//! time and entropy are arguments. The half that opens stands behind the cargo feature `open`, which a host has not.

// Tests may: a panic is how a test says no. What is not a test is checked in the build without them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aead;
pub mod archive;
pub mod bao;
pub mod body;
pub mod checkpoint;
pub mod cosignature;
pub mod directory;
pub mod finding;
pub mod freshness;
pub mod hpke;
pub mod keys;
pub mod label;
pub mod limits;
pub mod merkle;
pub mod message;
pub mod note;
pub mod package;
pub mod padding;
pub mod particulars;
pub mod record;
pub mod recovery;
pub mod run;
pub mod trail;
pub mod wire;
pub mod witness;
