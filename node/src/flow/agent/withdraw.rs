//! A depositor withdraws records of its own: the host stops serving and erases them.

use std::collections::BTreeSet;

use karute_consent::id::{RecordId, VaultId};
use karute_consent::revocation::{Withdrawal, WithdrawalReason};
use karute_consent::statement::sign;
use karute_protocol::message::{Message, Withdraw};
use serde::Serialize;

use crate::agent::error::{AgentError, Obstacle};
use crate::agent::facility::Facility;
use crate::flow::agent::lines::texts;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::{accept_receipt, keep_receipt};
use crate::flow::agent::sync::refresh_facility;

/// What was withdrawn.
#[derive(Clone, Debug, Serialize)]
pub struct Withdrawn {
    /// The records.
    #[serde(serialize_with = "texts")]
    pub records: Vec<RecordId>,
}

/// Withdraws up to 256 records that this facility deposited.
pub async fn withdraw(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    records: Vec<RecordId>,
    reason: WithdrawalReason,
) -> Result<Withdrawn, AgentError> {
    refresh_facility(facility, reach, vault).await?;
    let named: BTreeSet<RecordId> = records.into_iter().collect();
    let withdrawal = Withdrawal { vault, records: named.clone(), reason, issued: facility.ambient().now() };
    let withdrawal = sign(withdrawal, &facility.identity).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    let known = facility.known(vault)?;
    let session = reach.host(known.link(), known.view()).await?;
    let node = session.node();
    let Message::Stored(stored) = session.ask(Withdraw { withdrawal: withdrawal.to_unverified() }).await? else {
        return Err(AgentError::Malformed("answer to a withdrawal"));
    };
    accept_receipt(known.view(), &stored.receipt, node)?;
    keep_receipt(&mut facility.keep, &stored.receipt)?;
    Ok(Withdrawn { records: named.into_iter().collect() })
}
