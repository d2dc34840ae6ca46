//! What a trail says by itself and by the receipts held here: lies as findings, the rest as complaints.

use std::collections::{HashMap, HashSet};

use karute_consent::id::{NodeId, StatementId};
use karute_consent::ledger::LedgerState;
use karute_consent::statement::Verified;
use karute_protocol::finding::{Finding, NotAFinding};
use karute_protocol::trail::{AuditAnswer, EventKind, Outcome, Receipt};

use super::by_ledger::{judge_by_grants, judge_by_heads, judge_by_revocations};
use crate::agent::error::AgentError;
use crate::agent::trail_file::TrailFile;
use crate::agent::view::VaultView;
use crate::flow::agent::check_receipts::compare;
use crate::flow::agent::convict::Complaint;

/// What was looked at and what came of it.
#[derive(Default)]
pub(in crate::flow::agent) struct Examined {
    /// Proven lies.
    pub(in crate::flow::agent) lies: Vec<Finding>,
    /// What is wrong without a proof.
    pub(in crate::flow::agent) complaints: Vec<Complaint>,
    /// Events that were judged again by their grants.
    pub(in crate::flow::agent) judged: u64,
}

/// The events of a trail that hold, each as the receipt that it is.
pub(in crate::flow::agent) fn receipts_of(file: &TrailFile) -> Vec<Receipt> {
    let receipt = |item: &karute_protocol::message::TrailItem| {
        let (salt, event) = (item.salt?, item.event.clone()?);
        let (leaf, index, proof) = (item.leaf, item.index, item.proof.clone());
        Some(Receipt { leaf, salt, event, index, proof, checkpoint: file.checkpoint.clone() })
    };
    file.items.iter().filter_map(receipt).filter(|receipt| receipt.verify(file.node).is_ok()).collect()
}

/// Looks at everything. `trail` and `held` are receipts that verify against the node.
pub(in crate::flow::agent) fn examine(
    node: NodeId,
    trail: &[Receipt],
    held: &[Receipt],
    answer: Option<&Verified<AuditAnswer>>,
    view: &VaultView,
) -> Result<Examined, AgentError> {
    let state = view.state()?;
    let all: Vec<&Receipt> = trail.iter().chain(held).collect();
    let mut examined = Examined { lies: compare(node, &all), ..Examined::default() };
    for receipt in trail {
        if receipt.event.check_request(receipt.leaf.vault, node).is_err() {
            examined.lies.extend(Finding::forged_entry(node, receipt.clone())); // P-39
        }
    }
    if let Some(answer) = answer {
        look_for_missing(node, held, answer, &mut examined);
    }
    judge_by_heads(trail, view, &mut examined)?;
    judge_by_revocations(node, trail, view, &mut examined);
    judge_by_grants(node, trail, view, state, &mut examined);
    count_uses(trail, state, &mut examined);
    Ok(examined)
}

/// Receipts held here above the number of events that the host signed for (kind 5).
fn look_for_missing(node: NodeId, held: &[Receipt], answer: &Verified<AuditAnswer>, examined: &mut Examined) {
    let said = answer.payload();
    for receipt in held.iter().filter(|held| held.leaf.vault == said.vault && held.leaf.number > said.count) {
        match Finding::missing_entry(node, receipt.clone(), answer) {
            Ok(lie) => examined.lies.push(lie),
            Err(NotAFinding::NotLater) => {
                examined.complaints.push(Complaint::NotThereYet { number: receipt.leaf.number });
            }
            Err(_) => {}
        }
    }
}

/// Uses of grants that are limited, and requests that are told of twice: what the host counts is its own affair, what the
/// trail says is not.
fn count_uses(trail: &[Receipt], state: &LedgerState, examined: &mut Examined) {
    let (mut asked, mut used): (HashSet<_>, HashMap<StatementId, u32>) = (HashSet::new(), HashMap::new());
    for receipt in trail.iter().filter(|receipt| receipt.event.outcome == Outcome(0)) {
        let event = &receipt.event;
        let Some(request) = event.request else { continue };
        let opens_deposit = event.kind == EventKind::Deposit && event.subject.is_none();
        let reads = matches!(event.kind, EventKind::List | EventKind::Read | EventKind::Audit | EventKind::Export);
        if !opens_deposit && !reads {
            continue;
        }
        if !asked.insert((event.party, request)) {
            examined.complaints.push(Complaint::ToldAgain { number: receipt.leaf.number, request });
        }
        let statement = event.request_statement.clone().and_then(|request| request.verify().ok());
        if statement.is_some_and(|request| request.payload().resumes.is_some()) {
            continue; // goes on with an earlier one, which cost the use (C-49)
        }
        event.chain.iter().for_each(|grant| *used.entry(*grant).or_default() += 1);
    }
    for grant in state.grants() {
        let (id, counted) = (grant.statement.id(), used.get(&grant.statement.id()).copied().unwrap_or(0));
        if let Some(uses) = grant.core().uses.filter(|uses| counted > *uses) {
            examined.complaints.push(Complaint::Overused { grant: id, uses, counted });
        }
    }
}
