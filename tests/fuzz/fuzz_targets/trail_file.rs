//! `karute_tests::fuzz::trail_file`, by coverage.

#![no_main]

karute_fuzz::target!(trail_file);
