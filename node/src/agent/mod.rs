//! The side that holds a party's keys: its durable state, sealed at rest.

pub mod store;

pub use crate::keystore;
