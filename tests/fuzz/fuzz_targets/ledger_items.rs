//! `karute_tests::fuzz::ledger_items`, by coverage.

#![no_main]

karute_fuzz::target!(ledger_items);
