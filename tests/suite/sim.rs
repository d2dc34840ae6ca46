//! Simulated histories: 20,000 seeds, each a small world with a bad network, wrong clocks, crashes and, in half of them, a
//! host that lies. After every letter the oracle checks what must hold; at the end every lie that did harm was noticed,
//! and no honest host was accused.
//!
//! `KARUTE_SIM_SEEDS` is the number of seeds of each of the twenty tests (1,000 unless set); `KARUTE_SIM_SEED` plays one.

use std::collections::{BTreeMap, BTreeSet};

use karute_tests::sim::{Lie, Outcome, play};

/// Seeds of one test.
fn seeds_each() -> u64 {
    std::env::var("KARUTE_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1_000)
}

fn plays(block: u64) {
    let each = seeds_each();
    let mut outcomes = BTreeMap::new();
    for seed in block * each..(block + 1) * each {
        let outcome = play(seed).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        if seed % 100 == 7 {
            assert_eq!(play(seed).as_ref(), Ok(&outcome), "seed {seed} is another history the second time");
        }
        outcomes.insert(seed, outcome);
    }
    if each >= 1_000 {
        each_kind_occurred(&outcomes);
    }
}

/// A simulation in which nothing happens finds nothing: every lie did harm or was noticed, and much was done.
fn each_kind_occurred(outcomes: &BTreeMap<u64, Outcome>) {
    for lie in Lie::ALL {
        let told: Vec<_> = outcomes.values().filter(|outcome| outcome.lie == Some(lie)).collect();
        let noticed = |outcome: &&&Outcome| !outcome.findings.is_empty() || !outcome.alarms.is_empty();
        assert!(told.iter().filter(noticed).count() >= 3, "{lie:?} was told {} times and hardly noticed", told.len());
    }
    let findings: BTreeSet<_> = outcomes.values().flat_map(|outcome| outcome.findings.iter().copied()).collect();
    assert!(findings.len() >= 8, "only {findings:?} were ever found");
    let honest = outcomes.values().filter(|outcome| outcome.lie.is_none()).count();
    let sealed: u64 = outcomes.values().map(|outcome| outcome.sealed).sum();
    let not_fresh: u64 = outcomes.values().map(|outcome| outcome.not_fresh).sum();
    assert!(honest * 3 > outcomes.len() && sealed > 5 * outcomes.len() as u64 && not_fresh > 0);
}

macro_rules! blocks {
    ($($name:ident: $block:expr,)+) => {
        $(#[test]
        fn $name() {
            plays($block);
        })+
    };
}

blocks! {
    histories_00: 0, histories_01: 1, histories_02: 2, histories_03: 3, histories_04: 4,
    histories_05: 5, histories_06: 6, histories_07: 7, histories_08: 8, histories_09: 9,
    histories_10: 10, histories_11: 11, histories_12: 12, histories_13: 13, histories_14: 14,
    histories_15: 15, histories_16: 16, histories_17: 17, histories_18: 18, histories_19: 19,
}

/// One history by hand: `KARUTE_SIM_SEED=4711 cargo nextest run -p karute-tests -E 'test(one_history)' --no-capture`.
#[test]
fn one_history() {
    let seed = std::env::var("KARUTE_SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let outcome = play(seed).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    println!("seed {seed}: {outcome:?}");
    assert!(outcome.letters > 0);
}
