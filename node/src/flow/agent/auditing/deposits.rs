//! Whether every deposit that the host confirmed is still there, or was taken away by somebody who may (kind 6).

use std::collections::{HashMap, HashSet};

use karute_consent::id::{NodeId, PartyKey, RecordId, StatementId};
use karute_consent::ledger::Body;
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_consent::statement::Verified;
use karute_protocol::finding::{Finding, NotAFinding};
use karute_protocol::message::{List, Message, Removal, Tombstone};
use karute_protocol::trail::{EventKind, ListAnswer, Outcome, Receipt};

use super::examine::Examined;
use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;
use crate::flow::agent::convict::Complaint;
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::permitted;
use crate::flow::agent::receipt::keep_receipt;

/// The host's answer to a device that lists everything.
pub(super) struct WholeList {
    request: Verified<Request>,
    answer: Verified<ListAnswer>,
    /// Header ids in the order in which they came, zeros for a tombstone.
    ids: Vec<StatementId>,
    removed: Removed,
}

/// Who took which records away, by statements that hold.
#[derive(Default)]
struct Removed {
    /// By the patient.
    erased: HashSet<RecordId>,
    /// By these parties; it counts where the party is the depositor.
    withdrawn: HashMap<RecordId, HashSet<PartyKey>>,
}

/// Lists everything in the vault.
pub(super) async fn whole_list(patient: &mut Patient, reach: &mut Reach) -> Result<WholeList, AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let node = session.node();
    let wanted = Wanted::own(Action::List);
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let mut pending = session.start(List { request: request.to_unverified(), acting: None }).await?;
    let own = permitted(pending.message().await?, patient.view()?, request.payload(), node)?.receipt;
    let (mut ids, mut removed) = (Vec::new(), Removed::of_ledger(patient.view()?));
    let answer = loop {
        match pending.message().await? {
            Message::RecordAnswer(answer) => {
                let header = answer.header.clone().verify().map_err(|_| AgentError::unproven(Unproven::Statement))?;
                ids.push(header.id());
            }
            Message::Tombstone(gone) => {
                removed.note(&gone, patient.view()?);
                ids.push(StatementId::NONE);
            }
            Message::Listed(listed) => break listed.answer,
            _ => return Err(AgentError::Malformed("answer to a list")),
        }
    };
    let answer = answer.ok_or(AgentError::Malformed("list without its signed end"))?;
    let answer = answer.verify_by(node.key()).map_err(|_| AgentError::unproven(Unproven::Statement))?;
    keep_receipt(&mut patient.keep, &own)?;
    Ok(WholeList { request, answer, ids, removed })
}

/// Looks for every confirmed deposit in the list. `receipts` verify against the node. Answers how many were looked for.
pub(super) fn look_for_deposits(node: NodeId, receipts: &[&Receipt], list: &WholeList, examined: &mut Examined) -> u64 {
    let listed: HashSet<&StatementId> = list.ids.iter().collect();
    let mut looked = HashSet::new();
    for receipt in receipts {
        let event = &receipt.event;
        let done = event.kind == EventKind::Deposit && event.outcome == Outcome(0) && event.place.is_some();
        let (Some(header), [record]) = (event.subject.filter(|_| done), event.records.as_slice()) else { continue };
        if receipt.leaf.vault != list.answer.payload().vault || !looked.insert(header) || listed.contains(&header) {
            continue;
        }
        if list.removed.explains(*record, event.party) {
            continue;
        }
        let (request, ids) = (list.request.to_unverified(), list.ids.clone());
        match Finding::dropped_deposit(node, (*receipt).clone(), request, &list.answer, ids) {
            Ok(lie) => examined.lies.push(lie),
            Err(NotAFinding::NotLater) => {
                examined.complaints.push(Complaint::NotListedYet { number: receipt.leaf.number });
            }
            Err(_) => examined.complaints.push(Complaint::Unproven(Unproven::Omission)),
        }
    }
    looked.len() as u64
}

impl Removed {
    /// The erasures of the ledger.
    fn of_ledger(view: &VaultView) -> Self {
        let mut removed = Self::default();
        for item in view.items() {
            if let Ok((_, Some(Body::Erasure(erasure)))) = item.open() {
                removed.erased.extend(&erasure.payload().records);
            }
        }
        removed
    }

    /// The statement beside a tombstone, as far as it holds (P-42).
    fn note(&mut self, gone: &Tombstone, view: &VaultView) {
        match gone.removal(view.vault()) {
            Ok(Removal::Erased(erasure)) if view.was_device(erasure.signer()) => {
                self.erased.extend(&erasure.payload().records);
            }
            Ok(Removal::Withdrawn(withdrawal)) => {
                for record in &withdrawal.payload().records {
                    self.withdrawn.entry(*record).or_default().insert(withdrawal.signer());
                }
            }
            _ => {}
        }
    }

    fn explains(&self, record: RecordId, depositor: PartyKey) -> bool {
        let withdrawn = self.withdrawn.get(&record).is_some_and(|by| by.contains(&depositor));
        withdrawn || self.erased.contains(&record)
    }
}
