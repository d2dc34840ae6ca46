//! RFC 6962 trees and proofs, written from the RFC's recursive definitions: slow, short, and none of the crates' code.

use super::forge::hash;

/// The hash of a leaf's data.
pub fn leaf_hash(data: &[u8]) -> [u8; 32] {
    hash(&[&[0], data])
}

/// The root over leaf data.
pub fn root_of<L: AsRef<[u8]>>(leaves: &[L]) -> [u8; 32] {
    match leaves {
        [] => hash(&[]),
        [leaf] => leaf_hash(leaf.as_ref()),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            hash(&[&[1], &root_of(left), &root_of(right)])
        }
    }
}

/// `PATH(m, D[n])` of RFC 6962 section 2.1.1.
pub fn inclusion<L: AsRef<[u8]>>(index: usize, leaves: &[L]) -> Vec<[u8; 32]> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) =
        if index < k { (inclusion(index, left), root_of(right)) } else { (inclusion(index - k, right), root_of(left)) };
    path.push(sibling);
    path
}

/// `PROOF(m, D[n])` of RFC 6962 section 2.1.2.
pub fn consistency<L: AsRef<[u8]>>(older: usize, leaves: &[L]) -> Vec<[u8; 32]> {
    subproof(older, leaves, true)
}

fn subproof<L: AsRef<[u8]>>(older: usize, leaves: &[L], whole: bool) -> Vec<[u8; 32]> {
    if older == leaves.len() {
        return if whole { Vec::new() } else { vec![root_of(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = if older <= k {
        (subproof(older, left, whole), root_of(right))
    } else {
        (subproof(older - k, right, false), root_of(left))
    };
    path.push(sibling);
    path
}

/// The largest power of two below a count of at least 2.
fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}
