//! `karute_tests::fuzz::vkey`, by coverage.

#![no_main]

karute_fuzz::target!(vkey);
