//! A patient with one device, a home host, a facility that deposits, and a store in a folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use karute_consent::directory::{CollectionLeaf, CollectionLeaves, Directory};
use karute_consent::id::{
    AskId, AuthorityNumber, Challenge, CollectionId, Digest, DirectoryNumber, Generation, NodeId, PartyKey, RecordId,
    RequestId, RootNumber, RunId, Salt, Seq, StatementId, VaultId,
};
use karute_consent::ledger::{Entry, EntryKind, Item, LedgerState, View, body_hash};
use karute_consent::party::Identity;
use karute_consent::policy::{Clock, Memory, Permit, Session, decide};
use karute_consent::purpose::Purpose;
use karute_consent::request::{Head, Request, Selector};
use karute_consent::scope::Action;
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::{Statement, Verified, sign};
use karute_consent::time::{Month, Timestamp};
use karute_consent::tree::{digest_of, root_of};
use karute_consent::vault::{Authority, Charter, Device, Host, HostRole, Nonce, commit_to_next};
use karute_protocol::bao::{BodyRef, pairs_of};
use karute_protocol::trail::{Event, EventKind, Outcome};
use serde_bytes::ByteBuf;

use crate::vault::bodies::BodyLimits;
use crate::vault::{
    Effect, NewAsk, NewRecord, NewRun, Note, Opened, RecordPlace, Removal, Store, StoreSettings, TombstoneReason,
};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(super) const COLLECTION: CollectionId = CollectionId::from_bytes([0xC1; 16]);

/// 1 identity, 2 next identity, 3 device, 4 host, 5 facility.
pub(super) fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

pub(super) fn facility() -> PartyKey {
    identity(5).key()
}

pub(super) fn node() -> NodeId {
    NodeId::from_bytes(*identity(4).key().as_bytes())
}

pub(super) fn settings(folder: &Path) -> StoreSettings {
    StoreSettings {
        folder: folder.to_owned(),
        log: identity(4),
        entropy: Arc::new(|bytes| getrandom::fill(bytes).expect("the system has randomness")),
        bodies: BodyLimits::default(),
    }
}

pub(super) fn open(folder: &Path) -> (Store, Opened) {
    Store::open(settings(folder), &mut |_| ()).unwrap()
}

fn sealing_key(number: u8) -> SealingKey {
    SealingKey::new(Suite::X25519, vec![number; 32]).unwrap()
}

/// What stands in the journal as a root package; longer than one index entry.
pub(super) fn root_packages() -> Vec<u8> {
    vec![0x52; 9_000]
}

/// An encoded array of key leaves and its root.
pub(super) fn key_leaves(number: u8) -> (Digest, Vec<u8>) {
    let leaves: Vec<ByteBuf> = (0..24).map(|month| ByteBuf::from(vec![number ^ month; 1250])).collect();
    (root_of(&leaves), karute_consent::encoding::to_bytes(&leaves).unwrap())
}

/// Makes an item that follows `state`.
pub(super) fn item<T: Statement>(
    state: Option<&LedgerState>,
    kind: EntryKind,
    body: &Verified<T>,
    attachments: &[Vec<u8>],
    signer: u8,
) -> Item {
    let salt = Salt::from_bytes([9; 32]);
    let or = |own, other| if own { body.id() } else { other };
    let entry = Entry {
        vault: state.map_or(VaultId::from_bytes(*body.id().as_bytes()), LedgerState::vault),
        seq: state.map_or(Seq::FIRST, LedgerState::next_seq),
        prev: state.map_or(StatementId::NONE, LedgerState::last),
        kind,
        body_hash: body_hash(&salt, body.bytes()),
        directory: or(kind == EntryKind::Directory, state.map_or(StatementId::NONE, LedgerState::directory_id)),
        authority: or(kind == EntryKind::Authority, state.map_or(StatementId::NONE, LedgerState::authority_id)),
        time: state.map_or(Timestamp::from_secs(1_000), LedgerState::time),
    };
    let attachments: Vec<ByteBuf> = attachments.iter().map(|bytes| ByteBuf::from(bytes.clone())).collect();
    Item {
        entry: sign(entry, &identity(signer)).unwrap().to_unverified(),
        salt: Some(salt),
        body: Some(body.bytes().to_vec()),
        attachments: Some(attachments).filter(|all| !all.is_empty()),
    }
}

/// Charter, authority, directory with one collection; `nonce` makes each vault another.
pub(super) fn first_items(nonce: u8) -> (VaultId, Vec<Item>) {
    let charter = Charter {
        identity: identity(1).key(),
        next: commit_to_next(identity(2).key()),
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        witnesses: Vec::new(),
        quorum: 0,
        created: Timestamp::from_secs(1_000),
        nonce: Nonce::from_bytes([nonce; 16]),
    };
    let charter = sign(charter, &identity(1)).unwrap();
    let first = item(None, EntryKind::Charter, &charter, &[], 1);
    let mut state = LedgerState::begin(&first).unwrap();
    let vault = state.vault();
    let authority = Authority {
        vault,
        number: AuthorityNumber(0),
        identity: identity(1).key(),
        next: commit_to_next(identity(2).key()),
        devices: vec![Device {
            key: identity(3).key(),
            sealing_key: sealing_key(4),
            added: Timestamp::from_secs(1_000),
        }],
        hosts: vec![Host { node: node(), role: HostRole::Home, addresses: Vec::new() }],
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        root_number: RootNumber(0),
        roots: digest_of(&[&root_packages()]),
        witness_set: None,
    };
    let authority = sign(authority, &identity(1)).unwrap();
    let second = item(Some(&state), EntryKind::Authority, &authority, &[root_packages()], 1);
    state.apply(&second, View::Append).unwrap();
    let third = directory_item(&state, 0, 1);
    (vault, vec![first, second, third])
}

