//! The patient erases records: the order stands in the ledger, the host drops the bytes and leaves tombstones.

use std::collections::BTreeSet;

use karute_consent::id::RecordId;
use karute_consent::ledger::EntryKind;
use karute_consent::revocation::{Erasure, ErasureReason};
use karute_consent::statement::sign;
use serde::Serialize;

use crate::agent::error::{AgentError, HostFault, Missing, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::append::{By, Draft, TRIES, append, lost_the_race};
use crate::flow::agent::lines::texts;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::sync::refresh_patient;

/// What was erased at the host. Copies that others fetched before are beyond reach.
#[derive(Clone, Debug, Serialize)]
pub struct Erased {
    /// The records.
    #[serde(serialize_with = "texts")]
    pub records: Vec<RecordId>,
    /// Entries of the ledger.
    pub size: u64,
}

/// Erases up to 256 records.
pub async fn erase(
    patient: &mut Patient,
    reach: &mut Reach,
    records: Vec<RecordId>,
    reason: ErasureReason,
) -> Result<Erased, AgentError> {
    let named: BTreeSet<RecordId> = records.into_iter().collect();
    for _ in 0..TRIES {
        refresh_patient(patient, reach).await?;
        let issued = patient.ambient().now();
        let erasure = Erasure { vault: patient.view()?.vault(), records: named.clone(), reason, issued };
        let erasure = sign(erasure, &patient.device).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
        let draft = Draft::new(EntryKind::Erasure, &erasure, Vec::new(), By::Device);
        let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
        let session = reach.host(&link, patient.view()?).await?;
        let appended = append(patient, session, vec![draft], None).await;
        if !lost_the_race(&appended) {
            appended?;
            return Ok(Erased { records: named.into_iter().collect(), size: patient.view()?.size() });
        }
    }
    Err(AgentError::Fault(HostFault::Conflict))
}
