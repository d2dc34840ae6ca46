//! Packages that open, and those that must not be accepted.

use karute_consent::id::{AuthorityNumber, RootNumber, VaultId};
use karute_consent::sealing::Suite as KeySuite;
use karute_consent::time::MonthRange;
use proptest::prelude::*;

use super::*;
use crate::hpke::{ENTROPY_LEN, Suite};
use crate::keys::{NodeName, Root};
use crate::record::keys::RecordKey;

const VAULT: VaultId = VaultId::from_bytes([1; 32]);
const CORE: CoreDigest = CoreDigest(Digest::from_bytes([2; 32]));

fn collection(byte: u8) -> CollectionId {
    CollectionId::from_bytes([byte; 16])
}

fn tree(byte: u8, generation: u32) -> TreeNode {
    root(0).collection_root(VAULT, collection(byte), Generation(generation))
}

fn root(number: u32) -> Root {
    Root::new(RootNumber(number), Zeroizing::new([7 + number as u8; 32]))
}

fn node_items(byte: u8, generation: u32, from: u16, to: u16) -> Vec<PackageItem> {
    let months = MonthRange::new(Month(from), Month(to)).unwrap();
    let nodes = tree(byte, generation).cover(&months).unwrap();
    let item = |node| PackageItem::Node { collection: collection(byte), generation: Generation(generation), node };
    nodes.into_iter().map(item).collect()
}

fn record_item(byte: u8, with_body: bool) -> PackageItem {
    let key = |at| RecordKey::new(Zeroizing::new([at; 32]));
    let keys = RecordKeys { meta: key(byte), body: with_body.then(|| key(byte + 100)) };
    PackageItem::Record { record: RecordId::from_bytes([byte; 16]), keys }
}

fn package() -> Package {
    let mut items = vec![record_item(9, true), record_item(4, false)];
    items.extend(node_items(2, 1, 680, 690));
    items.extend(node_items(1, 3, 681, 684));
    Package::new(items).unwrap()
}

fn secret(byte: u8) -> SealingSecret {
    SealingSecret::new(Suite::XWing, Zeroizing::new([byte; 32]))
}

fn entropy() -> Entropy {
    Entropy::new([5; ENTROPY_LEN])
}

fn epoch(byte: u8, generation: u32, month: u16) -> EpochKey {
    EpochKey {
        collection: collection(byte),
        generation: Generation(generation),
        month: Month(month),
        key: tree(byte, generation).epoch_secret(Month(month)).unwrap().public(),
    }
}

#[test]
fn a_package_reads_back_in_its_order() {
    let bytes = package().encode().unwrap();
    let back = Package::decode(&bytes).unwrap();
    assert_eq!(*back.encode().unwrap(), *bytes);
    let body = |record| back.record_keys(RecordId::from_bytes([record; 16])).map(|keys| keys.body.is_some());
    assert_eq!((body(4), body(9), body(5)), (Some(false), Some(true), None));
}

#[test]
fn the_first_bytes_of_a_package_are_known() {
    let item = record_item(4, false);
    let bytes = Package::new(vec![item]).unwrap().encode().unwrap();
    assert_eq!(bytes[..3], [0xa1, 0x01, 0x81]); // {1: [
    assert_eq!(bytes[3..6], [0xa3, 0x01, 0x02]); // {1: 2,
    assert_eq!(bytes[6..8], [0x07, 0x50]); // 7: record id,
    assert_eq!(bytes[24..27], [0x08, 0x58, 0x20]); // 8: meta key}]}
    assert_eq!(bytes.len(), 59);
}

/// P-08
#[test]
fn items_in_another_order_or_twice_are_refused() {
    let refused = |items: Vec<PackageItem>| {
        let items = items.iter().map(WireItem::from).collect();
        Package::decode(&to_bytes(&Wire { items }).unwrap()).err()
    };
    assert_eq!(refused(vec![record_item(2, true), record_item(1, true)]), Some(PackageError::Order));
    assert_eq!(refused(vec![record_item(1, true), record_item(1, false)]), Some(PackageError::Order));
    let mut mixed = vec![record_item(1, true)];
    mixed.extend(node_items(1, 1, 680, 681));
    assert_eq!(refused(mixed), Some(PackageError::Order));
    assert_eq!(refused(vec![]), Some(PackageError::Count));
    let twice = Package::new(vec![record_item(1, true), record_item(1, false)]);
    assert_eq!(twice.err(), Some(PackageError::Order));
}

