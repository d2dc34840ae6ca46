//! `karute_tests::fuzz::finding_honest`, by coverage.

#![no_main]

karute_fuzz::target!(finding_honest);
