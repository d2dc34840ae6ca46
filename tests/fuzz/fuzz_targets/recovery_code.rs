//! `karute_tests::fuzz::recovery_code`, by coverage.

#![no_main]

karute_fuzz::target!(recovery_code);
