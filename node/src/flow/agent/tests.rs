//! The agent's deeds against a real host in the same process: real keys, real store, a stream in memory.

mod cast;
mod cuts;
mod devices;
mod lies;
mod ranges;
mod sharing;
