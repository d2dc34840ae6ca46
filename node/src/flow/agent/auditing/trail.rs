//! The whole trail as the host shows it, and what stands against that.

use karute_consent::id::{NodeId, StatementId};
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_consent::statement::Verified;
use karute_protocol::message::{Audit, Message, TrailItem};
use karute_protocol::trail::{AuditAnswer, Receipt, TrailNumber};

use super::examine::{Examined, examine, receipts_of};
use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::patient::Patient;
use crate::agent::trail_file::{TrailFile, TrailFileError, Whole};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::permitted;

/// A trail as it came, not judged yet but for the receipt of its reading.
pub(in crate::flow::agent) struct Pulled {
    pub(in crate::flow::agent) file: TrailFile,
    pub(in crate::flow::agent) request: Verified<Request>,
    /// The host's receipt for this reading.
    pub(in crate::flow::agent) own: Receipt,
}

/// Reads the whole trail of the vault.
pub(in crate::flow::agent) async fn pull_trail(patient: &mut Patient, reach: &mut Reach) -> Result<Pulled, AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let node = session.node();
    let wanted = Wanted::own(Action::Audit);
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let mut pending = session.start(Audit { request: request.to_unverified(), from: TrailNumber(1) }).await?;
    let own = permitted(pending.message().await?, patient.view()?, request.payload(), node)?.receipt;
    let mut items: Vec<TrailItem> = Vec::new();
    let listed = loop {
        match pending.message().await? {
            Message::TrailItem(item) => items.push(*item),
            Message::Listed(listed) => break *listed,
            _ => return Err(AgentError::Malformed("answer to an audit")),
        }
    };
    let file = TrailFile::new(patient.view()?.vault(), node, listed.checkpoint, items, listed.audit);
    Ok(Pulled { file, request, own })
}

impl Pulled {
    /// The host.
    pub(in crate::flow::agent) fn node(&self) -> NodeId {
        self.file.node
    }

    /// The host's word on the number of events, if it gave one that is its own.
    fn answer(&self) -> Option<Verified<AuditAnswer>> {
        let answer = self.file.answer.clone()?.verify_by(self.file.node.key()).ok()?;
        (answer.payload().request == self.request.id()).then_some(answer)
    }

    /// What proves that the host lied, and what else is wrong; `held` are receipts that it gave.
    pub(in crate::flow::agent) fn examine(&self, patient: &Patient, held: &[Receipt]) -> Result<Examined, AgentError> {
        let trail = self.receipts();
        examine(self.node(), &trail, held, self.answer().as_ref(), patient.view()?)
    }

    /// The events that hold, as receipts; that of this reading is one.
    pub(in crate::flow::agent) fn receipts(&self) -> Vec<Receipt> {
        receipts_of(&self.file)
    }

    /// Everything that the events show by themselves, and by the ledger of this vault: nothing is gone but what an
    /// erasure names (P-40). The host's word on it answers this request.
    pub(in crate::flow::agent) fn judge(&self, patient: &Patient) -> Result<Whole, AgentError> {
        let whole = self.file.verify().map_err(|error| AgentError::unproven(unproven(&error)))?;
        let state = patient.view()?.state()?;
        if !whole.erased.iter().all(|number| state.is_event_erased(*number)) {
            return Err(AgentError::unproven(Unproven::EventMissing));
        }
        if answers(&whole, self.request.id()) { Ok(whole) } else { Err(AgentError::unproven(Unproven::AuditAnswer)) }
    }
}

/// The receipts held here that this host gave.
pub(in crate::flow::agent) fn held_of(patient: &Patient, node: NodeId) -> Result<Vec<Receipt>, AgentError> {
    let mut held = patient.keep.receipts::<Receipt>()?;
    held.retain(|receipt| receipt.verify(node).is_ok());
    Ok(held)
}

fn answers(whole: &Whole, request: StatementId) -> bool {
    whole.answer.as_ref().is_some_and(|answer| answer.payload().request == request)
}

fn unproven(error: &TrailFileError) -> Unproven {
    match error {
        TrailFileError::Checkpoint(_) => Unproven::Checkpoint,
        TrailFileError::Event { .. } | TrailFileError::Encoding(_) | TrailFileError::Version => Unproven::Proof,
        TrailFileError::Gap { .. } | TrailFileError::OtherVault { .. } => Unproven::TrailGap,
        TrailFileError::Unasked { .. } | TrailFileError::Again { .. } => Unproven::Unasked,
        TrailFileError::Backwards { .. } => Unproven::TrailOrder,
        TrailFileError::Answer => Unproven::AuditAnswer,
    }
}
