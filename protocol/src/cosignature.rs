//! Cosignatures (C2SP tlog-cosignature, Ed25519): a witness's word that a log had only grown when it saw this head.
//!
//! A cosignature is one more signature line under a log's checkpoint, made over a header, a time and the checkpoint's
//! text. A line whose name and id belong to a known witness must verify, or the checkpoint is refused (P-44); lines of
//! keys that nobody asked about prove nothing. A witness that cosigns two trees of one size convicts itself.

use std::fmt;
use std::str::FromStr;

use karute_consent::id::PartyKey;
use karute_consent::party::{Identity, Party, Signature};
use karute_consent::time::Timestamp;
use karute_consent::vault::{Witness, WitnessSet};

use crate::note::{KeyId, KeyName, Note, NoteError, SignatureLine, read_lines, read_vkey, write_vkey};
use crate::trail::CheckpointText;

/// A name and the Ed25519 key that cosigns under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    /// Stands in the signature line.
    pub name: KeyName,
    /// Checks the signature.
    pub party: Party,
}

impl WitnessKey {
    /// The id that stands in this key's signature lines.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.name, TYPE_COSIGNATURE, &self.party)
    }

    /// The time of a line's signature over a text, if it verifies.
    fn check(&self, text: &str, line: &[u8]) -> Result<Timestamp, CosignatureError> {
        let (time, signature) = line.split_first_chunk().ok_or(CosignatureError::BadCosignature)?;
        let secs = u64::from_be_bytes(*time);
        let signature = Signature::from_slice(signature).ok_or(CosignatureError::BadCosignature)?;
        if secs > SECS_MAX {
            return Err(CosignatureError::BadCosignature); // P-44
        }
        let checked = self.party.check(message(text, secs).as_bytes(), &signature);
        checked.map_err(|_| CosignatureError::BadCosignature)?;
        Ok(Timestamp::from_secs(secs))
    }
}

impl fmt::Display for WitnessKey {
    /// The verifier key of type 0x04.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write_vkey(&self.name, TYPE_COSIGNATURE, &self.party))
    }
}

impl FromStr for WitnessKey {
    type Err = NoteError;

    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        read_vkey(vkey, TYPE_COSIGNATURE).map(|(name, party)| Self { name, party })
    }
}

impl TryFrom<&Witness> for WitnessKey {
    type Error = NoteError;

    /// The key of a witness that a charter or an authority names, if its name and its key can stand in a signed note.
    fn try_from(witness: &Witness) -> Result<Self, NoteError> {
        let party = Party::from_key(witness.key).map_err(|_| NoteError::BadKey)?;
        Ok(Self { name: witness.name.parse()?, party })
    }
}

impl From<&WitnessKey> for Witness {
    fn from(key: &WitnessKey) -> Self {
        Self { name: key.name.to_string(), key: key.party.key() }
    }
}

/// The signature line, with its newline, of a witness under a checkpoint's text. That the log only grew is the
/// caller's duty: see [`crate::witness`].
pub fn cosign(text: &str, name: &KeyName, identity: &Identity, time: Timestamp) -> String {
    line(text, name, identity, time).to_string()
}

pub(crate) fn line(text: &str, name: &KeyName, identity: &Identity, time: Timestamp) -> SignatureLine {
    let signature = identity.sign(message(text, time.secs()).as_bytes());
    let signature = [&time.secs().to_be_bytes()[..], signature.as_bytes()].concat();
    let id = KeyId::of(name, TYPE_COSIGNATURE, &identity.party());
    SignatureLine { name: name.clone(), id, signature }
}

/// What a witness signs.
fn message(text: &str, secs: u64) -> String {
    format!("cosignature/v1\ntime {secs}\n{text}")
}

impl CheckpointText {
    /// The newest time at which this witness cosigned, if it did; every line of it must verify (P-44).
    pub fn cosignature_of(&self, witness: &WitnessKey) -> Result<Option<Timestamp>, CosignatureError> {
        newest(&self.note()?, witness)
    }

