//! `karute_tests::fuzz::cosignature_edits`, by coverage.

#![no_main]

karute_fuzz::target!(cosignature_edits);
