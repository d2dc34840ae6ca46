//! Withdraw: a depositor takes records of its own back; the host stops serving them and erases them.

use karute_consent::policy::DenyReason;
use karute_protocol::message::{Existing, FaultCode, Stored, Withdraw};
use karute_protocol::trail::EventKind;

use super::answer::{Answer, Turned};
use super::evidence;
use super::session::Context;
use crate::vault::{Effect, Removal, TombstoneReason};

/// Withdraws records.
pub(super) async fn withdraw(cx: Context, answer: Answer, message: Withdraw) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify.
    let withdrawal = message.withdrawal.verify().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
    let (asked, signer) = (withdrawal.payload(), withdrawal.signer());
    // Decide.
    let turn = host.turn(session, asked.vault).await?;
    let mut depositors = std::collections::BTreeMap::new();
    for record in &asked.records {
        if let Some(row) = host.store.find(asked.vault, *record)? {
            depositors.insert(*record, row.depositor());
        }
    }
    if asked.concerns_only(signer, |record| depositors.get(&record).copied()).is_err() {
        return Err(host.refuse_statement(session, turn, signer, DenyReason::OutsideScope).await); // C-37
    }
    // Commit.
    let records: Vec<_> = asked.records.iter().copied().collect();
    let event = evidence::event(EventKind::Withdrawal, signer, session, turn.ledger());
    let event = evidence::of_records(evidence::about(event, withdrawal.id()), &records);
    let statement = withdrawal.bytes().to_vec();
    let removal = Removal { records, reason: TombstoneReason::Withdrawn, id: withdrawal.id(), statement };
    let done = turn.commit(vec![Effect::Remove(removal)], vec![host.note(event)]).await?;
    // Answer.
    let receipt = super::last_receipt(done)?;
    let stored = Stored { receipt, collection: None, generation: None, number: None, existing: Existing::New };
    answer.send(stored).await
}
