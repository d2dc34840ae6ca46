//! Whether an item may follow in a ledger: rules C-17 to C-36, in one place.
//!
//! Nothing changes before every rule holds, so a refused item leaves the state as it was.

use std::collections::BTreeMap;

use crate::directory::{CollectionLeaves, Directory, DirectoryError};
use crate::grant::Grant;
use crate::id::{PartyKey, RootNumber, Seq, StatementId};
use crate::ledger::error::{GrantError, LedgerError, RevocationError, RotationError};
use crate::ledger::item::{Body, Entry, EntryKind, Item, Subject};
use crate::ledger::state::{DirectoryInForce, LedgerGrant, LedgerState, RootKeys};
use crate::limits::{GRANTS_BELOW_MAX, LEDGER_ENTRIES_MAX, LEDGER_ENTRIES_OF_AUTHORITIES, LEDGER_ENTRIES_OF_ENDINGS};
use crate::revocation::{Erasure, Revocation, Rotation};
use crate::scope::Action;
use crate::statement::Verified;
use crate::time::Timestamp;
use crate::tree::GrowingTree;
use crate::vault::{Authority, SuccessionError};

/// How much of an item its reader has to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// A host that is asked to append: body and attachments.
    Append,
    /// A device or a host that replays: every body, and the leaves of directories.
    Whole,
    /// Any other party: charter and authorities, and what concerns it.
    Part,
}

/// What an item does to the state, once every rule holds.
enum Change {
    Authority(Box<Verified<Authority>>),
    Directory(Box<DirectoryInForce>),
    Grant(Box<Verified<Grant>>),
    Revocation(Verified<Revocation>),
    Rotation(Verified<Rotation>),
    Erasure(Verified<Erasure>),
    /// A body that this reader is not shown.
    None,
}

impl LedgerState {
    /// Begins a ledger with its first item, the charter.
    pub fn begin(item: &Item) -> Result<Self, LedgerError> {
        let (entry, body) = item.open().map_err(LedgerError::Item)?;
        let Some(Body::Charter(charter)) = body else {
            return Err(if entry.payload().kind == EntryKind::Charter {
                LedgerError::Missing
            } else {
                LedgerError::Kind
            });
        };
        let Entry { vault, seq, prev, directory, authority, time, .. } = *entry.payload();
        let rules = [
            (vault == charter.vault(), LedgerError::OtherVault),
            (seq == Seq::FIRST, LedgerError::Seq),
            (prev == StatementId::NONE, LedgerError::Prev),
            (directory == StatementId::NONE && authority == StatementId::NONE, LedgerError::InForce),
            (entry.signer() == charter.payload().identity, LedgerError::EntrySigner),
        ];
        first_broken(rules)?;
        let mut tree = GrowingTree::default();
        tree.append(entry.bytes());
        let root_keys = BTreeMap::from([(RootNumber::FIRST, RootKeys::of_charter(charter.payload()))]);
        Ok(Self {
            charter: *charter,
            authority: None,
            directory_id: StatementId::NONE,
            directory: None,
            grants: Default::default(),
            pending: Default::default(),
            root_keys,
            rotation: Default::default(),
            subjects: vec![Subject::Charter],
            tree,
            witness_set: None,
            erased_events: Default::default(),
            last: entry.id(),
            time,
        })
    }

