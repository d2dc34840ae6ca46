//! Signed notes (C2SP signed-note): text that several keys can sign, as logs and their witnesses exchange it.
//!
//! A note is text, an empty line, and one line for each signature. Ours are Ed25519 over the text itself: no CBOR and no
//! context string around it, as the format demands. The text's first line, a log's origin, keeps it apart from other
//! notes, and no COSE structure begins like UTF-8 text, so none can be taken for a note. Signatures of keys that the
//! reader does not know (witnesses, other algorithms) are carried along and prove nothing.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use karute_consent::id::PartyKey;
use karute_consent::party::{Identity, Party, Signature};
use sha2::{Digest, Sha256};

use crate::limits;

/// The name of a note key or a log, such as `example.org/trail/7`: not empty, no spaces, no plus, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoteError;

    fn from_str(name: &str) -> Result<Self, NoteError> {
        let refused = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
        if name.is_empty() || name.len() > limits::NOTE_NAME_LEN_MAX || name.contains(refused) {
            return Err(NoteError::BadName);
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first four bytes of SHA-256(name || 0x0A || 0x01 || public key): finds a signature line, proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub [u8; KEY_ID_LEN]);

/// A name and the Ed25519 key that signs notes under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    /// Stands in the signature line.
    pub name: KeyName,
    /// Checks the signature.
    pub party: Party,
}

impl NoteKey {
    /// The id that stands in this key's signature lines.
    pub fn id(&self) -> KeyId {
        let digest = Sha256::new()
            .chain_update(self.name.as_str())
            .chain_update([b'\n', TYPE_ED25519])
            .chain_update(self.party.key().as_bytes())
            .finalize();
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&digest[..KEY_ID_LEN]);
        KeyId(id)
    }
}

impl fmt::Display for NoteKey {
    /// The verifier key: name, id in hex, type and public key in base64, joined by plus signs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[TYPE_ED25519], &self.party.key().as_bytes()[..]].concat();
        let id = u32::from_be_bytes(self.id().0);
        write!(f, "{}+{id:08x}+{}", self.name, BASE64.encode(typed))
    }
}

impl FromStr for NoteKey {
    type Err = NoteError;

    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(_id), Some(coded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey);
        };
        let typed = BASE64.decode(coded).map_err(|_| NoteError::BadKey)?;
        let bytes = typed.strip_prefix(&[TYPE_ED25519]).and_then(PartyKey::from_slice).ok_or(NoteError::BadKey)?;
        let party = Party::from_key(bytes).map_err(|_| NoteError::BadKey)?;
        let key = Self { name: name.parse()?, party };
        // The id in the text must be the one that the key has.
        if key.to_string() != vkey {
            return Err(NoteError::BadKey);
        }
        Ok(key)
    }
}

/// A text and the signatures under it, none of which has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Ends in a newline; UTF-8 without other control characters.
    text: String,
    /// One to [`limits::NOTE_SIGNATURES_MAX`] lines.
    signatures: Vec<SignatureLine>,
}

/// One signature under a note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SignatureLine {
    name: KeyName,
    id: KeyId,
    /// What the algorithm of the key makes of it; 64 bytes for Ed25519.
    signature: Vec<u8>,
}

impl Note {
    /// Signs a text, which must end in a newline and have no other control characters.
    pub fn sign(text: String, name: KeyName, identity: &Identity) -> Result<Self, NoteError> {
        if !is_note_text(&text) {
            return Err(NoteError::BadText);
        }
        let key = NoteKey { name, party: identity.party() };
        let signature = identity.sign(text.as_bytes()).as_bytes().to_vec();
        let line = SignatureLine { id: key.id(), name: key.name, signature };
        Ok(Self { text, signatures: vec![line] })
    }

