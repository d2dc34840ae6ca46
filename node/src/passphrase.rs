//! Where a passphrase comes from: a file that the caller names, or the person at the terminal.

use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Failure, FailureKind};
use crate::home::read_bounded;

/// A passphrase: wiped when dropped, never printed.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase of at least [`CHARS_MIN`] characters.
    pub fn new(text: Zeroizing<String>) -> Result<Self, Failure> {
        if text.chars().count() < CHARS_MIN {
            return Err(refusal(format!("the passphrase has fewer than {CHARS_MIN} characters"))
                .hint("several unrelated words make a good one"));
        }
        Ok(Self(text))
    }

    /// The first line of a file, without its line end.
    pub fn from_file(path: &Path) -> Result<Self, Failure> {
        let bytes = read_bounded(path, FILE_BYTES_MAX)?.map(Zeroizing::new).ok_or_else(|| {
            refusal(format!("the passphrase file {} does not exist", path.display()))
                .hint("make a file whose first line is the passphrase, readable by you alone")
        })?;
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line)
            .map_err(|_| refusal(format!("the passphrase file {} is not UTF-8 text", path.display())))?;
        if text.is_empty() {
            return Err(refusal(format!("the first line of the passphrase file {} is empty", path.display()))
                .hint("write the passphrase into its first line"));
        }
        Self::new(Zeroizing::new(text.to_owned()))
    }

    /// The passphrase of existing keys: from `file` if given, else asked for once.
    pub fn ask(file: Option<&Path>) -> Result<Self, Failure> {
        match file {
            Some(path) => Self::from_file(path),
            None => Self::new(prompt("Passphrase: ")?),
        }
    }

    /// The passphrase of keys about to be made: from `file` if given, else asked for twice.
    pub fn choose(file: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = file {
            return Self::from_file(path);
        }
        let chosen = Self::new(prompt("New passphrase: ")?)?;
        if *prompt("Once more: ")? != *chosen.0 {
            return Err(refusal("the two passphrases differ").hint("run the command again"));
        }
        Ok(chosen)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn prompt(question: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(question).map(Zeroizing::new).map_err(|e| {
        Failure::new(FailureKind::Passphrase, e)
            .during("asking for the passphrase")
            .hint("without a terminal, name a file with --passphrase-file or KARUTE_PASSPHRASE_FILE")
    })
}

fn refusal(cause: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Passphrase, cause.into())
}

/// Shortest passphrase taken, in characters.
pub const CHARS_MIN: usize = 8;
/// Largest passphrase file, in bytes.
const FILE_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_first_line_whatever_the_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        for content in ["correct horse", "correct horse\n", "correct horse\r\nmore"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(Passphrase::ask(Some(&path)).ok().unwrap().as_bytes(), b"correct horse");
        }
    }

    #[test]
    fn short_absent_and_binary_ones_are_refused_by_kind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        assert_eq!(Passphrase::choose(Some(&path)).err().unwrap().kind(), FailureKind::Passphrase);
        for content in [&b"seven77"[..], b"", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(Passphrase::choose(Some(&path)).err().unwrap().kind(), FailureKind::Passphrase);
        }
        for content in ["", "\n", "\r\n", "\ncorrect horse\n"] {
            std::fs::write(&path, content).unwrap();
            let failure = Passphrase::ask(Some(&path)).err().unwrap();
            assert!(failure.chain().contains("is empty") && failure.advice().is_some(), "{content:?}");
        }
        std::fs::write(&path, "カルテの合言葉です").unwrap();
        assert!(Passphrase::choose(Some(&path)).is_ok());
    }
}
