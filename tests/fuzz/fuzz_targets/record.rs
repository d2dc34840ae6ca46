//! `karute_tests::fuzz::record`, by coverage.

#![no_main]

karute_fuzz::target!(record);
