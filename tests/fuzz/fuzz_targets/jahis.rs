//! `karute_tests::fuzz::jahis`, by coverage.

#![no_main]

karute_fuzz::target!(jahis);
