//! Re-wrap: a device files runs anew, from the inbox, from a generation whose keys leaked, or from a wrong place.

use std::collections::HashSet;

use karute_consent::id::{RunId, StatementId};
use karute_consent::policy::DenyReason;
use karute_consent::statement::Verified;
use karute_protocol::message::{Done, FaultCode, ReWraps};
use karute_protocol::run::ReWrap;
use karute_protocol::trail::EventKind;

use super::answer::{Answer, Turned};
use super::session::Context;
use super::{Host, evidence};
use crate::vault::{Effect, NewReWrap, RecordPlace, Turn};

/// Re-wraps runs, all or none.
pub(super) async fn re_wrap(cx: Context, answer: Answer, message: ReWraps) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    let malformed = Turned::Fault(FaultCode::Malformed);
    // Read, verify.
    let verified = message.re_wraps.into_iter().map(|re_wrap| re_wrap.verify()).collect::<Result<Vec<_>, _>>();
    let re_wraps = verified.map_err(|_| malformed)?;
    let first = re_wraps.first().ok_or(malformed)?;
    let (vault, device) = (first.payload().vault, first.signer());
    if re_wraps.iter().any(|re_wrap| re_wrap.payload().vault != vault || re_wrap.signer() != device) {
        return Err(malformed);
    }
    let runs: HashSet<RunId> = re_wraps.iter().map(|re_wrap| re_wrap.payload().run).collect();
    if runs.len() != re_wraps.len() {
        return Err(malformed); // each would be judged by the same state, and only one can name what is in force
    }
    // Decide.
    let turn = host.turn(session, vault).await?;
    if !session.admission.knows_device(vault, device) || !turn.ledger().is_device(device) {
        return Err(host.refuse_statement(session, turn, device, DenyReason::NoGrant).await);
    }
    // Commit.
    let (mut effects, mut notes) = (Vec::new(), Vec::new());
    for re_wrap in &re_wraps {
        effects.push(Effect::ReWrap(host.check_re_wrap(&turn, re_wrap)?));
        let event = evidence::event(EventKind::ReWrap, device, session, turn.ledger());
        let records = host.store.run_records(vault, re_wrap.payload().run)?;
        notes.push(host.note(evidence::of_records(evidence::about(event, re_wrap.id()), &records)));
    }
    let done = turn.commit(effects, notes).await?;
    // Answer.
    answer.send(Done { receipt: Some(super::last_receipt(done)?) }).await
}

impl Host {
    /// A re-wrap names what is in force for its run, and a collection and generation in force (P-14). The month stays
    /// that of the deposit.
    fn check_re_wrap(&self, turn: &Turn, re_wrap: &Verified<ReWrap>) -> Result<NewReWrap, Turned> {
        let not_in_force = Turned::Fault(FaultCode::NotInForce);
        let of = re_wrap.payload();
        let run = self.store.run(of.vault, of.run)?.ok_or(not_in_force)?;
        let id: StatementId = re_wrap.id();
        let same_run = run.depositor() == of.depositor && run.epoch() == of.epoch;
        let replaces = run.in_force() == of.replaces;
        if !same_run || !replaces || turn.ledger().generation_in_force(of.collection) != Some(of.generation) {
            return Err(not_in_force);
        }
        Ok(NewReWrap {
            run: of.run,
            id,
            statement: re_wrap.bytes().to_vec(),
            place: RecordPlace { collection: of.collection, generation: of.generation },
            epoch: of.epoch,
        })
    }
}
