//! A vault of the matrix: its ledger statement by statement, in one state of the grants, without any agent.
//!
//! What is sealed in it is made of noise: neither the decision nor a host can tell.

use std::collections::BTreeSet;

use karute_consent::directory::{CollectionLeaves, Directory};
use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{
    AuthorityNumber, CollectionId, Digest, DirectoryNumber, Generation, NodeId, RootNumber, RotationSequence, Salt,
    Seq, StatementId, VaultId,
};
use karute_consent::ledger::{Entry, EntryKind, Item, LedgerState, View, body_hash};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::revocation::{Revocation, RevocationReason, RotatedCollection, Rotation};
use karute_consent::scope::{Action, Scope};
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::{Statement, Verified, sign};
use karute_consent::time::{Month, MonthRange, Timestamp, Validity};
use karute_consent::tree::digest_of;
use karute_consent::vault::{Authority, Charter, Device, Host, HostRole, Nonce, commit_to_next};
use karute_protocol::directory::{KeyLeaf, KeyLeaves, attachments};
use karute_tests::world::{DAY, START, seed_of};
use serde_bytes::ByteBuf;

use super::cell::{Role, State};

/// What G, D, X and W share: two days around the start of the world.
pub(super) const FROM: Timestamp = Timestamp::from_secs(START.secs() - 2 * DAY);
/// The end of it, not in it.
pub(super) const TO: Timestamp = Timestamp::from_secs(START.secs() + 2 * DAY);
/// The collection of P, G, D and W.
pub(super) const LAB: CollectionId = CollectionId::from_bytes([0x1A; 16]);
/// The collection of O.
pub(super) const IMAGING: CollectionId = CollectionId::from_bytes([0x1B; 16]);
/// What a grant's sealed part is made of.
pub(super) const SEALED: &[u8] = b"sealed";

/// A ledger in one state, and the grants in it.
pub(super) struct Vault {
    pub(super) state: LedgerState,
    pub(super) items: Vec<Item>,
    pub(super) p: StatementId,
    pub(super) g: StatementId,
    pub(super) d: StatementId,
    pub(super) w: StatementId,
    pub(super) o: StatementId,
    /// The child that no ledger has.
    pub(super) x: Verified<Grant>,
}

/// The key of a role.
pub(super) fn identity(role: Role) -> Identity {
    named(&role.name())
}

/// The key of a name.
pub(super) fn named(name: &str) -> Identity {
    Identity::from_seed(&seed_of(0, name))
}

/// A public key of suite 2 that nobody can open: 1216 bytes of noise.
pub(super) fn noise_key(name: &str) -> SealingKey {
    let bytes: Vec<u8> = (0..38).flat_map(|part| seed_of(part, name)).collect();
    SealingKey::new(Suite::XWing, bytes).unwrap()
}

/// Two months around the start of the world, for one generation of a collection.
fn key_leaves(collection: CollectionId, generation: u32) -> KeyLeaves {
    let month = START.month();
    let key = |month: Month| noise_key(&format!("{collection}/{generation}/{month}"));
    let leaf = |month| KeyLeaf { month, key: key(month) };
    KeyLeaves::new(vec![leaf(month), leaf(month.next().unwrap())]).unwrap()
}

/// What is left open in a grant of the matrix.
struct Terms {
    issuer: Role,
    holder: Role,
    actions: &'static [Action],
    collection: CollectionId,
    purpose: Purpose,
    validity: (Timestamp, Timestamp),
    uses: Option<u32>,
    depth: u8,
    parent: Option<StatementId>,
}

impl Vault {
    /// A vault whose grants stand as `state` says; `number` makes it another one.
    pub(super) fn new(node: NodeId, state: State, number: u8) -> Self {
        let mut vault = Self::founded(node, number);
        let (from, to) = (FROM, TO);
        let (before, after) = (from.minus_secs(20 * DAY), to.plus_secs(20 * DAY));
        let all = &[Action::Deposit, Action::List, Action::Read, Action::Audit, Action::Export];
        let root = |holder, actions, collection, purpose| Terms {
            issuer: Role::Device,
            holder,
            actions,
            collection,
            purpose,
            validity: (from, to),
            uses: None,
            depth: 0,
            parent: None,
        };
        let parent = Terms { validity: (before, after), depth: 2, ..root(Role::Parent, all, LAB, Purpose::Treatment) };
        vault.p = vault.grants(&parent);
        vault.w = vault.grants(&root(Role::Guardian, GUARDIAN, LAB, Purpose::FamilyRequest));
        vault.o = vault.grants(&root(Role::OtherHolder, READ_AND_PUT, IMAGING, Purpose::Treatment));
        let validity = match state {
            State::NotYetValid => (START.plus_secs(5 * DAY), START.plus_secs(6 * DAY)),
            State::Expired => (START.minus_secs(6 * DAY), START.minus_secs(5 * DAY)),
            _ => (from, to),
        };
        let g = Terms {
            issuer: Role::Parent,
            validity,
            uses: state.has_one_use().then_some(1),
            depth: if state == State::BelowDepthZero { 0 } else { 1 },
            parent: Some(vault.p),
            ..root(Role::Holder, READ_AND_PUT, LAB, Purpose::Treatment)
        };
        vault.g = vault.grants(&g);
        let child =
            Terms { issuer: Role::Holder, holder: Role::Delegate, actions: READ, depth: 0, parent: Some(vault.g), ..g };
        if state != State::BelowDepthZero {
            vault.d = vault.grants(&child);
        }
        vault.x = vault.signed(&child, 0xFF);
        match state {
            State::Revoked => vault.revokes(vault.g),
            State::ParentRevoked => vault.revokes(vault.p),
            _ => {}
        }
        vault
    }

