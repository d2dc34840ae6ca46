//! `karute_tests::fuzz::agent_state`, by coverage.

#![no_main]

karute_fuzz::target!(agent_state);
