//! `karute_tests::fuzz::receipt_edits`, by coverage.

#![no_main]

karute_fuzz::target!(receipt_edits);
