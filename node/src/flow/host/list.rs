//! List: shows a party the headers and sealed metas of what its permit reaches, tombstones included, and signs how
//! many there are: an omission is seen.

use karute_consent::id::Digest;
use karute_consent::policy::Permit;
use karute_consent::scope::Action;
use karute_consent::statement::sign;
use karute_consent::time::Timestamp;
use karute_protocol::hpke::Sealed;
use karute_protocol::message::{FaultCode, Listed, Permitted};
use karute_protocol::trail::{EventKind, ListAnswer, PlaceCount, Receipt};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Turned};
use super::chosen::{self, Line, NO_HEADER};
use super::decide::Admitted;
use super::session::Context;
use super::{Host, evidence, fetch};

/// Lists what the permit reaches.
pub(super) async fn list(cx: Context, answer: Answer, asked: Admitted, acting: Option<Sealed>) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify: the request on admission; the acting person here. Decide.
    fetch::check_acting(asked.request.payload(), acting.as_ref())?;
    let mut decided = host.decide(session, &asked, &[Action::List]).await?;
    let permit = decided.permit;
    let time = host.now(); // before the counts: they cover what was acknowledged until then (P-41)
    let (counts, lines) = host
        .blocking({
            let permit = permit.clone();
            move |store| chosen::all(store, &permit)
        })
        .await?;
    // Commit.
    let event = evidence::event(EventKind::List, permit.party(), session, decided.turn.ledger());
    let event = evidence::of_records(evidence::permitted(event, &permit, acting), &chosen::records(&lines));
    let done = decided.turn.commit(std::mem::take(&mut decided.effects), vec![host.note(event)]).await?;
    // Answer.
    let receipt = super::last_receipt(done)?;
    let answer = answer.under(host, &permit)?;
    let answered = send_lines(host, &answer, &permit, receipt, (counts, time), lines).await;
    host.answered(session, &answer, answered).await
}

async fn send_lines(
    host: &Host,
    answer: &Answer,
    permit: &Permit,
    receipt: Receipt,
    (counts, time): (Vec<PlaceCount>, Timestamp),
    lines: Vec<Line>,
) -> Result<(), Turned> {
    answer.send(Permitted { receipt, count: lines.len() as u64 }).await?;
    let mut digest = Sha256::new();
    for line in lines {
        let header = match line {
            Line::Gone(filed, gone) => {
                answer.send(chosen::tombstone(&host.store, permit, filed, gone)?).await?;
                NO_HEADER
            }
            Line::Record(record) => fetch::send_entry(host, answer, permit, record).await?,
        };
        digest.update(header.as_bytes());
    }
    let said = ListAnswer {
        vault: permit.vault(),
        request: permit.statement().id(),
        counts,
        time,
        digest: Digest::from_bytes(digest.finalize().into()),
    };
    let said = sign(said, &host.log).map_err(|_| Turned::Fault(FaultCode::Limit))?;
    let checkpoint = host.store.trail_head().text.clone();
    answer.send(Listed { answer: Some(said.to_unverified()), checkpoint, audit: None }).await
}
