//! Checkpoints (C2SP tlog-checkpoint): a log's signed word on how long it is and what its root is.
//!
//! Three lines: origin, size, root. A log never signs two that do not extend one another, so any two checkpoints of one
//! origin either have a consistency proof or convict the log. Extension lines are refused: nothing audits them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use karute_consent::party::Identity;

use crate::limits;
use crate::merkle::{TreeHash, TreeHead};
use crate::note::{KeyName, Note, NoteError, NoteKey};

/// What a log states about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log; also the name of the key that signs.
    pub origin: KeyName,
    /// Its leaves and their root.
    pub head: TreeHead,
}

impl Checkpoint {
    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.head.size, BASE64.encode(self.head.root.0))
    }

    /// Reads the three lines; every other spelling of the same is refused.
    pub fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let (checkpoint, extension) = Self::from_extended_text(text)?;
        if !extension.is_empty() {
            return Err(CheckpointError::NotThreeLines);
        }
        if checkpoint.head.size == 0 && checkpoint.head.root != TreeHash::of_empty_tree() {
            return Err(CheckpointError::BadRoot);
        }
        Ok(checkpoint)
    }

    /// Reads a checkpoint that may have extension lines, as other logs than ours may write them: what the three lines
    /// say, and the rest. That an empty log has the empty root is not looked at here.
    pub(crate) fn from_extended_text(text: &str) -> Result<(Self, &str), CheckpointError> {
        let mut parts = text.splitn(4, '\n');
        let (Some(origin), Some(size), Some(root), Some(extension)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(CheckpointError::NotThreeLines);
        };
        let whole = extension.strip_suffix('\n').is_none_or(|lines| lines.split('\n').all(|line| !line.is_empty()));
        if !whole || !text.ends_with('\n') {
            return Err(CheckpointError::NotThreeLines);
        }
        let origin = origin.parse().map_err(|_| CheckpointError::BadOrigin)?;
        let size = parse_size(size).ok_or(CheckpointError::BadSize)?;
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(CheckpointError::BadRoot)?;
        Ok((Self { origin, head: TreeHead { size, root: TreeHash(root) } }, extension))
    }

    /// Signs under the origin as key name. That the log's earlier checkpoints are extended is the caller's duty.
    pub fn sign(&self, log: &Identity) -> SignedCheckpoint {
        let note = Note::sign(self.text(), self.origin.clone(), log);
        SignedCheckpoint(note.expect("a key name, digits and base64, each with its newline, are note text"))
    }
}

/// A checkpoint as it travels: nothing of it counts before [`SignedCheckpoint::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint(Note);

impl SignedCheckpoint {
    /// Reads the note around a checkpoint.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Note::from_bytes(bytes).map(Self).map_err(CheckpointError::Note)
    }

    /// The note as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }

    /// The checkpoint, if the log with this key signed it under its own origin (P-23).
    pub fn verify(&self, log: &NoteKey) -> Result<Checkpoint, CheckpointError> {
        let text = self.0.verify(log).map_err(CheckpointError::Note)?;
        let checkpoint = Checkpoint::from_text(text)?;
        if checkpoint.origin != log.name {
            return Err(CheckpointError::OtherOrigin);
        }
        Ok(checkpoint)
    }

    /// The log that it says it is of: says which key has to have signed it, and nothing else.
    pub(crate) fn unverified_origin(&self) -> Option<KeyName> {
        self.0.unverified_text().lines().next()?.parse().ok()
    }

    /// Takes over further signatures of the same checkpoint, such as a witness's.
    pub fn join(&mut self, other: Self) -> Result<(), CheckpointError> {
        self.0.join(other.0).map_err(CheckpointError::Note)
    }
}

/// Decimal digits without a leading zero, within the cap.
pub(crate) fn parse_size(digits: &str) -> Option<u64> {
    let size: u64 = digits.parse().ok()?;
    (size.to_string() == digits && size <= limits::TREE_SIZE_MAX).then_some(size)
}

