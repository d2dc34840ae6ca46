//! `karute_tests::fuzz::cosigned`, by coverage.

#![no_main]

karute_fuzz::target!(cosigned);
