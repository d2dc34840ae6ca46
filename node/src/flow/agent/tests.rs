//! The agent's deeds against a real host in the same process: real keys, real store, a stream in memory.

mod auditing;
mod cast;
mod cuts;
mod devices;
mod fresh;
mod heads;
mod lies;
mod ranges;
mod sharing;
