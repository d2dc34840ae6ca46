//! What the tests of this crate build from: fixed parties, small statements, and arbitrary scopes and grants.

pub(crate) mod book;

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::card::{Card, CardKind};
use crate::directory::CollectionLeaf;
use crate::grant::GrantCore;
use crate::id::{
    AuthorityNumber, CollectionId, Digest, Generation, NodeId, PartyKey, RecordId, RootNumber, StatementId, VaultId,
};
use crate::party::Identity;
use crate::purpose::Purpose;
use crate::scope::{Action, Place, Scope};
use crate::sealing::{SealingKey, Suite};
use crate::time::{Month, MonthRange, Timestamp, Validity};
use crate::vault::{Authority, Charter, Device, Host, HostRole, Nonce, commit_to_next};

/// 1 is the patient's identity, 2 the next one, 3 a device, 4 the home host; others are outside parties.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

pub(crate) fn sealing_key(number: u8) -> SealingKey {
    SealingKey::new(Suite::X25519, vec![number; 32]).expect("32 bytes")
}

pub(crate) fn card() -> Card {
    Card {
        kind: CardKind::Facility,
        name: "B病院".to_owned(),
        sealing_key: sealing_key(9),
        issued: Timestamp::from_secs(1),
        evidence: None,
        addresses: None,
    }
}

pub(crate) fn charter() -> Charter {
    Charter {
        identity: identity(1).key(),
        next: commit_to_next(identity(2).key()),
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        witnesses: Vec::new(),
        quorum: 0,
        created: Timestamp::from_secs(1_000),
        nonce: Nonce::from_bytes([7; 16]),
    }
}

pub(crate) fn authority(vault: VaultId) -> Authority {
    Authority {
        vault,
        number: AuthorityNumber(0),
        identity: identity(1).key(),
        next: commit_to_next(identity(2).key()),
        devices: vec![Device {
            key: identity(3).key(),
            sealing_key: sealing_key(4),
            added: Timestamp::from_secs(1_000),
        }],
        hosts: vec![Host { node: home(), role: HostRole::Home, addresses: Vec::new() }],
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        root_number: RootNumber(0),
        roots: Digest::from_bytes([8; 32]),
        witness_set: None,
    }
}

pub(crate) fn home() -> NodeId {
    NodeId::from_bytes(*identity(4).key().as_bytes())
}

pub(crate) fn collection(number: u8) -> CollectionId {
    CollectionId::from_bytes([number; 16])
}

pub(crate) fn leaf(number: u8, generation: u32) -> CollectionLeaf {
    CollectionLeaf {
        collection: collection(number),
        generation: Generation(generation),
        first_month: Month(682),
        months: 24,
        keys_root: Digest::from_bytes([number; 32]),
        root_number: RootNumber(0),
    }
}

/// A grant to party 5: read and list collection 1 for treatment, months 680 to 700, seconds 2000 to 3000.
pub(crate) fn grant_core() -> GrantCore {
    GrantCore {
        vault: VaultId::from_bytes([1; 32]),
        holder: identity(5).key(),
        scope: Scope {
            actions: BTreeSet::from([Action::List, Action::Read]),
            collections: BTreeSet::from([collection(1)]),
            months: MonthRange::new(Month(680), Month(700)).ok(),
            records: None,
            depositors: None,
        },
        purposes: BTreeSet::from([Purpose::Treatment]),
        validity: Validity::new(Timestamp::from_secs(2_000), Timestamp::from_secs(3_000)).expect("not empty"),
        uses: None,
        depth: 0,
        parent: None,
        nonce: Nonce::from_bytes([1; 16]),
    }
}

fn subset<T: Clone + Ord + std::fmt::Debug + 'static>(of: Vec<T>) -> impl Strategy<Value = BTreeSet<T>> {
    let most = of.len();
    proptest::sample::subsequence(of, 0..=most).prop_map(BTreeSet::from_iter)
}

fn month_ranges() -> impl Strategy<Value = MonthRange> {
    (680..684u16, 1..5u16).prop_map(|(from, span)| MonthRange::new(Month(from), Month(from + span)).expect("not empty"))
}

/// Scopes from few values, so that one often lies within another.
pub(crate) fn scopes() -> impl Strategy<Value = Scope> {
    let records = (1..4u8).map(|n| RecordId::from_bytes([n; 16])).collect();
    let depositors = (1..3u8).map(|n| PartyKey::from_bytes([n; 32])).collect();
    (
        subset(vec![Action::Deposit, Action::List, Action::Read]),
        subset((1..4).map(collection).collect()),
        proptest::option::of(month_ranges()),
        proptest::option::of(subset(records)),
        proptest::option::of(subset(depositors)),
    )
        .prop_map(|(actions, collections, months, records, depositors)| Scope {
            actions,
            collections,
            months,
            records,
            depositors,
        })
}

pub(crate) fn places() -> impl Strategy<Value = Place> {
    (1..5u8, 679..690u16, 1..5u8, 1..4u8).prop_map(|(place, month, record, depositor)| Place {
        collection: collection(place),
        month: Month(month),
        record: RecordId::from_bytes([record; 16]),
        depositor: PartyKey::from_bytes([depositor; 32]),
    })
}

/// Cores from few values, so that one often lies within another.
pub(crate) fn cores() -> impl Strategy<Value = GrantCore> {
    (
        scopes(),
        subset(vec![Purpose::Treatment, Purpose::Research]),
        (0..3u64, 1..4u64),
        proptest::option::of(1..4u32),
        0..4u8,
        proptest::option::of(Just(StatementId::from_bytes([3; 32]))),
    )
        .prop_map(|(scope, purposes, (from, secs), uses, depth, parent)| GrantCore {
            scope,
            purposes,
            validity: Validity::new(Timestamp::from_secs(from), Timestamp::from_secs(from + secs)).expect("not empty"),
            uses,
            depth,
            parent,
            ..grant_core()
        })
}
