//! `karute_tests::fuzz::frame`, by coverage.

#![no_main]

karute_fuzz::target!(frame);
