//! Known answers of the classic eight-leaf log, agreement with another implementation, and proofs that must fail.

use std::collections::HashMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use data_encoding::HEXLOWER;

use super::*;

/// A tree with all its complete subtrees at hand.
struct Stored {
    edge: RightEdge,
    hashes: HashMap<Place, TreeHash>,
    roots: Vec<TreeHash>,
}

impl Stored {
    fn of(leaves: impl IntoIterator<Item = TreeHash>) -> Self {
        let mut edge = RightEdge::of_empty_tree();
        let mut hashes = HashMap::new();
        let mut roots = vec![edge.root()];
        for leaf in leaves {
            edge.append(leaf, |place, hash| assert!(hashes.insert(place, hash).is_none())).unwrap();
            roots.push(edge.root());
        }
        Self { edge, hashes, roots }
    }

    fn at(&self, place: Place) -> Option<TreeHash> {
        self.hashes.get(&place).copied()
    }

    fn head(&self, size: u64) -> TreeHead {
        let root = self.roots[size as usize];
        TreeHead { size, root }
    }
}

fn hash(hex: &str) -> TreeHash {
    TreeHash(HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap())
}

/// The leaves of the reference test in certificate-transparency.
fn classic() -> Stored {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    Stored::of(leaves.map(|leaf| TreeHash::leaf(&HEXLOWER.decode(leaf.as_bytes()).unwrap())))
}

#[test]
fn classic_roots() {
    let roots = [
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
    assert_eq!(classic().roots, roots.map(hash));
}

#[test]
fn classic_proofs() {
    let tree = classic();
    let path = prove_inclusion(5, 8, |place| tree.at(place)).unwrap();
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(path, expected.map(hash));

    let growth = prove_consistency(6, 8, |place| tree.at(place)).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(growth, expected.map(hash));
}

#[test]
fn agrees_with_ct_merkle_on_every_size_up_to_a_hundred() {
    let mut other = MemoryBackedTree::<Sha256, [u8; 1]>::new();
    let tree = Stored::of((0..100u8).map(|byte| TreeHash::leaf(&[byte])));
    for size in 1..=100u64 {
        other.push([size as u8 - 1]);
        let head = tree.head(size);
        assert_eq!(other.root().as_bytes()[..], head.root.0);
        let leaves: Vec<_> = (0..size as u8).map(|byte| TreeHash::leaf(&[byte])).collect();
        assert_eq!(root_of(&leaves), head.root);
        let loaded = RightEdge::load(size, |place| tree.at(place)).unwrap();
        assert_eq!(loaded.root(), head.root);

        for index in 0..size {
            let path = prove_inclusion(index, size, |place| tree.at(place)).unwrap();
            let theirs = other.prove_inclusion(index as usize);
            assert_eq!(path.as_flattened_bytes(), theirs.as_bytes());
            let leaf = TreeHash::leaf(&[index as u8]);
            verify_inclusion(&leaf, index, size, &path, &head.root).unwrap();
        }
        for older in 1..=size {
            let proof = prove_consistency(older, size, |place| tree.at(place)).unwrap();
            let theirs = other.prove_consistency((size - older) as usize);
            assert_eq!(proof.as_flattened_bytes(), theirs.as_bytes());
            verify_consistency(&tree.head(older), &head, &proof).unwrap();
        }
    }
    assert_eq!(tree.edge.size(), 100);
}

trait Flattened {
    fn as_flattened_bytes(&self) -> Vec<u8>;
}

impl Flattened for Vec<TreeHash> {
    fn as_flattened_bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|hash| hash.0).collect()
    }
}

