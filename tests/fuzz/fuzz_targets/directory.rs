//! `karute_tests::fuzz::directory`, by coverage.

#![no_main]

karute_fuzz::target!(directory);
