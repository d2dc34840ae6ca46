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

/// The first four bytes of SHA-256(name || 0x0A || type || public key): finds a signature line, proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub [u8; KEY_ID_LEN]);

impl KeyId {
    /// The id of an Ed25519 key under a name, as a key of this signature type.
    pub(crate) fn of(name: &KeyName, key_type: u8, party: &Party) -> Self {
        let digest = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', key_type])
            .chain_update(party.key().as_bytes())
            .finalize();
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&digest[..KEY_ID_LEN]);
        Self(id)
    }
}

/// A verifier key as text: name, id in hex, type and public key in base64, joined by plus signs.
pub(crate) fn write_vkey(name: &KeyName, key_type: u8, party: &Party) -> String {
    let typed = [&[key_type], &party.key().as_bytes()[..]].concat();
    let id = u32::from_be_bytes(KeyId::of(name, key_type, party).0);
    format!("{name}+{id:08x}+{}", BASE64.encode(typed))
}

/// Reads a verifier key of this type in its one spelling; the id in the text must be the one that the key has.
pub(crate) fn read_vkey(vkey: &str, key_type: u8) -> Result<(KeyName, Party), NoteError> {
    let mut parts = vkey.splitn(3, '+');
    let (Some(name), Some(_id), Some(coded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::BadKey);
    };
    let typed = BASE64.decode(coded).map_err(|_| NoteError::BadKey)?;
    let bytes = typed.strip_prefix(&[key_type]).and_then(PartyKey::from_slice).ok_or(NoteError::BadKey)?;
    let party = Party::from_key(bytes).map_err(|_| NoteError::BadKey)?;
    let name = name.parse()?;
    if write_vkey(&name, key_type, &party) == vkey { Ok((name, party)) } else { Err(NoteError::BadKey) }
}

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
        KeyId::of(&self.name, TYPE_ED25519, &self.party)
    }
}

impl fmt::Display for NoteKey {
    /// The verifier key of type 0x01.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write_vkey(&self.name, TYPE_ED25519, &self.party))
    }
}

impl FromStr for NoteKey {
    type Err = NoteError;

    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        read_vkey(vkey, TYPE_ED25519).map(|(name, party)| Self { name, party })
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
pub(crate) struct SignatureLine {
    pub(crate) name: KeyName,
    pub(crate) id: KeyId,
    /// What the algorithm of the key makes of it; 64 bytes for Ed25519.
    pub(crate) signature: Vec<u8>,
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
        Ok(Self { text: text.to_owned(), signatures: read_lines(lines)? })
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

    /// The signatures under a name and id, in their order; none of them has been checked.
    pub(crate) fn signatures_of(&self, name: &KeyName, id: KeyId) -> impl Iterator<Item = &[u8]> {
        let of_key = move |line: &&SignatureLine| line.id == id && line.name == *name;
        self.signatures.iter().filter(of_key).map(|line| &line.signature[..])
    }

    /// Drops the lines that are not kept; the last one to go would leave no note.
    pub(crate) fn keep_lines(&mut self, keep: impl Fn(&SignatureLine) -> bool) -> Result<(), NoteError> {
        if !self.signatures.iter().any(&keep) {
            return Err(NoteError::NoSignature);
        }
        self.signatures.retain(keep);
        Ok(())
    }

    /// Drops what stands a second time under one name and id.
    pub(crate) fn keep_one_line_of_each(&mut self) {
        let mut kept: Vec<SignatureLine> = Vec::with_capacity(self.signatures.len());
        for line in self.signatures.drain(..) {
            if !kept.iter().any(|other| other.id == line.id && other.name == line.name) {
                kept.push(line);
            }
        }
        self.signatures = kept;
    }

    /// How many signature lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.signatures.len()
    }

    /// Puts a line in the place of all that stand under its name and id.
    pub(crate) fn put_line(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        let others = self.signatures.iter().filter(|other| other.id != line.id || other.name != line.name).count();
        if others >= limits::NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooLong);
        }
        self.signatures.retain(|other| other.id != line.id || other.name != line.name);
        self.signatures.push(line);
        Ok(())
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
        self.signatures.iter().try_for_each(|line| line.fmt(f))
    }
}

/// Reads the lines below a note's text, each of which ends in a newline: one to [`limits::NOTE_SIGNATURES_MAX`].
pub(crate) fn read_lines(lines: &str) -> Result<Vec<SignatureLine>, NoteError> {
    let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignature)?;
    let most = limits::NOTE_SIGNATURES_MAX;
    let read: Vec<_> = lines.split('\n').take(most + 1).map(SignatureLine::from_str).collect::<Result<_, _>>()?;
    if read.len() > most { Err(NoteError::TooLong) } else { Ok(read) }
}

impl fmt::Display for SignatureLine {
    /// The line as it travels, with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coded = BASE64.encode([&self.id.0[..], &self.signature].concat());
        writeln!(f, "{SIGNATURE_MARK}{} {coded}", self.name)
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
mod tests;
