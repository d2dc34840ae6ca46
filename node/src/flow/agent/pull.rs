//! Reading a ledger from its host: the items after those already held, each judged as it comes, and the head the host signs.

use karute_consent::ask::AskAnswer;
use karute_consent::ledger::Item;
use karute_consent::party::Identity;
use karute_consent::request::Head;
use karute_consent::statement::Unverified;
use karute_protocol::message::{Face, GrantPackage, Message, Sync};
use karute_protocol::trail::CheckpointText;
use karute_protocol::wire::{LedgerSize, Octets};
use serde_bytes::ByteBuf;

use crate::agent::error::{AgentError, Unproven};
use crate::agent::view::{Trial, VaultView};
use crate::ambient::Ambient;
use crate::flow::agent::session::{Pending, Session};

/// What a host sent, judged item by item but not yet accepted.
pub(super) struct Pulled {
    /// The ledger with the new items.
    pub(super) trial: Trial,
    /// The new items.
    pub(super) items: Vec<Item>,
    /// Key packages of this party's grants.
    pub(super) packages: Vec<GrantPackage>,
    /// Answers to this party's asks.
    pub(super) answers: Vec<Unverified<AskAnswer>>,
    checkpoint: CheckpointText,
}

/// Why nothing was read that could be accepted.
pub(super) enum NotPulled {
    /// Something else is wrong.
    Failed(AgentError),
    /// The host shows a ledger that does not extend the one accepted before.
    OtherLedger {
        /// What it signed for it.
        signed: CheckpointText,
        /// The head of what was read, every entry of it.
        read: Head,
    },
}

impl From<AgentError> for NotPulled {
    fn from(error: AgentError) -> Self {
        Self::Failed(error)
    }
}

impl From<NotPulled> for AgentError {
    fn from(not: NotPulled) -> Self {
        match not {
            NotPulled::Failed(error) => error,
            NotPulled::OtherLedger { .. } => Self::unproven(Unproven::OlderHead),
        }
    }
}

/// Reads what a party is shown of the ledger from the view's size on. `floor` is a head that was accepted before: what is
/// read must extend it.
pub(super) async fn pull(
    session: &mut Session,
    ambient: &Ambient,
    signer: &Identity,
    view: &VaultView,
    floor: Option<Head>,
) -> Result<Pulled, NotPulled> {
    let request = session.sync_request(ambient, signer, view)?.to_unverified();
    let pending = session.start(Sync { request, from: LedgerSize(view.size()) }).await?;
    gather(pending, view, floor).await
}

/// Reads charter and authorities, which everybody is shown who knows the vault's id. The view must be empty.
pub(super) async fn pull_face(session: &mut Session, view: &VaultView) -> Result<Pulled, NotPulled> {
    let pending = session.start(Face { vault: view.vault() }).await?;
    gather(pending, view, None).await
}

async fn gather(mut pending: Pending, view: &VaultView, floor: Option<Head>) -> Result<Pulled, NotPulled> {
    let mut forked = false;
    let (mut trial, mut items) = (view.trial(), Vec::new());
    let (mut packages, mut answers) = (Vec::new(), Vec::new());
    let mut attachments: Vec<Octets> = Vec::new();
    loop {
        let (checkpoint, size) = match pending.message().await? {
            Message::Attachment(attachment) => {
                attachments.push(attachment.bytes);
                continue;
            }
            Message::Item(item) => {
                let item = join(*item, std::mem::take(&mut attachments));
                trial.push(&item)?;
                // Read on: the host's signature below another ledger is the evidence.
                forked |= floor.is_some_and(|floor| floor.size == trial.size() && floor != trial.head());
                items.push(item);
                continue;
            }
            Message::GrantPackage(package) => {
                packages.push(*package);
                continue;
            }
            Message::AskAnswered(answered) => {
                answers.push(answered.answer);
                continue;
            }
            Message::Synced(synced) => (synced.checkpoint, synced.size),
            Message::Faced(faced) => (faced.checkpoint, faced.size),
            _ => return Err(AgentError::Malformed("answer to a sync").into()),
        };
        if forked || size.0 != trial.size() || floor.is_some_and(|floor| trial.size() < floor.size) {
            return Err(NotPulled::OtherLedger { signed: checkpoint, read: trial.head() });
        }
        return Ok(Pulled { trial, items, packages, answers, checkpoint });
    }
}

impl Pulled {
    /// Makes what was read the view, if the host has signed for it. The caller saves.
    pub(super) fn accept(self, view: &mut VaultView) -> Result<u64, AgentError> {
        let new_entries = self.items.len() as u64;
        view.commit(self.trial, self.items, &self.checkpoint)?;
        for package in self.packages {
            if !view.packages.contains(&package) {
                view.packages.push(package);
            }
        }
        for answer in self.answers {
            if !view.answers.contains(&answer) {
                view.answers.push(answer);
            }
        }
        Ok(new_entries)
    }
}

/// An item with the attachments that came before it or in it.
fn join(item: Item, before: Vec<Octets>) -> Item {
    if item.attachments.is_some() || before.is_empty() {
        return item;
    }
    let before = before.into_iter().map(|bytes| ByteBuf::from(bytes.into_vec())).collect();
    Item { attachments: Some(before), ..item }
}
