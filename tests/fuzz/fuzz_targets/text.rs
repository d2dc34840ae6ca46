//! `karute_tests::fuzz::text`, by coverage.

#![no_main]

karute_fuzz::target!(text);
