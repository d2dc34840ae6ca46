//! Deposit: runs, bodies and records, in a session whose request for it was permitted.
//!
//! A run and the pieces of a body are kept by the session until `put` names them; only a whole record is committed, so
//! a deposit that is cut off leaves an upload that can be resumed, and nothing else.

use std::sync::Arc;

use karute_consent::id::{CollectionId, Generation, RecordId, StatementId, VaultId};
use karute_consent::ledger::LedgerState;
use karute_consent::policy::{DenyReason, Permit, Right, recheck};
use karute_consent::request::Head;
use karute_consent::scope::Place;
use karute_consent::statement::Verified;
use karute_protocol::message::{self, Done, Existing, FaultCode, Stored};
use karute_protocol::record::{Header, body_facts};
use karute_protocol::run::{Depositor, Run};
use karute_protocol::trail::EventKind;

use super::answer::{Answer, Turned};
use super::session::{Context, Open, Session};
use super::{Host, evidence};
use crate::vault::{Effect, NewRecord, NewRun, RecordPlace, RecordRow, upload_id};

/// A deposit that a request opened.
pub(super) struct Opened {
    pub(super) permit: Permit,
}

/// A run of this session, and the permit that it rests on.
pub(super) struct OpenRun {
    pub(super) run: Verified<Run>,
    pub(super) permit: Permit,
}

/// Begins a run.
pub(super) async fn run(
    cx: &Context,
    open: &mut Open,
    answer: &Answer,
    message: message::OpenRun,
) -> Result<(), Turned> {
    let host = &cx.host;
    // Read, verify.
    let run = message.run.verify().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
    let facts = run.payload();
    // Decide.
    let (session, vault) = (&cx.session, facts.vault);
    let Some(opened) = open.deposits.get(&vault) else {
        let turn = host.turn(session, vault).await?;
        return Err(host.refuse_statement(session, turn, run.signer(), DenyReason::NoGrant).await);
    };
    let permit = opened.permit.clone();
    let state = host.store.ledger(vault)?.ok_or(Turned::Refused)?;
    if let Err(reason) = host.judge_run(&state, &run, &permit) {
        return Err(host.refuse_permit(session, &permit, reason).await);
    }
    host.check_run(&state, facts)?;
    if !host.knows_head(vault, &facts.head)? {
        return Err(Turned::Fault(FaultCode::NotInForce)); // P-13
    }
    if open.runs.len() >= RUNS_MAX {
        return Err(Turned::Fault(FaultCode::Limit));
    }
    // Answer; the run is committed with its first record.
    let inside = host.noted(session, &permit, answer.enter(host, &permit)).await?;
    open.runs.insert(facts.run, Arc::new(OpenRun { run, permit }));
    answer.send_inside(inside, Done { receipt: None }).await
}

/// Closes the deposit of this session.
pub(super) async fn close(open: &mut Open, answer: &Answer) -> Result<(), Turned> {
    open.deposits.clear();
    open.runs.clear();
    open.uploads.clear();
    answer.send(Done { receipt: None }).await
}

/// A record that is ready to be committed, as the reading loop took it.
pub(super) struct Ready {
    run: Arc<OpenRun>,
    message: message::Put,
}

/// Takes a put in the order of arrival: after it, its upload takes no more pieces.
pub(super) fn ready(open: &mut Open, message: message::Put) -> Result<Ready, Turned> {
    let header = message.header.clone().verify().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
    let (run, record) = (header.payload().run, header.payload().record);
    let run = open.runs.get(&run).cloned().ok_or(Turned::Fault(FaultCode::NotInForce))?;
    if message.body.is_none() {
        open.uploads.retain(|_, upload| upload.record != record);
    }
    Ok(Ready { run, message })
}

