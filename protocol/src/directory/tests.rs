//! Directories as a device makes them, and proofs that must not convince.

use karute_consent::id::{DirectoryNumber, VaultId};
use karute_consent::party::Identity;
use karute_consent::statement::{Verified, sign};
use karute_consent::time::Timestamp;
use zeroize::Zeroizing;

use super::*;
use crate::keys::Root;

const VAULT: VaultId = VaultId::from_bytes([1; 32]);
const FIRST: Month = Month(680);

fn collection(byte: u8) -> CollectionId {
    CollectionId::from_bytes([byte; 16])
}

fn keys(collection: CollectionId, generation: u32, months: u16) -> KeyLeaves {
    let root = Root::new(RootNumber(0), Zeroizing::new([9; 32]));
    let tree = root.collection_root(VAULT, collection, Generation(generation));
    KeyLeaves::derive(&tree, FIRST, months).unwrap()
}

fn leaves(of: &[(u8, u32)]) -> CollectionLeaves {
    let leaf = |(byte, generation): &(u8, u32)| {
        let collection = collection(*byte);
        let keys = keys(collection, *generation, 3);
        keys.collection_leaf(collection, Generation(*generation), RootNumber(0)).unwrap()
    };
    CollectionLeaves::new(of.iter().map(leaf).collect()).unwrap()
}

fn directory(leaves: &CollectionLeaves) -> Verified<Directory> {
    let directory = Directory {
        vault: VAULT,
        number: DirectoryNumber(0),
        root: leaves.root().unwrap(),
        count: leaves.len() as u8,
        issued: Timestamp::from_secs(1_795_305_600),
    };
    sign(directory, &Identity::from_seed(&[5; 32])).unwrap()
}

fn proof(of: &[(u8, u32)], byte: u8, month: Month) -> (Verified<Directory>, KeyProof) {
    let leaves = leaves(of);
    let directory = directory(&leaves);
    let generation = of.iter().find(|(other, _)| *other == byte).unwrap().1;
    let keys = keys(collection(byte), generation, 3);
    let proof = prove(directory.to_unverified(), &leaves, &keys, collection(byte), month).unwrap();
    (directory, proof)
}

const THREE: [(u8, u32); 3] = [(1, 1), (2, 4), (3, 2)];

#[test]
fn every_key_of_a_directory_is_proven() {
    for (byte, generation) in THREE {
        for month in FIRST.0..FIRST.0 + 3 {
            let (directory, proof) = proof(&THREE, byte, Month(month));
            let found = proof.verify(directory.id(), collection(byte), Month(month)).unwrap();
            let expected = keys(collection(byte), generation, 3).leaves()[usize::from(month - FIRST.0)].key.clone();
            assert_eq!((found.generation, found.key), (Generation(generation), expected));
        }
    }
}

/// P-05: a depositor seals to the key of the directory that its newest ledger entry names, and no other.
#[test]
fn a_key_of_a_directory_that_is_not_in_force_is_refused() {
    let (_, old) = proof(&[(1, 1)], 1, FIRST);
    let (newer, _) = proof(&[(1, 2)], 1, FIRST);
    assert_eq!(old.verify(newer.id(), collection(1), FIRST), Err(KeyProofError::NotInForce));
}

#[test]
fn a_host_proves_a_key_that_a_removed_device_has() {
    let (statement, mut proof) = proof(&[(1, 1), (2, 3)], 2, Month(681));
    assert!(proof.verify(statement.id(), collection(2), Month(681)).is_ok(), "the directory is still the newest");
    let root = proof.collection.root_number;
    assert!(proof.is_of_root(root));
    assert!(!proof.is_of_root(RootNumber(root.0 + 1)), "the device is gone, and so is its root");
    proof.collection.root_number = RootNumber(root.0 + 1);
    let pretended = proof.verify(statement.id(), collection(2), Month(681));
    assert!(matches!(pretended, Err(KeyProofError::Collection(_))), "the leaf says which root it is of");
}

#[test]
fn another_collection_or_month_than_asked_for_is_refused() {
    let (directory, proof) = proof(&THREE, 2, FIRST);
    let asked = |byte, month| proof.verify(directory.id(), collection(byte), month);
    assert_eq!(asked(1, FIRST), Err(KeyProofError::NotAskedFor));
    assert_eq!(asked(2, Month(FIRST.0 + 1)), Err(KeyProofError::NotAskedFor));
}

