//! `karute_tests::fuzz::message`, by coverage.

#![no_main]

karute_fuzz::target!(message);
