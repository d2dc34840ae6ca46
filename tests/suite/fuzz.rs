//! The inputs of the fuzz targets, replayed: the seeds, and everything that once broke something. Each is also changed a
//! bounded number of times from a fixed seed, so that a run of the suite tries the same thousands of inputs every time.
//! `scripts/fuzz` looks further, by coverage.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use karute_tests::fuzz::{TARGETS, Target};

/// Changed inputs made from each kept one.
const CHANGES: u64 = 300;
/// Most time for the changes of one target; the kept inputs are always tried, all of them.
const TIME: Duration = Duration::from_millis(1000);

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind)
}

/// The kept inputs of a target, by name.
fn kept(kind: &str, target: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder(kind).join(target)) else { return Vec::new() };
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

/// Runs a target on an input; says which input it was that broke it, and keeps that one.
#[track_caller]
fn run((name, target): Target, from: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let digest = name_of(input);
        let path = folder("found").join(name).join(format!("changed-{digest:016x}"));
        let written = fs::create_dir_all(path.parent().unwrap()).and_then(|()| fs::write(&path, input));
        panic!("{name} broke on an input from {from}; it is kept in {}: {written:?}", path.display());
    }
}

/// A short name for an input.
fn name_of(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A small generator of choices (xorshift64*): the same choices for the same seed, on every machine.
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// The input changed in one to four places: a bit, a byte, a cut, a repetition, a piece of another input.
fn changed(input: &[u8], other: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=choices.below(4) {
        let at = choices.below(bytes.len());
        match choices.below(7) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << choices.below(8),
            2 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x5f, 0x1b][choices.below(7)],
            3 => bytes.truncate(at),
            4 => {
                let (from, len) = (choices.below(other.len()), choices.below(40));
                let piece = other.iter().skip(from).take(len).copied();
                bytes.splice(at..(at + len).min(bytes.len()), piece);
            }
            5 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(choices.below(20)).copied().collect();
                bytes.splice(at..at, piece);
            }
            _ => bytes.insert(at, choices.next() as u8),
        }
    }
    bytes
}

/// Replays a target's kept inputs and changes them; how many inputs were tried.
fn replay(target: Target) -> usize {
    let inputs = [kept("corpus", target.0), kept("found", target.0)].concat();
    inputs.iter().for_each(|(name, input)| run(target, name, input));
    let (mut tried, started) = (inputs.len(), Instant::now());
    let mut choices = Choices(0x6b61_7275_7465 ^ name_of(target.0.as_bytes()));
    // Round by round, so that a slow target tries something of each of its inputs.
    for _ in 0..CHANGES {
        for (name, input) in &inputs {
            if started.elapsed() > TIME {
                return tried;
            }
            let other = &inputs[choices.below(inputs.len())].1;
            run(target, name, &changed(input, other, &mut choices));
            tried += 1;
        }
    }
    tried
}

/// Replays a quarter of the targets: the runner takes the quarters side by side.
fn replay_quarter(first: usize) {
    let tried: usize = TARGETS.iter().skip(first).step_by(4).map(|target| replay(*target)).sum();
    assert!(tried > 500, "only {tried} inputs were tried");
}

#[test]
fn kept_inputs_and_their_changes_keep_what_the_targets_hold_in_the_first_quarter() {
    replay_quarter(0);
}

#[test]
fn kept_inputs_and_their_changes_keep_what_the_targets_hold_in_the_second_quarter() {
    replay_quarter(1);
}

#[test]
fn kept_inputs_and_their_changes_keep_what_the_targets_hold_in_the_third_quarter() {
    replay_quarter(2);
}

#[test]
fn kept_inputs_and_their_changes_keep_what_the_targets_hold_in_the_last_quarter() {
    replay_quarter(3);
}

#[test]
fn every_target_has_its_program_and_its_seeds() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len(), "two targets of one name");
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in &names {
        let program = fs::read_to_string(folder("fuzz_targets").join(name).with_extension("rs")).unwrap();
        assert!(program.contains(&format!("target!({name});")), "{name}.rs calls another target");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in the manifest");
        assert!(!kept("corpus", name).is_empty(), "{name} has no seed: scripts/fuzz --seed");
    }
    for kind in ["corpus", "found", "fuzz_targets"] {
        let Ok(entries) = fs::read_dir(folder(kind)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(names.contains(&name) || name == "every", "{} belongs to no target", path.display());
        }
    }
}

#[test]
fn a_target_that_breaks_is_noticed() {
    let breaks: Target = ("a target that breaks", |data| assert!(data.len() < 3, "too long"));
    assert!(catch_unwind(|| run(breaks, "here", &[1, 2])).is_ok());
    assert!(catch_unwind(|| breaks.1(&[1, 2, 3])).is_err());
    let (mut one, mut same) = (Choices(7), Choices(7));
    let change = |choices: &mut Choices| (0..50).map(|_| changed(&[9; 40], &[8; 40], choices)).collect::<Vec<_>>();
    let changes = change(&mut one);
    assert_eq!(changes, change(&mut same), "the same changes every time");
    assert!(changes.iter().filter(|changed| **changed != [9; 40]).count() > 40);
}
