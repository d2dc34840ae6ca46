//! Asking witnesses to cosign this node's logs (C2SP tlog-witness, the log's end of it).
//!
//! A witness is believed nothing but its signature: a line that does not verify under its key is no answer (P-44). It may
//! be slow, away or wrong about the size it knows; then the others are asked all the same, and what went wrong is kept
//! for whoever asks how the witnesses are. A witness that holds more of a log than this node is a warning that this
//! store is not the newest one: its checkpoint is fetched for the host to judge (P-49).

mod ask;
mod connect;
mod http;
mod notes;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use karute_consent::id::PartyKey;
use karute_consent::time::Timestamp;
use karute_consent::vault::Witness;
use karute_protocol::cosignature::WitnessKey;

pub use ask::{AskError, NotCosigned, Question};
pub use connect::{Answered, Connect, MemoryAsked, MemoryWitnesses, NoAnswer};
pub use notes::WitnessNote;

/// A witness and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessEnd {
    /// Checks its cosignatures.
    pub key: WitnessKey,
    /// The prefix of its addresses, without a slash at its end.
    pub url: String,
}

/// How often witnesses are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The trail is cosigned at most once in this time.
    pub trail_every: Duration,
    /// A cosignature of a ledger's newest head that is not older than this is not asked for again, in seconds.
    pub ledger_fresh_secs: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { trail_every: Duration::from_secs(10), ledger_fresh_secs: 60 }
    }
}

/// The witnesses that the custodian chose, and the way to any witness.
pub struct Witnesses {
    chosen: Vec<WitnessEnd>,
    connect: Connect,
    pace: Pace,
    /// How each witness answered last. Locked for a look only.
    notes: Mutex<BTreeMap<PartyKey, WitnessNote>>,
}

impl Witnesses {
    /// These witnesses, asked over `connect`.
    pub fn new(chosen: Vec<WitnessEnd>, connect: Connect, pace: Pace) -> Self {
        Self { chosen, connect, pace, notes: Mutex::default() }
    }

    /// None chosen; witnesses that a vault names are asked over the network.
    pub fn none() -> Self {
        Self::new(Vec::new(), Connect::network(), Pace::default())
    }

    /// Those that the custodian chose: they cosign the trail.
    pub fn chosen(&self) -> &[WitnessEnd] {
        &self.chosen
    }

    /// How often they are asked.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Where a vault's witness is reached: where the custodian says, else at its name. `None` for a name that is no
    /// place on the web.
    pub fn end_of(&self, witness: &Witness) -> Option<WitnessEnd> {
        let key = WitnessKey::try_from(witness).ok()?;
        if let Some(chosen) = self.chosen.iter().find(|end| end.key == key) {
            return Some(chosen.clone());
        }
        let url = url_of_name(&witness.name)?;
        Some(WitnessEnd { key, url })
    }

    /// How each witness answered last, the chosen ones first.
    pub fn notes(&self) -> Vec<WitnessNote> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |end: &WitnessEnd| WitnessNote::of(end);
        let chosen = self.chosen.iter().map(|end| notes.get(&end.key.party.key()).cloned().unwrap_or(fresh(end)));
        let is_chosen = |key: &PartyKey| self.chosen.iter().any(|end| end.key.party.key() == *key);
        chosen.chain(notes.iter().filter(|(key, _)| !is_chosen(key)).map(|(_, note)| note.clone())).collect()
    }

    fn note(&self, end: &WitnessEnd, now: Timestamp, error: Option<&AskError>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = end.key.party.key();
        if notes.len() >= NOTES_MAX && !notes.contains_key(&key) {
            return; // witnesses that vaults name are without number
        }
        notes.entry(key).or_insert_with(|| WitnessNote::of(end)).add(now, error);
    }
}

/// A name such as `witness.example/w1` is a place on the web. Names that a vault brings must not lead this node to
/// another port, or to a number or a bare name of its own network.
fn url_of_name(name: &str) -> Option<String> {
    let host = name.split('/').next()?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/'));
    let last = host.rsplit('.').next()?;
    let named = host.contains('.') && last.bytes().any(|byte| byte.is_ascii_alphabetic());
    let local = matches!(last.to_ascii_lowercase().as_str(), "local" | "localhost" | "internal" | "lan" | "home");
    let whole = name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    (plain && named && !local && whole).then(|| format!("https://{name}"))
}

/// How often the trail is cosigned at most when nobody says otherwise.
pub const COSIGN_EVERY: Duration = Duration::from_secs(10);
/// Witnesses of which is kept how they answered.
const NOTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_a_place_on_the_web_and_nowhere_else() {
        assert_eq!(url_of_name("witness.example/w1").as_deref(), Some("https://witness.example/w1"));
        assert_eq!(url_of_name("witness.example").as_deref(), Some("https://witness.example"));
        for name in [
            "w1",
            "localhost/w1",
            "127.0.0.1/w1",
            "10.0.0.7",
            "a.local/w1",
            "x.LOCALHOST",
            "witness.example:8080/w1",
            "me@witness.example",
            "witness.example/../x",
            "witness.example/w1?x=1",
            "witness.example/",
            "/etc",
            "[::1]/w",
            "",
        ] {
            assert_eq!(url_of_name(name), None, "{name}");
        }
    }
}