/// P-08, P-03
#[test]
fn an_item_has_exactly_the_fields_of_its_kind() {
    // {1: [{1: kind, …}]}, field by field.
    let seed = [&[0x06, 0x58, 0x20][..], &[7; 32]].concat();
    let read = |item: &[u8]| Package::decode(&[&[0xa1, 0x01, 0x81], item].concat()).err();
    let collection = [&[0x02, 0x50][..], &[1; 16]].concat();
    let node = |depth: &[u8], prefix: &[u8]| {
        [&[0xa6, 0x01, 0x01], &collection[..], &[0x03, 0x01, 0x04], depth, &[0x05], prefix, &seed].concat()
    };
    assert_eq!(read(&node(&[0x03], &[0x07])), None);
    assert_eq!(read(&node(&[0x03], &[0x08])), Some(PackageError::Place));
    assert_eq!(read(&node(&[0x11], &[0x00])), Some(PackageError::Place));
    assert_eq!(read(&[&[0xa3, 0x01, 0x03], &seed[..], &[0x0a, 0x00]].concat()), None);
    assert_eq!(read(&[&[0xa2, 0x01, 0x03], &seed[..]].concat()), Some(PackageError::Fields)); // root without number
    assert_eq!(read(&[&[0xa3, 0x01, 0x04], &seed[..], &[0x0a, 0x00]].concat()), Some(PackageError::Fields)); // kind 4
    let both = [&[0xa4, 0x01, 0x03], &collection[..], &seed[..], &[0x0a, 0x00]].concat();
    assert_eq!(read(&both), Some(PackageError::Fields)); // root with a collection
}

/// P-09
#[test]
fn a_holder_compares_its_keys_with_the_directory() {
    let package = package();
    assert_eq!(package.check_epoch(&epoch(2, 1, 685)), Ok(()));
    assert_eq!(package.check_epoch(&epoch(1, 3, 683)), Ok(()));
    assert_eq!(package.check_epoch(&epoch(1, 3, 684)), Err(PackageError::NotCovered));
    assert_eq!(package.check_epoch(&epoch(2, 2, 685)), Err(PackageError::NotCovered));
    let other = EpochKey { key: epoch(1, 1, 685).key, ..epoch(2, 1, 685) };
    assert_eq!(package.check_epoch(&other), Err(PackageError::OtherKey));
}

#[cfg(feature = "open")]
#[test]
fn a_package_opens_for_its_holder_grant_and_rotation_only() {
    let rotation = RotationSequence(0);
    let sealed = package().seal(&secret(1).public(), CORE, rotation, entropy()).unwrap();
    let opened = |secret: &SealingSecret, core, rotation| Package::open(&sealed, secret, core, rotation);
    let good = opened(&secret(1), CORE, rotation).unwrap();
    assert_eq!(*good.encode().unwrap(), *package().encode().unwrap());
    let refused = Some(PackageError::Open(OpenError::Refused));
    assert_eq!(opened(&secret(2), CORE, rotation).err(), refused);
    assert_eq!(opened(&secret(1), CoreDigest(Digest::from_bytes([3; 32])), rotation).err(), refused);
    assert_eq!(opened(&secret(1), CORE, RotationSequence(1)).err(), refused);
}

fn receivers(bytes: &[u8]) -> Vec<SealingKey> {
    bytes.iter().map(|byte| secret(*byte).public()).collect()
}

fn list(to: &[u8]) -> RootPackageList {
    let roots = vec![root(1), root(0)];
    RootPackageList::seal(&receivers(to), roots, VAULT, AuthorityNumber(2), entropy).unwrap()
}

/// P-10
#[test]
fn a_list_has_one_package_for_each_receiver_and_no_other() {
    let attachment = list(&[1, 2, 3]).to_attachment().unwrap();
    assert_eq!(RootPackageList::from_attachment(&attachment, &receivers(&[3, 1, 2])), Ok(list(&[1, 2, 3])));
    for other in [&[1, 2][..], &[1, 2, 3, 4], &[1, 2, 4]] {
        let read = RootPackageList::from_attachment(&attachment, &receivers(other));
        assert_eq!(read, Err(RootsError::Receivers), "{other:?}");
    }
    let mut turned = list(&[1, 2]).packages().to_vec();
    turned.reverse();
    let turned = to_bytes(&turned).unwrap();
    assert_eq!(RootPackageList::from_attachment(&turned, &receivers(&[1, 2])), Err(RootsError::Order));
}

