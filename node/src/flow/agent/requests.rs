//! The patient reads who asks for access: from the vault's mailbox, or from a text.

use std::collections::HashMap;

use karute_consent::ask::Ask;
use karute_consent::id::{AskId, CollectionId, RootNumber};
use karute_consent::scope::Action;
use karute_consent::statement::Verified;
use karute_protocol::archive::{ask_from_text, ask_to_text};
use karute_protocol::keys::Root;
use karute_protocol::message::{Asks, List, Message, WaitingAsk};
use karute_protocol::particulars::{check_letter, open_ask};

use crate::agent::error::{AgentError, Missing, Obstacle, Unproven};
use crate::agent::patient::Patient;
use crate::flow::agent::collections::collection_of;
use crate::flow::agent::lines::AskLine;
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::{Extent, Shown, read_list};
use crate::flow::agent::sync::refresh_patient;

/// The asks that wait in the mailbox. One that does not open or is not what its envelope says is left out.
pub async fn requests(patient: &mut Patient, reach: &mut Reach) -> Result<Vec<AskLine>, AgentError> {
    let asks = waiting(patient, reach).await?;
    if asks.is_empty() {
        return Ok(Vec::new());
    }
    let there = count_by_collection(patient, reach).await?;
    let mut lines = Vec::with_capacity(asks.len());
    for ask in &asks {
        let mut already = 0;
        for kind in &ask.payload().categories {
            already += there.get(&collection_of(patient, *kind)?).copied().unwrap_or(0);
        }
        lines.push(AskLine { already: Some(already), ..line(ask)? });
    }
    Ok(lines)
}

/// How many records there are in each collection, so that the patient sees what an ask would open.
async fn count_by_collection(patient: &Patient, reach: &mut Reach) -> Result<HashMap<CollectionId, u64>, AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let wanted = Wanted::own(Action::List);
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let list = List { request: request.to_unverified(), acting: None };
    let mut there = HashMap::new();
    let each = |shown| {
        if let Shown::Record(record) = shown {
            *there.entry(record.collection).or_insert(0) += 1;
        }
        Ok(())
    };
    read_list(session, patient.view()?, list, &request, Extent::WholePlaces, each).await?;
    Ok(there)
}

/// Reads an ask from its text; nothing is connected.
pub fn read_ask(text: &str) -> Result<AskLine, AgentError> {
    line(&from_text(text)?)
}

/// A verified ask from its text.
pub(super) fn from_text(text: &str) -> Result<Verified<Ask>, AgentError> {
    let ask = ask_from_text(text).map_err(|_| AgentError::Impossible(Obstacle::Text))?;
    ask.verify().map_err(|_| AgentError::unproven(Unproven::Ask))
}

/// The verified asks in the mailbox.
pub(super) async fn waiting(patient: &mut Patient, reach: &mut Reach) -> Result<Vec<Verified<Ask>>, AgentError> {
    refresh_patient(patient, reach).await?;
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let request = session.sync_request(patient.ambient(), &patient.device, patient.view()?)?.to_unverified();
    let mut pending = session.start(Asks { request }).await?;
    let mut asks = Vec::new();
    loop {
        match pending.message().await? {
            Message::WaitingAsk(waiting) => asks.extend(open(patient, &waiting)?),
            Message::End(_) => return Ok(asks),
            _ => return Err(AgentError::Malformed("answer to a look into the mailbox")),
        }
    }
}

/// Opens an ask with the audit key it was sealed to, which may be an earlier one.
fn open(patient: &Patient, waiting: &WaitingAsk) -> Result<Option<Verified<Ask>>, AgentError> {
    let Ok(envelope) = waiting.envelope.clone().verify() else { return Ok(None) };
    let of = envelope.payload();
    let vault = patient.view()?.vault();
    if of.vault != vault || check_letter(Some(of.sealed_hash), Some(&waiting.sealed)).is_err() {
        return Ok(None);
    }
    for number in (0..patient.roots.len() as u32).rev() {
        let root = Root::new(RootNumber(number), patient.root(RootNumber(number))?);
        if let Ok(ask) = open_ask(&waiting.sealed, &root.audit_secret(), vault, of.id) {
            let ask = ask.verify_by(envelope.signer()).ok();
            return Ok(
                ask.filter(|ask| ask.payload().id == of.id && ask.payload().vault.is_none_or(|named| named == vault))
            );
        }
    }
    Ok(None)
}

/// The ask with this id in the mailbox, or the one that the text is.
pub(super) async fn find(patient: &mut Patient, reach: &mut Reach, named: &str) -> Result<Verified<Ask>, AgentError> {
    match named.trim().parse::<AskId>() {
        Ok(id) => {
            let asks = waiting(patient, reach).await?;
            asks.into_iter().find(|ask| ask.payload().id == id).ok_or(AgentError::Unknown(Missing::Ask))
        }
        Err(_) => from_text(named),
    }
}

fn line(ask: &Verified<Ask>) -> Result<AskLine, AgentError> {
    let of = ask.payload();
    let card = of.card.clone().verify_by(ask.signer()).map_err(|_| AgentError::unproven(Unproven::Ask))?;
    Ok(AskLine {
        ask: of.id,
        from: ask.signer(),
        name: card.payload().name.clone(),
        kind: card.payload().kind,
        actions: of.actions.iter().copied().collect(),
        kinds: of.categories.iter().copied().collect(),
        from_month: of.months.as_ref().map(|months| months.from()),
        to_month: of.months.as_ref().map(|months| months.to()),
        purpose: of.purpose,
        days: of.days,
        note: of.note.clone(),
        issued: of.issued,
        text: ask_to_text(ask),
        already: None,
    })
}
