//! Face: what everyone who knows a vault's id is shown, its charter and authorities.

use karute_consent::id::{Seq, VaultId};
use karute_consent::ledger::Subject;
use karute_protocol::message::{Face, Faced, FaultCode};
use karute_protocol::trail::CheckpointText;
use karute_protocol::wire::LedgerSize;

use super::Host;
use super::answer::{Answer, Turned};
use super::session::Context;

/// Sends charter and authorities; everything between them as bare entries.
pub(super) async fn face(cx: Context, answer: Answer, message: Face) -> Result<(), Turned> {
    // Read.
    let Face { vault } = message;
    // Verify, decide: the id is all that is needed.
    let Some(state) = cx.host.store.ledger(vault)? else {
        return Err(cx.host.refuse_stranger(&cx.session));
    };
    // Answer; nothing is committed.
    for seq in 0..state.size() {
        let public = matches!(state.subject(Seq(seq)), Some(Subject::Charter | Subject::Authority));
        let item =
            if public { cx.host.store.item(vault, Seq(seq), 0)? } else { cx.host.store.bare_item(vault, Seq(seq))? };
        answer.send(item.ok_or(Turned::Fault(FaultCode::Storage))?).await?;
    }
    let checkpoint = cx.host.ledger_checkpoint(vault)?;
    answer.send(Faced { checkpoint, size: LedgerSize(state.size()), now: cx.host.ambient.now() }).await
}

impl Host {
    /// The checkpoint of a ledger that is here, with the cosignatures that exist for that very head.
    pub(super) fn ledger_checkpoint(&self, vault: VaultId) -> Result<CheckpointText, Turned> {
        let head = self.store.ledger_head(vault)?;
        if head.size == 0 { Err(Turned::Refused) } else { Ok(self.checkpoint_of(vault, head)) }
    }
}
