//! `karute_tests::fuzz::inclusion`, by coverage.

#![no_main]

karute_fuzz::target!(inclusion);
