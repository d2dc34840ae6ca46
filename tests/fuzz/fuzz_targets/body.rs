//! `karute_tests::fuzz::body`, by coverage.

#![no_main]

karute_fuzz::target!(body);
