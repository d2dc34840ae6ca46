//! Where the randomness of a world comes from, and how a test gets hold of a private key: it draws the owner's randomness
//! again. Keys are worth nothing here; that they can be found is what makes a thief easy to play.

use karute_consent::id::PartyKey;
use karute_consent::party::Identity;
use karute_consent::sealing::SealingKey;
use karute_node::ambient::Ambient;
use karute_protocol::hpke::SealingSecret;
use sha2::{Digest, Sha256};

/// 32 bytes that belong to a name in a world.
pub fn seed_of(world: u64, name: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"karute world").chain_update(world.to_be_bytes()).chain_update(name).finalize().into()
}

/// A number that belongs to a name in a world.
pub fn number_of(world: u64, name: &str) -> u64 {
    let [first, ..] = *seed_of(world, name).as_chunks::<8>().0 else { unreachable!("32 bytes are four times 8") };
    u64::from_be_bytes(first)
}

/// The identity with this key among those whose seeds `ambient` gives first.
pub(super) fn find(ambient: &Ambient, key: PartyKey) -> Identity {
    let mut drawn = (0..DRAWS_MAX).map(|_| Identity::from_seed(&ambient.secret()));
    drawn.find(|identity| identity.key() == key).expect("the key is of this cast member")
}

/// The sealing secret with this public key among those that `ambient` gives first.
pub(super) fn find_sealing(ambient: &Ambient, key: &SealingKey) -> SealingSecret {
    let mut drawn = (0..DRAWS_MAX).map(|_| SealingSecret::new(key.suite(), ambient.secret()));
    drawn.find(|secret| secret.public() == *key).expect("the key is of this cast member")
}

/// Blocks of 32 bytes that are looked through.
const DRAWS_MAX: usize = 4096;