    /// Charter, authority with two devices, directory; then an authority with one device, and new keys.
    fn founded(node: NodeId, number: u8) -> Self {
        let charter = Charter {
            identity: identity(Role::Identity).key(),
            next: commit_to_next(identity(Role::NextIdentity).key()),
            inbox: noise_key("inbox 0"),
            audit: noise_key("audit 0"),
            recovery: noise_key("recovery"),
            witnesses: Vec::new(),
            quorum: 0,
            created: before_it_all(),
            nonce: Nonce::from_bytes([number; 16]),
        };
        let charter = sign(charter, &identity(Role::Identity)).unwrap();
        let first = item(None, EntryKind::Charter, &charter, &[], &identity(Role::Identity));
        let state = LedgerState::begin(&first).unwrap();
        let none = StatementId::NONE;
        let x = sign(child_of_nothing(state.vault()), &identity(Role::Holder)).unwrap();
        let mut vault = Self { state, items: vec![first], p: none, g: none, d: none, w: none, o: none, x };
        let authority = authority(&vault.state, node);
        let signed = sign(authority.clone(), &identity(Role::Identity)).unwrap();
        vault.append(EntryKind::Authority, &signed, &[SEALED.to_vec()], &identity(Role::Identity));
        let (directory, with) = directory(&vault.state, 1);
        vault.append(EntryKind::Directory, &directory, &with, &identity(Role::Device));
        let removal = Authority {
            number: AuthorityNumber(1),
            devices: authority
                .devices
                .iter()
                .filter(|device| device.key == identity(Role::Device).key())
                .cloned()
                .collect(),
            inbox: noise_key("inbox 1"),
            audit: noise_key("audit 1"),
            root_number: RootNumber(1),
            ..authority
        };
        let removal = sign(removal, &identity(Role::Identity)).unwrap();
        vault.append(EntryKind::Authority, &removal, &[SEALED.to_vec()], &identity(Role::Identity));
        let (directory, with) = self::directory(&vault.state, 2);
        vault.append(EntryKind::Directory, &directory, &with, &identity(Role::Device));
        let rotated =
            |collection| RotatedCollection { collection, generation: Generation(2), root_number: RootNumber(1) };
        let rotation = Rotation {
            vault: vault.id(),
            cause: vault.state.authority_id(),
            sequence: RotationSequence(1),
            collections: vec![rotated(LAB), rotated(IMAGING)],
            packages: Vec::new(),
        };
        let rotation = sign(rotation, &identity(Role::Device)).unwrap();
        vault.append(EntryKind::Rotation, &rotation, &[], &identity(Role::Device));
        vault
    }

    pub(super) fn id(&self) -> VaultId {
        self.state.vault()
    }

    fn grants(&mut self, terms: &Terms) -> StatementId {
        let grant = self.signed(terms, self.items.len() as u8);
        let entry_signer = if terms.parent.is_some() { named("host/log") } else { identity(Role::Device) };
        self.append(EntryKind::Grant, &grant, &[SEALED.to_vec()], &entry_signer);
        grant.id()
    }

    fn signed(&self, terms: &Terms, nonce: u8) -> Verified<Grant> {
        let core = GrantCore {
            vault: self.id(),
            holder: identity(terms.holder).key(),
            scope: Scope {
                actions: terms.actions.iter().copied().collect(),
                collections: BTreeSet::from([terms.collection]),
                months: Some(months()),
                records: None,
                depositors: None,
            },
            purposes: BTreeSet::from([terms.purpose]),
            validity: Validity::new(terms.validity.0, terms.validity.1).unwrap(),
            uses: terms.uses,
            depth: terms.depth,
            parent: terms.parent,
            nonce: Nonce::from_bytes([nonce; 16]),
        };
        sign(Grant { core, sealed_hash: digest_of(&[SEALED]), package_hash: None }, &identity(terms.issuer)).unwrap()
    }

    fn revokes(&mut self, grant: StatementId) {
        let revocation = revocation(self.id(), grant, &identity(Role::Device));
        self.append(EntryKind::Revocation, &revocation, &[], &identity(Role::Device));
        let (directory, with) = directory(&self.state, 3);
        self.append(EntryKind::Directory, &directory, &with, &identity(Role::Device));
    }

    /// The generation of both collections.
    pub(super) fn generation(&self) -> Generation {
        self.state.generation_in_force(LAB).unwrap()
    }