/// A directory whose one collection has `generation`.
pub(super) fn directory_item(state: &LedgerState, number: u32, generation: u32) -> Item {
    let (keys_root, leaves) = key_leaves(generation as u8);
    let leaf = CollectionLeaf {
        collection: COLLECTION,
        generation: Generation(generation),
        first_month: Month(682),
        months: 24,
        keys_root,
        root_number: RootNumber(0),
    };
    let collections = CollectionLeaves::new(vec![leaf]).unwrap();
    let directory = Directory {
        vault: state.vault(),
        number: DirectoryNumber(number),
        root: collections.root().unwrap(),
        count: 1,
        issued: Timestamp::from_secs(1_000),
    };
    let directory = sign(directory, &identity(3)).unwrap();
    item(Some(state), EntryKind::Directory, &directory, &[collections.to_attachment().unwrap(), leaves], 3)
}

pub(super) fn note(kind: EventKind) -> Note {
    let event = Event {
        kind,
        party: facility(),
        peer: None,
        request: None,
        chain: Vec::new(),
        action: None,
        purpose: None,
        records: Vec::new(),
        count: 0,
        outcome: Outcome(0),
        acting: None,
        head: Head { size: 3, root: Digest::from_bytes([5; 32]) },
        subject: None,
        place: None,
        request_statement: None,
    };
    Note { event, salt: Salt::from_bytes([kind.number(); 32]), time: NOW }
}

pub(super) async fn begin(store: &Store, nonce: u8) -> VaultId {
    let (vault, items) = first_items(nonce);
    store.begin(vault, items, vec![note(EventKind::LedgerAppend)]).await.unwrap();
    vault
}

pub(super) fn record_id(number: u32) -> RecordId {
    RecordId::from_bytes(std::array::from_fn(|at| number.to_be_bytes()[at % 4] ^ (at / 4) as u8))
}

/// These records are to go.
pub(super) fn removal(records: Vec<RecordId>, reason: TombstoneReason) -> Removal {
    Removal { records, reason, id: StatementId::from_bytes([7; 32]), statement: b"signed".to_vec() }
}

/// Whether a file of the store's journal or index holds these bytes.
pub(super) fn folder_holds(folder: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return folder_holds(&path, needle);
        }
        std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}

pub(super) fn place() -> RecordPlace {
    RecordPlace { collection: COLLECTION, generation: Generation(1) }
}

pub(super) fn run(number: u8) -> NewRun {
    NewRun {
        run: RunId::from_bytes([number; 16]),
        id: StatementId::from_bytes([number; 32]),
        statement: vec![number; 1_300],
        place: place(),
        epoch: Month(684),
        depositor: facility(),
    }
}

/// What must not be found on the disk any more once a record is erased.
pub(super) fn sealed_meta(number: u32) -> Vec<u8> {
    format!("sealed meta of record {number} ").into_bytes().repeat(20)
}

pub(super) fn body(number: u32, length: usize) -> (BodyRef, Vec<u8>) {
    let bytes: Vec<u8> = (0..length).map(|at| (at as u32 * 31 + number) as u8).collect();
    (pairs_of(&bytes).unwrap().0, bytes)
}

pub(super) fn deposit(number: u32, run_number: u8, body_length: usize) -> Effect {
    let (body, bytes) = body(number, body_length);
    Effect::Deposit(Box::new(NewRecord {
        record: record_id(number),
        run: run(run_number),
        header_id: StatementId::from_bytes([number as u8; 32]),
        header: format!("header {number}").into_bytes(),
        meta: sealed_meta(number),
        body,
        inline: Some(bytes),
    }))
}

pub(super) fn ask(number: u8) -> NewAsk {
    NewAsk {
        ask: AskId::from_bytes([number; 16]),
        sender: facility(),
        envelope: vec![number; 300],
        sealed: vec![number ^ 0xA5; 5_000],
        received: NOW,
    }
}

/// A permit as a device gets it.
pub(super) fn permit(state: &LedgerState, action: Action, records: Option<BTreeSet<RecordId>>) -> Permit {
    let challenge = Challenge::from_bytes([1; 32]);
    let request = Request {
        id: RequestId::from_bytes([3; 16]),
        vault: state.vault(),
        chain: Vec::new(),
        action,
        selector: Selector { collections: None, months: None, records },
        purpose: Purpose::PatientRequest,
        acting_hash: None,
        challenge,
        sequence: 1,
        node: node(),
        peer: vec![1],
        head: None,
        time: NOW,
        resumes: None,
    };
    let request = sign(request, &identity(3)).unwrap();
    let session = Session { node: node(), peer: vec![1], challenge, sequence: None };
    decide(&request, state, &session, &Memory::default(), Clock { now: NOW, committed: NOW }).unwrap()
}
