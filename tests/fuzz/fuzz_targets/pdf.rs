//! `karute_tests::fuzz::pdf`, by coverage.

#![no_main]

karute_fuzz::target!(pdf);
