//! `karute_tests::fuzz::bao_range`, by coverage.

#![no_main]

karute_fuzz::target!(bao_range);
