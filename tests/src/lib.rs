//! What the tests of karute stand on: the world in which a whole history is played with real agents and a real host.

pub mod fuzz;
pub mod liar;
pub mod sim;
pub mod vectors;
pub mod world;
