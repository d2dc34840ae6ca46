//! `karute_tests::fuzz::journal`, by coverage.

#![no_main]

karute_fuzz::target!(journal);
