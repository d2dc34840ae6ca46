//! `karute_tests::fuzz::letter`, by coverage.

#![no_main]

karute_fuzz::target!(letter);