    fn append<T: Statement>(&mut self, kind: EntryKind, body: &Verified<T>, with: &[Vec<u8>], signer: &Identity) {
        let item = item(Some(&self.state), kind, body, with, signer);
        self.state.apply(&item, View::Append).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        self.items.push(item);
    }
}

/// The first authority: two devices, this node the home.
pub(super) fn authority(state: &LedgerState, node: NodeId) -> Authority {
    let charter = state.charter().payload();
    let device =
        |role| Device { key: identity(role).key(), sealing_key: noise_key(&role.name()), added: before_it_all() };
    let mut devices = vec![device(Role::Device), device(Role::RemovedDevice)];
    devices.sort_by_key(|device| device.key);
    Authority {
        vault: state.vault(),
        number: AuthorityNumber(0),
        identity: charter.identity,
        next: charter.next,
        devices,
        hosts: vec![Host { node, role: HostRole::Home, addresses: Vec::new() }],
        inbox: charter.inbox.clone(),
        audit: charter.audit.clone(),
        recovery: charter.recovery.clone(),
        root_number: RootNumber(0),
        roots: digest_of(&[SEALED]),
        witness_set: None,
    }
}

/// The next directory, signed by the device, with both collections in this generation; and its attachments.
pub(super) fn directory(state: &LedgerState, generation: u32) -> (Verified<Directory>, Vec<Vec<u8>>) {
    let root = state.authority().unwrap().payload().root_number;
    let leaf = |id| key_leaves(id, generation).collection_leaf(id, Generation(generation), root).unwrap();
    let leaves = CollectionLeaves::new(vec![leaf(LAB), leaf(IMAGING)]).unwrap();
    let before = state.directory();
    let number = before.map_or(DirectoryNumber::FIRST, |before| before.statement.payload().number.next().unwrap());
    let directory = Directory {
        vault: state.vault(),
        number,
        root: leaves.root().unwrap(),
        count: leaves.len() as u8,
        issued: before_it_all(),
    };
    let old = before.and_then(|before| before.leaves.as_ref());
    let with = attachments(&leaves, old, |leaf| Some(key_leaves(leaf.collection, generation))).unwrap();
    (sign(directory, &identity(Role::Device)).unwrap(), with)
}

pub(super) fn revocation(vault: VaultId, grant: StatementId, signer: &Identity) -> Verified<Revocation> {
    sign(Revocation { vault, grant, reason: RevocationReason::Wish, issued: START }, signer).unwrap()
}

/// An item that follows `state`, its entry by `signer`.
pub(super) fn item<T: Statement>(
    state: Option<&LedgerState>,
    kind: EntryKind,
    body: &Verified<T>,
    with: &[Vec<u8>],
    signer: &Identity,
) -> Item {
    let salt = Salt::from_bytes(seed_of(0, "salt"));
    let or = |own, other| if own { body.id() } else { other };
    let entry = Entry {
        vault: state.map_or(VaultId::from_bytes(*body.id().as_bytes()), LedgerState::vault),
        seq: state.map_or(Seq::FIRST, LedgerState::next_seq),
        prev: state.map_or(StatementId::NONE, LedgerState::last),
        kind,
        body_hash: body_hash(&salt, body.bytes()),
        directory: or(kind == EntryKind::Directory, state.map_or(StatementId::NONE, LedgerState::directory_id)),
        authority: or(kind == EntryKind::Authority, state.map_or(StatementId::NONE, LedgerState::authority_id)),
        time: state.map_or_else(before_it_all, LedgerState::time),
    };
    let with: Vec<ByteBuf> = with.iter().map(|bytes| ByteBuf::from(bytes.clone())).collect();
    Item {
        entry: sign(entry, signer).unwrap().to_unverified(),
        salt: Some(salt),
        body: Some(body.bytes().to_vec()),
        attachments: Some(with).filter(|all| !all.is_empty()),
    }
}

/// The months that every grant of the matrix is limited to; the start of the world is in them.
pub(super) fn months() -> MonthRange {
    MonthRange::new(Month(680), Month(690)).unwrap()
}

fn before_it_all() -> Timestamp {
    START.minus_secs(30 * DAY)
}

fn child_of_nothing(vault: VaultId) -> Grant {
    let core = GrantCore {
        vault,
        holder: identity(Role::Delegate).key(),
        scope: Scope {
            actions: READ.iter().copied().collect(),
            collections: BTreeSet::from([LAB]),
            months: None,
            records: None,
            depositors: None,
        },
        purposes: BTreeSet::from([Purpose::Treatment]),
        validity: Validity::new(FROM, TO).unwrap(),
        uses: None,
        depth: 0,
        parent: Some(StatementId::NONE),
        nonce: Nonce::from_bytes([0; 16]),
    };
    Grant { core, sealed_hash: Digest::from_bytes([0; 32]), package_hash: None }
}

const READ: &[Action] = &[Action::List, Action::Read];
const READ_AND_PUT: &[Action] = &[Action::Deposit, Action::List, Action::Read];
const GUARDIAN: &[Action] = &[Action::List, Action::Read, Action::Audit, Action::Revoke];
