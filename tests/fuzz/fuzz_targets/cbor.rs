//! `karute_tests::fuzz::cbor`, by coverage.

#![no_main]

karute_fuzz::target!(cbor);
