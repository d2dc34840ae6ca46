//! Pass on: the issuer of a child grant seals a later key package on to the child's holder, after a rotation reached
//! only the holders to whom the patient seals directly.

use karute_consent::encoding::to_bytes;
use karute_consent::id::RotationSequence;
use karute_consent::policy::DenyReason;
use karute_protocol::message::{Done, FaultCode, PassOn};
use karute_protocol::trail::EventKind;

use super::answer::{Answer, Turned};
use super::evidence;
use super::session::Context;
use crate::vault::{Effect, PassedPackage};

/// Keeps a package for the holder of a child grant. Which vault it is of, the session's syncs say.
pub(super) async fn pass_on(cx: Context, answer: Answer, message: PassOn) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify.
    let package = to_bytes(&message.package).map_err(|_| Turned::Fault(FaultCode::Malformed))?;
    // Decide: the issuer of a child grant in force, after a sync of its own in this session.
    let synced = session.admission.synced();
    for permit in &synced {
        let party = permit.party();
        let turn = host.turn(session, permit.vault()).await?;
        let Some(grant) = turn.ledger().grant(message.grant) else { continue };
        if grant.issuer() != party || grant.core().parent.is_none() {
            return Err(host.refuse_statement(session, turn, party, DenyReason::NotHolder).await);
        }
        let subject = grant.statement.id();
        let known = message.rotation > RotationSequence::FIRST && message.rotation <= turn.ledger().rotation();
        if turn.ledger().is_revoked(subject) || !known {
            return Err(Turned::Fault(FaultCode::NotInForce));
        }
        // Commit.
        let event = evidence::event(EventKind::PassOn, party, session, turn.ledger());
        let note = host.note(evidence::about(event, subject));
        let passed = PassedPackage { grant: message.grant, rotation: message.rotation, package };
        let done = turn.commit(vec![Effect::PassOn(passed)], vec![note]).await?;
        // Answer.
        return answer.send(Done { receipt: Some(super::last_receipt(done)?) }).await;
    }
    // No vault of this session knows the grant: the refusal stands in the trail of the first.
    let Some(permit) = synced.first() else { return Err(host.refuse_stranger(session)) };
    let turn = host.turn(session, permit.vault()).await?;
    Err(host.refuse_statement(session, turn, permit.party(), DenyReason::UnknownGrant).await)
}