    /// Reads a note; the bytes must be exactly one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > limits::NOTE_LEN_MAX {
            return Err(NoteError::TooLong);
        }
        let whole = str::from_utf8(bytes).map_err(|_| NoteError::BadText)?;
        let split = whole.rfind("\n\n").ok_or(NoteError::NoSignature)?;
        let (text, lines) = (&whole[..=split], &whole[split + 2..]);
        if !is_note_text(text) {
            return Err(NoteError::BadText);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignature)?;
        let signatures: Vec<_> = lines
            .split('\n')
            .take(limits::NOTE_SIGNATURES_MAX + 1)
            .map(SignatureLine::from_str)
            .collect::<Result<_, _>>()?;
        if signatures.len() > limits::NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooLong);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, if `key` signed it. Every line under the key's name and id must verify, and one must be there.
    pub fn verify(&self, key: &NoteKey) -> Result<&str, NoteError> {
        let id = key.id();
        let mut lines = self.signatures.iter().filter(|line| line.id == id && line.name == key.name).peekable();
        if lines.peek().is_none() {
            return Err(NoteError::NoSignature);
        }
        for line in lines {
            let signature = Signature::from_slice(&line.signature).ok_or(NoteError::BadSignature)?;
            key.party.check(self.text.as_bytes(), &signature).map_err(|_| NoteError::BadSignature)?;
        }
        Ok(&self.text)
    }

    /// The text, signed by nobody yet as far as this says.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// Takes over the lines of another note over the same text, such as a witness's answer.
    pub fn join(&mut self, other: Self) -> Result<(), NoteError> {
        if other.text != self.text {
            return Err(NoteError::OtherText);
        }
        for line in other.signatures {
            if !self.signatures.contains(&line) {
                self.signatures.push(line);
            }
        }
        if self.signatures.len() > limits::NOTE_SIGNATURES_MAX {
            self.signatures.truncate(limits::NOTE_SIGNATURES_MAX);
            return Err(NoteError::TooLong);
        }
        Ok(())
    }
}

impl fmt::Display for Note {
    /// The note as it travels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| {
            let coded = BASE64.encode([&line.id.0[..], &line.signature].concat());
            writeln!(f, "{SIGNATURE_MARK}{} {coded}", line.name)
        })
    }
}

impl FromStr for SignatureLine {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let (name, coded) =
            line.strip_prefix(SIGNATURE_MARK).and_then(|rest| rest.split_once(' ')).ok_or(NoteError::BadLine)?;
        let bytes = BASE64.decode(coded).map_err(|_| NoteError::BadLine)?;
        let (id, signature) = bytes.split_first_chunk().ok_or(NoteError::BadLine)?;
        if signature.is_empty() || signature.len() > limits::NOTE_SIGNATURE_LEN_MAX {
            return Err(NoteError::BadLine);
        }
        Ok(Self { name: name.parse()?, id: KeyId(*id), signature: signature.to_vec() })
    }
}

fn is_note_text(text: &str) -> bool {
    text.ends_with('\n') && !text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

/// Why something is not a note, or not one of this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key name is empty, too long, or has a space, a plus or a control character.
    #[error("not a note key name")]
    BadName,
    /// Not a verifier key for Ed25519, or its id is not its own.
    #[error("not an Ed25519 verifier key")]
    BadKey,
    /// Note or number of signatures is above its cap.
    #[error("note is above its size caps")]
    TooLong,
    /// The text is not UTF-8, has control characters, or does not end in a newline.
    #[error("not a note text")]
    BadText,
    /// A signature line is not of the form that the format gives it.
    #[error("not a note signature line")]
    BadLine,
    /// No signature stands under the text, or none of this key.
    #[error("note is not signed by this key")]
    NoSignature,
    /// A signature under this key's name and id does not verify.
    #[error("note signature does not verify")]
    BadSignature,
    /// The other note has another text.
    #[error("the notes have different texts")]
    OtherText,
}

