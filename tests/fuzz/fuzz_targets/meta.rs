//! `karute_tests::fuzz::meta`, by coverage.

#![no_main]

karute_fuzz::target!(meta);
