//! `karute_tests::fuzz::config`, by coverage.

#![no_main]

karute_fuzz::target!(config);
