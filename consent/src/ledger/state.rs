//! What is in force at a position of a ledger, and who may see which body.
//!
//! The state only adds: a grant that is revoked stays revoked. It is made by replaying items, never stored as truth.

use std::collections::{BTreeMap, BTreeSet};

use crate::directory::{CollectionLeaf, CollectionLeaves, Directory};
use crate::grant::{Grant, GrantCore};
use crate::id::{
    CollectionId, Generation, NodeId, PartyKey, RootNumber, RotationSequence, Seq, StatementId, TrailNumber, VaultId,
};
use crate::ledger::item::Subject;
use crate::request::Head;
use crate::sealing::SealingKey;
use crate::statement::Verified;
use crate::time::Timestamp;
use crate::tree::GrowingTree;
use crate::vault::{Authority, Charter, WitnessSet, commit_to_next};

/// A vault's ledger after its last entry.
#[derive(Clone, Debug)]
pub struct LedgerState {
    pub(super) charter: Verified<Charter>,
    pub(super) authority: Option<Verified<Authority>>,
    /// Id of the directory in force, seen or not.
    pub(super) directory_id: StatementId,
    /// The directory in force, as far as this reader was shown it.
    pub(super) directory: Option<DirectoryInForce>,
    pub(super) grants: BTreeMap<StatementId, LedgerGrant>,
    /// Collections whose keys a revoked holder or removed device has, each with its generation when that happened.
    pub(super) pending: BTreeMap<CollectionId, Generation>,
    /// The public keys that each root of the vault leads to.
    pub(super) root_keys: BTreeMap<RootNumber, RootKeys>,
    pub(super) rotation: RotationSequence,
    /// What each entry is about, in order; as long as the ledger.
    pub(super) subjects: Vec<Subject>,
    /// The tree over the entries' bytes.
    pub(super) tree: GrowingTree,
    /// The set of the newest authority that has one; `None`: the charter's counts.
    pub(super) witness_set: Option<WitnessSet>,
    /// Events of the trail that erasures named.
    pub(super) erased_events: BTreeSet<TrailNumber>,
    /// Id of the last entry.
    pub(super) last: StatementId,
    /// Time of the last entry.
    pub(super) time: Timestamp,
}

/// The directory in force.
#[derive(Clone, Debug)]
pub struct DirectoryInForce {
    /// The signed statement.
    pub statement: Verified<Directory>,
    /// Its collection leaves; nothing if this reader was not shown them.
    pub leaves: Option<CollectionLeaves>,
}

/// The public keys that a root of the vault leads to: who opens root packages compares with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootKeys {
    /// The inbox key.
    pub inbox: SealingKey,
    /// The audit key.
    pub audit: SealingKey,
}

impl RootKeys {
    pub(super) fn of_charter(charter: &Charter) -> Self {
        Self { inbox: charter.inbox.clone(), audit: charter.audit.clone() }
    }

    pub(super) fn of(authority: &Authority) -> Self {
        Self { inbox: authority.inbox.clone(), audit: authority.audit.clone() }
    }
}

/// A grant of the ledger.
#[derive(Clone, Debug)]
pub struct LedgerGrant {
    /// The signed grant.
    pub statement: Verified<Grant>,
    /// Its place in the ledger.
    pub seq: Seq,
    /// The revocation that names it, once there is one. Those above it count as well: see
    /// [`LedgerState::is_revoked`].
    pub revoked_by: Option<StatementId>,
    /// The place of the first revocation in the ledger; nothing while a revocation is only refused upon.
    pub revoked_at: Option<Seq>,
}

impl LedgerGrant {
    /// What is granted.
    pub fn core(&self) -> &GrantCore {
        &self.statement.payload().core
    }

    /// Who may use it.
    pub fn holder(&self) -> PartyKey {
        self.core().holder
    }

    /// Who signed it.
    pub fn issuer(&self) -> PartyKey {
        self.statement.signer()
    }
}

