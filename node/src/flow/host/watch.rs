//! Watch: shows each event of a vault's trail as soon as it is durable, proven to the newest checkpoint.
//!
//! The permit is looked at again for each of them. A watch that nothing is sent for holds nobody up: a revocation closes
//! its lease at once, and the event of that revocation is where it ends.

use std::time::Duration;

use karute_consent::policy::Permit;
use karute_consent::scope::Action;
use karute_protocol::message::{End, News, Permitted};
use karute_protocol::trail::{EventKind, Receipt, TrailNumber};
use tokio::time::sleep;

use super::answer::{Answer, Turned};
use super::audit::shown;
use super::decide::Admitted;
use super::session::Context;
use super::{Host, evidence};

/// Sends the events of a vault from a number on, and goes on with those that follow. From 0 on: from the event of this
/// request.
pub(super) async fn watch(cx: Context, answer: Answer, asked: Admitted, from: TrailNumber) -> Result<(), Turned> {
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
    let answered = send_news(host, &answer, &permit, from, own).await;
    host.answered(session, &answer, answered).await
}

async fn send_news(
    host: &Host,
    answer: &Answer,
    permit: &Permit,
    from: TrailNumber,
    own: Receipt,
) -> Result<(), Turned> {
    let over = sleep(WATCH_TIME);
    tokio::pin!(over);
    let (mut next, mut count) = (if from.0 == 0 { own.leaf.number } else { from }, 0);
    let mut closing = host.closing.subscribe();
    answer.send(Permitted { receipt: own, count: 0 }).await?;
    loop {
        let head = host.store.trail_head();
        let items = host.store.trail_items(permit, next, PAGE_EVENTS, &head)?;
        let caught_up = items.is_empty();
        for item in items {
            next = TrailNumber(item.leaf.number.0 + 1);
            if item.content.is_some() {
                answer.send(News { item: shown(item), checkpoint: head.text.clone() }).await?;
                count += 1;
            }
        }
        if over.is_elapsed() {
            break;
        }
        if caught_up {
            tokio::select! {
                grown = host.store.trail_reaches(permit.vault(), next) => grown?,
                () = answer.closed() => return Err(Turned::Gone),
                () = &mut over => break,
                _ = closing.wait_for(|closing| *closing) => break,
            }
        }
    }
    answer.send(End { count }).await
}

/// Longest time that one request is answered for.
const WATCH_TIME: Duration = Duration::from_secs(3600);
/// Events looked up together.
const PAGE_EVENTS: usize = 64;
