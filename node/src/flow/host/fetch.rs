//! Fetch: gives a party the sealed records that its permit reaches, bodies as verifiable pieces.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;

use karute_consent::encoding::to_bytes;
use karute_consent::id::{Digest, RecordId};
use karute_consent::policy::Permit;
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_consent::statement::Unverified;
use karute_consent::tree::digest_of;
use karute_protocol::bao::encoded_len;
use karute_protocol::hpke::Sealed;
use karute_protocol::limits::INLINE_BODY_LEN_MAX;
use karute_protocol::message::{ByteRange, End, FaultCode, Permitted, RecordAnswer};
use karute_protocol::record::SealedMeta;
use karute_protocol::trail::{EventKind, Receipt};
use karute_protocol::wire::{ByteCount, Octets};

use super::answer::{Answer, Turned};
use super::chosen::{self, Line, NO_HEADER, Unchosen};
use super::decide::Admitted;
use super::pieces::{OpenBody, send_body};
use super::session::Context;
use super::{Host, evidence};
use crate::vault::{RecordRow, StoredBody};

/// Fetches what the permit reaches.
pub(super) async fn fetch(
    cx: Context,
    answer: Answer,
    asked: Admitted,
    acting: Option<Sealed>,
    range: Option<ByteRange>,
) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify: the request on admission; the acting person here. Decide.
    let selector = &asked.request.payload().selector;
    check_acting(asked.request.payload(), acting.as_ref())?;
    let named = selector.records.as_ref().map_or(0, BTreeSet::len);
    if range.is_some() && named != 1 {
        return Err(Turned::Fault(FaultCode::Malformed)); // told before anything is decided: it says nothing of the vault
    }
    let decided = host.decide(session, &asked, &[Action::Read, Action::Export]).await?;
    let permit = decided.permit;
    let chosen = host.blocking({
        let permit = permit.clone();
        move |store| chosen::to_read(store, &permit, named != 0)
    });
    let lines = match chosen.await {
        Ok(lines) => lines,
        Err(Unchosen::Turned(turned)) => return Err(turned),
        Err(Unchosen::Denied(reason)) => return Err(host.refuse(session, decided.turn, &asked.request, reason).await),
    };
    // Commit.
    let event = evidence::event(EventKind::Read, permit.party(), session, decided.turn.ledger());
    let event = evidence::of_records(evidence::permitted(event, &permit, acting), &chosen::records(&lines));
    let done = decided.turn.commit(decided.effects, vec![host.note(event)]).await?;
    // Answer.
    let receipt = super::last_receipt(done)?;
    let answer = answer.under(host, &permit)?;
    let answered = send_lines(host, &answer, &permit, receipt, lines, range).await;
    host.answered(session, &answer, answered).await
}

async fn send_lines(
    host: &Host,
    answer: &Answer,
    permit: &Permit,
    receipt: Receipt,
    lines: Vec<Line>,
    range: Option<ByteRange>,
) -> Result<(), Turned> {
    let count = lines.len() as u64;
    answer.send(Permitted { receipt, count }).await?;
    for line in lines {
        match line {
            Line::Gone(filed, gone) => answer.send(chosen::tombstone(&host.store, permit, filed, gone)?).await?,
            Line::Record(record) => send_record(host, answer, permit, record, range).await?,
        }
    }
    answer.send(End { count }).await
}

/// The acting person must be the one whose hash the request carries (P-27).
pub(super) fn check_acting(request: &Request, acting: Option<&Sealed>) -> Result<(), Turned> {
    let malformed = Turned::Fault(FaultCode::Malformed);
    let hash = acting.map(to_bytes).transpose().map_err(|_| malformed)?.map(|bytes| digest_of(&[&bytes]));
    if hash == request.acting_hash { Ok(()) } else { Err(malformed) }
}

/// Sends a record of a list, without its body; gives what it counts as in the digest.
pub(super) async fn send_entry(
    host: &Host,
    answer: &Answer,
    permit: &Permit,
    record: RecordId,
) -> Result<Digest, Turned> {
    let row = found(host, permit, record)?;
    match entry(host, permit, &row)? {
        Some(entry) => {
            answer.send(entry).await?;
            Ok(Digest::from_bytes(*row.header_id().as_bytes()))
        }
        None => {
            send_gone(host, answer, permit, record).await?;
            Ok(NO_HEADER)
        }
    }
}

async fn send_record(
    host: &Host,
    answer: &Answer,
    permit: &Permit,
    record: RecordId,
    range: Option<ByteRange>,
) -> Result<(), Turned> {
    let row = found(host, permit, record)?;
    let (Some(mut entry), Some(body)) = (entry(host, permit, &row)?, host.store.body(permit, &row)?) else {
        return send_gone(host, answer, permit, record).await;
    };
    match body {
        StoredBody::Inline(bytes) => {
            entry.body = Some(Octets::from(bytes));
            answer.send(entry).await
        }
        StoredBody::File(mut file) if file.len <= INLINE_BODY_LEN_MAX as u64 => {
            let mut bytes = Vec::new();
            file.data.read_to_end(&mut bytes).map_err(|_| Turned::Fault(FaultCode::Storage))?;
            entry.body = Some(Octets::from(bytes));
            answer.send(entry).await
        }
        StoredBody::File(file) => {
            let body = row.body();
            let range = range.map_or(0..body.len, |range| Range { start: range.from.0, end: range.to.0 });
            let len = encoded_len(&body, &range).map_err(|_| Turned::Fault(FaultCode::Malformed))?;
            entry.encoded_len = ByteCount(len);
            answer.send(entry).await?;
            let open = OpenBody { data: file.data, pairs: file.pairs, body };
            send_body(answer, open, range).await
        }
    }
}

/// Says that a record went away between the decision and its turn.
async fn send_gone(host: &Host, answer: &Answer, permit: &Permit, record: RecordId) -> Result<(), Turned> {
    match chosen::line_of(&found(host, permit, record)?) {
        Line::Gone(filed, gone) => answer.send(chosen::tombstone(&host.store, permit, filed, gone)?).await,
        Line::Record(_) => Err(Turned::Fault(FaultCode::Storage)),
    }
}

fn found(host: &Host, permit: &Permit, record: RecordId) -> Result<RecordRow, Turned> {
    host.store.find(permit.vault(), record)?.ok_or(Turned::Fault(FaultCode::Storage))
}

fn entry(host: &Host, permit: &Permit, row: &RecordRow) -> Result<Option<RecordAnswer>, Turned> {
    let Some(stored) = host.store.record(permit, row)? else { return Ok(None) };
    let filed = row.filed();
    Ok(Some(RecordAnswer {
        header: Unverified::from_bytes(stored.header),
        meta: SealedMeta(Octets::from(stored.meta)),
        run: Unverified::from_bytes(stored.run),
        re_wrap: stored.re_wrap.map(Unverified::from_bytes),
        collection: filed.place.collection,
        generation: filed.place.generation,
        number: filed.number,
        encoded_len: ByteCount(0),
        body: None,
    }))
}