#[test]
fn inclusion_proofs_with_one_fault_are_refused() {
    let tree = Stored::of((0..40u8).map(|byte| TreeHash::leaf(&[byte])));
    for size in 1..=40u64 {
        let root = tree.head(size).root;
        for index in 0..size {
            let leaf = TreeHash::leaf(&[index as u8]);
            let path = prove_inclusion(index, size, |place| tree.at(place)).unwrap();
            let longer = [&path[..], &[leaf]].concat();
            let refused = verify_inclusion(&leaf, index, size, &longer, &root);
            assert_eq!(refused, Err(ProofError::WrongLength));
            if let Some((_, shorter)) = path.split_last() {
                let refused = verify_inclusion(&leaf, index, size, shorter, &root);
                assert_eq!(refused, Err(ProofError::WrongLength));
            }
            for at in 0..path.len() {
                let mut bent = path.clone();
                bent[at].0[31] ^= 1;
                let refused = verify_inclusion(&leaf, index, size, &bent, &root);
                assert_eq!(refused, Err(ProofError::WrongRoot));
            }
            let other = TreeHash::leaf(&[200]);
            let refused = verify_inclusion(&other, index, size, &path, &root);
            assert_eq!(refused, Err(ProofError::WrongRoot));
            let elsewhere = verify_inclusion(&leaf, index ^ 1, size, &path, &root);
            assert!(size == 1 || elsewhere.is_err(), "{index} of {size}");
        }
    }
    let leaf = TreeHash::leaf(&[0]);
    let refused = verify_inclusion(&leaf, 1, 1, &[], &leaf);
    assert_eq!(refused, Err(ProofError::OutOfTree));
    let refused = verify_inclusion(&leaf, 0, u64::MAX, &[], &leaf);
    assert_eq!(refused, Err(ProofError::TooLarge));
}

#[test]
fn consistency_proofs_with_one_fault_are_refused() {
    let tree = Stored::of((0..40u8).map(|byte| TreeHash::leaf(&[byte])));
    for newer in 2..=40u64 {
        for older in 1..newer {
            let (old, new) = (tree.head(older), tree.head(newer));
            let proof = prove_consistency(older, newer, |place| tree.at(place)).unwrap();
            let longer = [&proof[..], &[new.root]].concat();
            let refused = verify_consistency(&old, &new, &longer);
            assert_eq!(refused, Err(ProofError::WrongLength));
            let (_, shorter) = proof.split_last().unwrap();
            let refused = verify_consistency(&old, &new, shorter);
            assert_eq!(refused, Err(ProofError::WrongLength), "{older} {newer}");
            for at in 0..proof.len() {
                let mut bent = proof.clone();
                bent[at].0[0] ^= 1;
                let refused = verify_consistency(&old, &new, &bent);
                assert_eq!(refused, Err(ProofError::WrongRoot));
            }
            let forked = TreeHead { size: older, root: new.root };
            let refused = verify_consistency(&forked, &new, &proof);
            assert_eq!(refused, Err(ProofError::WrongRoot));
            assert_eq!(verify_consistency(&new, &old, &proof), Err(ProofError::OutOfTree));
        }
    }
}

#[test]
fn the_empty_tree_begins_every_tree_and_a_tree_begins_itself() {
    let tree = classic();
    let (empty, five) = (tree.head(0), tree.head(5));
    verify_consistency(&empty, &five, &[]).unwrap();
    verify_consistency(&five, &five, &[]).unwrap();
    let long = verify_consistency(&empty, &five, &[five.root]);
    assert_eq!(long, Err(ProofError::WrongLength));
    let other = TreeHead { size: 5, root: empty.root };
    let refused = verify_consistency(&other, &five, &[]);
    assert_eq!(refused, Err(ProofError::WrongRoot));
    let none = prove_consistency(0, 5, |place| tree.at(place));
    assert_eq!(none, Err(ProofError::OutOfTree));
}

#[test]
fn a_hole_in_the_store_is_named() {
    let hole = Place { level: 0, index: 4 };
    let tree = classic();
    let refused = prove_inclusion(5, 8, |place| tree.at(place).filter(|_| place != hole));
    assert_eq!(refused, Err(ProofError::NotStored(hole)));
}
