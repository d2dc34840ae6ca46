//! `karute_tests::fuzz::statement_payload`, by coverage.

#![no_main]

karute_fuzz::target!(statement_payload);
