//! Secrets at rest under a passphrase.
//!
//! One file holds what its owner gives it, an opaque byte string: argon2id turns the passphrase into a key, AES-256-GCM
//! seals under it. The key stays in memory while the keystore is open, so that further blobs of the same folder
//! ([`Keystore::seal`]) cost no second derivation; each is bound to its label. Losing the passphrase loses the content.
//!
//! File: `karute-keys` ‖ version 1 ‖ memory KiB u32 ‖ passes u32 ‖ lanes u32 ‖ salt 16 ‖ nonce 12 ‖ ciphertext and tag.
//! Numbers are big-endian. Everything before the ciphertext is authenticated with it.

use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::failure::{Failure, FailureKind};
use crate::home::{read_bounded, write_atomic};
use crate::passphrase::Passphrase;

/// An open keystore: its file, and the key that the passphrase gave.
pub struct Keystore {
    path: PathBuf,
    prefix: Prefix,
    key: Zeroizing<[u8; 32]>,
}

/// The part of the file that says how the key is derived.
#[derive(Clone, Copy)]
struct Prefix {
    cost: Cost,
    salt: [u8; SALT_LEN],
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why a keystore or a blob sealed by it does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeystoreError {
    /// The file does not begin like a keystore.
    #[error("this is not a karute keystore")]
    NotAKeystore,
    /// Written by a later version of the program.
    #[error("keystore version {0} is not known to this program")]
    UnknownVersion(u8),
    /// Its costs are beyond what is accepted.
    #[error("the keystore asks for more memory or work than is allowed")]
    CostTooHigh,
    /// Wrong passphrase, or changed bytes: the two cannot be told apart.
    #[error("the passphrase is wrong, or the file was changed")]
    DoesNotOpen,
}

impl Keystore {
    /// Makes the file at `path` with `content`; an existing one is left alone and refused.
    pub fn create(path: &Path, passphrase: &Passphrase, ambient: &Ambient, content: &[u8]) -> Result<Self, Failure> {
        if path.exists() {
            return Err(Failure::new(FailureKind::InvalidInput, format!("{} already exists", path.display()))
                .hint("this folder has keys already; use another folder with --home to make new ones"));
        }
        let prefix = Prefix { cost: COST, salt: ambient.entropy() };
        let key = prefix.derive(passphrase)?;
        let keystore = Self { path: path.to_owned(), prefix, key };
        keystore.save(ambient, content)?;
        Ok(keystore)
    }

    /// Opens the file at `path` and gives its content.
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<(Self, Zeroizing<Vec<u8>>), Failure> {
        let file = read_bounded(path, FILE_BYTES_MAX)?.ok_or_else(|| absent(path))?;
        let failed = |error| not_opened(path, error);
        let (prefix, sealed) = Prefix::read(&file).map_err(failed)?;
        let key = prefix.derive(passphrase)?;
        let keystore = Self { path: path.to_owned(), prefix, key };
        let content = keystore.open_sealed(&prefix.to_bytes(), sealed).map_err(failed)?;
        Ok((keystore, content))
    }

    /// Replaces the content, whole or not at all.
    pub fn save(&self, ambient: &Ambient, content: &[u8]) -> Result<(), Failure> {
        let mut file = self.prefix.to_bytes();
        let sealed = self.seal_under(&file, ambient, content)?;
        file.extend_from_slice(&sealed);
        write_atomic(&self.path, &file)
    }

    /// Replaces the passphrase; the content is sealed anew under a fresh salt. Other blobs sealed by this keystore no
    /// longer open with the result: seal them again.
    pub fn change(self, passphrase: &Passphrase, ambient: &Ambient, content: &[u8]) -> Result<Self, Failure> {
        let prefix = Prefix { cost: COST, salt: ambient.entropy() };
        let key = prefix.derive(passphrase)?;
        let changed = Self { path: self.path, prefix, key };
        changed.save(ambient, content)?;
        Ok(changed)
    }

    /// Seals a blob that is kept beside the keystore, bound to `label`: nonce ‖ ciphertext and tag.
    pub fn seal(&self, label: &str, ambient: &Ambient, content: &[u8]) -> Result<Vec<u8>, Failure> {
        self.seal_under(&blob_context(label), ambient, content)
    }

    /// Opens what [`Keystore::seal`] made under the same label.
    pub fn unseal(&self, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        self.open_sealed(&blob_context(label), sealed)
    }

    fn seal_under(&self, context: &[u8], ambient: &Ambient, content: &[u8]) -> Result<Vec<u8>, Failure> {
        let nonce: [u8; NONCE_LEN] = ambient.entropy();
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), Payload { msg: content, aad: context })
            .map_err(|_| Failure::new(FailureKind::Internal, "the content is too large to seal"))?;
        let mut out = Vec::with_capacity(NONCE_LEN + sealed.len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    fn open_sealed(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(KeystoreError::DoesNotOpen)?;
        self.cipher()
            .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: context })
            .map(Zeroizing::new)
            .map_err(|_| KeystoreError::DoesNotOpen)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.key))
    }
}

