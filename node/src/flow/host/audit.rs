//! Audit: shows the trail of a vault, each event proven to the checkpoint at the end.

use karute_consent::policy::Permit;
use karute_consent::scope::Action;
use karute_consent::statement::sign;
use karute_protocol::message::{FaultCode, Listed, Permitted, TrailItem};
use karute_protocol::trail::{AuditAnswer, EventKind, Receipt, TrailNumber};

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
    let event = evidence::event(EventKind::Audit, permit.party(), session, decided.turn.ledger());
    let event = evidence::permitted(event, &permit, None);
    let done = decided.turn.commit(decided.effects, vec![host.note(event)]).await?;
    let own = super::last_receipt(done)?;
    // Answer.
    let answer = answer.under(host, &permit)?;
    let answered = send_items(host, &answer, &permit, from, own).await;
    host.answered(session, &answer, answered).await
}

/// All proofs lead to one head, which covers the event of this audit; so the last item is the vault's last under it.
async fn send_items(
    host: &Host,
    answer: &Answer,
    permit: &Permit,
    from: TrailNumber,
    own: Receipt,
) -> Result<(), Turned> {
    let time = host.now(); // before the head: it covers what was acknowledged until then (P-41)
    let head = host.store.trail_head();
    let mut next = from.clamp(TrailNumber(1), own.leaf.number);
    answer.send(Permitted { receipt: own, count: 0 }).await?;
    loop {
        let items = host.store.trail_items(permit, next, PAGE_EVENTS, &head)?;
        let Some(last) = items.last() else { break };
        next = TrailNumber(last.leaf.number.0 + 1);
        for item in items {
            answer.send(shown(item)).await?;
        }
    }
    let said = AuditAnswer {
        vault: permit.vault(),
        request: permit.statement().id(),
        count: TrailNumber(next.0 - 1),
        time,
        size: head.size,
        root: head.root,
    };
    let said = sign(said, &host.log).map_err(|_| Turned::Fault(FaultCode::Limit))?;
    answer.send(Listed { answer: None, checkpoint: head.text.clone(), audit: Some(said.to_unverified()) }).await
}

/// An event as it travels; of an erased one, the leaf with its proof.
pub(super) fn shown(item: crate::vault::TrailItem) -> TrailItem {
    let crate::vault::TrailItem { leaf, content, index, proof } = item;
    let (salt, event) = content.unzip();
    TrailItem { leaf, salt, event, index, proof }
}

/// Events looked up together.
const PAGE_EVENTS: usize = 256;
