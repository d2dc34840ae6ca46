//! Sync: a party reads its own part of a ledger, the answers to its asks, and the key packages of its grants.

use std::collections::HashMap;
use std::sync::Arc;

use karute_consent::encoding::from_bytes;
use karute_consent::id::{PartyKey, Seq, StatementId};
use karute_consent::ledger::{Item, LedgerState, Subject};
use karute_consent::limits::ATTACHMENT_BYTES_MAX;
use karute_consent::policy::{Permit, Right};
use karute_consent::scope::Action;
use karute_consent::statement::Unverified;
use karute_protocol::hpke::Sealed;
use karute_protocol::limits::MESSAGE_LEN_MAX;
use karute_protocol::message::{AskAnswered, Attachment, FaultCode, GrantPackage, Synced};
use karute_protocol::trail::EventKind;
use karute_protocol::wire::LedgerSize;

use super::answer::{Answer, Turned};
use super::decide::Admitted;
use super::session::Context;
use super::{Host, evidence};

/// Sends items from `from` on, then answers, then packages.
pub(super) async fn sync(cx: Context, answer: Answer, asked: Admitted, from: LedgerSize) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify: done on admission. Decide.
    let decided = host.decide(session, &asked, &[Action::Sync]).await?;
    let permit = decided.permit;
    let state = decided.turn.ledger().clone();
    // Commit: only where keys are handed over.
    let grants = grants_of(&permit, &state);
    if grants.is_empty() {
        drop(decided.turn);
    } else {
        let event = evidence::event(EventKind::GrantSync, permit.party(), session, &state);
        let event = evidence::permitted(event, &permit, None);
        decided.turn.commit(decided.effects, vec![host.note(event)]).await?;
    }
    // Answer.
    let answer = answer.under(host, &permit)?;
    let answered = send_part(host, &answer, &permit, &state, from, grants).await;
    host.answered(session, &answer, answered).await
}

async fn send_part(
    host: &Arc<Host>,
    answer: &Answer,
    permit: &Permit,
    state: &LedgerState,
    from: LedgerSize,
    grants: Vec<StatementId>,
) -> Result<(), Turned> {
    for seq in from.0..state.size() {
        send_item(answer, shown(host, state, permit.party(), Seq(seq))?).await?;
    }
    for statement in host.store.ask_answers(permit.vault(), permit.party())? {
        answer.send(AskAnswered { answer: Unverified::from_bytes(statement) }).await?;
    }
    send_packages(host, answer, permit, grants).await?;
    let checkpoint = host.ledger_checkpoint(permit.vault())?;
    answer.send(Synced { checkpoint, size: LedgerSize(state.size()), now: host.ambient.now() }).await
}

/// Grants whose packages the party is given: its own that are not revoked. A device needs none.
fn grants_of(permit: &Permit, state: &LedgerState) -> Vec<StatementId> {
    if *permit.right() == Right::Device {
        return Vec::new();
    }
    let own = state.grants().filter(|grant| grant.holder() == permit.party());
    let own = own.filter(|grant| grant.statement.payload().package_hash.is_some());
    own.map(|grant| grant.statement.id()).filter(|id| !state.is_revoked(*id)).collect()
}

/// The item at a place, as far as this party is shown it (consent, section 13).
fn shown(host: &Host, state: &LedgerState, party: PartyKey, seq: Seq) -> Result<Item, Turned> {
    let attachments = match state.subject(seq) {
        Some(Subject::Authority) if state.shows_roots(party) => 1,
        Some(Subject::Directory) => 1, // the collection leaves; key leaves are asked for one by one
        Some(Subject::Grant(_)) => 2,
        _ => 0,
    };
    let vault = state.vault();
    let item = match state.shows(party, seq) {
        true => host.store.item(vault, seq, attachments)?,
        false => host.store.bare_item(vault, seq)?,
    };
    item.ok_or(Turned::Fault(FaultCode::Storage))
}

/// Sends an item; attachments that do not fit into its message go before it.
async fn send_item(answer: &Answer, mut item: Item) -> Result<(), Turned> {
    let len: usize = item.attachments.iter().flatten().map(|bytes| bytes.len()).sum();
    if len > ATTACHMENTS_BESIDE_MAX {
        for bytes in item.attachments.take().unwrap_or_default() {
            answer.send(Attachment { bytes: bytes.into_vec().into() }).await?;
        }
    }
    answer.send(item).await
}

/// Packages of a grant that is revoked meanwhile are left out; the party is still shown its part of the ledger.
async fn send_packages(
    host: &Arc<Host>,
    answer: &Answer,
    permit: &Permit,
    grants: Vec<StatementId>,
) -> Result<(), Turned> {
    let (mut packages, mut answers) = (Vec::new(), HashMap::new());
    for grant in grants {
        answers.insert(grant, answer.under_grant(host, permit, grant)?);
        for (rotation, package) in host.store.packages(permit.vault(), grant)? {
            packages.push((rotation, grant, package));
        }
    }
    packages.sort_by_key(|(rotation, grant, _)| (*rotation, *grant));
    for (rotation, grant, bytes) in packages {
        let package: Sealed = from_bytes(&bytes, bytes.len()).map_err(|_| Turned::Fault(FaultCode::Storage))?;
        let answer = answers.get(&grant).ok_or(Turned::Fault(FaultCode::Storage))?;
        match answer.send(GrantPackage { grant, rotation, package }).await {
            Err(Turned::Lapsed(_)) => {}
            sent => sent?,
        }
    }
    Ok(())
}

/// Attachments up to this many bytes in all stand in the message of their item.
const ATTACHMENTS_BESIDE_MAX: usize = MESSAGE_LEN_MAX - ATTACHMENT_BYTES_MAX - 8 * 1024;
