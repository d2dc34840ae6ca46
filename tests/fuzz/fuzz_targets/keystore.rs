//! `karute_tests::fuzz::keystore`, by coverage.

#![no_main]

karute_fuzz::target!(keystore);
