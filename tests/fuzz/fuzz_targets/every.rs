//! Any target, by its name in the variable KARUTE_FUZZ_TARGET: one program to build and to link where fifty would take
//! gigabytes. `scripts/fuzz` runs this one.

#![no_main]

use std::sync::LazyLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| karute_fuzz::bounded(*TARGET, data));

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("KARUTE_FUZZ_TARGET").expect("KARUTE_FUZZ_TARGET names a target");
    let known = karute_tests::fuzz::TARGETS.iter().find(|(name, _)| *name == wanted);
    known.unwrap_or_else(|| panic!("no target is called {wanted}")).1
});
