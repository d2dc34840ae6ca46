//! `karute_tests::fuzz::statement`, by coverage.

#![no_main]

karute_fuzz::target!(statement);
