//! HPKE (RFC 9180): sealing to a public key. The only importer of `hpke` and `x25519-dalek`.
//!
//! Base mode, single-shot, empty AAD; everything that a seal is bound to stands in `info`. A seal does not say who made
//! it, so it always lies under the sender's signature. The suite belongs to the receiver's key. A private key is 32
//! bytes, taken as the KEM's own private encoding: X-Wing's seed, or X25519's scalar (clamped when used).
//!
//! Randomness is an argument ([`Entropy`]), so a seal can be made again bit for bit. Parsing an X-Wing key costs as much
//! as a seal; who seals or opens more than once keeps a [`Sealer`] or an [`Opener`].

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256, XWing};
use hpke::rand_core::{Infallible, TryCryptoRng, TryRng};
use hpke::{Deserializable, OpModeS, Serializable, single_shot_seal_with_rng};
#[cfg(feature = "open")]
use hpke::{OpModeR, single_shot_open};
use karute_consent::encoding::bad_value;
pub use karute_consent::sealing::{SealingKey, Suite};
use serde::{Deserialize, Deserializer};
use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::limits;

/// A private sealing key. Not printable, not clonable; zeroised on drop.
pub struct SealingSecret {
    suite: Suite,
    bytes: Zeroizing<[u8; SECRET_LEN]>,
}

impl SealingSecret {
    /// Takes over 32 uniformly random or derived bytes.
    pub fn new(suite: Suite, bytes: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self { suite, bytes }
    }

    /// The suite this key belongs to.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The 32 bytes, for a store that seals them again.
    pub fn bytes(&self) -> &Zeroizing<[u8; SECRET_LEN]> {
        &self.bytes
    }

    /// The key to seal to.
    pub fn public(&self) -> SealingKey {
        let key = match self.suite {
            Suite::X25519 => public_bytes::<X25519HkdfSha256>(&self.bytes),
            Suite::XWing => public_bytes::<XWing>(&self.bytes),
        };
        SealingKey::new(self.suite, key).expect("a KEM's public key has the length of its suite")
    }
}

/// What one seal uses up: 64 fresh random bytes. X-Wing takes all of them, X25519 the first 32.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy([u8; ENTROPY_LEN]);

impl Entropy {
    /// Takes over 64 random bytes, which must be used nowhere else.
    pub fn new(bytes: [u8; ENTROPY_LEN]) -> Self {
        Self(bytes)
    }
}

/// What was sealed: `{1: suite, 2: encapsulated key, 3: ciphertext}`. Lengths are within their limits.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed)]
pub struct Sealed {
    #[serde(index = 1)]
    suite: Suite,
    #[serde(index = 2, with = "serde_bytes")]
    enc: Vec<u8>,
    #[serde(index = 3, with = "serde_bytes")]
    ciphertext: Vec<u8>,
}

impl Sealed {
    /// Takes the parts; refuses lengths that no seal of that suite has (P-01).
    pub fn new(suite: Suite, enc: Vec<u8>, ciphertext: Vec<u8>) -> Result<Self, SealedLength> {
        if enc.len() != enc_len(suite) {
            return Err(SealedLength);
        }
        if !(crate::aead::TAG_LEN..=limits::SEAL_CIPHER_LEN_MAX).contains(&ciphertext.len()) {
            return Err(SealedLength);
        }
        Ok(Self { suite, enc, ciphertext })
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The encapsulated key.
    pub fn enc(&self) -> &[u8] {
        &self.enc
    }

    /// Ciphertext with its tag behind it.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = SealedWire::deserialize(deserializer)?;
        Self::new(wire.suite, wire.enc.into_vec(), wire.ciphertext.into_vec()).map_err(|_| bad_value())
    }
}

/// The map as it arrives, before its lengths are checked.
#[derive(DeserializeIndexed)]
struct SealedWire {
    #[serde(index = 1)]
    suite: Suite,
    #[serde(index = 2)]
    enc: ByteBuf,
    #[serde(index = 3)]
    ciphertext: ByteBuf,
}

/// Seals one plaintext to one key; see [`Sealer`] for more than one.
pub fn seal(to: &SealingKey, info: &[u8], plaintext: &[u8], entropy: Entropy) -> Result<Sealed, SealError> {
    Sealer::new(to)?.seal(info, plaintext, entropy)
}

/// A parsed public key, ready to seal to.
pub struct Sealer(SealerKey);

enum SealerKey {
    X25519(<X25519HkdfSha256 as Kem>::PublicKey),
    XWing(Box<<XWing as Kem>::PublicKey>),
}

impl Sealer {
    /// Parses the key; refuses bytes that are no public key of their suite.
    pub fn new(to: &SealingKey) -> Result<Self, SealError> {
        let key = match to.suite() {
            Suite::X25519 => SealerKey::X25519(Deserializable::from_bytes(to.key()).map_err(|_| SealError::BadKey)?),
            Suite::XWing => {
                let parsed = Deserializable::from_bytes(to.key()).map_err(|_| SealError::BadKey)?;
                SealerKey::XWing(Box::new(parsed))
            }
        };
        Ok(Self(key))
    }

