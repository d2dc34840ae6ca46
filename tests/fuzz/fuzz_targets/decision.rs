//! `karute_tests::fuzz::decision`, by coverage.

#![no_main]

karute_fuzz::target!(decision);
