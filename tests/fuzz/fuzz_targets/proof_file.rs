//! `karute_tests::fuzz::proof_file`, by coverage.

#![no_main]

karute_fuzz::target!(proof_file);
