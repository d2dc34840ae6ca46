//! Kinds 7 and 8: a host that served somebody whom the ledger does not allow it.

use karute_consent::grant::Grant;
use karute_consent::id::{NodeId, VaultId};
use karute_consent::ledger::{Body, Entry, Item};
use karute_consent::scope::Action;
use karute_consent::statement::Verified;
use karute_consent::time::Timestamp;

use super::{COVER_SECS, Evidence, Facts, Finding, FindingKind, NotAFinding, Overstep};
use crate::trail::{Event, EventKind, Outcome, Receipt};

impl Finding {
    /// Kind 7: `revoked` is the event of the revocation's entry, `served` a later one under the revoked grant.
    pub fn served_after_revocation(
        node: NodeId,
        revoked: Receipt,
        served: Receipt,
        revocation: Item,
    ) -> Result<Self, NotAFinding> {
        let evidence = Evidence::of_receipts(FindingKind::ServedAfterRevocation, node, revoked, served);
        Self::proven(Evidence { items: Some(vec![without_attachments(revocation)]), ..evidence })
    }

    /// Kind 8: `served` is an event under the chain of these grants, root first, and they do not allow it.
    pub fn beyond_grant(node: NodeId, served: Receipt, grants: Vec<Item>) -> Result<Self, NotAFinding> {
        let evidence = Evidence::new(FindingKind::BeyondGrant, node.key());
        let items = Some(grants.into_iter().map(without_attachments).collect());
        Self::proven(Evidence { receipt_a: Some(served), items, ..evidence })
    }
}

pub(super) fn served_after_revocation(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let (a, b) = (evidence.receipt_a()?, evidence.receipt_b()?);
    let Some([item]) = evidence.items.as_deref() else { return Err(NotAFinding::OtherItems) };
    let (entry, body) = open(item)?;
    let Body::Revocation(revocation) = body else { return Err(NotAFinding::OtherItems) };
    let (vault, of) = (a.leaf.vault, revocation.payload());
    if b.leaf.vault != vault || of.vault != vault || entry.payload().vault != vault {
        return Err(NotAFinding::OtherVault);
    }
    let appended = a.event.kind == EventKind::LedgerAppend && a.event.outcome == Outcome(0);
    if !appended || a.event.subject != Some(entry.id()) {
        return Err(NotAFinding::NotRevoked);
    }
    if !was_served(&b.event) {
        return Err(NotAFinding::NotServed);
    }
    if b.index <= a.index {
        return Err(NotAFinding::ServedBefore);
    }
    if !b.event.chain.contains(&of.grant) {
        return Err(NotAFinding::OtherGrant);
    }
    Ok(Facts::ServedRevoked {
        vault,
        grant: of.grant,
        revoked_index: a.index,
        revoked_time: a.leaf.time,
        served: b.event.kind,
        party: b.event.party,
        served_index: b.index,
        served_time: b.leaf.time,
    })
}

pub(super) fn beyond_grant(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let a = evidence.receipt_a()?;
    if !was_served(&a.event) {
        return Err(NotAFinding::NotServed);
    }
    let items = evidence.items.as_deref().ok_or(NotAFinding::Fields)?;
    let grants: Vec<Verified<Grant>> =
        items.iter().map(|item| grant_of(item, a.leaf.vault)).collect::<Result<_, _>>()?;
    if !grants.iter().map(Verified::id).eq(a.event.chain.iter().copied()) {
        return Err(NotAFinding::OtherItems);
    }
    let grants: Vec<&Verified<Grant>> = grants.iter().collect();
    let last = grants.last().ok_or(NotAFinding::OtherGrant)?;
    let overstep = overstep(&a.event, a.leaf.time, &grants).ok_or(NotAFinding::Permitted)?;
    Ok(Facts::Overstepped {
        vault: a.leaf.vault,
        grant: last.id(),
        overstep,
        served: a.event.kind,
        party: a.event.party,
        number: a.leaf.number,
        time: a.leaf.time,
    })
}

/// Where an event of this time goes beyond the grants of its chain, root first, in the order of the decision (consent,
/// section 11). Nothing for an event that serves nobody, and without grants.
pub fn overstep(event: &Event, time: Timestamp, grants: &[&Verified<Grant>]) -> Option<Overstep> {
    let core = &grants.last().filter(|_| was_served(event))?.payload().core;
    let validities = || grants.iter().map(|grant| &grant.payload().core.validity);
    let rules = [
        (is_chain(grants), Overstep::Chain),
        (event.party == core.holder, Overstep::Holder), // C-45
        (validities().all(|validity| validity.not_before() <= time.plus_secs(COVER_SECS)), Overstep::NotYetValid),
        (validities().all(|validity| time < validity.not_after().plus_secs(COVER_SECS)), Overstep::Expired), // C-46
        (action_of(event).is_none_or(|action| core.scope.actions.contains(&action)), Overstep::Action),      // C-47
        (event.purpose.is_none_or(|purpose| core.purposes.contains(&purpose)), Overstep::Purpose),           // C-48
    ];
    rules.into_iter().find(|(holds, _)| !holds).map(|(_, overstep)| overstep)
}

/// The first has no parent, each other one is the child of the one before, signed by its holder and within it.
fn is_chain(grants: &[&Verified<Grant>]) -> bool {
    let rooted = grants.first().is_some_and(|root| root.payload().core.parent.is_none());
    rooted
        && grants.windows(2).all(|pair| {
            let (parent, child) = (pair[0], pair[1]);
            child.payload().core.parent == Some(parent.id())
                && child.signer() == parent.payload().core.holder
                && child.payload().core.lies_within(&parent.payload().core).is_ok() // C-32
        })
}

/// What was done under the grants: the action that was asked for, else that of the kind of event.
fn action_of(event: &Event) -> Option<Action> {
    event.action.or(match event.kind {
        EventKind::Deposit => Some(Action::Deposit),
        EventKind::List => Some(Action::List),
        EventKind::Audit => Some(Action::Audit),
        _ => None,
    })
}

/// Whether something was done that a grant is needed for.
fn was_served(event: &Event) -> bool {
    let served = [EventKind::Deposit, EventKind::List, EventKind::Read, EventKind::Audit];
    served.contains(&event.kind) && event.outcome == Outcome(0)
}

fn grant_of(item: &Item, vault: VaultId) -> Result<Verified<Grant>, NotAFinding> {
    let (entry, body) = open(item)?;
    let Body::Grant(grant) = body else { return Err(NotAFinding::OtherItems) };
    if entry.payload().vault != vault || grant.payload().core.vault != vault {
        return Err(NotAFinding::OtherVault);
    }
    Ok(*grant)
}

/// An item with its body, and nothing beside it.
fn open(item: &Item) -> Result<(Verified<Entry>, Body), NotAFinding> {
    if item.attachments.is_some() {
        return Err(NotAFinding::Fields);
    }
    let (entry, body) = item.open().map_err(NotAFinding::Item)?;
    Ok((entry, body.ok_or(NotAFinding::Fields)?))
}

fn without_attachments(item: Item) -> Item {
    Item { attachments: None, ..item }
}
