//! `karute_tests::fuzz::add_checkpoint`, by coverage.

#![no_main]

karute_fuzz::target!(add_checkpoint);