impl Prefix {
    fn derive(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, Failure> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let mut key = Zeroizing::new([0; 32]);
        Params::new(memory_kib, passes, lanes, Some(key.len()))
            .and_then(|params| {
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
                    passphrase.as_bytes(),
                    &self.salt,
                    &mut key[..],
                )
            })
            .map_err(|e| Failure::new(FailureKind::Passphrase, e).during("deriving the key from the passphrase"))?;
        Ok(key)
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes
    }

    fn read(file: &[u8]) -> Result<(Self, &[u8]), KeystoreError> {
        let rest = file.strip_prefix(MAGIC).ok_or(KeystoreError::NotAKeystore)?;
        let (version, rest) = rest.split_first().ok_or(KeystoreError::NotAKeystore)?;
        if *version != VERSION {
            return Err(KeystoreError::UnknownVersion(*version));
        }
        let (memory_kib, rest) = read_u32(rest)?;
        let (passes, rest) = read_u32(rest)?;
        let (lanes, rest) = read_u32(rest)?;
        let (salt, sealed) = rest.split_first_chunk::<SALT_LEN>().ok_or(KeystoreError::NotAKeystore)?;
        let cost = Cost { memory_kib, passes, lanes };
        if cost.memory_kib > COST_MAX.memory_kib || cost.passes > COST_MAX.passes || cost.lanes > COST_MAX.lanes {
            return Err(KeystoreError::CostTooHigh);
        }
        Ok((Self { cost, salt: *salt }, sealed))
    }
}

fn read_u32(bytes: &[u8]) -> Result<(u32, &[u8]), KeystoreError> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(KeystoreError::NotAKeystore)?;
    Ok((u32::from_be_bytes(*number), rest))
}

fn blob_context(label: &str) -> Vec<u8> {
    [b"karute-blob\x01", label.as_bytes()].concat()
}

/// Says that there is no file of keys at `path`.
pub(crate) fn absent(path: &Path) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there are no keys at {}", path.display()))
        .hint("make them with the role's init command, or name another folder with --home")
}

fn not_opened(path: &Path, error: KeystoreError) -> Failure {
    let (kind, hint) = match error {
        KeystoreError::DoesNotOpen => (
            FailureKind::Passphrase,
            "try the passphrase again; without it the keys are lost, and a patient restores the vault with the recovery sheet",
        ),
        KeystoreError::NotAKeystore | KeystoreError::CostTooHigh => {
            (FailureKind::Storage, "restore the file from a backup, or name another folder with --home")
        }
        KeystoreError::UnknownVersion(_) => (FailureKind::Storage, "use the newer karute that wrote it"),
    };
    Failure::new(kind, error).during(format!("opening the keys at {}", path.display())).hint(hint)
}

const MAGIC: &[u8] = b"karute-keys";
const VERSION: u8 = 1;
const SALT_LEN: usize = 16;
const NONCE_LEN: usize = 12;
/// argon2id for new files: the second recommended choice of RFC 9106, with one lane.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// The highest costs that a file may ask for.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 16, lanes: 4 };
/// Largest keystore read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use karute_consent::time::Timestamp;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).ok().unwrap()
    }

    fn made(content: &[u8]) -> (tempfile::TempDir, PathBuf, Ambient) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let ambient = Ambient::fixed(Timestamp::from_secs(0), 3);
        Keystore::create(&path, &passphrase("correct horse"), &ambient, content).ok().unwrap();
        (dir, path, ambient)
    }

    #[test]
    fn what_was_saved_opens_with_the_passphrase_alone() {
        let (_dir, path, ambient) = made(b"first");
        let (keystore, content) = Keystore::open(&path, &passphrase("correct horse")).ok().unwrap();
        assert_eq!(&content[..], b"first");
        keystore.save(&ambient, b"second").unwrap();
        let (_, content) = Keystore::open(&path, &passphrase("correct horse")).ok().unwrap();
        assert_eq!(&content[..], b"second");
        let wrong = Keystore::open(&path, &passphrase("correct house")).err().unwrap();
        assert_eq!(wrong.kind(), FailureKind::Passphrase);
        assert!(wrong.advice().is_some());
    }

    #[test]
    fn existing_keys_are_never_overwritten() {
        let (_dir, path, ambient) = made(b"first");
        let before = std::fs::read(&path).unwrap();
        assert!(Keystore::create(&path, &passphrase("correct horse"), &ambient, b"x").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let (_dir, path, _) = made(b"first");
        let good = std::fs::read(&path).unwrap();
        let prefix_len = MAGIC.len() + 1 + 12 + SALT_LEN;
        // A flip in the costs would only make the derivation slow: those three numbers are covered by the bounds below.
        for at in (0..=MAGIC.len()).chain([prefix_len - 1, prefix_len, prefix_len + NONCE_LEN, good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(Keystore::open(&path, &passphrase("correct horse")).is_err(), "byte {at}");
        }
        for len in [0, 5, MAGIC.len(), prefix_len - 1, prefix_len + 3, good.len() - 1] {
            std::fs::write(&path, &good[..len]).unwrap();
            assert!(Keystore::open(&path, &passphrase("correct horse")).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_file_cannot_ask_for_unbounded_memory() {
        let cost = Cost { memory_kib: u32::MAX, passes: 1, lanes: 1 };
        let file = Prefix { cost, salt: [0; 16] }.to_bytes();
        assert_eq!(Prefix::read(&file).err(), Some(KeystoreError::CostTooHigh));
    }

    #[test]
    fn a_blob_opens_under_its_own_label_only() {
        let (_dir, path, ambient) = made(b"");
        let (keystore, _) = Keystore::open(&path, &passphrase("correct horse")).ok().unwrap();
        let blob = keystore.seal("state", &ambient, b"content").unwrap();
        assert_eq!(&keystore.unseal("state", &blob).unwrap()[..], b"content");
        assert_eq!(keystore.unseal("other", &blob).err(), Some(KeystoreError::DoesNotOpen));
        assert_eq!(keystore.unseal("state", &blob[..5]).err(), Some(KeystoreError::DoesNotOpen));
    }
}
