//! The mailbox: a party asks for a grant, a device reads what waits and answers.

use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::policy::{DenyReason, Permit, Right};
use karute_consent::scope::Action;
use karute_consent::statement::Unverified;
use karute_consent::tree::digest_of;
use karute_protocol::message::{self, Done, End, FaultCode};
use karute_protocol::trail::EventKind;

use super::answer::{Answer, Turned};
use super::decide::Admitted;
use super::session::Context;
use super::{Host, evidence};
use crate::vault::{AskReply, Effect, NewAsk};

/// Puts a sealed ask into a vault's mailbox.
pub(super) async fn ask(cx: Context, answer: Answer, message: message::Ask) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify.
    let malformed = Turned::Fault(FaultCode::Malformed);
    let envelope = message.envelope.verify().map_err(|_| malformed)?;
    let sealed = to_bytes(&message.sealed).map_err(|_| malformed)?;
    if digest_of(&[&sealed]) != envelope.payload().sealed_hash {
        return Err(malformed); // P-27
    }
    // Decide: whoever knows the vault may ask, as long as there is room.
    let (vault, sender) = (envelope.payload().vault, envelope.signer());
    let turn = host.turn(session, vault).await?;
    if !host.store.has_room_for_ask(vault, sender)? {
        return Err(Turned::Fault(FaultCode::Limit));
    }
    // Commit; the id of another sender's waiting ask is a conflict.
    let event = evidence::event(EventKind::Ask, sender, session, turn.ledger());
    let note = host.note(evidence::about(event, envelope.id()));
    let new =
        NewAsk { ask: envelope.payload().id, sender, envelope: envelope.bytes().to_vec(), sealed, received: note.time };
    let done = turn.commit(vec![Effect::Ask(new)], vec![note]).await?;
    // Answer.
    answer.send(Done { receipt: Some(super::last_receipt(done)?) }).await
}

/// Sends a device what waits in its vault's mailbox.
pub(super) async fn asks(cx: Context, answer: Answer, asked: Admitted) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify: on admission. Decide.
    let decided = host.decide(session, &asked, &[Action::Sync]).await?;
    if *decided.permit.right() != Right::Device {
        return Err(host.refuse(session, decided.turn, &asked.request, DenyReason::NoGrant).await);
    }
    let permit = decided.permit;
    drop(decided.turn);
    // Answer; nothing is committed: the mailbox is the patient's own.
    let answer = answer.under(host, &permit)?;
    let answered = send_waiting(host, &answer, &permit).await;
    host.answered(session, &answer, answered).await
}

async fn send_waiting(host: &Host, answer: &Answer, permit: &Permit) -> Result<(), Turned> {
    let waiting = host.store.asks_waiting(permit.vault())?;
    let count = waiting.len() as u64;
    for ask in waiting {
        let sealed = from_bytes(&ask.sealed, ask.sealed.len()).map_err(|_| Turned::Fault(FaultCode::Storage))?;
        let envelope = Unverified::from_bytes(ask.envelope);
        answer.send(message::WaitingAsk { envelope, sealed, received: ask.received }).await?;
    }
    answer.send(End { count }).await
}

/// Takes a device's answer to an ask.
pub(super) async fn answer_ask(cx: Context, answer: Answer, message: message::Answer) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify.
    let reply = message.answer.verify().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
    // Decide.
    let turn = host.turn(session, reply.payload().vault).await?;
    if !turn.ledger().is_device(reply.signer()) {
        return Err(host.refuse_statement(session, turn, reply.signer(), DenyReason::NoGrant).await);
    }
    // Commit.
    let event = evidence::event(EventKind::Ask, reply.signer(), session, turn.ledger());
    let note = host.note(evidence::about(event, reply.id()));
    let effect = Effect::AnswerAsk(AskReply { ask: reply.payload().ask, statement: reply.bytes().to_vec() });
    let done = turn.commit(vec![effect], vec![note]).await?;
    // Answer.
    answer.send(Done { receipt: Some(super::last_receipt(done)?) }).await
}
