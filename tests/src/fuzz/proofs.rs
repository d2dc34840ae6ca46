//! RFC 6962 proofs: honest ones lead to the root, edited ones do not, and no numbers make a verifier stumble.

use karute_protocol::merkle::{
    Place, ProofError, TreeHash, TreeHead, prove_consistency, prove_inclusion, root_of, verify_consistency,
    verify_inclusion,
};

use super::source::Source;

/// A proof of inclusion: first of a small tree, then with whatever numbers the input has.
pub fn inclusion(data: &[u8]) {
    let mut source = Source::new(data);
    let (index, size) = (u64::from(source.byte()), u64::from(source.byte()) + 1);
    let leaves = leaves(size);
    let root = root_of(&leaves);
    match prove_inclusion(index, size, stored(&leaves)) {
        Ok(mut proof) => {
            let leaf = leaves[index as usize];
            assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
            let (mut shown, mut of) = (index, size);
            if change(&mut source, &mut proof, &mut shown, &mut of) {
                assert!(verify_inclusion(&leaf, shown, of, &proof, &root).is_err(), "an edited proof proves nothing");
            }
        }
        Err(error) => assert_eq!(error, ProofError::OutOfTree),
    }
    let (index, size) = (source.number(), source.number());
    let (leaf, root) = (TreeHash(source.array()), TreeHash(source.array()));
    let proof = hashes(&mut source);
    assert!(verify_inclusion(&leaf, index, size, &proof, &root).is_err() || (size == 1 && leaf == root));
}

/// A proof of consistency, likewise.
pub fn consistency(data: &[u8]) {
    let mut source = Source::new(data);
    let (older, newer) = (u64::from(source.byte()), u64::from(source.byte()) + 1);
    let leaves = leaves(newer);
    let head = |size: u64| TreeHead { size, root: root_of(&leaves[..size as usize]) };
    match prove_consistency(older, newer, stored(&leaves)) {
        Ok(mut proof) => {
            assert_eq!(verify_consistency(&head(older), &head(newer), &proof), Ok(()));
            let (mut from, mut to) = (older, newer);
            if change(&mut source, &mut proof, &mut from, &mut to) {
                let (old, new) = (TreeHead { size: from, ..head(older) }, TreeHead { size: to, ..head(newer) });
                assert!(verify_consistency(&old, &new, &proof).is_err(), "an edited proof proves nothing");
            }
        }
        Err(error) => assert_eq!((error, older == 0 || older > newer), (ProofError::OutOfTree, true)),
    }
    let any = |source: &mut Source<'_>| TreeHead { size: source.number(), root: TreeHash(source.array()) };
    let (old, new) = (any(&mut source), any(&mut source));
    let proof = hashes(&mut source);
    let proven = verify_consistency(&old, &new, &proof).is_ok();
    assert!(!proven || old.size == 0 || old == new, "hashes that nobody made prove nothing");
}

/// Changes a proof in one place; whether it is another one now.
fn change(source: &mut Source<'_>, proof: &mut Vec<TreeHash>, index: &mut u64, size: &mut u64) -> bool {
    let before = (proof.clone(), *index, *size);
    match source.byte() % 6 {
        0 if !proof.is_empty() => {
            let at = source.place(proof.len());
            proof[at].0[source.place(32)] ^= 1 << source.place(8);
        }
        1 if !proof.is_empty() => drop(proof.remove(source.place(proof.len()))),
        2 => proof.push(TreeHash(source.array())),
        3 => *index = u64::from(source.byte()),
        4 if proof.len() > 1 => {
            let (one, other) = (source.place(proof.len()), source.place(proof.len()));
            proof.swap(one, other);
        }
        5 => *size = u64::from(source.byte()),
        _ => {}
    }
    // The shape of a proof is the same in trees of several sizes: the size is proven by the checkpoint, not by the proof.
    before.0 != *proof || (before.1 != *index && before.2 == *size)
}

fn hashes(source: &mut Source<'_>) -> Vec<TreeHash> {
    (0..source.place(70)).map(|_| TreeHash(source.array())).collect()
}

fn leaves(size: u64) -> Vec<TreeHash> {
    (0..size).map(|n| TreeHash::leaf(&n.to_be_bytes())).collect()
}

/// The hashes of complete subtrees, made when they are asked for.
fn stored(leaves: &[TreeHash]) -> impl FnMut(Place) -> Option<TreeHash> {
    |place| {
        let (start, len) = ((place.index as usize) << place.level, 1 << place.level);
        leaves.get(start..start + len).map(root_of)
    }
}
