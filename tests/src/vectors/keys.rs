//! The key schedule of protocol/SPEC.md section 2, written again from its text.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HKDF-Expand with SHA-256, up to one block.
pub fn expand(key: &[u8; 32], label: &str, context: &[u8]) -> [u8; 32] {
    let info = [b"karute-v1/", label.as_bytes(), &[0], context].concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&info);
    mac.update(&[1]);
    mac.finalize().into_bytes().into()
}

/// The id of the collection of a kind.
pub fn collection_id(root: &[u8; 32], vault: &[u8; 32], category: u8, sensitivity: u8) -> [u8; 16] {
    let bytes = expand(root, "collection-id", &[&vault[..], &[category, sensitivity]].concat());
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[..16]);
    id
}

/// The top of a collection's time tree.
pub fn collection_root(root: &[u8; 32], vault: &[u8; 32], collection: &[u8; 16], generation: u32) -> [u8; 32] {
    expand(root, "collection", &[&vault[..], collection, &generation.to_be_bytes()].concat())
}

/// The node at `depth` on the way from the top to a month.
pub fn node(top: &[u8; 32], depth: u64, month: u64) -> [u8; 32] {
    let side = |level| if month >> (15 - level) & 1 == 0 { "tree-0" } else { "tree-1" };
    (0..depth).fold(*top, |seed, level| expand(&seed, side(level), &[]))
}

/// The private key of a month.
pub fn epoch_secret(top: &[u8; 32], month: u64) -> [u8; 32] {
    expand(&node(top, 16, month), "epoch", &[])
}
