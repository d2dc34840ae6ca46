//! Appending to one's own ledger: drafts become signed entries, are judged here by the host's own rules, and are sent as one.
//!
//! Nothing is sent that this device's copy of the ledger would not take; nothing is kept that the host did not sign for.

use std::collections::BTreeSet;

use karute_consent::id::{Digest, Salt, StatementId};
use karute_consent::ledger::{Entry, EntryKind, Item, body_hash};
use karute_consent::party::Identity;
use karute_consent::statement::{Statement, Verified, sign};
use karute_consent::tree::digest_of;
use karute_protocol::message::{Append, AppendItem, Appended, Attach, Message, Registration};
use karute_protocol::wire::{LedgerSize, Octets};
use serde_bytes::ByteBuf;

use crate::agent::error::{AgentError, HostFault, Missing, Obstacle, Unproven};
use crate::agent::heads::Shown;
use crate::agent::patient::Patient;
use crate::agent::view::Trial;
use crate::flow::agent::receipt::{accept_receipt, keep_receipt};
use crate::flow::agent::session::Session;

/// A statement that is to go into the ledger.
pub(super) struct Draft {
    kind: EntryKind,
    id: StatementId,
    body: Vec<u8>,
    attachments: Vec<Vec<u8>>,
    by: By,
}

/// Who signs the entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// This device.
    Device,
    /// The identity key.
    Identity,
}

impl Draft {
    /// A statement of this kind with what belongs to it.
    pub(super) fn new<T: Statement>(kind: EntryKind, body: &Verified<T>, attachments: Vec<Vec<u8>>, by: By) -> Self {
        Self { kind, id: body.id(), body: body.bytes().to_vec(), attachments, by }
    }
}

/// Appends all drafts or none. The patient's copy of the ledger is then the longer one, and saved.
pub(super) async fn append(
    patient: &mut Patient,
    session: &mut Session,
    drafts: Vec<Draft>,
    registration: Option<String>,
) -> Result<Appended, AgentError> {
    let size = patient.view()?.size();
    let mut trial = patient.view()?.trial();
    let mut items = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let item = enter(patient, &trial, draft)?;
        trial.push(&item)?;
        items.push(item);
    }
    let message = send_attachments(session, patient, size, &items, registration).await?;
    match session.ask(message).await? {
        Message::Appended(appended) => {
            let appended = *appended;
            let head = accept_receipt(patient.view()?, &appended.receipt, session.node())?;
            let view = patient.view_mut()?;
            view.commit(trial, items, &appended.checkpoint)?;
            patient.save_view()?;
            keep_receipt(&mut patient.keep, &appended.receipt)?;
            let (now, shown) = (patient.ambient().now(), Shown::new(head, &appended.receipt.checkpoint));
            patient.keep.heads_mut().hear(session.node(), shown, now);
            patient.keep.save_heads()?;
            Ok(appended)
        }
        _ => Err(AgentError::Malformed("answer to an append")),
    }
}

/// Whether an append lost against another one and is worth a second try after a sync.
pub(super) fn lost_the_race<T>(result: &Result<T, AgentError>) -> bool {
    matches!(result, Err(AgentError::Fault(HostFault::Conflict)))
}

/// Tries of one append before the deed is given up.
pub(super) const TRIES: usize = 4;

/// Writes and signs the entry of a draft.
fn enter(patient: &Patient, trial: &Trial, draft: Draft) -> Result<Item, AgentError> {
    let salt = Salt::from_bytes(patient.ambient().entropy());
    let directory = if draft.kind == EntryKind::Directory { draft.id } else { trial.directory_id() };
    let authority = if draft.kind == EntryKind::Authority { draft.id } else { trial.authority_id() };
    let entry = Entry {
        vault: patient.view()?.vault(),
        seq: trial.next_seq(),
        prev: trial.last(),
        kind: draft.kind,
        body_hash: body_hash(&salt, &draft.body),
        directory,
        authority,
        time: patient.ambient().now().max(trial.time()),
    };
    let signer: &Identity = match draft.by {
        By::Device => &patient.device,
        By::Identity => patient.identity.as_ref().ok_or(AgentError::Unknown(Missing::Identity))?,
    };
    let entry = sign(entry, signer).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    let attachments = Some(draft.attachments).filter(|all| !all.is_empty());
    Ok(Item {
        entry: entry.to_unverified(),
        salt: Some(salt),
        body: Some(draft.body),
        attachments: attachments.map(|all| all.into_iter().map(ByteBuf::from).collect()),
    })
}

/// Sends every attachment once, all at a time, and gives the message that names them.
async fn send_attachments(
    session: &mut Session,
    patient: &Patient,
    size: u64,
    items: &[Item],
    registration: Option<String>,
) -> Result<Append, AgentError> {
    let mut sent: BTreeSet<Digest> = BTreeSet::new();
    let mut waiting = Vec::new();
    let mut messages = Vec::with_capacity(items.len());
    for item in items {
        let mut named = Vec::new();
        for bytes in item.attachments.iter().flatten() {
            let digest = digest_of(&[bytes]);
            named.push(digest);
            if sent.insert(digest) {
                waiting.push(session.start(Attach { bytes: Octets(bytes.to_vec()) }).await?);
            }
        }
        let salt = item.salt.ok_or(AgentError::unproven(Unproven::Ledger))?;
        let body = Octets(item.body.clone().unwrap_or_default());
        messages.push(AppendItem { entry: item.entry.clone(), salt, body, attachments: named });
    }
    for mut pending in waiting {
        match pending.message().await? {
            Message::Done(_) => {}
            _ => return Err(AgentError::Malformed("answer to an attachment")),
        }
    }
    let vault = patient.view()?.vault();
    Ok(Append { vault, size: LedgerSize(size), items: messages, registration: registration.map(Registration) })
}
