//! Who takes part in the tests of the host. Nothing here is
//! really sealed: the host cannot look into it anyway.

use std::collections::BTreeSet;

use karute_consent::directory::{CollectionLeaves, Directory};
use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::*;
use karute_consent::ledger::{Entry, EntryKind, LedgerState, body_hash};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::Head;
use karute_consent::revocation::{Revocation, RevocationReason};
use karute_consent::scope::{Action, Scope};
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::{Statement, Unverified, Verified, sign};
use karute_consent::time::{Month, Timestamp, Validity};
use karute_consent::tree::digest_of;
use karute_consent::vault::{Authority, Charter, Device, Host as HostEntry, HostRole, Nonce, commit_to_next};
use karute_protocol::directory::{KeyLeaf, KeyLeaves, attachments};
use karute_protocol::hpke::Sealed;
use karute_protocol::message::{Append, AppendItem, Attach, Message};
use karute_protocol::record::{Header, SealedMeta, body_facts};
use karute_protocol::run::{RecordPlace, Run};
use karute_protocol::wire::{LedgerSize, Octets};

use super::world::Client;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(super) const COLLECTION: CollectionId = CollectionId::from_bytes([1; 16]);

pub(super) fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

/// 1 identity, 2 next identity, 3 device, 4 the host's log; the others are outside parties.
pub(super) fn key(number: u8) -> PartyKey {
    identity(number).key()
}

fn sealing_key(number: u8) -> SealingKey {
    SealingKey::new(Suite::XWing, vec![number; 1216]).unwrap()
}

pub(super) fn sealed(number: u8) -> Sealed {
    Sealed::new(Suite::X25519, vec![number; 32], vec![number; 48]).unwrap()
}

pub(super) fn nonce(number: u8) -> Nonce {
    Nonce::from_bytes([number; 16])
}

pub(super) fn signed<T: Statement>(payload: T, by: u8) -> Unverified<T> {
    sign(payload, &identity(by)).unwrap().to_unverified()
}

/// The patient's view of the ledger, kept in step with the host's.
pub(super) struct Patient {
    pub(super) vault: VaultId,
    pub(super) ledger: LedgerState,
    keys: KeyLeaves,
}

impl Patient {
    /// Makes a vault with one collection through `client`.
    pub(super) async fn with_vault(client: &mut Client) -> Self {
        let (patient, append) = Self::first_append();
        client.ask(Attach { bytes: Octets::from(vec![0; 40]) }).await;
        let answers = client.ask(append).await;
        assert!(matches!(answers.last(), Message::Appended(_)), "{answers:?}");
        let mut patient = patient;
        patient.append_directory(client, 1).await;
        patient
    }

    /// The append that makes a vault; its one attachment is 40 zero bytes.
    pub(super) fn first_append() -> (Self, Append) {
        let charter = sign(charter(), &identity(1)).unwrap();
        let vault = charter.vault();
        let entry = |seq, prev, kind, body: &[u8], authority| Entry {
            vault,
            seq: Seq(seq),
            prev,
            kind,
            body_hash: body_hash(&salt(), body),
            directory: StatementId::NONE,
            authority,
            time: NOW,
        };
        let first =
            sign(entry(0, StatementId::NONE, EntryKind::Charter, charter.bytes(), StatementId::NONE), &identity(1))
                .unwrap();
        let authority = sign(authority(vault), &identity(1)).unwrap();
        let second =
            sign(entry(1, first.id(), EntryKind::Authority, authority.bytes(), authority.id()), &identity(1)).unwrap();
        let roots = vec![0; 40];
        let items = vec![
            append_item(&first, charter.bytes(), &[]),
            append_item(&second, authority.bytes(), std::slice::from_ref(&roots)),
        ];
        let mut ledger = LedgerState::begin(&whole(&items[0], &[])).unwrap();
        ledger.apply(&whole(&items[1], &[roots]), karute_consent::ledger::View::Append).unwrap();
        let keys = KeyLeaves::new(months().map(|month| KeyLeaf { month, key: sealing_key(5) }).collect()).unwrap();
        (Self { vault, ledger, keys }, Append { vault, size: LedgerSize(0), items, registration: None })
    }

    /// A directory in which the collection has this generation.
    pub(super) async fn append_directory(&mut self, client: &mut Client, generation: u32) {
        let keys =
            KeyLeaves::new(months().map(|month| KeyLeaf { month, key: sealing_key(generation as u8 + 20) }).collect());
        self.keys = keys.unwrap();
        let leaf = self.keys.collection_leaf(COLLECTION, Generation(generation), RootNumber(0)).unwrap();
        let leaves = CollectionLeaves::new(vec![leaf]).unwrap();
        let before = self.ledger.directory().and_then(|directory| directory.leaves.clone());
        let attached = attachments(&leaves, before.as_ref(), |_| Some(self.keys.clone())).unwrap();
        let number = self.ledger.directory().map_or(0, |directory| directory.statement.payload().number.0 + 1);
        let directory = Directory {
            vault: self.vault,
            number: DirectoryNumber(number),
            root: leaves.root().unwrap(),
            count: 1,
            issued: NOW,
        };
        let body = sign(directory, &identity(3)).unwrap();
        self.append(client, EntryKind::Directory, body.bytes(), body.id(), &attached).await;
    }

    /// Grants to `holder`; gives the id.
    pub(super) async fn grant(&mut self, client: &mut Client, core: GrantCore) -> StatementId {
        let sealed_part = vec![9; 30];
        let grant = Grant { core, sealed_hash: digest_of(&[&sealed_part]), package_hash: None };
        let body = sign(grant, &identity(3)).unwrap();
        self.append(client, EntryKind::Grant, body.bytes(), body.id(), &[sealed_part]).await;
        body.id()
    }

