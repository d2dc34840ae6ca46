//! `karute_tests::fuzz::add_checkpoint_edits`, by coverage.

#![no_main]

karute_fuzz::target!(add_checkpoint_edits);