/// Why something is not a checkpoint of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is malformed or not signed by this log.
    #[error("checkpoint note refused")]
    Note(#[source] NoteError),
    /// There are more or fewer lines than origin, size and root.
    #[error("a checkpoint has exactly three lines")]
    NotThreeLines,
    /// The origin is not a key name.
    #[error("checkpoint origin is not a key name")]
    BadOrigin,
    /// The size is not a plain decimal number within the cap.
    #[error("checkpoint size is not a plain number within the cap")]
    BadSize,
    /// The root is not 32 bytes in base64, or not the root of an empty tree where the size is zero.
    #[error("checkpoint root is not a root of this size")]
    BadRoot,
    /// Signed by the log's key, but for another origin.
    #[error("checkpoint is of another origin")]
    OtherOrigin,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of tlog-cosignature: a log's signature and a witness's. The log's key is not published.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn checkpoint() -> Checkpoint {
        let root = TreeHash([7; 32]);
        Checkpoint { origin: "vault.example/trail/0".parse().unwrap(), head: TreeHead { size: 3, root } }
    }

    fn log() -> Identity {
        Identity::from_seed(&[5; 32])
    }

    fn log_key() -> NoteKey {
        NoteKey { name: checkpoint().origin, party: log().party() }
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_written_alike() {
        let signed = SignedCheckpoint::from_bytes(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(signed.to_bytes(), EXAMPLE.as_bytes());
        let read = Checkpoint::from_text(signed.0.unverified_text()).unwrap();
        assert_eq!(read.origin.as_str(), "example.com/behind-the-sofa");
        assert_eq!(read.head.size, 20_852_163);
        assert!(EXAMPLE.starts_with(&read.text()));
    }

    #[test]
    fn a_signed_checkpoint_verifies_for_its_log_only() {
        let bytes = checkpoint().sign(&log()).to_bytes();
        let signed = SignedCheckpoint::from_bytes(&bytes).unwrap();
        assert_eq!(signed.verify(&log_key()), Ok(checkpoint()));
        let other = NoteKey { name: log_key().name, party: Identity::from_seed(&[6; 32]).party() };
        assert_eq!(signed.verify(&other), Err(CheckpointError::Note(NoteError::NoSignature)));
    }

    #[test]
    fn a_changed_size_does_not_verify() {
        let text = String::from_utf8(checkpoint().sign(&log()).to_bytes()).unwrap();
        let bent = SignedCheckpoint::from_bytes(text.replace("\n3\n", "\n4\n").as_bytes()).unwrap();
        assert_eq!(bent.verify(&log_key()), Err(CheckpointError::Note(NoteError::BadSignature)));
    }

    #[test]
    fn a_log_does_not_speak_for_another_origin() {
        let note = Note::sign(checkpoint().text(), "other.example".parse().unwrap(), &log()).unwrap();
        let key = NoteKey { name: "other.example".parse().unwrap(), party: log().party() };
        assert_eq!(SignedCheckpoint(note).verify(&key), Err(CheckpointError::OtherOrigin));
    }

    #[test]
    fn the_empty_log_has_the_empty_root() {
        let head = TreeHead { size: 0, root: TreeHash::of_empty_tree() };
        let empty = Checkpoint { head, ..checkpoint() };
        assert_eq!(Checkpoint::from_text(&empty.text()), Ok(empty));
        let lie = Checkpoint { head: TreeHead { size: 0, root: TreeHash([7; 32]) }, ..checkpoint() };
        assert_eq!(Checkpoint::from_text(&lie.text()), Err(CheckpointError::BadRoot));
    }

    #[test]
    fn any_other_spelling_is_refused() {
        let text = checkpoint().text();
        for (bent, error) in [
            (text.trim_end().to_owned(), CheckpointError::NotThreeLines),
            (format!("{text}extension\n"), CheckpointError::NotThreeLines),
            (format!("{text}\n"), CheckpointError::NotThreeLines),
            (text.replace("\n3\n", "\n"), CheckpointError::NotThreeLines),
            (text.replace("\n3\n", "\n03\n"), CheckpointError::BadSize),
            (text.replace("\n3\n", "\n+3\n"), CheckpointError::BadSize),
            (text.replace("\n3\n", "\n-3\n"), CheckpointError::BadSize),
            (text.replace("\n3\n", "\n281474976710657\n"), CheckpointError::BadSize),
            (text.replace("=\n", "\n"), CheckpointError::BadRoot),
            (text.replace("\n3\n", "\n3\nAAAA"), CheckpointError::BadRoot),
            (text.replace("vault.example", "a vault"), CheckpointError::BadOrigin),
        ] {
            assert_eq!(Checkpoint::from_text(&bent), Err(error), "{bent:?}");
        }
    }
}
