//! Signed notes, verifier keys, checkpoints: text that logs and witnesses of others write.

use std::sync::LazyLock;

use karute_consent::id::{NodeId, VaultId};
use karute_consent::party::Identity;
use karute_protocol::checkpoint::{Checkpoint, SignedCheckpoint};
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::note::{KeyName, Note, NoteKey};
use karute_protocol::trail::{CheckpointText, Log};

use super::good;
use super::source::Source;
use crate::vectors::cast::party;

/// A note as it arrives.
pub fn note(data: &[u8]) {
    let Ok(note) = Note::from_bytes(data) else { return };
    assert_eq!(note.to_string().as_bytes(), data, "one spelling");
    let key = NoteKey { name: "example.com/foo".parse().expect("a name"), party: HOME.party() };
    assert!(note.verify(&key).is_err(), "nobody signed it");
    let mine = Note::sign(note.unverified_text().to_owned(), key.name.clone(), &HOME).expect("its text is note text");
    let mut joined = note.clone();
    if joined.join(mine.clone()).is_ok() {
        assert_eq!(Note::from_bytes(joined.to_string().as_bytes()).as_ref(), Ok(&joined));
        assert_eq!(mine.verify(&key), Ok(note.unverified_text()));
    }
}

/// A verifier key as text.
pub fn vkey(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(key) = text.parse::<NoteKey>() {
        assert_eq!(key.to_string(), text, "one spelling");
        let name: Result<KeyName, _> = key.name.as_str().parse();
        assert_eq!(name, Ok(key.name));
    }
}

/// A checkpoint: its text, signed here by the log that it names, and the whole note as it arrives.
pub fn checkpoint(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        checkpoint_text(text);
        let arrived = CheckpointText(text.to_owned());
        for log in [Log::Trail, Log::Ledger(VaultId::from_bytes([7; 32]))] {
            if let Ok(head) = arrived.verify(log, *NODE) {
                assert!(head.size <= karute_protocol::limits::TREE_SIZE_MAX);
                assert!(good::inputs("checkpoint").any(|input| signs_the_same(input, text)), "nobody signed it");
            }
        }
    }
    if let Ok(signed) = SignedCheckpoint::from_bytes(data) {
        assert_eq!(signed.to_bytes(), data, "one spelling");
    }
}

fn checkpoint_text(text: &str) {
    let Ok(checkpoint) = Checkpoint::from_text(text) else { return };
    assert_eq!(checkpoint.text(), text, "one spelling");
    let key = NoteKey { name: checkpoint.origin.clone(), party: HOME.party() };
    let signed = checkpoint.sign(&HOME);
    assert_eq!(signed.verify(&key), Ok(checkpoint));
}

/// Whether a good vector has the same signed text: a fuzzer may put it together with other lines.
fn signs_the_same(input: &serde_json::Value, text: &str) -> bool {
    let body = |note: &str| note.split("\n\n").next().map(str::to_owned);
    input["note"].as_str().and_then(body) == body(text)
}

/// A checkpoint with an origin and size from the input, signed, then with its text edited.
pub fn checkpoint_edits(data: &[u8]) {
    let mut source = Source::new(data);
    let head = TreeHead { size: source.number() >> 16, root: TreeHash(source.array()) };
    let log =
        if source.byte().is_multiple_of(2) { Log::Trail } else { Log::Ledger(VaultId::from_bytes(source.array())) };
    let signed = CheckpointText::sign(log, head, &HOME);
    let verified = signed.verify(log, *NODE);
    assert!(verified == Ok(head) || head.size == 0, "what is signed here verifies");
    let mut bytes = signed.0.clone().into_bytes();
    super::edit::change_bytes(&mut bytes, &mut source);
    let Ok(bent) = String::from_utf8(bytes) else { return };
    if bent != signed.0
        && let Ok(found) = CheckpointText(bent).verify(log, *NODE)
    {
        assert_eq!(found, head, "another text is not what was signed");
    }
}

static HOME: LazyLock<Identity> = LazyLock::new(|| party("home"));
static NODE: LazyLock<NodeId> = LazyLock::new(|| NodeId::from_bytes(*HOME.key().as_bytes()));