impl LedgerState {
    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.charter.vault()
    }

    /// How the vault began.
    pub fn charter(&self) -> &Verified<Charter> {
        &self.charter
    }

    /// The authority in force; there is one from the second entry on.
    pub fn authority(&self) -> Option<&Verified<Authority>> {
        self.authority.as_ref()
    }

    /// Id of the authority in force.
    pub fn authority_id(&self) -> StatementId {
        self.authority.as_ref().map_or(StatementId::NONE, Verified::id)
    }

    /// The directory in force, if there is one and this reader was shown it.
    pub fn directory(&self) -> Option<&DirectoryInForce> {
        self.directory.as_ref()
    }

    /// Id of the directory in force, shown or not.
    pub fn directory_id(&self) -> StatementId {
        self.directory_id
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.subjects.len() as u64
    }

    /// Number of entries and the RFC 6962 root over them.
    pub fn head(&self) -> Head {
        Head { size: self.size(), root: self.tree.root() }
    }

    /// The witness set in force: that of the newest authority that has one, else the charter's.
    pub fn witness_set(&self) -> WitnessSet {
        self.witness_set.clone().unwrap_or_else(|| self.charter.payload().witness_set())
    }

    /// Whether an erasure of this ledger names the event of the vault's trail with this number (C-59).
    pub fn is_event_erased(&self, number: TrailNumber) -> bool {
        self.erased_events.contains(&number)
    }

    /// The place of the next entry.
    pub fn next_seq(&self) -> Seq {
        Seq(self.size())
    }

    /// Id of the last entry.
    pub fn last(&self) -> StatementId {
        self.last
    }

    /// Time of the last entry; the next may not be earlier.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Number of the last rotation.
    pub fn rotation(&self) -> RotationSequence {
        self.rotation
    }

    /// The public keys of a root that is or was in force.
    pub fn root_keys(&self, number: RootNumber) -> Option<&RootKeys> {
        self.root_keys.get(&number)
    }

    /// The identity key in force.
    pub fn identity(&self) -> PartyKey {
        self.authority.as_ref().map_or(self.charter.payload().identity, |authority| authority.payload().identity)
    }

    /// Whether a key is the one that was committed to as next identity key.
    pub fn is_next_identity(&self, key: PartyKey) -> bool {
        let next = self.authority.as_ref().map_or(self.charter.payload().next, |authority| authority.payload().next);
        commit_to_next(key) == next
    }

    /// Whether a key is a device in force.
    pub fn is_device(&self, key: PartyKey) -> bool {
        self.authority.as_ref().is_some_and(|authority| authority.payload().device(key).is_some())
    }

    /// The node that orders this ledger.
    pub fn home(&self) -> Option<NodeId> {
        self.authority.as_ref().and_then(|authority| authority.payload().home()).map(|host| host.node)
    }

    /// A grant of this ledger, revoked or not.
    pub fn grant(&self, id: StatementId) -> Option<&LedgerGrant> {
        self.grants.get(&id)
    }

    /// All grants, by id.
    pub fn grants(&self) -> impl Iterator<Item = &LedgerGrant> {
        self.grants.values()
    }

    /// Whether a party is the holder of a grant, revoked or not.
    pub fn is_holder(&self, party: PartyKey) -> bool {
        self.grants().any(|grant| grant.holder() == party)
    }

    /// A grant and those above it, up to the one without parent or the first that is not known here.
    pub fn lineage(&self, id: StatementId) -> impl Iterator<Item = &LedgerGrant> {
        std::iter::successors(self.grant(id), |grant| grant.core().parent.and_then(|parent| self.grant(parent)))
    }

    /// Whether a grant or one above it is revoked (C-35). A grant that is not in the ledger is not revoked; it is
    /// nothing.
    pub fn is_revoked(&self, id: StatementId) -> bool {
        self.lineage(id).any(|grant| grant.revoked_by.is_some())
    }

    /// What the directory in force says of a collection, pending or not.
    pub fn leaf(&self, collection: CollectionId) -> Option<&CollectionLeaf> {
        self.directory.as_ref().and_then(|directory| directory.leaves.as_ref()?.leaf(collection))
    }

    /// The generation that a deposit into a collection has to have; none while its keys are pending: then the inbox.
    pub fn generation_in_force(&self, collection: CollectionId) -> Option<Generation> {
        let leaf = self.leaf(collection).filter(|_| !self.is_pending(collection));
        leaf.map(|leaf| leaf.generation)
    }

    /// Whether a collection waits for new keys.
    pub fn is_pending(&self, collection: CollectionId) -> bool {
        self.pending.contains_key(&collection)
    }

    /// The collections of the directory in force that wait for new keys.
    pub fn pending(&self) -> impl Iterator<Item = CollectionId> {
        self.pending.keys().copied().filter(|collection| self.leaf(*collection).is_some())
    }

    /// The collections that a revocation of this grant touches: those whose keys its holder or a holder below has.
    pub fn touched_by(&self, grant: StatementId) -> BTreeSet<CollectionId> {
        let below = self.grants.values().filter(|other| self.is_above_or_same(grant, other.statement.id()));
        let with_keys = below.filter(|other| other.core().scope.holds_collection_keys());
        with_keys.flat_map(|other| other.core().scope.collections.iter().copied()).collect()
    }

    /// What a party is shown; for one entry after the other, as in a sync (SPEC section 13).
    pub fn shown_to(&self, party: PartyKey) -> Shown<'_> {
        if self.is_device(party) {
            return Shown { state: self, part: ShownPart::Whole };
        }
        // The issuer of a child is the holder of its parent; that of any other grant is shown it while it is a device.
        let own = self.grants().filter(|grant| grant.holder() == party);
        let own: BTreeSet<StatementId> = own.map(|grant| grant.statement.id()).collect();
        let above = own.iter().flat_map(|id| self.lineage(*id)).map(|grant| grant.statement.id());
        let below = self.grants().map(|grant| grant.statement.id());
        let below = below.filter(|id| self.lineage(*id).any(|grant| own.contains(&grant.statement.id())));
        Shown {
            state: self,
            part: ShownPart::Own { holder: self.is_holder(party), chains: above.chain(below).collect() },
        }
    }

    /// Whether a party is shown the body of the entry at a place (SPEC section 13).
    pub fn shows(&self, party: PartyKey, seq: Seq) -> bool {
        self.shown_to(party).shows(seq)
    }

    /// Whether a party is shown root packages: devices, and who may become the identity.
    pub fn shows_roots(&self, party: PartyKey) -> bool {
        self.is_device(party) || self.is_next_identity(party)
    }

    /// What the entry at a place is about.
    pub fn subject(&self, seq: Seq) -> Option<Subject> {
        usize::try_from(seq.0).ok().and_then(|place| self.subjects.get(place)).copied()
    }

    /// How many grants there are in the tree of the one without parent that this one comes from, that one included.
    pub(super) fn grants_of_one_root(&self, grant: StatementId) -> usize {
        let Some(root) = self.lineage(grant).last().map(|grant| grant.statement.id()) else { return 0 };
        self.grants.keys().filter(|other| self.is_above_or_same(root, **other)).count()
    }

    fn is_above_or_same(&self, above: StatementId, below: StatementId) -> bool {
        self.lineage(below).any(|grant| grant.statement.id() == above)
    }

    /// Marks a grant as revoked and the collections that this touches as pending. Final: the first one in the ledger
    /// stays, and a further one, of this grant or of one below it, touches nothing again. `at` is nothing before the revocation is in the ledger.
    pub(super) fn mark_revoked(&mut self, grant: StatementId, revocation: StatementId, at: Option<Seq>) {
        let again = self.lineage(grant).any(|grant| grant.revoked_at.is_some());
        let touched = if again { BTreeSet::new() } else { self.touched_by(grant) };
        for collection in touched {
            self.mark_pending(collection);
        }
        if let Some(revoked) = self.grants.get_mut(&grant) {
            revoked.revoked_by.get_or_insert(revocation);
            revoked.revoked_at = revoked.revoked_at.or(at);
        }
    }

    /// Marks a collection as waiting for a generation above the one it has now; one without keys yet counts as having
    /// its first.
    pub(super) fn mark_pending(&mut self, collection: CollectionId) {
        let generation = self.leaf(collection).map_or(Generation(1), |leaf| leaf.generation);
        self.pending.insert(collection, generation);
    }
}

/// What one party is shown of a ledger.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    state: &'a LedgerState,
    part: ShownPart,
}

#[derive(Clone, Debug)]
enum ShownPart {
    /// A device is shown everything.
    Whole,
    /// Others are shown the grants that stand in one chain with a grant that they hold or issued.
    Own { holder: bool, chains: BTreeSet<StatementId> },
}

impl Shown<'_> {
    /// Whether the body of the entry at a place is shown.
    pub fn shows(&self, seq: Seq) -> bool {
        match (self.state.subject(seq), &self.part) {
            (None | Some(Subject::Hidden), _) => false,
            (Some(Subject::Charter | Subject::Authority), _) | (Some(_), ShownPart::Whole) => true,
            (Some(Subject::Directory), ShownPart::Own { holder, .. }) => *holder,
            (Some(Subject::Grant(grant) | Subject::Revocation(grant)), ShownPart::Own { chains, .. }) => {
                chains.contains(&grant)
            }
            (Some(Subject::Rotation | Subject::Erasure), ShownPart::Own { .. }) => false,
        }
    }
}
