//! What a trail says by the ledger: events under revoked grants, beyond their grants, of strangers, on another ledger.

use std::collections::HashMap;

use karute_consent::grant::Grant;
use karute_consent::id::{NodeId, StatementId};
use karute_consent::ledger::{Body, Item, LedgerGrant, LedgerState};
use karute_consent::statement::Verified;
use karute_protocol::finding::{Finding, overstep};
use karute_protocol::merkle::{RightEdge, TreeHash};
use karute_protocol::trail::{Event, EventKind, Outcome, Receipt};

use super::examine::Examined;
use crate::agent::error::{AgentError, Unproven};
use crate::agent::view::VaultView;
use crate::flow::agent::convict::Complaint;

/// Each event says on which ledger it was decided: that must be this one, as it was or is.
pub(super) fn judge_by_heads(trail: &[Receipt], view: &VaultView, examined: &mut Examined) -> Result<(), AgentError> {
    let mut edge = RightEdge::of_empty_tree();
    let mut roots: Vec<TreeHash> = vec![edge.root()];
    for item in view.items() {
        let entry = item.entry.clone().verify().map_err(|_| AgentError::unproven(Unproven::Ledger))?;
        edge.append(TreeHash::leaf(entry.bytes()), |_, _| {}).map_err(|_| AgentError::unproven(Unproven::Ledger))?;
        roots.push(edge.root());
    }
    for receipt in trail {
        let said = &receipt.event.head;
        let known = usize::try_from(said.size).ok().and_then(|size| roots.get(size));
        if known.is_none_or(|root| root.0 != *said.root.as_bytes()) {
            examined.complaints.push(Complaint::OtherLedger { number: receipt.leaf.number });
        }
    }
    Ok(())
}

/// What was served behind the event of a revocation (kind 7).
pub(super) fn judge_by_revocations(node: NodeId, trail: &[Receipt], view: &VaultView, examined: &mut Examined) {
    let appended: HashMap<StatementId, &Receipt> = trail
        .iter()
        .filter(|receipt| receipt.event.kind == EventKind::LedgerAppend)
        .filter_map(|receipt| Some((receipt.event.subject?, receipt)))
        .collect();
    // The first revocation of each grant, as the trail has it.
    let mut revoked: HashMap<StatementId, (&Receipt, &Item)> = HashMap::new();
    for item in view.items() {
        let Ok((entry, Some(Body::Revocation(revocation)))) = item.open() else { continue };
        let Some(receipt) = appended.get(&entry.id()) else { continue };
        revoked.entry(revocation.payload().grant).or_insert((receipt, item));
    }
    for served in trail.iter().filter(|receipt| receipt.event.outcome == Outcome(0)) {
        let after = served.event.chain.iter().filter_map(|grant| revoked.get(grant));
        let mut after = after.filter(|(receipt, _)| receipt.index < served.index);
        if let Some((receipt, item)) = after.next() {
            let lie = Finding::served_after_revocation(node, (*receipt).clone(), served.clone(), (*item).clone());
            examined.lies.extend(lie);
        }
    }
}

/// Judges every permitted event again by its grants (kind 8).
pub(super) fn judge_by_grants(
    node: NodeId,
    trail: &[Receipt],
    view: &VaultView,
    state: &LedgerState,
    examined: &mut Examined,
) {
    for receipt in trail.iter().filter(|receipt| receipt.event.outcome == Outcome(0)) {
        let (event, number) = (&receipt.event, receipt.leaf.number);
        if event.chain.is_empty() {
            if was_served(event) && !view.was_device(event.party) {
                examined.complaints.push(Complaint::Stranger { number });
            }
            continue;
        }
        let grants: Option<Vec<&LedgerGrant>> = event.chain.iter().map(|grant| state.grant(*grant)).collect();
        let Some(grants) = grants else {
            examined.complaints.push(Complaint::UnknownGrant { number });
            continue;
        };
        examined.judged += 1;
        let over = |grant: &&LedgerGrant| grant.revoked_at.is_some_and(|seq| seq.0 < event.head.size);
        if was_served(event) && grants.iter().any(over) {
            examined.complaints.push(Complaint::Revoked { number });
        }
        let statements: Vec<&Verified<Grant>> = grants.iter().map(|grant| &grant.statement).collect();
        if overstep(event, receipt.leaf.time, &statements).is_some() {
            let items = grants.iter().filter_map(|grant| view.item(grant.seq).cloned()).collect();
            examined.lies.extend(Finding::beyond_grant(node, receipt.clone(), items));
        }
    }
}

fn was_served(event: &Event) -> bool {
    matches!(event.kind, EventKind::Deposit | EventKind::List | EventKind::Read | EventKind::Audit | EventKind::Export)
}
