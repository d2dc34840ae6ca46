//! `karute_tests::fuzz::witness_store`, by coverage.

#![no_main]

karute_fuzz::target!(witness_store);
