//! Audit: shows the trail of a vault, each event proven to the checkpoint at the end.

use karute_consent::policy::Permit;
use karute_consent::scope::Action;
use karute_protocol::message::{Listed, TrailItem};
use karute_protocol::trail::{EventKind, TrailNumber};

use super::answer::{Answer, Turned};
use super::decide::Admitted;
use super::session::Context;
use super::{Host, evidence};

/// Sends the events of a vault from a number on. The audit itself is the last of them.
pub(super) async fn audit(cx: Context, answer: Answer, asked: Admitted, from: TrailNumber) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify: on admission. Decide.
    let decided = host.decide(session, &asked, &[Action::Audit]).await?;
    let permit = decided.permit;
    // Commit.
    let event = evidence::event(EventKind::Audit, permit.party(), session, decided.turn.ledger().size());
    let event = evidence::permitted(event, &permit, None);
    decided.turn.commit(decided.effects, vec![host.note(event)]).await?;
    // Answer.
    let answered = send_items(host, &answer, &permit, from).await;
    host.answered(session, &permit, answered).await
}

/// All proofs lead to one head, which covers the event of this audit.
async fn send_items(host: &Host, answer: &Answer, permit: &Permit, from: TrailNumber) -> Result<(), Turned> {
    let head = host.store.trail_head();
    let mut next = TrailNumber(from.0.max(1));
    loop {
        let items = host.store.trail_items(permit, next, PAGE_EVENTS, &head)?;
        let Some(last) = items.last() else { break };
        next = TrailNumber(last.leaf.number.0 + 1);
        for item in items {
            host.still(permit)?;
            let crate::vault::TrailItem { leaf, salt, event, index, proof } = item;
            answer.send(TrailItem { leaf, salt, event, index, proof }).await?;
        }
    }
    answer.send(Listed { answer: None, checkpoint: head.text.clone() }).await
}

/// Events looked up together.
const PAGE_EVENTS: usize = 256;
