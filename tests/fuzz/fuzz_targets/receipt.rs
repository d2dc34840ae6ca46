//! `karute_tests::fuzz::receipt`, by coverage.

#![no_main]

karute_fuzz::target!(receipt);
