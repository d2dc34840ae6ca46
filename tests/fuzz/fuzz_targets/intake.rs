//! `karute_tests::fuzz::intake`, by coverage.

#![no_main]

karute_fuzz::target!(intake);
