//! The program `karute` as people run it: separate processes with separate folders, over real TCP on this machine.

mod disk;
mod finding;
mod forgets;
mod help;
mod journey;
mod kill;
mod liar;
mod program;
mod refusals;
mod watch;
mod witness;
