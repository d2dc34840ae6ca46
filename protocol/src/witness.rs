//! What a witness decides (C2SP tlog-witness), without its socket and its disk.
//!
//! A request shows a checkpoint and a proof that it extends the one which the witness signed last. It is judged by that
//! one, and only what was judged can be cosigned. Its owner must judge and store as one step, and store before it lets
//! the signature go (P-45): two requests judged by one state could be signed in the wrong order.
//!
//! Trusted for: no two roots of one size, and no smaller size after a greater one, under a witness's signature.

mod admission;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use karute_consent::id::{NodeId, VaultId};
use karute_consent::party::{Identity, Party};
use karute_consent::time::Timestamp;

use crate::checkpoint::{Checkpoint, CheckpointError, parse_size};
use crate::cosignature;
use crate::limits;
use crate::merkle::{TreeHash, TreeHead, verify_consistency};
use crate::note::{KeyName, Note, NoteError, NoteKey};
use crate::trail::{CheckpointText, Log};

pub use admission::{Admission, AdmissionError, Admitted};

/// A request to cosign: the size that the witness is thought to have, a proof from there, and the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    old: u64,
    proof: Vec<TreeHash>,
    checkpoint: Checkpoint,
    /// The lines after the third, which logs that are not ours may write.
    extended: bool,
    note: Note,
}

impl AddCheckpoint {
    /// Asks to have a checkpoint cosigned that extends one of `old` leaves, which `proof` shows.
    pub fn new(old: u64, proof: Vec<TreeHash>, checkpoint: &CheckpointText) -> Result<Self, WitnessRefusal> {
        let note = Note::from_bytes(checkpoint.0.as_bytes()).map_err(|_| WitnessRefusal::BadRequest)?;
        let (checkpoint, extension) = Checkpoint::from_extended_text(note.unverified_text()).map_err(refusal)?;
        let extended = !extension.is_empty();
        if proof.len() > limits::WITNESS_PROOF_LEN_MAX {
            return Err(WitnessRefusal::BadRequest);
        }
        Ok(Self { old, proof, checkpoint, extended, note })
    }

    /// Reads the body of a request, which must be exactly one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WitnessRefusal> {
        if bytes.len() > limits::ADD_CHECKPOINT_LEN_MAX {
            return Err(WitnessRefusal::BadRequest);
        }
        let text = str::from_utf8(bytes).map_err(|_| WitnessRefusal::BadRequest)?;
        let (head, note) = text.split_once("\n\n").ok_or(WitnessRefusal::BadRequest)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix(OLD_MARK)).and_then(parse_size);
        let old = old.ok_or(WitnessRefusal::BadRequest)?;
        let most = limits::WITNESS_PROOF_LEN_MAX + 1;
        let proof: Option<Vec<_>> = lines.take(most).map(parse_hash).collect();
        Self::new(old, proof.ok_or(WitnessRefusal::BadRequest)?, &CheckpointText(note.to_owned()))
    }

    /// The body as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// The log that it speaks of.
    pub fn origin(&self) -> &KeyName {
        &self.checkpoint.origin
    }

    /// What it claims; nothing of it counts before [`AddCheckpoint::judge`].
    pub fn unverified_head(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// Judges the request by the keys that sign for its origin, and by the head that was cosigned last for it.
    ///
    /// The steps are those of tlog-witness, in its order; several keys are those of a log that changes its key.
    pub fn judge(&self, keys: &[NoteKey], known: Option<TreeHead>) -> Result<Admissible, WitnessRefusal> {
        let keys: Vec<_> = keys.iter().filter(|key| key.name == self.checkpoint.origin).collect();
        if keys.is_empty() {
            return Err(WitnessRefusal::UnknownOrigin);
        }
        self.check_signatures(&keys)?;
        if self.extended && Origin::of(&self.checkpoint.origin) != Origin::Foreign {
            return Err(WitnessRefusal::BadRequest); // P-23
        }
        let head = self.checkpoint.head;
        if self.old > head.size {
            return Err(WitnessRefusal::BadRequest);
        }
        let known = known.unwrap_or(TreeHead { size: 0, root: TreeHash::of_empty_tree() });
        if self.old != known.size {
            return Err(WitnessRefusal::Conflict { size: known.size });
        }
        if head.size == 0 && head.root != TreeHash::of_empty_tree() {
            return Err(WitnessRefusal::Unprocessable);
        }
        verify_consistency(&known, &head, &self.proof).map_err(|_| WitnessRefusal::Unprocessable)?;
        Ok(Admissible { head, note: self.note_of(&keys)? })
    }

    /// The note with one line of each key that signed.
    fn note_of(&self, keys: &[&NoteKey]) -> Result<Note, WitnessRefusal> {
        let mut note = self.note.clone();
        let kept = note.keep_lines(|line| keys.iter().any(|key| line.name == key.name && line.id == key.id()));
        kept.map_err(|_| WitnessRefusal::Forbidden)?;
        note.keep_one_line_of_each();
        if note.lines() < limits::NOTE_SIGNATURES_MAX { Ok(note) } else { Err(WitnessRefusal::Forbidden) }
    }

    /// One key at least must have signed, and no line under a known key's name and id may be wrong.
    fn check_signatures(&self, keys: &[&NoteKey]) -> Result<(), WitnessRefusal> {
        let mut signed = false;
        for key in keys {
            match self.note.verify(key) {
                Ok(_) => signed = true,
                Err(NoteError::NoSignature) => {}
                Err(_) => return Err(WitnessRefusal::Forbidden),
            }
        }
        if signed { Ok(()) } else { Err(WitnessRefusal::Forbidden) }
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{OLD_MARK}{}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash.0)))?;
        write!(f, "\n{}", self.note)
    }
}

