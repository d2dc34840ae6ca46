//! `karute_tests::fuzz::admission`, by coverage.

#![no_main]

karute_fuzz::target!(admission);
