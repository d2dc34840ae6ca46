//! `karute_tests::fuzz::roots`, by coverage.

#![no_main]

karute_fuzz::target!(roots);
