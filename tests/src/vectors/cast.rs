//! Who takes part in the vectors. Every secret is derived from a name, so anybody can make the same bytes:
//! `seed(name) = SHA-256("karute-v1/vectors/" || name)`.

use karute_consent::party::Identity;
use karute_protocol::hpke::{Entropy, SealingSecret, Suite, seal};
use zeroize::Zeroizing;

use super::cbor::Cbor;
use super::forge::{hash, sign};
use crate::map;

/// The moment at which most of it happens: 2027-01-15T08:00:00Z.
pub const NOW: u64 = 1_800_000_000;
/// The month of [`NOW`].
pub const MONTH: u64 = 684;
/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// 32 bytes that belong to a name.
pub fn seed(name: &str) -> [u8; 32] {
    hash(&[b"karute-v1/vectors/", name.as_bytes()])
}

/// 16 bytes that belong to a name.
pub fn id16(name: &str) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&seed(name)[..16]);
    id
}

/// The signing key of a party.
pub fn party(name: &str) -> Identity {
    Identity::from_seed(&seed(name))
}

/// The public key of a party.
pub fn key(name: &str) -> [u8; 32] {
    *party(name).key().as_bytes()
}

/// The private sealing key of a name: the seed is the KEM's private key.
pub fn sealing_secret(suite: u64, name: &str) -> SealingSecret {
    secret_of(suite, seed(&format!("{name}/sealing")))
}

/// A private sealing key from its bytes.
pub fn secret_of(suite: u64, bytes: [u8; 32]) -> SealingSecret {
    let suite = if suite == 1 { Suite::X25519 } else { Suite::XWing };
    SealingSecret::new(suite, Zeroizing::new(bytes))
}

/// The public sealing key of a name.
pub fn sealing_key(suite: u64, name: &str) -> Cbor {
    public(&sealing_secret(suite, name))
}

/// A public sealing key as it stands on the wire.
pub fn public(secret: &SealingSecret) -> Cbor {
    let key = secret.public();
    map! { 1 => u64::from(key.suite().number()), 2 => key.key() }
}

/// 64 bytes for one seal.
pub fn entropy(name: &str) -> Entropy {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&seed(&format!("{name}/entropy-0")));
    bytes[32..].copy_from_slice(&seed(&format!("{name}/entropy-1")));
    Entropy::new(bytes)
}

/// `"karute-v1/hpke/" || label || 0x00 || context`.
pub fn seal_info(label: &str, context: &[&[u8]]) -> Vec<u8> {
    [b"karute-v1/hpke/", label.as_bytes(), &[0], &context.concat()].concat()
}

/// Seals under label and context; the entropy belongs to `name`.
pub fn sealed(to: &SealingSecret, label: &str, context: &[&[u8]], plaintext: &[u8], name: &str) -> Cbor {
    let sealed = seal(&to.public(), &seal_info(label, context), plaintext, entropy(name)).expect("a good key");
    map! { 1 => u64::from(sealed.suite().number()), 2 => sealed.enc(), 3 => sealed.ciphertext() }
}

/// The payload of a facility's card.
pub fn card(name: &str) -> Cbor {
    map! { 1 => 2, 2 => name, 3 => sealing_key(1, name), 4 => NOW - 30 * DAY }
}

/// A party's signed card.
pub fn signed_card(name: &str) -> Vec<u8> {
    sign("card", &card(name), &party(name))
}
