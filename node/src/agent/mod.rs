//! The side that holds a party's keys: its durable state, sealed at rest.

pub mod connect;
pub mod error;
pub mod facility;
pub mod finding_file;
pub mod freshness;
pub mod heads;
pub mod keep;
pub mod keyring;
pub mod link;
pub mod patient;
pub mod store;
pub mod trail_file;
pub mod view;

pub use crate::keystore;
