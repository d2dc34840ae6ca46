//! Heads: the host's signed word on what is newest, with the asking party's own nonce (P-41).
//!
//! It is what a party keeps as evidence of what it was shown, and what takes the place of witnesses where there are none.

use karute_consent::id::VaultId;
use karute_consent::statement::Unverified;
use karute_consent::time::Timestamp;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::{FaultCode, Heads, HeadsFound};
use karute_protocol::trail::{CheckpointText, HeadNonce, Log, ProofHashes, SignedTreeHead};

use super::Host;
use super::answer::{Answer, Turned};
use super::cosigning::Newest;
use super::session::Context;

/// Answers with the newest heads of the trail and of a ledger.
pub(super) async fn heads(cx: Context, answer: Answer, message: Heads) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    // Read.
    let Heads { nonce, vault, sizes } = message;
    // Verify, decide: the trail is for everybody; of a ledger its size is for those who have a right to something there.
    if let Some(vault) = vault
        && !session.admission.knows_vault(vault)
    {
        return Err(host.refuse_stranger(session));
    }
    // Commit: nothing. What is answered is durable already.
    let ledger = match vault {
        Some(vault) => Some((vault, host.newest_of_ledger(vault).await?)),
        None => None,
    };
    // Answer.
    let (time, newest) = host.at_one_time(|| host.store.trail_head());
    let head = TreeHead { size: newest.size, root: newest.root };
    let cosigned = host.store.cosigned(Log::Trail);
    let trail_checkpoint = cosigned.map_or_else(|| newest.text.clone(), |cosigned| cosigned.text.clone());
    let proofs = sizes.into_iter().map(|size| host.proof_from(size, head.size)).collect::<Result<_, _>>()?;
    let trail = host.signed_head(Log::Trail, head, time, nonce)?;
    let (ledger, ledger_checkpoint) = host.ledger_part(ledger, nonce)?.unzip();
    answer.send(HeadsFound { trail, trail_checkpoint, proofs, ledger, ledger_checkpoint }).await
}

type Signed = Unverified<SignedTreeHead>;

impl Host {
    fn ledger_part(
        &self,
        ledger: Option<(VaultId, Newest)>,
        nonce: HeadNonce,
    ) -> Result<Option<(Signed, CheckpointText)>, Turned> {
        let Some((vault, Newest { time, head, text })) = ledger else { return Ok(None) };
        Ok(Some((self.signed_head(Log::Ledger(vault), head, time, nonce)?, text)))
    }

    fn signed_head(&self, log: Log, head: TreeHead, time: Timestamp, nonce: HeadNonce) -> Result<Signed, Turned> {
        let signed = SignedTreeHead::sign(log, head, time, nonce, &self.log);
        signed.map(|signed| signed.to_unverified()).map_err(|_| Turned::Fault(FaultCode::Storage))
    }

    /// Empty where no proof is needed or possible.
    fn proof_from(&self, older: u64, newer: u64) -> Result<ProofHashes, Turned> {
        if older >= newer {
            return Ok(ProofHashes::new());
        }
        Ok(self.store.consistency(Log::Trail, older, newer)?)
    }
}
