//! `karute_tests::fuzz::dicom`, by coverage.

#![no_main]

karute_fuzz::target!(dicom);
