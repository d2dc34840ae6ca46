//! `karute_tests::fuzz::consistency`, by coverage.

#![no_main]

karute_fuzz::target!(consistency);
