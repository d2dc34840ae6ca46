//! The one integration test binary: every deed, every attack, and the rules of the house. One binary, because each
//! further one links libp2p again.

#![allow(clippy::unwrap_used)] // tests may: a panic is how a test says no, and its line is the message
#![allow(clippy::type_complexity)] // a table of cases holds functions, each used once; names for their types would say less

mod c2sp;
mod cli;
mod deeds;
mod fuzz;
mod lies;
mod matrix;
mod model;
mod schedules;
mod sim;
mod tamper;
mod tidy;
mod vectors;
mod world;
