//! The root of a Merkle tree (RFC 6962, section 2.1) over leaf data that is all at hand. Proofs are the protocol's.

use sha2::{Digest as _, Sha256};

use crate::id::Digest;

/// A tree that only grows: its complete subtrees from large to small, each with its number of leaves.
#[derive(Clone, Debug, Default)]
pub struct GrowingTree {
    subtrees: Vec<(u64, [u8; 32])>,
}

impl GrowingTree {
    /// Appends a leaf with these data.
    pub fn append(&mut self, leaf: &[u8]) {
        let mut joined = (1, hash(&[&[0], leaf]));
        while let Some((size, left)) = self.subtrees.pop_if(|(size, _)| *size == joined.0) {
            joined = (2 * size, hash(&[&[1], &left, &joined.1]));
        }
        self.subtrees.push(joined);
    }

    /// The RFC 6962 root with SHA-256 over the leaves so far.
    pub fn root(&self) -> Digest {
        let subtrees = self.subtrees.iter().rev().map(|(_, subtree)| *subtree);
        let root = subtrees.reduce(|right, left| hash(&[&[1], &left, &right]));
        Digest::from_bytes(root.unwrap_or_else(|| hash(&[])))
    }
}

/// The RFC 6962 root with SHA-256 over these leaf data, in their order.
pub fn root_of<L: AsRef<[u8]>>(leaves: &[L]) -> Digest {
    let mut tree = GrowingTree::default();
    leaves.iter().for_each(|leaf| tree.append(leaf.as_ref()));
    tree.root()
}

/// SHA-256 over the parts, one after the other.
pub fn digest_of(parts: &[&[u8]]) -> Digest {
    Digest::from_bytes(hash(parts))
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::parse_hex;

    /// The test leaves and roots of certificate-transparency-go (merkle/testonly), which RFC 6962 logs share.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| parse_hex::<1>(&hex[2 * i..2 * i + 2]).expect("hex")[0]).collect()
    }

    #[test]
    fn roots_are_those_of_the_known_trees() {
        let leaves: Vec<Vec<u8>> = LEAVES.iter().map(|leaf| bytes(leaf)).collect();
        for (size, root) in ROOTS.iter().enumerate() {
            assert_eq!(root_of(&leaves[..size]).to_hex(), *root, "{size} leaves");
        }
    }
}