/// Commits a record.
pub(super) async fn put(cx: Context, answer: Answer, ready: Ready) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    let changed = Turned::Fault(FaultCode::Changed);
    let OpenRun { run, permit } = &*ready.run;
    // Read, verify.
    let header = ready.message.header.verify().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
    let place = Header::check_run(&header, run).map_err(|_| changed)?; // P-16
    header.payload().check_meta(&ready.message.meta).map_err(|_| changed)?; // P-17
    let inline = ready.message.body.map(karute_protocol::wire::Octets::into_vec);
    if let Some(row) = host.known(permit, place.record)? {
        return host.answer_known(session, &answer, permit, &row).await; // P-31
    }
    match &inline {
        Some(body) => {
            let facts = body_facts(body).ok_or(changed)?;
            header.payload().check_body(&facts).map_err(|_| changed)?; // P-18, P-30
        }
        None => host.finish_body(&header, place.record).await?,
    }
    // Decide.
    let turn = host.deposit_turn(session, place.vault, place.record).await?;
    let facts = run.payload();
    if let Err(reason) = host.judge_run(turn.ledger(), run, permit) {
        return Err(host.refuse_permit_at(session, turn, permit, reason).await);
    }
    host.check_run(turn.ledger(), facts)?;
    // P-13: a run that a device filed elsewhere takes records of its depositor to where it stands now.
    let collection = host.store.run(place.vault, facts.run)?.map_or(facts.collection, |run| run.place().collection);
    let asked = Place { collection, month: facts.epoch, record: place.record, depositor: facts.depositor };
    if !permit.covers_deposit(&asked) {
        return Err(host.refuse_permit_at(session, turn, permit, DenyReason::OutsideScope).await);
    }
    if let Some(row) = host.known(permit, place.record)? {
        drop(turn);
        return host.answer_known(session, &answer, permit, &row).await; // P-31
    }
    // Commit. From here on a revocation waits until the depositor was handed its receipt.
    let inside = answer.enter(host, permit)?;
    let event = evidence::event(EventKind::Deposit, permit.party(), session, turn.ledger());
    let event = evidence::of_records(evidence::under(event, permit), &[place.record]);
    let note = host.note(evidence::about(event, header.id()));
    let record = NewRecord {
        record: place.record,
        run: new_run(run),
        header_id: header.id(),
        header: header.bytes().to_vec(),
        meta: ready.message.meta.as_bytes().to_vec(),
        body: header.payload().body(),
        inline,
    };
    let done = turn.commit(vec![Effect::Deposit(Box::new(record))], vec![note]).await?;
    // Answer.
    let filed = done.filed.first().copied().ok_or(Turned::Fault(FaultCode::Storage))?;
    answer.send_inside(inside, stored(super::last_receipt(done)?, filed, Existing::New)).await
}

impl Host {
    /// Why this permit does not cover this run, if it does not.
    fn judge_run(&self, state: &LedgerState, run: &Verified<Run>, permit: &Permit) -> Result<(), DenyReason> {
        recheck(permit, state, self.now())?; // C-52
        if permit.party() != run.signer() {
            return Err(DenyReason::NotHolder); // P-12
        }
        if run.payload().grant != permit.chain().last().copied() {
            return Err(DenyReason::NoGrant); // P-12
        }
        let depositor = if *permit.right() == Right::Device { Depositor::Device } else { Depositor::Other };
        run.payload().check_grant(depositor).map_err(|_| DenyReason::NoGrant) // P-12
    }

    /// A run of another month, or under a generation not in force, is not taken (P-13).
    fn check_run(&self, state: &LedgerState, run: &Run) -> Result<(), Turned> {
        let not_in_force = Turned::Fault(FaultCode::NotInForce);
        run.check_epoch(self.ambient.now()).map_err(|_| not_in_force)?;
        let in_force = match run.collection {
            CollectionId::INBOX => state.authority().map(|authority| Generation(authority.payload().root_number.0)),
            collection => state.generation_in_force(collection),
        };
        if in_force == Some(run.generation) { Ok(()) } else { Err(not_in_force) }
    }

    /// Whether a ledger that somebody saw is this one, now or earlier.
    fn knows_head(&self, vault: VaultId, head: &Head) -> Result<bool, Turned> {
        let known = self.store.ledger_head_at(vault, head.size)?;
        Ok(known.is_some_and(|known| known.root.0 == *head.root.as_bytes()))
    }

    /// What is known of a record that this depositor stored before (P-31). Another depositor's id is refused (P-37).
    pub(super) fn known(&self, permit: &Permit, record: RecordId) -> Result<Option<RecordRow>, Turned> {
        match self.store.find(permit.vault(), record)? {
            Some(row) if row.depositor() != permit.party() => Err(Turned::Refused),
            found => Ok(found),
        }
    }

    async fn answer_known(
        self: &Arc<Self>,
        session: &Session,
        answer: &Answer,
        permit: &Permit,
        row: &RecordRow,
    ) -> Result<(), Turned> {
        let inside = self.noted(session, permit, answer.enter(self, permit)).await?;
        answer.send_inside(inside, stored(self.store.record_receipt(row)?, row.filed(), Existing::Known)).await
    }

    /// Puts an upload into its place if it is the body that the header names.
    async fn finish_body(&self, header: &Verified<Header>, record: RecordId) -> Result<(), Turned> {
        let of = header.payload();
        let upload = upload_id(of.vault, header.signer(), record);
        if self.store.upload_commitment(upload).await? != of.commitment {
            return Err(Turned::Fault(FaultCode::Changed)); // P-18
        }
        Ok(self.store.finish_upload(upload, of.body().root).await?)
    }
}

fn new_run(run: &Verified<Run>) -> NewRun {
    let facts = run.payload();
    let id: StatementId = run.id();
    NewRun {
        run: facts.run,
        id,
        statement: run.bytes().to_vec(),
        place: RecordPlace { collection: facts.collection, generation: facts.generation },
        epoch: facts.epoch,
        depositor: facts.depositor,
    }
}

fn stored(receipt: karute_protocol::trail::Receipt, filed: crate::vault::Filed, existing: Existing) -> Stored {
    Stored {
        receipt,
        collection: Some(filed.place.collection),
        generation: Some(filed.place.generation),
        number: Some(filed.number),
        existing,
    }
}

/// Runs of one session.
const RUNS_MAX: usize = 256;
