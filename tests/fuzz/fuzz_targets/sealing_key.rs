//! `karute_tests::fuzz::sealing_key`, by coverage.

#![no_main]

karute_fuzz::target!(sealing_key);
