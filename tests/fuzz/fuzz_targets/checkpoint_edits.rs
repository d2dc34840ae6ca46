//! `karute_tests::fuzz::checkpoint_edits`, by coverage.

#![no_main]

karute_fuzz::target!(checkpoint_edits);
