//! A party's verified copy of a vault's ledger, as far as it is shown to that party, and the highest head it ever accepted.
//!
//! Trusted for freshness: nothing is taken into it that does not extend what was there, and a host that shows an older or
//! another ledger is caught here. What it loses, the next sync brings back; the highest head it does not.

use std::collections::{BTreeSet, HashMap};

use karute_consent::ask::AskAnswer;
use karute_consent::directory::CollectionLeaves;
use karute_consent::id::{
    CollectionId, Digest, DirectoryNumber, Generation, NodeId, PartyKey, RootNumber, Seq, StatementId, VaultId,
};
use karute_consent::ledger::{EntryKind, Item, LedgerState, View};
use karute_consent::request::Head;
use karute_consent::statement::Unverified;
use karute_consent::time::{Month, Timestamp};
use karute_protocol::merkle::{RightEdge, TreeHash};
use karute_protocol::message::GrantPackage;
use karute_protocol::trail::{CheckpointText, Log};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::agent::error::{AgentError, Missing, Unproven};

/// What a party knows of one vault's ledger.
pub struct VaultView {
    vault: VaultId,
    /// Every entry, with what this party was shown of it.
    items: Vec<Item>,
    now: Trial,
    /// The host's word on the newest accepted head.
    checkpoint: Option<CheckpointText>,
    /// Key packages of later rotations, for a holder.
    pub(crate) packages: Vec<GrantPackage>,
    /// Answers to asks, for who asked.
    pub(crate) answers: Vec<Unverified<AskAnswer>>,
}

/// A ledger that may become the view, once the host has signed for it.
#[derive(Clone)]
pub struct Trial {
    vault: VaultId,
    view: View,
    state: Option<LedgerState>,
    edge: RightEdge,
    generations: HashMap<(CollectionId, Generation), GenerationFacts>,
    /// Devices in force at any time: who may have signed re-wraps.
    devices: BTreeSet<PartyKey>,
}

/// What directories said of one generation of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationFacts {
    /// The root that its keys come from.
    pub root: RootNumber,
    /// The month in which a later generation took its place.
    pub until: Option<Month>,
}

/// The view as it is kept between two runs.
#[derive(SerializeIndexed, DeserializeIndexed)]
pub struct ViewAtRest {
    #[serde(index = 1)]
    whole: bool,
    #[serde(index = 2)]
    items: Vec<Item>,
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<CheckpointText>,
    #[serde(index = 4)]
    packages: Vec<GrantPackage>,
    #[serde(index = 5)]
    answers: Vec<Unverified<AskAnswer>>,
}

impl VaultView {
    /// Nothing is known yet; the party sees a part of the ledger.
    pub fn new(vault: VaultId) -> Self {
        Self::empty(vault, View::Part)
    }

    /// Nothing is known yet; the party is a device and sees the whole ledger.
    pub fn new_whole(vault: VaultId) -> Self {
        Self::empty(vault, View::Whole)
    }

    fn empty(vault: VaultId, view: View) -> Self {
        let edge = RightEdge::of_empty_tree();
        let now = Trial { vault, view, state: None, edge, generations: HashMap::new(), devices: BTreeSet::new() };
        Self { vault, items: Vec::new(), now, checkpoint: None, packages: Vec::new(), answers: Vec::new() }
    }

    /// The view that was kept; it is verified again.
    pub fn from_rest(vault: VaultId, rest: ViewAtRest) -> Result<Self, AgentError> {
        let mut view = Self::empty(vault, if rest.whole { View::Whole } else { View::Part });
        rest.items.iter().try_for_each(|item| view.now.push(item))?;
        view.items = rest.items;
        view.checkpoint = rest.checkpoint;
        view.packages = rest.packages;
        view.answers = rest.answers;
        Ok(view)
    }

    /// The view as it is to be kept.
    pub fn at_rest(&self) -> ViewAtRest {
        ViewAtRest {
            whole: self.is_whole(),
            items: self.items.clone(),
            checkpoint: self.checkpoint.clone(),
            packages: self.packages.clone(),
            answers: self.answers.clone(),
        }
    }

    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// Whether every body is shown.
    pub fn is_whole(&self) -> bool {
        self.now.view == View::Whole
    }

    /// Entries known.
    pub fn size(&self) -> u64 {
        self.items.len() as u64
    }

    /// The highest head accepted; none before the first sync.
    pub fn head(&self) -> Option<Head> {
        (self.size() > 0).then(|| self.now.head())
    }

    /// The host's signed word on that head.
    pub fn checkpoint(&self) -> Option<&CheckpointText> {
        self.checkpoint.as_ref()
    }

    /// The node that orders the ledger.
    pub fn home(&self) -> Option<NodeId> {
        self.now.state.as_ref().and_then(LedgerState::home)
    }

    /// What is in force.
    pub fn state(&self) -> Result<&LedgerState, AgentError> {
        self.now.state.as_ref().ok_or(AgentError::Unknown(Missing::Vault))
    }

    /// Collection leaves of the directory in force, where they are shown.
    pub fn leaves(&self) -> Option<&CollectionLeaves> {
        self.now.state.as_ref()?.directory()?.leaves.as_ref()
    }

    /// The number of the next directory.
    pub fn next_directory_number(&self) -> Option<DirectoryNumber> {
        match self.now.state.as_ref().and_then(LedgerState::directory) {
            Some(directory) => directory.statement.payload().number.next(),
            None => Some(DirectoryNumber::FIRST),
        }
    }