#[cfg(feature = "open")]
#[test]
fn every_receiver_opens_all_roots_of_its_vault_and_authority() {
    let list = list(&[1, 2]);
    for byte in [1, 2] {
        let roots = list.open(&secret(byte), VAULT, AuthorityNumber(2)).unwrap();
        let numbers: Vec<u32> = roots.iter().map(|root| root.number().0).collect();
        assert_eq!(numbers, [0, 1]);
        assert_eq!(**roots[1].seed(), **root(1).seed());
    }
    assert_eq!(list.open(&secret(3), VAULT, AuthorityNumber(2)).err(), Some(RootsError::NotForThisKey));
    let refused = Some(RootsError::Open(OpenError::Refused));
    assert_eq!(list.open(&secret(1), VAULT, AuthorityNumber(1)).err(), refused);
    assert_eq!(list.open(&secret(1), VaultId::from_bytes([9; 32]), AuthorityNumber(2)).err(), refused);
}

#[cfg(feature = "open")]
#[test]
fn a_root_that_is_missing_is_noticed() {
    let list = RootPackageList::seal(&receivers(&[1]), vec![root(1)], VAULT, AuthorityNumber(2), entropy).unwrap();
    assert_eq!(list.open(&secret(1), VAULT, AuthorityNumber(2)).err(), Some(RootsError::Gap));
}

#[test]
fn a_thief_of_the_identity_key_exchanges_an_old_root() {
    let keys = |root: &Root| (root.inbox_secret().public(), root.audit_secret().public());
    let ledger = [keys(&root(0)), keys(&root(1))];
    let keys_of = |number: RootNumber| ledger.get(number.0 as usize).cloned();
    assert_eq!(check_roots(&[root(0), root(1)], keys_of), Ok(()));
    let other = Root::new(RootNumber(0), Zeroizing::new([0x77; 32]));
    assert_eq!(check_roots(&[other, root(1)], keys_of), Err(RootsError::OtherRoot), "the newest alone is not enough");
    assert_eq!(check_roots(&[root(2)], keys_of), Err(RootsError::OtherRoot), "the ledger has no such root");
}

#[test]
fn the_largest_package_is_an_attachment() {
    let record = |number: usize| {
        let mut id = [0xff; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let key = |byte| RecordKey::new(Zeroizing::new([byte; 32]));
        let keys = RecordKeys { meta: key(1), body: Some(key(2)) };
        PackageItem::Record { record: RecordId::from_bytes(id), keys }
    };
    let items = |count| (0..count).map(record).collect::<Vec<_>>();
    let package = Package::new(items(PACKAGE_ITEMS_MAX)).unwrap();
    let core = CoreDigest(Digest::from_bytes([1; 32]));
    let sealed = package.seal(&secret(3).public(), core, RotationSequence(u32::MAX), entropy()).unwrap();
    assert!(to_bytes(&sealed).unwrap().len() <= karute_consent::limits::ATTACHMENT_BYTES_MAX);
    assert_eq!(Package::new(items(PACKAGE_ITEMS_MAX + 1)).err(), Some(PackageError::Count));
}

#[test]
fn a_receiver_of_suite_1_can_be_sealed_to() {
    let classic = SealingSecret::new(Suite::X25519, Zeroizing::new([1; 32])).public();
    assert_eq!(classic.suite(), KeySuite::X25519);
    assert!(package().seal(&classic, CORE, RotationSequence(3), entropy()).is_ok());
}

proptest! {
    #[test]
    fn random_bytes_are_no_package_or_read_back_alike(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(package) = Package::decode(&bytes) {
            prop_assert_eq!(&*package.encode().unwrap(), &bytes);
        }
    }

    #[test]
    fn a_node_opens_its_own_months_alone(from in 0..60_000u16, span in 1..30u16, month in any::<u16>()) {
        let package = Package::new(node_items(1, 1, from, from + span)).unwrap();
        let held = package.node(collection(1), Generation(1), Month(month)).is_some();
        prop_assert_eq!(held, (from..from + span).contains(&month));
    }
}

#[test]
fn the_root_of_a_tree_is_a_place_too() {
    let item = PackageItem::Node { collection: collection(1), generation: Generation(1), node: tree(1, 1) };
    let package = Package::new(vec![item]).unwrap();
    let node = package.node(collection(1), Generation(1), Month(u16::MAX)).unwrap();
    assert_eq!(node.name(), NodeName::ROOT);
}
