//! The patient erases records, or what events of the trail say: the order stands in the ledger, the host drops the bytes
//! and leaves tombstones, or leaves without content. That something was there stays proven.

use std::collections::BTreeSet;

use karute_consent::id::{Digest, RecordId, TrailNumber};
use karute_consent::ledger::EntryKind;
use karute_consent::revocation::{Erasure, ErasureReason};
use karute_consent::statement::sign;
use serde::Serialize;

use crate::agent::error::{AgentError, HostFault, Missing, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::append::{By, Draft, TRIES, append, lost_the_race};
use crate::flow::agent::lines::{text, texts};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::receipt_name;
use crate::flow::agent::sync::refresh_patient;

/// What was erased at the host. Copies that others fetched before are beyond reach.
#[derive(Clone, Debug, Serialize)]
pub struct Erased {
    /// The records.
    #[serde(serialize_with = "texts")]
    pub records: Vec<RecordId>,
    /// Numbers of the events.
    pub events: Vec<u64>,
    /// Entries of the ledger.
    pub size: u64,
    /// Number in the trail of the event that stands for this.
    pub number: u64,
    /// The host's receipt for it, as it is kept.
    #[serde(serialize_with = "text")]
    pub receipt: Digest,
}

/// What is to be erased: up to 256 records and 256 events, at least one of either.
#[derive(Clone, Debug, Default)]
pub struct Doomed {
    /// The records.
    pub records: BTreeSet<RecordId>,
    /// Numbers of events of the trail.
    pub events: BTreeSet<TrailNumber>,
}

/// Erases records and events.
pub async fn erase(
    patient: &mut Patient,
    reach: &mut Reach,
    doomed: Doomed,
    reason: ErasureReason,
) -> Result<Erased, AgentError> {
    let Doomed { records, events } = doomed;
    for _ in 0..TRIES {
        refresh_patient(patient, reach).await?;
        let issued = patient.ambient().now();
        let vault = patient.view()?.vault();
        let named = Some(events.clone()).filter(|events| !events.is_empty());
        let erasure = Erasure { vault, records: records.clone(), reason, issued, events: named };
        let erasure = sign(erasure, &patient.device).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
        let draft = Draft::new(EntryKind::Erasure, &erasure, Vec::new(), By::Device);
        let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
        let session = reach.host(&link, patient.view()?).await?;
        let appended = append(patient, session, vec![draft], None).await;
        if !lost_the_race(&appended) {
            let receipt = appended?.receipt;
            return Ok(Erased {
                records: records.into_iter().collect(),
                events: events.into_iter().map(|number| number.0).collect(),
                size: patient.view()?.size(),
                number: receipt.leaf.number.0,
                receipt: Digest::from_bytes(receipt_name(&receipt)?),
            });
        }
    }
    Err(AgentError::Fault(HostFault::Conflict))
}