    pub(super) fn core(&self, holder: u8, actions: &[Action]) -> GrantCore {
        GrantCore {
            vault: self.vault,
            holder: key(holder),
            scope: Scope {
                actions: actions.iter().copied().collect(),
                collections: BTreeSet::from([COLLECTION]),
                months: None,
                records: None,
                depositors: None,
            },
            purposes: BTreeSet::from([Purpose::Treatment]),
            validity: Validity::new(NOW, NOW.plus_secs(86_400)).unwrap(),
            uses: None,
            depth: 0,
            parent: None,
            nonce: nonce(holder),
        }
    }

    pub(super) fn revocation(&self, grant: StatementId, by: u8) -> Unverified<Revocation> {
        signed(Revocation { vault: self.vault, grant, reason: RevocationReason::Wish, issued: NOW }, by)
    }

    /// The next item, signed by the device.
    pub(super) fn next_item(&self, kind: EntryKind, body: &[u8], id: StatementId, attached: &[Vec<u8>]) -> AppendItem {
        let entry = Entry {
            vault: self.vault,
            seq: self.ledger.next_seq(),
            prev: self.ledger.last(),
            kind,
            body_hash: body_hash(&salt(), body),
            directory: if kind == EntryKind::Directory { id } else { self.ledger.directory_id() },
            authority: self.ledger.authority_id(),
            time: NOW,
        };
        append_item(&sign(entry, &identity(3)).unwrap(), body, attached)
    }

    pub(super) async fn append(
        &mut self,
        client: &mut Client,
        kind: EntryKind,
        body: &[u8],
        id: StatementId,
        attached: &[Vec<u8>],
    ) {
        let item = self.next_item(kind, body, id, attached);
        for bytes in attached {
            client.ask(Attach { bytes: Octets::from(bytes.clone()) }).await;
        }
        self.ledger.apply(&whole(&item, attached), karute_consent::ledger::View::Append).unwrap();
        let size = LedgerSize(self.ledger.size() - 1);
        let append = Append { vault: self.vault, size, items: vec![item], registration: None };
        let answers = client.ask(append).await;
        assert!(matches!(answers.last(), Message::Appended(_)), "{answers:?}");
    }
}

fn charter() -> Charter {
    Charter {
        identity: key(1),
        next: commit_to_next(key(2)),
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        witnesses: Vec::new(),
        quorum: 0,
        created: NOW,
        nonce: nonce(1),
    }
}

fn authority(vault: VaultId) -> Authority {
    Authority {
        vault,
        number: AuthorityNumber(0),
        identity: key(1),
        next: commit_to_next(key(2)),
        devices: vec![Device { key: key(3), sealing_key: sealing_key(4), added: NOW }],
        hosts: vec![HostEntry {
            node: NodeId::from_bytes(*key(4).as_bytes()),
            role: HostRole::Home,
            addresses: Vec::new(),
        }],
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        root_number: RootNumber(0),
        roots: digest_of(&[&[0; 40]]),
        witness_set: None,
    }
}

pub(super) fn salt() -> Salt {
    Salt::from_bytes([6; 32])
}

fn months() -> impl Iterator<Item = Month> {
    let first = NOW.month();
    [first, first.next().unwrap()].into_iter()
}

pub(super) fn append_item(entry: &Verified<Entry>, body: &[u8], attached: &[Vec<u8>]) -> AppendItem {
    let attachments = attached.iter().map(|bytes| digest_of(&[bytes])).collect();
    AppendItem { entry: entry.to_unverified(), salt: salt(), body: Octets::from(body.to_vec()), attachments }
}

fn whole(item: &AppendItem, attached: &[Vec<u8>]) -> karute_consent::ledger::Item {
    karute_consent::ledger::Item {
        entry: item.entry.clone(),
        salt: Some(item.salt),
        body: Some(item.body.to_vec()),
        attachments: (!attached.is_empty()).then(|| attached.iter().cloned().map(Into::into).collect()),
    }
}

/// A record of party `by` with a sealed body of at least `len` bytes.
pub(super) struct Record {
    pub(super) id: RecordId,
    pub(super) header: Unverified<Header>,
    pub(super) meta: SealedMeta,
    pub(super) body: Vec<u8>,
}

pub(super) fn run_of(patient: &Patient, by: u8, number: u8, grant: Option<StatementId>) -> Run {
    Run {
        run: RunId::from_bytes([number; 16]),
        vault: patient.vault,
        collection: COLLECTION,
        generation: patient.ledger.leaf(COLLECTION).map_or(Generation(1), |leaf| leaf.generation),
        epoch: NOW.month(),
        depositor: key(by),
        grant,
        head: Head { size: 0, root: digest_of(&[]) },
        seal: sealed(8),
    }
}

pub(super) fn record(patient: &Patient, by: u8, run: u8, number: u8, len: u64) -> Record {
    let plain = karute_protocol::padding::padded_len(len);
    let length = karute_protocol::body::SealedLen::of_plain(plain).unwrap().sealed();
    let body: Vec<u8> = (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(number)).collect();
    let facts = body_facts(&body).unwrap();
    let meta = SealedMeta(Octets::from(vec![number; 200]));
    let id = RecordId::from_bytes([number; 16]);
    let place = RecordPlace { vault: patient.vault, run: RunId::from_bytes([run; 16]), depositor: key(by), record: id };
    let header = signed(Header::new(&place, &facts, &meta, None, NOW), by);
    Record { id, header, meta, body }
}
