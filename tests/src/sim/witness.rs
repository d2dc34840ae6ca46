//! The witnesses of a simulated history: the protocol's own judge over a state that survives a crash, and nothing else.

use std::collections::HashMap;

use karute_consent::time::Timestamp;
use karute_protocol::merkle::TreeHead;
use karute_protocol::note::NoteKey;
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::witness::{AddCheckpoint, WitnessRefusal, log_key};

use super::cast::CAST;
use super::letters::Which;

pub(super) struct SimWitness {
    number: usize,
    /// Seconds that its clock is ahead or behind.
    skew: i64,
    /// On disk before an answer leaves.
    stored: HashMap<Which, TreeHead>,
    pub(super) is_up: bool,
    /// Everything it ever signed, for the oracle: a witness that forgets is a witness that lies.
    pub(super) signed: Vec<(Which, TreeHead, u64)>,
}

impl SimWitness {
    pub(super) fn new(number: usize, skew: i64) -> Self {
        Self { number, skew, stored: HashMap::new(), is_up: true, signed: Vec::new() }
    }

    /// Judges a request; `Err` is the size that it knows, or just a no.
    pub(super) fn answer(&mut self, log: (Which, Log), body: &[u8], now: u64) -> Result<String, Option<u64>> {
        let (which, log) = log;
        let asked = AddCheckpoint::from_bytes(body).map_err(|_| None)?;
        let key: NoteKey = log_key(log, CAST.node()).ok_or(None)?;
        let admissible = asked.judge(&[key], self.stored.get(&which).copied()).map_err(|refusal| match refusal {
            WitnessRefusal::Conflict { size } => Some(size),
            _ => None,
        })?;
        let head = admissible.head();
        self.stored.insert(which, head);
        let time = now.saturating_add_signed(self.skew);
        self.signed.push((which, head, now));
        let (name, key) = (&CAST.witness_keys[self.number].name, &CAST.witnesses[self.number]);
        Ok(admissible.cosign(name, key, Timestamp::from_secs(time)).line)
    }
}

/// The checkpoint with what a witness added to it, if that holds.
pub(super) fn joined(checkpoint: &CheckpointText, lines: &str, witness: usize) -> Option<CheckpointText> {
    checkpoint.with_lines(lines, &CAST.witness_keys[witness]).ok()
}