#[test]
fn an_exchanged_leaf_key_or_path_does_not_lead_to_the_root() {
    let (directory, good) = proof(&THREE, 2, FIRST);
    let refused = |change: &dyn Fn(&mut KeyProof)| {
        let mut bent = good.clone();
        change(&mut bent);
        bent.verify(directory.id(), collection(2), FIRST).unwrap_err()
    };
    let (_, other) = proof(&[(2, 5)], 2, FIRST);
    assert!(matches!(refused(&|p| p.key = other.key.clone()), KeyProofError::Key(_)));
    assert!(matches!(refused(&|p| p.key_proof[0].0[0] ^= 1), KeyProofError::Key(_)));
    assert!(matches!(refused(&|p| p.key_proof.clear()), KeyProofError::Key(_)));
    assert!(matches!(refused(&|p| p.collection.generation = Generation(5)), KeyProofError::Collection(_)));
    assert!(matches!(refused(&|p| p.collection_index = LeafIndex(0)), KeyProofError::Collection(_)));
    assert!(matches!(refused(&|p| p.collection_proof[0].0[0] ^= 1), KeyProofError::Collection(_)));
}

#[test]
fn attachments_are_collection_leaves_then_new_keys() {
    let before = leaves(&[(1, 1), (2, 4)]);
    let after = leaves(&[(1, 2), (2, 4), (3, 1)]);
    let keys_of = |leaf: &CollectionLeaf| Some(keys(leaf.collection, leaf.generation.0, 3));
    let sent = attachments(&after, Some(&before), keys_of).unwrap();
    assert_eq!(sent.len(), 3); // leaves, keys of 1 (new generation) and of 3 (new collection)
    let parts = verify_attachments(directory(&after).payload(), Some(&before), &sent).unwrap();
    assert_eq!(parts.leaves, after);
    let roots: Vec<_> = parts.new_keys.iter().map(|(root, _)| *root).collect();
    assert_eq!(roots, [after.leaf(collection(1)).unwrap().keys_root, after.leaf(collection(3)).unwrap().keys_root]);
}

/// P-07, and the number of attachments.
#[test]
fn attachments_that_are_not_those_of_the_directory_are_refused() {
    let after = leaves(&[(1, 1), (2, 1)]);
    let statement = directory(&after);
    let good = attachments(&after, None, |leaf| Some(keys(leaf.collection, leaf.generation.0, 3))).unwrap();
    let refused = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut bent = good.clone();
        change(&mut bent);
        verify_attachments(statement.payload(), None, &bent).unwrap_err()
    };
    let shifted = |byte| keys(collection(byte), 1, 2).to_attachment().unwrap();
    assert_eq!(refused(&|a| a.clear()), AttachmentsError::Count);
    assert_eq!(refused(&|a| a.truncate(2)), AttachmentsError::Count);
    assert_eq!(refused(&|a| a.push(vec![0x80])), AttachmentsError::Count);
    assert_eq!(refused(&|a| a.swap(1, 2)), AttachmentsError::Keys(KeyLeavesError::Root));
    assert_eq!(refused(&|a| a[1] = shifted(1)), AttachmentsError::Keys(KeyLeavesError::Months));
    assert!(matches!(refused(&|a| a[1].truncate(9)), AttachmentsError::Keys(KeyLeavesError::Encoding(_))));
    let other = leaves(&[(1, 1), (3, 1)]).to_attachment().unwrap();
    assert_eq!(refused(&|a| a[0] = other.clone()), AttachmentsError::Leaves(DirectoryError::Root));
}

#[test]
fn key_leaves_are_consecutive_months_of_suite_2() {
    let good = keys(collection(1), 1, 3).leaves().to_vec();
    let mut gap = good.clone();
    gap.remove(1);
    assert_eq!(KeyLeaves::new(gap), Err(KeyLeavesError::Months));
    let mut classic = good.clone();
    classic[0].key = SealingKey::new(Suite::X25519, vec![9; 32]).unwrap();
    assert_eq!(KeyLeaves::new(classic), Err(KeyLeavesError::Suite));
    assert_eq!(KeyLeaves::new(vec![]), Err(KeyLeavesError::Count));
    let many = vec![good[0].clone(); 25];
    assert_eq!(KeyLeaves::new(many), Err(KeyLeavesError::Count));
}
