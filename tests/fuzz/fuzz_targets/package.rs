//! `karute_tests::fuzz::package`, by coverage.

#![no_main]

karute_fuzz::target!(package);
