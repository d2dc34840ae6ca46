//! `karute_tests::fuzz::root_list`, by coverage.

#![no_main]

karute_fuzz::target!(root_list);
