//! What the edge says when a deed did not succeed: a kind, a cause and what to do about it.
//!
//! The kind alone decides the exit code, in one match without a catch-all. The cause keeps its own chain of sources,
//! which is printed once, at the edge.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

/// A deed that did not succeed, as the command line reports it.
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    cause: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
}

/// What sort of failure it is, in words a script can branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The command line does not say what it must.
    Usage,
    /// The configuration file or an environment variable is wrong.
    Config,
    /// The node cannot be reached.
    Unreachable,
    /// The other side said no.
    Refused,
    /// What was asked for does not exist.
    NotFound,
    /// The input is not what the command takes.
    InvalidInput,
    /// A signature, proof or digest does not hold.
    Verification,
    /// The disk did not do as asked.
    Storage,
    /// The passphrase is wrong, missing or too short.
    Passphrase,
    /// A port or a folder is in use by another process.
    Busy,
    /// There is no room left on the disk.
    DiskFull,
    /// A state that should be impossible: a fault of the program.
    Internal,
}

impl FailureKind {
    /// The process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Config => 3,
            Self::Unreachable => 4,
            Self::Refused => 5,
            Self::NotFound => 6,
            Self::InvalidInput => 7,
            Self::Verification => 8,
            Self::Storage => 9,
            Self::Passphrase => 10,
            Self::Busy => 11,
            Self::DiskFull => 12,
            Self::Internal => 70,
        }
    }

    /// The name used in `--json` output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::NotFound => "not-found",
            Self::InvalidInput => "invalid-input",
            Self::Verification => "verification",
            Self::Storage => "storage",
            Self::Passphrase => "passphrase",
            Self::Busy => "busy",
            Self::DiskFull => "disk-full",
            Self::Internal => "internal",
        }
    }
}

impl Failure {
    /// A failure of this kind; `cause` is an error or a sentence.
    pub fn new(kind: FailureKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, cause: cause.into(), hint: None }
    }

    /// Adds what the person can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts what was being done before the cause.
    pub fn during(mut self, deed: impl Into<String>) -> Self {
        self.cause = Box::new(During { deed: deed.into(), source: self.cause });
        self
    }

    /// An input or output error at `path`; the kind follows the operating system's reason.
    pub fn io(deed: &str, path: &Path, source: io::Error) -> Self {
        let (kind, hint) = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (FailureKind::DiskFull, Some("free some space on that disk and run the command again"))
            }
            io::ErrorKind::NotFound => (FailureKind::NotFound, Some("check the path")),
            io::ErrorKind::PermissionDenied => {
                (FailureKind::Storage, Some("check who owns the file or folder and its permissions"))
            }
            io::ErrorKind::IsADirectory => (FailureKind::InvalidInput, Some("name a file: this is a folder")),
            io::ErrorKind::NotADirectory => {
                (FailureKind::InvalidInput, Some("check the path: a part of it is a file, not a folder"))
            }
            io::ErrorKind::AddrInUse => {
                (FailureKind::Busy, Some("another process listens there: stop it or choose another port"))
            }
            _ => (FailureKind::Storage, None),
        };
        let failure = Self::new(kind, source).during(format!("{deed} {}", path.display()));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The kind.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The cause and all its sources, outermost first, joined by colons.
    pub fn chain(&self) -> String {
        let mut text = self.cause.to_string();
        let mut source = self.cause.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }

    /// What to do about it, if there is something to say.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The lines for a person.
    pub fn to_text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("karute: {}\nhint: {hint}", self.chain()),
            None => format!("karute: {}", self.chain()),
        }
    }

    /// The object for a script.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": {
            "kind": self.kind.name(),
            "exit_code": self.kind.exit_code(),
            "message": self.chain(),
            "hint": self.hint,
        }})
    }
}

#[derive(Debug)]
struct During {
    deed: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.deed)
    }
}

impl Error for During {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_printed_once_with_the_hint_below() {
        let failure = Failure::new(FailureKind::Unreachable, io::Error::other("no route"))
            .during("fetching 3 records")
            .hint("is the node running?");
        assert_eq!(failure.to_text(), "karute: fetching 3 records: no route\nhint: is the node running?");
        assert_eq!(failure.to_json()["error"]["exit_code"], 4);
    }

    #[test]
    fn a_full_disk_is_told_apart_from_other_storage_errors() {
        let full = Failure::io("writing", Path::new("x"), io::ErrorKind::StorageFull.into());
        assert_eq!(full.kind(), FailureKind::DiskFull);
        let absent = Failure::io("reading", Path::new("x"), io::ErrorKind::NotFound.into());
        assert_eq!(absent.kind(), FailureKind::NotFound);
        let port = Failure::io("listening on", Path::new("x"), io::ErrorKind::AddrInUse.into());
        assert_eq!(port.kind(), FailureKind::Busy);
    }
}
