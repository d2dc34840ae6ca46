//! `karute_tests::fuzz::label`, by coverage.

#![no_main]

karute_fuzz::target!(label);