/// Bytes of a key id.
pub const KEY_ID_LEN: usize = 4;
/// The signature type of Ed25519 over the note text.
const TYPE_ED25519: u8 = 0x01;
/// An em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const EXAMPLE: &str = "This is an example message.\n\n\
        \u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn key() -> NoteKey {
        EXAMPLE_KEY.parse().unwrap()
    }

    #[test]
    fn the_example_of_the_specification_verifies_and_is_written_alike() {
        let note = Note::from_bytes(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(note.verify(&key()), Ok("This is an example message.\n"));
        assert_eq!(note.to_string(), EXAMPLE);
        assert_eq!(key().to_string(), EXAMPLE_KEY);
        assert_eq!(key().id(), KeyId([0x53, 0x0d, 0x90, 0x3a]));
    }

    #[test]
    fn the_other_example_with_an_empty_line_in_its_text_is_read() {
        let whole = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
            \u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
        let note = Note::from_bytes(whole.as_bytes()).unwrap();
        assert!(note.unverified_text().ends_with("\n\ned è subito sera.\n"));
        assert_eq!(note.to_string(), whole);
        assert_eq!(note.verify(&key()), Err(NoteError::NoSignature));
    }

    #[test]
    fn a_changed_text_does_not_verify() {
        let bent = EXAMPLE.replace("example message", "exemple message");
        assert_eq!(Note::from_bytes(bent.as_bytes()).unwrap().verify(&key()), Err(NoteError::BadSignature));
    }

    #[test]
    fn a_second_line_of_the_same_key_must_verify_too() {
        let line = EXAMPLE.lines().last().unwrap();
        let bent = format!("{EXAMPLE}{}\n", line.replace("Uw2QOkn8", "Uw2QOkn9"));
        assert_eq!(Note::from_bytes(bent.as_bytes()).unwrap().verify(&key()), Err(NoteError::BadSignature));
    }

    #[test]
    fn lines_of_unknown_keys_are_carried_and_prove_nothing() {
        let other = Identity::from_seed(&[3; 32]);
        let name: KeyName = "witness.example.com/w1".parse().unwrap();
        let mut note = Note::from_bytes(EXAMPLE.as_bytes()).unwrap();
        let text = note.unverified_text().to_owned();
        note.join(Note::sign(text, name.clone(), &other).unwrap()).unwrap();
        let read = Note::from_bytes(note.to_string().as_bytes()).unwrap();
        assert_eq!(read, note);
        assert!(read.verify(&key()).is_ok());
        assert!(read.verify(&NoteKey { name, party: other.party() }).is_ok());
        let same_name = NoteKey { name: key().name, party: other.party() };
        assert_eq!(read.verify(&same_name), Err(NoteError::NoSignature));
        let elsewhere = Note::sign("other\n".into(), key().name, &other).unwrap();
        assert_eq!(note.join(elsewhere), Err(NoteError::OtherText));
    }

    #[test]
    fn what_is_not_exactly_a_note_is_refused() {
        for (whole, error) in [
            (EXAMPLE.replace("message.\n\n", "message.\n"), NoteError::NoSignature),
            (EXAMPLE.trim_end().to_owned(), NoteError::NoSignature),
            (format!("{EXAMPLE}\n"), NoteError::NoSignature),
            (format!("{EXAMPLE}rest\n"), NoteError::BadLine),
            (EXAMPLE.replace("is an", "is\tan"), NoteError::BadText),
            (EXAMPLE.replace('\u{2014}', "-"), NoteError::BadLine),
            (EXAMPLE.replace("com/foo Uw", "com/foo  Uw"), NoteError::BadLine),
            (EXAMPLE.replace("com/foo", "com/f+o"), NoteError::BadName),
            (EXAMPLE.replace("aQM=", "aQM"), NoteError::BadLine),
            (EXAMPLE.replace("aQM=", "aQN="), NoteError::BadLine),
            ("x".repeat(limits::NOTE_LEN_MAX + 1), NoteError::TooLong),
        ] {
            assert_eq!(Note::from_bytes(whole.as_bytes()), Err(error), "{whole:.60}");
        }
        let line = format!("{}\n", EXAMPLE.lines().last().unwrap());
        let most = format!("{EXAMPLE}{}", line.repeat(limits::NOTE_SIGNATURES_MAX - 1));
        assert!(Note::from_bytes(most.as_bytes()).is_ok());
        assert_eq!(Note::from_bytes((most + &line).as_bytes()), Err(NoteError::TooLong));
        assert_eq!(Note::from_bytes(b"\xff\n\n"), Err(NoteError::BadText));
    }

    #[test]
    fn a_verifier_key_with_another_id_type_or_length_is_refused() {
        for bent in [
            EXAMPLE_KEY.replace("530d903a", "530d903b"),
            EXAMPLE_KEY.replace("530d903a", "530D903A"),
            EXAMPLE_KEY.replace("+Aeky", "+Beky"),
            EXAMPLE_KEY.replace("3U2k", ""),
            "example.com/foo".to_owned(),
        ] {
            assert_eq!(bent.parse::<NoteKey>(), Err(NoteError::BadKey), "{bent}");
        }
    }
}
