//! What goes into a key package: the tree nodes that lead to the months a grant covers, in every generation it may read.
//!
//! A generation that was replaced holds no later deposit, and re-filed records keep their month of deposit, so an old
//! generation is covered from the first month granted to the month in which it was replaced.

use karute_consent::directory::CollectionLeaves;
use karute_consent::grant::GrantCore;
use karute_consent::id::{CollectionId, Generation, RootNumber};
use karute_consent::revocation::RotatedCollection;
use karute_consent::time::{Month, MonthRange};
use karute_protocol::keys::Root;
use karute_protocol::package::PackageItem;

use crate::agent::error::{AgentError, Obstacle};
use crate::agent::patient::Patient;

/// The nodes for a new grant: all generations of its collections, those of `leaves` included.
pub(super) fn nodes_for_grant(
    patient: &Patient,
    core: &GrantCore,
    leaves: &CollectionLeaves,
) -> Result<Vec<PackageItem>, AgentError> {
    let mut items = Vec::new();
    let generations = patient.view()?.generations();
    for collection in &core.scope.collections {
        let of_it = generations.iter().filter(|((known, _), _)| known == collection);
        for ((_, generation), facts) in of_it {
            items.extend(nodes(patient, core, *collection, *generation, facts.root, facts.until)?);
        }
        if let Some(leaf) =
            leaves.leaf(*collection).filter(|leaf| !generations.contains_key(&(*collection, leaf.generation)))
        {
            items.extend(nodes(patient, core, *collection, leaf.generation, leaf.root_number, None)?);
        }
    }
    Ok(items)
}

/// The nodes for a grant that remains: the new generations of its collections among `rotated`.
pub(super) fn nodes_for_rotation(
    patient: &Patient,
    core: &GrantCore,
    rotated: &[RotatedCollection],
) -> Result<Vec<PackageItem>, AgentError> {
    let mut items = Vec::new();
    for new in rotated.iter().filter(|new| core.scope.collections.contains(&new.collection)) {
        items.extend(nodes(patient, core, new.collection, new.generation, new.root_number, None)?);
    }
    Ok(items)
}

/// The months that a grant opens by key: from its first month to the month in which it ends.
pub(super) fn months_of(core: &GrantCore) -> Option<MonthRange> {
    let last = core.validity.not_after().minus_secs(1).month();
    let end = last.next().unwrap_or(last);
    let (from, to) = core.scope.months.as_ref().map_or((Month(0), end), |months| (months.from(), months.to().min(end)));
    MonthRange::new(from, to).ok()
}

fn nodes(
    patient: &Patient,
    core: &GrantCore,
    collection: CollectionId,
    generation: Generation,
    number: RootNumber,
    until: Option<Month>,
) -> Result<Vec<PackageItem>, AgentError> {
    let Some(mut months) = months_of(core) else { return Ok(Vec::new()) };
    if let Some(end) = until.and_then(Month::next).and_then(Month::next) {
        // A run may be of the neighbouring month for a day after the turn.
        let Ok(shorter) = MonthRange::new(months.from(), months.to().min(end)) else { return Ok(Vec::new()) };
        months = shorter;
    }
    let root = Root::new(number, patient.root(number)?);
    let tree = root.collection_root(patient.view()?.vault(), collection, generation);
    let cover = tree.cover(&months).map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
    Ok(cover.into_iter().map(|node| PackageItem::Node { collection, generation, node }).collect())
}
