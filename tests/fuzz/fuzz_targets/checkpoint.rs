//! `karute_tests::fuzz::checkpoint`, by coverage.

#![no_main]

karute_fuzz::target!(checkpoint);
