//! `karute_tests::fuzz::particulars`, by coverage.

#![no_main]

karute_fuzz::target!(particulars);
