//! Fuzz targets: for every decoder one function that takes any bytes. What they hold against it is the same everywhere: it
//! ends without a panic, it takes no memory on the word of its input, what it accepts it writes again byte for byte, and
//! what nobody signed does not verify. Where a signature or a hash stands before the decoder, good values are edited and
//! signed again with the keys of the vectors.
//!
//! `fuzz/` (a workspace of its own, `scripts/fuzz`) runs them by coverage; `suite/fuzz.rs` replays the kept inputs and
//! changes them a bounded number of times.

pub mod edit;
pub mod good;
pub mod seeds;
pub mod source;

mod evidence;
mod findings;
mod intakes;
mod journals;
mod ledgers;
mod notes;
mod proofs;
mod records;
mod seals;
mod statements;
mod stores;
mod texts;
mod wire;
mod witnesses;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

macro_rules! targets {
    ($($room:ident: $($name:ident)+;)+) => {
        $(pub use $room::{$($name),+};)+
        /// Every target. Each has a program of its name in `fuzz/fuzz_targets`.
        pub const TARGETS: &[Target] = &[$($((stringify!($name), $room::$name),)+)+];
    };
}

targets! {
    statements: cbor statement statement_payload statement_edits;
    ledgers: ledger_items ledger decision;
    wire: message frame;
    proofs: inclusion consistency;
    notes: note vkey checkpoint checkpoint_edits;
    evidence: receipt receipt_edits trail_file proof_file directory;
    findings: finding finding_honest;
    witnesses: cosigned cosignature_edits add_checkpoint add_checkpoint_edits admission;
    seals: sealed sealing_key package roots root_list particulars letter label;
    records: meta body record bao_range;
    texts: recovery_code text config agent_state keystore;
    intakes: intake fhir dicom iso2022 jahis pdf;
    journals: journal journal_edits;
    stores: witness_store;
}
