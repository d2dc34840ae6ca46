//! Random histories against a reference: two patients, three facilities, a real host, and a model made of plain sets.
//!
//! A history is a list of operations ([`op`]). Each is played with the real agents and the real host ([`play`]) and with
//! the reference ([`reference`]), which is written from the specifications alone. After each operation the invariants
//! are looked at ([`probe`]): what can be read is what the reference says, byte for byte; the trail has no gap and every
//! permitted reading is in it; what is revoked is never read; what is deposited after a revocation does not open with
//! any key that the revoked holder was ever given. What once went wrong stands in [`found`] and is played first.
//!
//! `KARUTE_MODEL_CASES` sets the number of histories, `KARUTE_MODEL_SECS` how long new ones are begun.

mod fetching;
mod found;
mod granting;
mod op;
mod play;
mod probe;
mod reference;

use std::cell::Cell;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use op::Op;
use play::{Tally, play};

/// Histories unless the environment says otherwise.
const CASES: u64 = 40;
/// Seconds in which new histories are begun, unless the environment says otherwise.
const SECS: u64 = 150;
/// Operations of the longest history.
const OPS: usize = 40;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Plays a history in a world of its own.
fn run(seed: u64, ops: &[Op]) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(play(seed, ops))
}

#[test]
fn random_histories_end_as_the_reference_says() {
    let cases = from_environment("KARUTE_MODEL_CASES", CASES);
    let until = Instant::now() + Duration::from_secs(from_environment("KARUTE_MODEL_SECS", SECS));
    let all = Cell::new(Tally::default());
    let config = Config { cases: cases as u32, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let histories = (0..1000_u64, proptest::collection::vec(op::ops(), 1..=OPS));
    let outcome = TestRunner::new(config).run(&histories, |(seed, ops)| {
        if Instant::now() > until {
            return Ok(());
        }
        all.set(all.get().with(run(seed, &ops).map_err(TestCaseError::fail)?));
        Ok(())
    });
    println!("{:?}", all.get());
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let Tally { histories, records, grants, revoked, reads, .. } = all.get();
    assert!(
        histories > 0 && (histories < 10 || [records, grants, revoked, reads as usize].iter().all(|some| *some > 0))
    );
}

#[test]
fn what_was_found_before_stays_right() {
    for (name, seed, ops) in found::found() {
        run(seed, &ops).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    }
}