/// A checkpoint that may be cosigned, once its head is stored. Only [`AddCheckpoint::judge`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admissible {
    head: TreeHead,
    /// With the log's own lines only, and room for one more.
    note: Note,
}

impl Admissible {
    /// What has to be on disk before the cosignature leaves.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Cosigns: the witness's line, and the checkpoint with the log's lines and this one.
    pub fn cosign(mut self, name: &KeyName, witness: &Identity, now: Timestamp) -> Cosigned {
        let line = cosignature::line(self.note.unverified_text(), name, witness, now);
        let answer = line.to_string();
        self.note.put_line(line).expect("judge left room for one line");
        Cosigned { line: answer, checkpoint: CheckpointText(self.note.to_string()) }
    }
}

/// What a witness gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The answer: one signature line with its newline.
    pub line: String,
    /// For who asks for the newest checkpoint: the log's lines and this one.
    pub checkpoint: CheckpointText,
}

/// Whose log an origin names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The trail of a node, which signs it.
    Trail(NodeId),
    /// The ledger of a vault; its home node signs it.
    Ledger(VaultId),
    /// Begins like ours and is none of them: nobody signs for it.
    Unknown,
    /// A log that is not karute's.
    Foreign,
}

impl Origin {
    /// Reads an origin; ours have one spelling.
    pub fn of(origin: &KeyName) -> Self {
        let Some(ours) = origin.as_str().strip_prefix("karute/") else {
            return Self::Foreign;
        };
        let trail = ours.strip_prefix("trail/").and_then(|node| node.parse().ok()).map(Self::Trail);
        let ledger = || ours.strip_prefix("ledger/").and_then(|vault| vault.parse().ok()).map(Self::Ledger);
        trail.or_else(ledger).unwrap_or(Self::Unknown)
    }
}

/// The key by which a node signs checkpoints of one of its logs; none if the node id is no usable key.
pub fn log_key(log: Log, node: NodeId) -> Option<NoteKey> {
    let party = Party::from_key(node.key()).ok()?;
    Some(NoteKey { name: log.origin(node), party })
}

/// Why a witness does not cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefusal {
    /// Not a request of the form that tlog-witness gives it.
    #[error("not a request to cosign")]
    BadRequest,
    /// The witness knows no log of this origin.
    #[error("unknown origin")]
    UnknownOrigin,
    /// Not signed by a key of this origin.
    #[error("not signed by the log")]
    Forbidden,
    /// The witness signed another size last.
    #[error("the newest head cosigned is of size {size}")]
    Conflict {
        /// The size that it signed last.
        size: u64,
    },
    /// The checkpoint does not extend the one that was signed last.
    #[error("the checkpoint does not extend the one cosigned last")]
    Unprocessable,
}

impl WitnessRefusal {
    /// The HTTP status code that tlog-witness gives it.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::UnknownOrigin => 404,
            Self::Conflict { .. } => 409,
            Self::Unprocessable => 422,
        }
    }
}

/// The size in the body of a conflict's answer: decimal digits and a newline.
pub fn read_conflict(body: &str) -> Option<u64> {
    body.strip_suffix('\n').and_then(parse_size)
}

/// An origin that is no key name is well formed and nobody's here.
fn refusal(error: CheckpointError) -> WitnessRefusal {
    if error == CheckpointError::BadOrigin { WitnessRefusal::UnknownOrigin } else { WitnessRefusal::BadRequest }
}

fn parse_hash(line: &str) -> Option<TreeHash> {
    BASE64.decode(line).ok()?.try_into().ok().map(TreeHash)
}

const OLD_MARK: &str = "old ";

#[cfg(test)]
mod tests;
