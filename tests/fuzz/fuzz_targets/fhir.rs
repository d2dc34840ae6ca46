//! `karute_tests::fuzz::fhir`, by coverage.

#![no_main]

karute_fuzz::target!(fhir);
