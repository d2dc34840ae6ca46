//! The program `karute` as people run it: separate processes with separate folders, over real TCP on this machine.

mod disk;
mod help;
mod journey;
mod kill;
mod program;
mod refusals;