    /// Seals `plaintext` so that it opens under this `info` only. The result is a function of the arguments.
    pub fn seal(&self, info: &[u8], plaintext: &[u8], entropy: Entropy) -> Result<Sealed, SealError> {
        if plaintext.len() > limits::SEAL_PLAIN_LEN_MAX {
            return Err(SealError::TooLong);
        }
        match &self.0 {
            SealerKey::X25519(key) => {
                let (enc, ciphertext) = seal_with::<X25519HkdfSha256>(key, info, plaintext, entropy)?;
                Ok(Sealed { suite: Suite::X25519, enc, ciphertext })
            }
            SealerKey::XWing(key) => {
                let (enc, ciphertext) = seal_with::<XWing>(key, info, plaintext, entropy)?;
                Ok(Sealed { suite: Suite::XWing, enc, ciphertext })
            }
        }
    }
}

/// Opens one seal; see [`Opener`] for more than one.
#[cfg(feature = "open")]
pub fn open(secret: &SealingSecret, info: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    Opener::new(secret).open(info, sealed)
}

/// An expanded private key, ready to open. Not printable, not clonable; the KEM zeroises it on drop.
#[cfg(feature = "open")]
pub struct Opener(OpenerKey);

#[cfg(feature = "open")]
enum OpenerKey {
    X25519(<X25519HkdfSha256 as Kem>::PrivateKey),
    XWing(Box<<XWing as Kem>::PrivateKey>),
}

#[cfg(feature = "open")]
impl Opener {
    /// Expands the key.
    pub fn new(secret: &SealingSecret) -> Self {
        Self(match secret.suite {
            Suite::X25519 => OpenerKey::X25519(private_key::<X25519HkdfSha256>(&secret.bytes)),
            Suite::XWing => OpenerKey::XWing(Box::new(private_key::<XWing>(&secret.bytes))),
        })
    }

    /// The plaintext, if it was sealed to this key under this `info`: label and context of where it stands (P-01).
    pub fn open(&self, info: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        match (&self.0, sealed.suite) {
            (OpenerKey::X25519(key), Suite::X25519) => open_with::<X25519HkdfSha256>(key, info, sealed),
            (OpenerKey::XWing(key), Suite::XWing) => open_with::<XWing>(key, info, sealed),
            _ => Err(OpenError::OtherSuite),
        }
    }
}

fn private_key<K: Kem>(bytes: &[u8; SECRET_LEN]) -> K::PrivateKey {
    K::PrivateKey::from_bytes(bytes).expect("both KEMs take any 32 bytes as a private key")
}

fn public_bytes<K: Kem>(bytes: &[u8; SECRET_LEN]) -> Vec<u8> {
    K::sk_to_pk(&private_key::<K>(bytes)).to_bytes().to_vec()
}

fn seal_with<K: Kem>(
    to: &K::PublicKey,
    info: &[u8],
    plaintext: &[u8],
    entropy: Entropy,
) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    let mut source = EntropySource { entropy, used: 0, exhausted: false };
    let mode = OpModeS::Base;
    let sealed = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, K>(&mode, to, info, plaintext, b"", &mut source);
    if source.exhausted {
        return Err(SealError::EntropyExhausted);
    }
    let (enc, ciphertext) = sealed.map_err(|_| SealError::BadKey)?;
    Ok((enc.to_bytes().to_vec(), ciphertext))
}

#[cfg(feature = "open")]
fn open_with<K: Kem>(key: &K::PrivateKey, info: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let enc = K::EncappedKey::from_bytes(&sealed.enc).map_err(|_| OpenError::Refused)?;
    let mode = OpModeR::Base;
    single_shot_open::<AesGcm256, HkdfSha256, K>(&mode, key, &enc, info, &sealed.ciphertext, b"")
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Refused)
}

/// Hands the caller's bytes to the KEM, once each. Whoever asks for more gets zeros, and the seal is thrown away.
struct EntropySource {
    entropy: Entropy,
    used: usize,
    exhausted: bool,
}

impl TryRng for EntropySource {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, asked: &mut [u8]) -> Result<(), Infallible> {
        match self.entropy.0.get(self.used..self.used + asked.len()) {
            Some(bytes) => {
                asked.copy_from_slice(bytes);
                self.used += asked.len();
            }
            None => {
                asked.fill(0);
                self.exhausted = true;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for EntropySource {}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The receiver's bytes are no public key of their suite.
    #[error("not a public key of its suite")]
    BadKey,
    /// The plaintext is above the cap for one seal.
    #[error("plaintext is above the size cap of a seal")]
    TooLong,
    /// The KEM asked for more random bytes than an [`Entropy`] has.
    #[error("the KEM asked for more than 64 random bytes")]
    EntropyExhausted,
}

/// Parts with lengths that no seal of their suite has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wrong length for a seal of this suite")]
pub struct SealedLength;

/// Why a seal did not open.
#[cfg(feature = "open")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The seal is of another suite than the key.
    #[error("sealed under another suite")]
    OtherSuite,
    /// Sealed to another key or under another `info`, or altered; which of these cannot be told.
    #[error("seal does not open")]
    Refused,
}

/// Bytes of an encapsulated key of a suite.
pub const fn enc_len(suite: Suite) -> usize {
    match suite {
        Suite::X25519 => X25519_ENC_LEN,
        Suite::XWing => X_WING_ENC_LEN,
    }
}

/// Bytes of a private key of either suite.
pub const SECRET_LEN: usize = 32;
/// Bytes of [`Entropy`].
pub const ENTROPY_LEN: usize = 64;
/// Bytes of an X25519 encapsulated key.
const X25519_ENC_LEN: usize = 32;
/// Bytes of an X-Wing encapsulated key: ML-KEM-768 ciphertext (1088), then X25519 (32).
const X_WING_ENC_LEN: usize = 1120;

#[cfg(test)]
#[cfg(feature = "open")]
mod tests;
