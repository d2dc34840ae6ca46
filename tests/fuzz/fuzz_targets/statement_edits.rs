//! `karute_tests::fuzz::statement_edits`, by coverage.

#![no_main]

karute_fuzz::target!(statement_edits);
