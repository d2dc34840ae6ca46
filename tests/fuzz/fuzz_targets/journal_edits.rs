//! `karute_tests::fuzz::journal_edits`, by coverage.

#![no_main]

karute_fuzz::target!(journal_edits);
