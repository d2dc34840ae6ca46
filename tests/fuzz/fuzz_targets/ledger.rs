//! `karute_tests::fuzz::ledger`, by coverage.

#![no_main]

karute_fuzz::target!(ledger);
