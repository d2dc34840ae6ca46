//! Who may sign an authority, and what has to change with it.

use super::*;
use crate::testing::{authority, charter, identity, sealing_key};

fn next() -> PartyKey {
    identity(2).key()
}

#[test]
fn the_identity_key_adds_a_device() {
    let before = authority(VaultId::from_bytes([1; 32]));
    let mut after = before.clone();
    after.number = AuthorityNumber(1);
    after.devices.push(Device { key: PartyKey::from_bytes([0xff; 32]), ..before.devices[0].clone() });
    assert_eq!(after.follows(identity(1).key(), &before), Ok(()));
}

#[test]
fn a_device_signs_no_authority() {
    let before = authority(VaultId::from_bytes([1; 32]));
    let after = Authority { number: AuthorityNumber(1), ..before.clone() };
    assert_eq!(after.follows(identity(3).key(), &before), Err(SuccessionError::Signer));
}

#[test]
fn the_identity_key_cannot_name_its_successor() {
    let before = authority(VaultId::from_bytes([1; 32]));
    let after = Authority { number: AuthorityNumber(1), next: commit_to_next(identity(9).key()), ..before.clone() };
    assert_eq!(after.follows(identity(1).key(), &before), Err(SuccessionError::Identity));
}

#[test]
fn the_committed_key_takes_over_with_a_new_root_and_a_new_successor() {
    let before = authority(VaultId::from_bytes([1; 32]));
    let after = Authority {
        number: AuthorityNumber(1),
        identity: next(),
        next: commit_to_next(identity(9).key()),
        root_number: RootNumber(1),
        inbox: sealing_key(11),
        audit: sealing_key(12),
        recovery: sealing_key(13),
        ..before.clone()
    };
    assert_eq!(after.follows(next(), &before), Ok(()));
    let same_next = Authority { next: before.next, ..after.clone() };
    assert_eq!(same_next.follows(next(), &before), Err(SuccessionError::Identity));
    let same_root = Authority { root_number: RootNumber(0), ..after.clone() };
    assert_eq!(same_root.follows(next(), &before), Err(SuccessionError::RootNumber));
    let same_recovery = Authority { recovery: before.recovery.clone(), ..after };
    assert_eq!(same_recovery.follows(next(), &before), Err(SuccessionError::SealingKeys));
}

#[test]
fn removing_a_device_needs_a_new_root() {
    let mut before = authority(VaultId::from_bytes([1; 32]));
    before.devices.push(Device { key: PartyKey::from_bytes([0xff; 32]), ..before.devices[0].clone() });
    let mut after = Authority { number: AuthorityNumber(1), ..before.clone() };
    after.devices.pop();
    assert_eq!(after.follows(identity(1).key(), &before), Err(SuccessionError::RootNumber));
    after.root_number = RootNumber(1);
    assert_eq!(after.follows(identity(1).key(), &before), Err(SuccessionError::SealingKeys));
    (after.inbox, after.audit) = (sealing_key(11), sealing_key(12));
    assert_eq!(after.follows(identity(1).key(), &before), Ok(()));
}

#[test]
fn the_first_authority_follows_from_the_charter() {
    let first = authority(VaultId::from_bytes([1; 32]));
    assert_eq!(first.follows_charter(identity(1).key(), &charter()), Ok(()));
    let second = Authority { number: AuthorityNumber(1), ..first };
    assert_eq!(second.follows_charter(identity(1).key(), &charter()), Err(SuccessionError::Number));
}

#[test]
fn a_charter_is_signed_by_its_identity_and_has_enough_witnesses() {
    assert_eq!(charter().check(identity(1).key()), Ok(()));
    assert_eq!(charter().check(identity(2).key()), Err(Malformed::Signer));
    let quorum = Charter { quorum: 1, ..charter() };
    assert_eq!(quorum.check(identity(1).key()), Err(Malformed::Quorum));
}

#[test]
fn a_vault_has_one_home() {
    let mut two = authority(VaultId::from_bytes([1; 32]));
    two.hosts.push(Host { node: NodeId::from_bytes([0xff; 32]), ..two.hosts[0].clone() });
    assert_eq!(two.check(identity(1).key()), Err(Malformed::Home));
    two.hosts[1].role = HostRole::Mirror;
    assert_eq!(two.check(identity(1).key()), Ok(()));
    two.hosts.swap(0, 1);
    assert_eq!(two.check(identity(1).key()), Err(Malformed::Order));
}
