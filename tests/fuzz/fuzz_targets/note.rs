//! `karute_tests::fuzz::note`, by coverage.

#![no_main]

karute_fuzz::target!(note);
