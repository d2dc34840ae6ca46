//! Directories: which collections there are, in which generation, under which keys. Made by a device, one after another.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::directory::{CollectionLeaf, CollectionLeaves, Directory};
use karute_consent::id::{CollectionId, Generation, RootNumber};
use karute_consent::ledger::EntryKind;
use karute_consent::limits::DIRECTORY_MONTHS_MAX;
use karute_consent::revocation::RotatedCollection;
use karute_consent::statement::sign;
use karute_consent::time::Month;
use karute_protocol::directory::{KeyLeaves, attachments};
use karute_protocol::keys::Root;

use crate::agent::error::{AgentError, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::append::{By, Draft};

/// A directory that is about to be appended.
pub(super) struct NewDirectory {
    /// For the append.
    pub(super) draft: Draft,
    /// What it will say.
    pub(super) leaves: CollectionLeaves,
    /// The collections whose generation it raises.
    pub(super) rotated: Vec<RotatedCollection>,
}

/// The directory after the one in force: with collections for `kinds`, new generations for `rotate`, and fresh months where
/// few are left. New keys come from the newest root.
pub(super) fn next_directory(
    patient: &Patient,
    kinds: &[Kind],
    rotate: &BTreeSet<CollectionId>,
) -> Result<NewDirectory, AgentError> {
    let view = patient.view()?;
    let before = view.leaves();
    let mut maker = Maker::new(patient)?;
    let mut leaves: BTreeMap<CollectionId, CollectionLeaf> = BTreeMap::new();
    let mut rotated = Vec::new();
    for leaf in before.into_iter().flat_map(CollectionLeaves::iter) {
        let new = if rotate.contains(&leaf.collection) {
            let generation = leaf.generation.next().ok_or(AgentError::Impossible(Obstacle::Limit))?;
            let root_number = patient.root_number();
            rotated.push(RotatedCollection { collection: leaf.collection, generation, root_number });
            maker.leaf(patient, leaf.collection, generation, root_number)?
        } else if few_months_left(leaf, maker.first) {
            maker.leaf(patient, leaf.collection, leaf.generation, leaf.root_number)?
        } else {
            leaf.clone()
        };
        leaves.insert(leaf.collection, new);
    }
    for kind in kinds {
        let collection = collection_of(patient, *kind)?;
        if let Entry::Vacant(vacant) = leaves.entry(collection) {
            vacant.insert(maker.leaf(patient, collection, Generation(1), patient.root_number())?);
        }
    }
    let leaves = CollectionLeaves::new(leaves.into_values().collect()).map_err(|_| limit())?;
    let directory = Directory {
        vault: view.vault(),
        number: view.next_directory_number().ok_or_else(limit)?,
        root: leaves.root().map_err(|_| limit())?,
        count: u8::try_from(leaves.len()).map_err(|_| limit())?,
        issued: patient.ambient().now(),
    };
    let directory = sign(directory, &patient.device).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    let attached = attachments(&leaves, before, |leaf| maker.made.remove(&leaf.collection)).map_err(|_| limit())?;
    let draft = Draft::new(EntryKind::Directory, &directory, attached, By::Device);
    Ok(NewDirectory { draft, leaves, rotated })
}

/// The collections of the directory in force for which few months have keys left: a new directory is due.
pub(super) fn directory_is_due(patient: &Patient) -> Result<bool, AgentError> {
    let first = first_month(patient);
    let leaves = patient.view()?.leaves();
    Ok(leaves.is_some_and(|leaves| leaves.iter().any(|leaf| few_months_left(leaf, first))))
}

/// The id of the collection for a kind of data.
pub(super) fn collection_of(patient: &Patient, kind: Kind) -> Result<CollectionId, AgentError> {
    let root = Root::new(RootNumber(0), patient.root(RootNumber(0))?);
    root.collection_id(patient.view()?.vault(), kind).map_err(|_| AgentError::Impossible(Obstacle::Value))
}

/// Every kind of data by the id of its collection: what a device can tell of an id.
pub(super) fn kinds_by_collection(patient: &Patient) -> Result<BTreeMap<CollectionId, Kind>, AgentError> {
    let root = Root::new(RootNumber(0), patient.root(RootNumber(0))?);
    let vault = patient.view()?.vault();
    let mut kinds = BTreeMap::new();
    for category in Category::ALL {
        for sensitivity in Sensitivity::ALL {
            let kind = Kind { category: *category, sensitivity: *sensitivity };
            let id = root.collection_id(vault, kind).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
            kinds.insert(id, kind);
        }
    }
    Ok(kinds)
}

/// Makes collection leaves and keeps the key leaves that belong to them.
struct Maker {
    first: Month,
    made: BTreeMap<CollectionId, KeyLeaves>,
}

impl Maker {
    fn new(patient: &Patient) -> Result<Self, AgentError> {
        Ok(Self { first: first_month(patient), made: BTreeMap::new() })
    }

    fn leaf(
        &mut self,
        patient: &Patient,
        collection: CollectionId,
        generation: Generation,
        root_number: RootNumber,
    ) -> Result<CollectionLeaf, AgentError> {
        let root = Root::new(root_number, patient.root(root_number)?);
        let tree = root.collection_root(patient.view()?.vault(), collection, generation);
        let keys = KeyLeaves::derive(&tree, self.first, DIRECTORY_MONTHS_MAX).map_err(|_| limit())?;
        let leaf = keys.collection_leaf(collection, generation, root_number).map_err(|_| limit())?;
        self.made.insert(collection, keys);
        Ok(leaf)
    }
}

/// A depositor's clock may be in the month before: directories begin there.
fn first_month(patient: &Patient) -> Month {
    let now = patient.ambient().now().month();
    now.previous().unwrap_or(now)
}

fn few_months_left(leaf: &CollectionLeaf, first: Month) -> bool {
    (leaf.first_month.0 + leaf.months).saturating_sub(first.0) < MONTHS_LEFT_MIN
}

fn limit() -> AgentError {
    AgentError::Impossible(Obstacle::Limit)
}

/// Fewer months with keys than this, and a device makes new ones.
const MONTHS_LEFT_MIN: u16 = 8;
