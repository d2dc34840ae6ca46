//! The witness's key and name, sealed at rest, and what anybody may know of them.

use std::path::Path;

use karute_consent::party::Identity;
use karute_protocol::cosignature::WitnessKey;
use karute_protocol::note::KeyName;
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::failure::{Failure, FailureKind};
use crate::home::{Home, read_bounded, write_atomic};
use crate::keystore::Keystore;
use crate::passphrase::Passphrase;

/// The signing key of one witness, and the name under which it signs.
pub struct WitnessKeys {
    name: KeyName,
    seed: Zeroizing<[u8; 32]>,
}

impl WitnessKeys {
    /// Draws a fresh key.
    pub fn draw(name: KeyName, ambient: &Ambient) -> Self {
        Self { name, seed: ambient.secret() }
    }

    /// Keeps the key in `home` under `passphrase`.
    pub fn keep(&self, home: &Home, passphrase: &Passphrase, ambient: &Ambient) -> Result<(), Failure> {
        Keystore::create(&home.join(KEYS_NAME), passphrase, ambient, &self.to_bytes()).map(drop)
    }

    /// The keys of a witness that keeps its seed itself.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        Self { name, seed: Zeroizing::new(*seed) }
    }

    /// Opens the key kept in a witness's folder.
    pub fn open(folder: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        let (_, content) = Keystore::open(&folder.join(KEYS_NAME), passphrase)?;
        Self::from_bytes(&content).ok_or_else(|| {
            Failure::new(FailureKind::InvalidInput, format!("the keys in {} are not a witness's", folder.display()))
                .hint("this is another role's folder: name the witness's with --home")
        })
    }

    /// Whether `folder` holds keys already.
    pub fn exist(folder: &Path) -> bool {
        folder.join(KEYS_NAME).exists()
    }

    /// The name under which it signs.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The signing key.
    pub fn identity(&self) -> Identity {
        Identity::from_seed(&self.seed)
    }

    /// The public side.
    pub fn key(&self) -> WitnessKey {
        WitnessKey { name: self.name.clone(), party: self.identity().party() }
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(MARK.to_vec());
        bytes.extend_from_slice(&self.seed[..]);
        bytes.extend_from_slice(self.name.as_str().as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (seed, name) = bytes.strip_prefix(MARK)?.split_first_chunk()?;
        let name = str::from_utf8(name).ok()?.parse().ok()?;
        Some(Self { name, seed: Zeroizing::new(*seed) })
    }
}

/// What anybody may know of a witness; kept beside its key so that showing it needs no passphrase.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WitnessFacts {
    /// The name under which it signs.
    pub name: String,
    /// The verifier key: what patients put into a witness set.
    pub vkey: String,
}

impl WitnessFacts {
    /// The facts of this key.
    pub fn of(keys: &WitnessKeys) -> Self {
        Self { name: keys.name.to_string(), vkey: keys.key().to_string() }
    }

    /// Writes them into `home`.
    pub fn save(&self, home: &Home) -> Result<(), Failure> {
        let text = serde_json::to_vec(self)
            .map_err(|e| Failure::new(FailureKind::Internal, e).during("writing the witness's facts"))?;
        write_atomic(&home.join(FACTS_NAME), &text)
    }

    /// Reads them from a witness's folder; `None` if it is not one.
    pub fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FACTS_NAME);
        let Some(bytes) = read_bounded(&path, FACTS_BYTES_MAX)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Failure::new(FailureKind::Storage, e).during(format!("reading {}", path.display())))
    }
}

const FACTS_NAME: &str = "witness.json";
const FACTS_BYTES_MAX: u64 = 4096;
const KEYS_NAME: &str = "keys";
/// Tells a witness's secret from another role's, and its version.
const MARK: &[u8] = b"witness\x01";

#[cfg(test)]
mod tests {
    use karute_consent::time::Timestamp;

    use super::*;

    #[test]
    fn a_witness_has_the_same_key_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new(Zeroizing::new("correct horse".to_owned())).ok().unwrap();
        let ambient = Ambient::fixed(Timestamp::from_secs(0), 1);
        let home = Home::create(&dir.path().join("witness")).ok().unwrap();
        let name: KeyName = "witness.example/w1".parse().unwrap();
        let made = WitnessKeys::draw(name, &ambient);
        made.keep(&home, &passphrase, &ambient).unwrap();
        let opened = WitnessKeys::open(home.path(), &passphrase).ok().unwrap();
        assert_eq!(made.key(), opened.key());
        WitnessFacts::of(&made).save(&home).unwrap();
        let facts = WitnessFacts::read(home.path()).unwrap().unwrap();
        assert_eq!(facts.vkey.parse(), Ok(opened.key()));
    }

    #[test]
    fn secrets_of_another_role_are_not_a_witnesss() {
        for bytes in [&b""[..], b"witness\x01", b"node\x01", &[0; 79], &[b"witness\x01", &[7; 32][..]].concat()] {
            assert!(WitnessKeys::from_bytes(bytes).is_none());
        }
    }
}
