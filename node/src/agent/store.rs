//! What an agent keeps between two runs: sealed state, receipts, and the highest head seen of each vault.
//!
//! Everything but the receipts is sealed by the agent's keystore under its own name. Trusted for: a stolen folder tells
//! nothing without the passphrase. Its loss costs a facility its keys and receipts; a patient restores from the recovery
//! sheet.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::failure::{Failure, FailureKind};
use crate::home::{Home, make_private_dir, read_bounded, write_atomic, write_private};
use crate::keystore::{Keystore, absent};
use crate::passphrase::Passphrase;

/// An agent's open, locked folder.
pub struct Store {
    home: Home,
    keystore: Keystore,
    ambient: Ambient,
}

impl Store {
    /// Makes a new folder whose keystore holds `secrets`.
    pub fn create(path: &Path, passphrase: &Passphrase, ambient: &Ambient, secrets: &[u8]) -> Result<Self, Failure> {
        let home = Home::create(path)?;
        let keystore = Keystore::create(&home.join(KEYS_NAME), passphrase, ambient, secrets)?;
        Ok(Self { home, keystore, ambient: ambient.clone() })
    }

    /// Opens an existing folder and gives the secrets in its keystore.
    pub fn open(
        path: &Path,
        passphrase: &Passphrase,
        ambient: &Ambient,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), Failure> {
        if path.is_dir() && !Self::exists(path) {
            return Err(absent(&path.join(KEYS_NAME))); // before anything is written into a folder that is not ours
        }
        let home = Home::open(path)?;
        let (keystore, secrets) = Keystore::open(&home.join(KEYS_NAME), passphrase)?;
        Ok((Self { home, keystore, ambient: ambient.clone() }, secrets))
    }

    /// Whether `path` holds an agent's keys.
    pub fn exists(path: &Path) -> bool {
        path.join(KEYS_NAME).exists()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// Clock and randomness this store was opened with.
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// Replaces the secrets in the keystore.
    pub fn save_secrets(&self, secrets: &[u8]) -> Result<(), Failure> {
        self.keystore.save(&self.ambient, secrets)
    }

    /// Writes `content`, sealed, under `name`.
    pub fn put(&self, name: StateName, content: &[u8]) -> Result<(), Failure> {
        let sealed = self.keystore.seal(&name.0, &self.ambient, content)?;
        let path = self.home.join(&name.0);
        if let Some(folder) = path.parent() {
            make_private_dir(folder)?;
        }
        write_atomic(&path, &sealed)
    }

    /// Reads what was written under `name`; `None` if nothing was.
    pub fn state(&self, name: StateName) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let path = self.home.join(&name.0);
        let Some(sealed) = read_bounded(&path, STATE_BYTES_MAX)? else { return Ok(None) };
        let content = self.keystore.unseal(&name.0, &sealed).map_err(|e| {
            Failure::new(FailureKind::Storage, e)
                .during(format!("opening the state at {}", path.display()))
                .hint("restore the file from a backup of this folder")
        })?;
        Ok(Some(content))
    }

    /// The highest head of a vault seen so far, as the bytes that were given.
    pub fn head(&self, vault: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        self.state(head_name(vault))
    }

    /// Remembers a head of a vault. The caller has checked that it extends the one before.
    pub fn put_head(&self, vault: &[u8], head: &[u8]) -> Result<(), Failure> {
        self.put(head_name(vault), head)
    }

    /// Keeps a receipt under the hex of `id` and gives its path. Receipts are evidence to be shown, so they are not sealed;
    /// there is one for each record, so they are not synced one by one either: what a power cut takes, the host gives again
    /// or its trail shows.
    pub fn put_receipt(&self, id: &[u8], receipt: &[u8]) -> Result<PathBuf, Failure> {
        let folder = self.home.join(RECEIPTS_NAME);
        if !folder.is_dir() {
            make_private_dir(&folder)?;
        }
        let path = folder.join(data_encoding::HEXLOWER.encode(id));
        write_private(&path, receipt)?;
        Ok(path)
    }

    /// All receipts, in no particular order.
    pub fn receipts(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut receipts = Vec::new();
        for path in files_in(&self.home.join(RECEIPTS_NAME))? {
            receipts.extend(read_bounded(&path, STATE_BYTES_MAX)?);
        }
        Ok(receipts)
    }