    /// Every generation that a directory ever named, and where its keys come from.
    pub fn generations(&self) -> &HashMap<(CollectionId, Generation), GenerationFacts> {
        &self.now.generations
    }

    /// Whether a key was ever a device of the vault.
    pub fn was_device(&self, key: PartyKey) -> bool {
        self.now.devices.contains(&key)
    }

    /// The item of an entry.
    pub fn item(&self, seq: Seq) -> Option<&Item> {
        usize::try_from(seq.0).ok().and_then(|place| self.items.get(place))
    }

    /// All items.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What would be appended next can be tried on this.
    pub fn trial(&self) -> Trial {
        self.now.clone()
    }

    /// Makes a trial the view, if the host has signed a checkpoint of exactly its head.
    pub fn commit(&mut self, trial: Trial, items: Vec<Item>, checkpoint: &CheckpointText) -> Result<(), AgentError> {
        let node = trial.state.as_ref().and_then(LedgerState::home).ok_or(Unproven::Ledger)?;
        if trial.size() != self.size() + items.len() as u64 {
            return Err(AgentError::unproven(Unproven::Ledger));
        }
        let signed = checkpoint.verify(Log::Ledger(self.vault), node);
        let signed = signed.map_err(|_| AgentError::unproven(Unproven::Checkpoint))?;
        if (Head { size: signed.size, root: Digest::from_bytes(signed.root.0) }) != trial.head() {
            return Err(AgentError::unproven(Unproven::OlderHead));
        }
        self.items.extend(items.into_iter().map(without_keys));
        self.now = trial;
        self.checkpoint = Some(checkpoint.clone());
        Ok(())
    }
}

impl Trial {
    /// Takes the next item, if it may follow.
    pub fn push(&mut self, item: &Item) -> Result<(), AgentError> {
        let refused = |_| AgentError::unproven(Unproven::Ledger);
        let entry = item.entry.clone().verify().map_err(|_| AgentError::unproven(Unproven::Statement))?;
        match &mut self.state {
            Some(state) => state.apply(item, self.view).map_err(refused)?,
            None => {
                let state = LedgerState::begin(item).map_err(refused)?;
                if state.vault() != self.vault {
                    return Err(AgentError::unproven(Unproven::Ledger));
                }
                self.state = Some(state);
            }
        }
        let appended = self.edge.append(TreeHash::leaf(entry.bytes()), |_, _| {});
        appended.map_err(|_| AgentError::unproven(Unproven::Ledger))?;
        match entry.payload().kind {
            EntryKind::Directory => self.note_generations(entry.payload().time.month()),
            EntryKind::Authority => self.note_devices(),
            _ => {}
        }
        Ok(())
    }

    fn note_generations(&mut self, month: Month) {
        let directory = self.state.as_ref().and_then(LedgerState::directory);
        let Some(leaves) = directory.and_then(|directory| directory.leaves.as_ref()) else { return };
        for leaf in leaves.iter() {
            if self.generations.contains_key(&(leaf.collection, leaf.generation)) {
                continue;
            }
            let older = |(collection, _): &(CollectionId, Generation)| *collection == leaf.collection;
            for (_, facts) in self.generations.iter_mut().filter(|(place, _)| older(place)) {
                facts.until.get_or_insert(month);
            }
            let facts = GenerationFacts { root: leaf.root_number, until: None };
            self.generations.insert((leaf.collection, leaf.generation), facts);
        }
    }

    fn note_devices(&mut self) {
        let authority = self.state.as_ref().and_then(LedgerState::authority);
        let keys = authority.into_iter().flat_map(|authority| &authority.payload().devices).map(|device| device.key);
        self.devices.extend(keys);
    }

    /// Entries with those on trial.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Size and root.
    pub fn head(&self) -> Head {
        Head { size: self.edge.size(), root: Digest::from_bytes(self.edge.root().0) }
    }

    /// What would be in force.
    pub fn state(&self) -> Option<&LedgerState> {
        self.state.as_ref()
    }

    /// The directory that would be in force.
    pub fn directory_id(&self) -> StatementId {
        self.state.as_ref().map_or(StatementId::NONE, LedgerState::directory_id)
    }

    /// The authority that would be in force.
    pub fn authority_id(&self) -> StatementId {
        self.state.as_ref().map_or(StatementId::NONE, LedgerState::authority_id)
    }

    /// The next place.
    pub fn next_seq(&self) -> Seq {
        Seq(self.size())
    }

    /// The entry before it.
    pub fn last(&self) -> StatementId {
        self.state.as_ref().map_or(StatementId::NONE, LedgerState::last)
    }

    /// Time of the entry before it.
    pub fn time(&self) -> Timestamp {
        self.state.as_ref().map_or(Timestamp::from_secs(0), LedgerState::time)
    }
}

/// A directory's key leaves are derived anew when they are needed: only its collection leaves are kept.
fn without_keys(mut item: Item) -> Item {
    let is_directory = item.body.is_some()
        && item.entry.clone().verify().is_ok_and(|entry| entry.payload().kind == EntryKind::Directory);
    if let (true, Some(attachments)) = (is_directory, &mut item.attachments) {
        attachments.truncate(1);
    }
    item
}
