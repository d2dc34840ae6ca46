//! `karute_tests::fuzz::sealed`, by coverage.

#![no_main]

karute_fuzz::target!(sealed);