    /// Keeps a finding under a name and gives its path. It is evidence against somebody: durable, and not sealed, since it
    /// is to be shown.
    pub fn put_finding(&self, name: &str, finding: &[u8]) -> Result<PathBuf, Failure> {
        let folder = self.home.join(FINDINGS_NAME);
        make_private_dir(&folder)?;
        let path = folder.join(name);
        write_atomic(&path, finding)?;
        Ok(path)
    }

    /// All findings by name.
    pub fn findings(&self) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let folder = self.home.join(FINDINGS_NAME);
        let mut findings = Vec::new();
        for path in files_in(&folder)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            findings.extend(read_bounded(&path, STATE_BYTES_MAX)?.map(|bytes| (name, bytes)));
        }
        findings.sort();
        Ok(findings)
    }

    /// The receipt kept under `id`.
    pub fn receipt(&self, id: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.home.join(RECEIPTS_NAME).join(data_encoding::HEXLOWER.encode(id));
        read_bounded(&path, STATE_BYTES_MAX)
    }
}

/// The name of one piece of sealed state: a file name, and the label it is sealed under.
pub struct StateName(String);

impl StateName {
    /// A piece that exists once for an agent. `name` is a word of the program, never an input.
    pub fn of(name: &'static str) -> Self {
        Self(format!("state-{name}"))
    }

    /// A piece that exists once for each `id`, such as a vault or a grant.
    pub fn of_each(name: &'static str, id: &[u8]) -> Self {
        Self(format!("state-{name}/{}", data_encoding::HEXLOWER.encode(id)))
    }
}

/// The files of a folder; none if there is no folder.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |e| Failure::io("reading the folder", folder, e);
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(wrong(e)),
    };
    files.map(|file| Ok(file.map_err(wrong)?.path())).collect()
}

fn head_name(vault: &[u8]) -> StateName {
    StateName::of_each("heads", vault)
}

const KEYS_NAME: &str = "keys";
const RECEIPTS_NAME: &str = "receipts";
const FINDINGS_NAME: &str = "findings";
/// Largest piece of state or receipt read, in bytes.
const STATE_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use karute_consent::time::Timestamp;

    fn passphrase() -> Passphrase {
        Passphrase::new(Zeroizing::new("correct horse".to_owned())).ok().unwrap()
    }

    #[test]
    fn state_heads_receipts_and_secrets_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let ambient = Ambient::fixed(Timestamp::from_secs(0), 3);
        assert!(!Store::exists(&path));
        std::fs::create_dir(&path).unwrap();
        let absent = Store::open(&path, &passphrase(), &ambient).err().unwrap();
        assert_eq!(absent.kind(), FailureKind::NotFound);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "nothing is written into a folder that is not ours");
        let store = Store::create(&path, &passphrase(), &ambient, b"secrets").ok().unwrap();
        store.put(StateName::of("grants"), b"grants").unwrap();
        store.put_head(&[7; 32], b"head").unwrap();
        store.put_receipt(&[1, 2], b"receipt").unwrap();
        drop(store);
        assert!(Store::exists(&path));
        let (store, secrets) = Store::open(&path, &passphrase(), &ambient).ok().unwrap();
        assert_eq!(&secrets[..], b"secrets");
        assert_eq!(&store.state(StateName::of("grants")).unwrap().unwrap()[..], b"grants");
        assert_eq!(&store.head(&[7; 32]).unwrap().unwrap()[..], b"head");
        assert!(store.head(&[8; 32]).unwrap().is_none());
        assert_eq!(store.receipt(&[1, 2]).unwrap().unwrap(), b"receipt");
    }

    #[test]
    fn a_piece_of_state_put_in_the_place_of_another_does_not_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let ambient = Ambient::fixed(Timestamp::from_secs(0), 3);
        let store = Store::create(&path, &passphrase(), &ambient, b"").ok().unwrap();
        store.put(StateName::of("grants"), b"grants").unwrap();
        std::fs::copy(path.join("state-grants"), path.join("state-runs")).unwrap();
        assert_eq!(store.state(StateName::of("runs")).err().unwrap().kind(), FailureKind::Storage);
    }

    #[test]
    fn nothing_readable_is_left_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let ambient = Ambient::fixed(Timestamp::from_secs(0), 3);
        let store = Store::create(&path, &passphrase(), &ambient, b"planted canary").ok().unwrap();
        store.put(StateName::of("grants"), b"planted canary").unwrap();
        for file in std::fs::read_dir(&path).unwrap() {
            let file = file.unwrap().path();
            if file.is_file() {
                let bytes = std::fs::read(file).unwrap();
                assert!(!bytes.windows(14).any(|w| w == b"planted canary"));
            }
        }
    }
}
