//! `karute_tests::fuzz::finding`, by coverage.

#![no_main]

karute_fuzz::target!(finding);
