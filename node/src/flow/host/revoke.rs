//! Revoke: the grant is refused from here on, and the home host puts the revocation into the order (C-35, C-24).

use karute_consent::id::Salt;
use karute_consent::ledger::{EntryKind, Item, LedgerState, body_hash};
use karute_consent::policy::DenyReason;
use karute_consent::revocation::Revocation;
use karute_consent::statement::Verified;
use karute_protocol::message::{Appended, FaultCode, Revoke};
use karute_protocol::trail::EventKind;

use super::answer::{Answer, Turned};
use super::session::Context;
use super::{Host, evidence};
use crate::vault::Effect;

/// Revokes a grant.
pub(super) async fn revoke(cx: Context, answer: Answer, message: Revoke) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify.
    let revocation = message.revocation.verify().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
    let vault = revocation.payload().vault;
    // Decide: from the moment the turn is held nobody else is permitted anything.
    let turn = host.turn(session, vault).await?;
    if turn.ledger().may_refuse(&revocation, host.ambient.now()).is_err() {
        let reason = DenyReason::ActionNotGranted;
        return Err(host.refuse_statement(session, turn, revocation.signer(), reason).await); // C-34
    }
    if turn.ledger().home() != Some(host.node()) {
        return Err(Turned::Fault(FaultCode::NotInForce));
    }
    let known = turn.ledger().grant(revocation.payload().grant).is_some_and(|grant| grant.revoked_at.is_some());
    if known && !session.admission.knows(vault, revocation.signer()) {
        // Whoever was shown the revocation can send it again; that is no deed of its signer.
        return Err(host.refuse_stranger(session));
    }
    // Commit: once in the ledger is enough; what its signer sends again is answered and noted.
    let event = evidence::event(EventKind::LedgerAppend, revocation.signer(), session, turn.ledger());
    let (effects, subject) = if known {
        (Vec::new(), revocation.id())
    } else {
        let (item, entry) = host.revocation_item(turn.ledger(), &revocation)?;
        (vec![Effect::Append(Box::new(item))], entry)
    };
    let done = turn.commit(effects, vec![host.note(evidence::about(event, subject))]).await?;
    // Answer, when nothing is on its way under it any more (P-43).
    host.settle(vault).await?;
    host.cosign_soon(vault);
    let checkpoint = host.ledger_checkpoint(vault)?;
    answer.send(Appended { checkpoint, receipt: super::last_receipt(done)? }).await
}

impl Host {
    fn revocation_item(
        &self,
        state: &LedgerState,
        revocation: &Verified<Revocation>,
    ) -> Result<(Item, karute_consent::id::StatementId), Turned> {
        let salt = Salt::from_bytes(self.ambient.entropy());
        let body = revocation.bytes().to_vec();
        let entry = self.home_entry(state, EntryKind::Revocation, body_hash(&salt, &body))?;
        let id = entry.id();
        Ok((Item { entry: entry.to_unverified(), salt: Some(salt), body: Some(body), attachments: None }, id))
    }
}
