//! `karute_tests::fuzz::iso2022`, by coverage.

#![no_main]

karute_fuzz::target!(iso2022);
