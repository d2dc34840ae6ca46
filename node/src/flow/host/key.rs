//! Key: gives a depositor the epoch key of a collection and month, with the way to the directory in force. With action
//! deposit it opens a deposit for the session.

use karute_consent::id::CollectionId;
use karute_consent::ledger::LedgerState;
use karute_consent::scope::Action;
use karute_consent::time::Month;
use karute_protocol::directory::{KeyLeaves, prove};
use karute_protocol::message::{FaultCode, KeyFound};
use karute_protocol::trail::EventKind;

use super::answer::{Answer, Turned};
use super::decide::Admitted;
use super::deposit::Opened;
use super::session::{Context, Open};
use super::{Host, evidence};

/// Answers with the key, or with nothing when there is none in force: then the inbox is used.
pub(super) async fn key(
    cx: &Context,
    open: &mut Open,
    answer: &Answer,
    asked: Admitted,
    collection: CollectionId,
    month: Month,
) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read, verify: on admission. Decide.
    let decided = host.decide(session, &asked, &[Action::Deposit, Action::List, Action::Read]).await?;
    let permit = decided.permit;
    // Commit: opening a deposit is a use; a public key that a reader compares is not.
    let inside = answer.enter(host, &permit)?; // before the turn ends: the key is handed over before a revocation is acknowledged
    if permit.action() == Action::Deposit {
        let event = evidence::event(EventKind::Deposit, permit.party(), session, decided.turn.ledger());
        let event = evidence::permitted(event, &permit, None);
        decided.turn.commit(decided.effects, vec![host.note(event)]).await?;
        open.deposits.insert(permit.vault(), Opened { permit: permit.clone() });
    } else {
        drop(decided.turn);
    }
    // Answer.
    let reached = permit.reach().collections.as_ref().is_none_or(|reached| reached.contains(&collection));
    let state = host.store.ledger(permit.vault())?.ok_or(Turned::Refused)?;
    let found = if reached { host.find_key(&state, collection, month)? } else { None };
    answer.send_inside(inside, found.unwrap_or(KeyFound { proof: None, checkpoint: None })).await
}

impl Host {
    fn find_key(
        &self,
        state: &LedgerState,
        collection: CollectionId,
        month: Month,
    ) -> Result<Option<KeyFound>, Turned> {
        let damaged = Turned::Fault(FaultCode::Storage);
        let Some(leaf) = state.leaf(collection).filter(|_| !state.is_pending(collection)) else { return Ok(None) };
        let Some(directory) = state.directory() else { return Ok(None) };
        let Some(leaves) = &directory.leaves else { return Ok(None) };
        if leaf.key_index(month).is_none() {
            return Ok(None);
        }
        let keys = self.store.key_leaves(state.vault(), leaf.keys_root)?.ok_or(damaged)?;
        let keys = KeyLeaves::from_attachment(&keys).map_err(|_| damaged)?;
        let proof = prove(directory.statement.to_unverified(), leaves, &keys, collection, month);
        let proof = Some(proof.map_err(|_| damaged)?);
        Ok(Some(KeyFound { proof, checkpoint: Some(self.ledger_checkpoint(state.vault())?) }))
    }
}
