//! The store as a whole, on real files: what is committed is there again after every kind of ending.

mod cast;
mod deeds;
mod events;
mod rebuild;