    /// The text that log and witnesses sign: the note without its signature lines.
    pub fn body(&self) -> Result<String, CosignatureError> {
        Ok(self.note()?.unverified_text().to_owned())
    }

    /// This checkpoint with the cosignature of a witness from `lines`, such as its answer: the newest one that
    /// verifies takes the place of an older one. Lines of other keys are not taken over. Fails if the witness has no
    /// line there or one that does not verify.
    pub fn with_lines(&self, lines: &str, witness: &WitnessKey) -> Result<Self, CosignatureError> {
        let mut note = self.note()?;
        let id = witness.id();
        let mut best = None;
        for line in read_lines(lines).map_err(CosignatureError::Note)? {
            if line.id == id && line.name == witness.name {
                let time = witness.check(note.unverified_text(), &line.signature)?;
                best = best.filter(|(known, _)| *known >= time).or(Some((time, line)));
            }
        }
        let (time, line) = best.ok_or(CosignatureError::Note(NoteError::NoSignature))?;
        if newest(&note, witness)?.is_none_or(|known| known < time) {
            note.put_line(line).map_err(CosignatureError::Note)?;
        }
        Ok(Self(note.to_string()))
    }

    /// This checkpoint with the log's own lines only.
    pub fn without_cosignatures(&self) -> Result<Self, CosignatureError> {
        let mut note = self.note()?;
        let origin = note.unverified_text().lines().next().unwrap_or_default().to_owned();
        note.keep_lines(|line| line.name.as_str() == origin).map_err(CosignatureError::Note)?;
        Ok(Self(note.to_string()))
    }

    fn note(&self) -> Result<Note, CosignatureError> {
        Note::from_bytes(self.0.as_bytes()).map_err(CosignatureError::Note)
    }
}

fn newest(note: &Note, witness: &WitnessKey) -> Result<Option<Timestamp>, CosignatureError> {
    let lines = note.signatures_of(&witness.name, witness.id());
    let mut times = lines.map(|line| witness.check(note.unverified_text(), line));
    times.try_fold(None, |newest, time| Ok(newest.max(Some(time?))))
}

/// Who of a witness set cosigned a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessing {
    /// Since when the quorum stands: the `quorum`-th newest time; nothing below the quorum, or when it is 0 (P-46).
    pub at: Option<Timestamp>,
    /// The newest time of each witness of the set, in its order.
    pub each: Vec<(String, Option<Timestamp>)>,
}

/// Counts the cosignatures of a witness set. A key counts once, whatever names it has in the set (P-44, P-46).
/// The checkpoint itself is not verified here, only what the witnesses signed.
pub fn witnessed(checkpoint: &CheckpointText, set: &WitnessSet) -> Result<Witnessing, CosignatureError> {
    let note = checkpoint.note()?;
    let mut each = Vec::with_capacity(set.witnesses.len());
    let mut counted: Vec<(PartyKey, Timestamp)> = Vec::new();
    for witness in &set.witnesses {
        // A name or key that cannot stand in a note has signed none.
        let time = WitnessKey::try_from(witness).map_or(Ok(None), |key| newest(&note, &key))?;
        each.push((witness.name.clone(), time));
        let Some(time) = time else { continue };
        match counted.iter_mut().find(|(key, _)| *key == witness.key) {
            Some((_, known)) => *known = time.max(*known),
            None => counted.push((witness.key, time)),
        }
    }
    let mut times: Vec<_> = counted.into_iter().map(|(_, time)| time).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    let at = usize::from(set.quorum).checked_sub(1).and_then(|last| times.get(last)).copied();
    Ok(Witnessing { at, each })
}

/// Why cosignatures cannot be read, or refuse the checkpoint that carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// The note or a line is malformed, or no line of the witness is there.
    #[error("cosigned note refused")]
    Note(#[source] NoteError),
    /// A line under the witness's name and id does not verify, or its time is out of range (P-44).
    #[error("cosignature does not verify")]
    BadCosignature,
}

/// The signature type of Ed25519 over a timed checkpoint.
const TYPE_COSIGNATURE: u8 = 0x04;
/// The last time that the format allows.
const SECS_MAX: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests;