    /// Replays a whole ledger, or one's own view of it.
    pub fn replay<'a>(items: impl IntoIterator<Item = &'a Item>, view: View) -> Result<Self, LedgerError> {
        let mut items = items.into_iter();
        let mut state = Self::begin(items.next().ok_or(LedgerError::Missing)?)?;
        items.try_for_each(|item| state.apply(item, view))?;
        Ok(state)
    }

    /// Appends an item, or refuses it and stays as it was.
    pub fn apply(&mut self, item: &Item, view: View) -> Result<(), LedgerError> {
        let (entry, body) = item.open().map_err(LedgerError::Item)?;
        self.check_place(entry.payload())?;
        self.check_shown(entry.payload(), body.as_ref(), item, view)?;
        if body.as_ref().is_some_and(|body| body.vault() != self.vault()) {
            return Err(LedgerError::OtherVault);
        }
        self.check_entry_signer(&entry, body.as_ref())?;
        let subject = body.as_ref().map_or(Subject::Hidden, Body::subject);
        let body_id = body.as_ref().map(Body::id);
        let change = self.judge(body, item, view, entry.payload().time)?;
        self.check_in_force(entry.payload(), body_id)?;
        self.directory_id = entry.payload().directory;
        self.last = entry.id();
        self.tree.append(entry.bytes());
        self.time = entry.payload().time;
        self.make(change, entry.payload());
        self.subjects.push(subject);
        Ok(())
    }

    /// Refuses a grant from now on, before its revocation stands in the ledger (C-35).
    pub fn refuse(&mut self, revocation: &Verified<Revocation>, now: Timestamp) -> Result<(), RevocationError> {
        self.may_refuse(revocation, now)?;
        self.mark_revoked(revocation.payload().grant, revocation.id(), None);
        Ok(())
    }

    /// Whether [`refuse`](Self::refuse) would be good; nothing is changed (C-34).
    pub fn may_refuse(&self, revocation: &Verified<Revocation>, now: Timestamp) -> Result<(), RevocationError> {
        if revocation.payload().vault != self.vault() {
            return Err(RevocationError::OtherVault);
        }
        self.check_revocation(revocation, now)
    }

    /// C-21, C-25
    fn check_place(&self, entry: &Entry) -> Result<(), LedgerError> {
        first_broken([
            (self.has_room_for(entry.kind), LedgerError::Full),
            (entry.vault == self.vault(), LedgerError::OtherVault),
            (entry.seq == self.next_seq(), LedgerError::Seq),
            (entry.prev == self.last, LedgerError::Prev),
            (entry.time >= self.time, LedgerError::Time),
        ])
    }

    /// C-56: who may fill a ledger must not keep a device from being removed or a grant from being revoked.
    fn has_room_for(&self, kind: EntryKind) -> bool {
        let kept_free = match kind {
            EntryKind::Charter | EntryKind::Authority => 0,
            EntryKind::Directory | EntryKind::Revocation | EntryKind::Rotation => LEDGER_ENTRIES_OF_AUTHORITIES,
            EntryKind::Grant | EntryKind::Erasure => LEDGER_ENTRIES_OF_AUTHORITIES + LEDGER_ENTRIES_OF_ENDINGS,
        };
        self.size() < LEDGER_ENTRIES_MAX - kept_free
    }

    /// C-22: the charter comes first and never again, an authority second; the reader sees what it has to see.
    fn check_shown(&self, entry: &Entry, body: Option<&Body>, item: &Item, view: View) -> Result<(), LedgerError> {
        let first_authority = entry.seq == Seq(1);
        if entry.kind == EntryKind::Charter || (first_authority && entry.kind != EntryKind::Authority) {
            return Err(LedgerError::Kind);
        }
        let directory = entry.kind == EntryKind::Directory;
        let shown = match view {
            View::Append => body.is_some() && (item.attachments.is_some() || !has_attachments(body)),
            View::Whole => body.is_some() && (item.attachments.is_some() || !directory),
            View::Part => body.is_some() || entry.kind != EntryKind::Authority,
        };
        if shown { Ok(()) } else { Err(LedgerError::Missing) }
    }

    /// C-24
    fn check_entry_signer(&self, entry: &Verified<Entry>, body: Option<&Body>) -> Result<(), LedgerError> {
        let signer = entry.signer();
        let by_home = self.home().is_some_and(|home| home.key() == signer);
        let allowed = match (entry.payload().kind, body) {
            _ if self.authority.is_none() => signer == self.identity(),
            (EntryKind::Authority, Some(body)) => signer == body.signer(),
            (EntryKind::Revocation, _) => by_home,
            (EntryKind::Grant, Some(Body::Grant(grant))) => by_home && grant.payload().core.parent.is_some(),
            (EntryKind::Grant, _) => by_home,
            _ => false,
        };
        if self.is_device(signer) || allowed { Ok(()) } else { Err(LedgerError::EntrySigner) }
    }

    fn judge(&self, body: Option<Body>, item: &Item, view: View, time: Timestamp) -> Result<Change, LedgerError> {
        let Some(body) = body else { return Ok(Change::None) };
        match body {
            Body::Charter(_) => Err(LedgerError::Kind),
            Body::Authority(authority) => {
                self.check_authority(&authority).map_err(LedgerError::Authority)?;
                Ok(Change::Authority(authority))
            }
            Body::Directory(directory) => self.judge_directory(directory, item, view),
            Body::Grant(grant) => {
                self.check_grant(&grant).map_err(LedgerError::Grant)?;
                Ok(Change::Grant(grant))
            }
            Body::Revocation(revocation) => {
                self.judge_revocation(&revocation, time, view)?;
                Ok(Change::Revocation(revocation))
            }
            Body::Rotation(rotation) => {
                self.check_device(rotation.signer())?;
                self.check_rotation(rotation.payload()).map_err(LedgerError::Rotation)?;
                Ok(Change::Rotation(rotation))
            }
            Body::Erasure(erasure) => {
                self.check_device(erasure.signer())?;
                Ok(Change::Erasure(erasure))
            }
        }
    }

    /// C-26
    fn check_device(&self, signer: PartyKey) -> Result<(), LedgerError> {
        if self.is_device(signer) { Ok(()) } else { Err(LedgerError::BodySigner) }
    }

    fn check_authority(&self, authority: &Verified<Authority>) -> Result<(), SuccessionError> {
        match &self.authority {
            None => authority.payload().follows_charter(authority.signer(), self.charter.payload()),
            Some(before) => authority.payload().follows(authority.signer(), before.payload()),
        }
    }

    /// C-27, C-28
    fn judge_directory(&self, statement: Verified<Directory>, item: &Item, view: View) -> Result<Change, LedgerError> {
        self.check_device(statement.signer())?;
        let number = statement.payload().number;
        let rises = match &self.directory {
            Some(before) if view == View::Part => number > before.statement.payload().number,
            Some(before) => before.statement.payload().number.next() == Some(number),
            None => view == View::Part || number.0 == 0,
        };
        if !rises {
            return Err(LedgerError::Directory(DirectoryError::Number));
        }
        let attachment = item.attachments.as_ref().and_then(|attachments| attachments.first());
        if attachment.is_none() && view != View::Part {
            return Err(LedgerError::Missing);
        }
        let leaves = attachment.map(|bytes| CollectionLeaves::from_attachment(bytes, statement.payload())).transpose();
        let leaves = leaves.map_err(LedgerError::Directory)?;
        let none = CollectionLeaves::default();
        let before = match &self.directory {
            Some(before) => before.leaves.as_ref(),
            None if number.0 == 0 => Some(&none),
            None => None, // hidden from this reader
        };
        if let (Some(leaves), Some(before), Some(authority)) = (&leaves, before, &self.authority) {
            leaves.follow(before).map_err(LedgerError::Directory)?;
            leaves.check_roots(before, authority.payload().root_number).map_err(LedgerError::Directory)?;
        }
        Ok(Change::Directory(Box::new(DirectoryInForce { statement, leaves })))
    }

    /// C-31 to C-33
    fn check_grant(&self, grant: &Verified<Grant>) -> Result<(), GrantError> {
        let core = &grant.payload().core;
        if self.grants.contains_key(&grant.id()) {
            return Err(GrantError::Again);
        }
        if self.is_device(core.holder) {
            return Err(GrantError::HolderIsDevice);
        }
        let Some(parent_id) = core.parent else {
            return if self.is_device(grant.signer()) { Ok(()) } else { Err(GrantError::Issuer) };
        };
        let parent = self.grant(parent_id).ok_or(GrantError::NoParent)?;
        if self.is_revoked(parent_id) {
            return Err(GrantError::ParentRevoked);
        }
        if parent.holder() != grant.signer() {
            return Err(GrantError::Issuer);
        }
        if self.grants_of_one_root(parent_id) > GRANTS_BELOW_MAX {
            return Err(GrantError::TooMany); // C-57
        }
        core.lies_within(parent.core()).map_err(GrantError::Exceeds)
    }

    /// A party that sees a part of the ledger may not see what gives a guardian the right to revoke. It believes the
    /// revocation: that only takes away.
    fn judge_revocation(
        &self,
        revocation: &Verified<Revocation>,
        time: Timestamp,
        view: View,
    ) -> Result<(), LedgerError> {
        match self.check_revocation(revocation, time) {
            Err(_) if view == View::Part => Ok(()),
            judged => judged.map_err(LedgerError::Revocation),
        }
    }

    /// C-34
    fn check_revocation(&self, revocation: &Verified<Revocation>, time: Timestamp) -> Result<(), RevocationError> {
        let signer = revocation.signer();
        let revoked = self.grant(revocation.payload().grant).ok_or(RevocationError::NoSuchGrant)?;
        let as_guardian = |grant: &LedgerGrant| {
            let core = grant.core();
            core.holder == signer
                && core.scope.actions.contains(&Action::Revoke)
                && core.validity.contains(time)
                && !self.is_revoked(grant.statement.id())
                && !revoked.core().scope.collections.is_empty()
                && revoked.core().scope.collections.is_subset(&core.scope.collections)
        };
        // A device that was removed is an issuer no more; who signed a child is the holder of its parent.
        let as_issuer = revoked.core().parent.is_some() && revoked.issuer() == signer;
        let may = self.is_device(signer) || as_issuer || self.grants().any(as_guardian);
        if may { Ok(()) } else { Err(RevocationError::Signer) }
    }

    /// C-36
    fn check_rotation(&self, rotation: &Rotation) -> Result<(), RotationError> {
        if self.rotation.next() != Some(rotation.sequence) {
            return Err(RotationError::Sequence);
        }
        let in_force = rotation.collections.iter().all(|rotated| {
            self.leaf(rotated.collection)
                .is_some_and(|leaf| leaf.generation == rotated.generation && leaf.root_number == rotated.root_number)
        });
        if !in_force {
            return Err(RotationError::Collection);
        }
        let remains = |id| self.grant(id).is_some() && !self.is_revoked(id);
        let all_remain = rotation.packages.iter().all(|package| remains(package.grant));
        if all_remain { Ok(()) } else { Err(RotationError::Grant) }
    }

    /// C-23
    fn check_in_force(&self, entry: &Entry, body: Option<StatementId>) -> Result<(), LedgerError> {
        let directory_fits = match (entry.kind, body) {
            (EntryKind::Directory, Some(id)) => entry.directory == id,
            (EntryKind::Directory, None) => entry.directory != StatementId::NONE,
            _ => entry.directory == self.directory_id,
        };
        let authority_fits = match (entry.kind, body) {
            (EntryKind::Authority, Some(id)) => entry.authority == id,
            _ => entry.authority == self.authority_id(),
        };
        if directory_fits && authority_fits { Ok(()) } else { Err(LedgerError::InForce) }
    }

    fn make(&mut self, change: Change, entry: &Entry) {
        match change {
            Change::Authority(authority) => self.make_authority(*authority),
            Change::Directory(directory) => {
                self.directory = Some(*directory);
                let renewed = |state: &Self, collection| state.leaf(collection).map(|leaf| leaf.generation);
                let mut pending = std::mem::take(&mut self.pending);
                pending.retain(|collection, leaked| renewed(self, *collection).is_none_or(|now| now <= *leaked));
                self.pending = pending;
            }
            Change::Grant(statement) => {
                let grant = LedgerGrant { statement: *statement, seq: entry.seq, revoked_by: None, revoked_at: None };
                self.grants.insert(grant.statement.id(), grant);
            }
            Change::Revocation(revocation) => {
                self.mark_revoked(revocation.payload().grant, revocation.id(), Some(entry.seq));
            }
            Change::Rotation(rotation) => self.rotation = rotation.payload().sequence,
            Change::Erasure(erasure) => self.erased_events.extend(erasure.into_payload().events.into_iter().flatten()),
            Change::None if entry.kind == EntryKind::Directory => self.directory = None,
            Change::None => {}
        }
    }

    /// Takes the new authority; a new root makes every collection wait for new keys (SPEC section 9).
    fn make_authority(&mut self, authority: Verified<Authority>) {
        let root_before = self.authority.as_ref().map_or(Default::default(), |before| before.payload().root_number);
        let new_root = authority.payload().root_number != root_before;
        self.root_keys.insert(authority.payload().root_number, RootKeys::of(authority.payload()));
        if let Some(set) = &authority.payload().witness_set {
            self.witness_set = Some(set.clone());
        }
        self.authority = Some(authority);
        let leaves = self.directory.as_ref().and_then(|directory| directory.leaves.as_ref());
        let collections: Vec<_> =
            leaves.into_iter().flat_map(CollectionLeaves::iter).map(|leaf| leaf.collection).collect();
        for collection in collections.into_iter().filter(|_| new_root) {
            self.mark_pending(collection);
        }
    }
}

fn has_attachments(body: Option<&Body>) -> bool {
    body.is_some_and(|body| body.attachment_hashes().is_none_or(|hashes| !hashes.is_empty()))
}

fn first_broken<const N: usize>(rules: [(bool, LedgerError); N]) -> Result<(), LedgerError> {
    rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, error)| Err(error))
}
