//! The patient fetches a record of the own vault.

use karute_consent::id::RecordId;
use karute_consent::request::Selector;
use karute_consent::scope::Action;

use crate::agent::error::{AgentError, Missing};
use crate::agent::patient::Patient;
use crate::flow::agent::fetching::{Fetches, Fetching};
use crate::flow::agent::lines::{Destination, Fetched, Watch};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::roots::device_keyring;
use crate::flow::agent::source::{Copies, Source};
use crate::flow::agent::sync::refresh_patient;

/// Fetches one record to a file.
pub async fn show(
    patient: &mut Patient,
    reach: &mut Reach,
    record: RecordId,
    to: Destination,
    watch: Watch<'_>,
) -> Result<Fetched, AgentError> {
    refresh_patient(patient, reach).await?;
    let keyring = device_keyring(patient)?;
    let source = Source {
        link: patient.link().ok_or(AgentError::Unknown(Missing::Vault))?,
        view: patient.view()?,
        ambient: patient.ambient(),
        signer: &patient.device,
        acting: None,
        copies: Copies::Repeatable,
    };
    let selector = Selector { records: Some([record].into()), ..Selector::default() };
    let wanted = Wanted { selector, ..Wanted::own(Action::Read) };
    let fetches = Fetching::new(source, keyring, wanted, to).run(reach, watch).await;
    // The sync before showed that this device is in force, so what is refused is a record that the vault never had.
    let Fetches { fetched, receipts } = fetches.map_err(|error| match error {
        AgentError::Refused => AgentError::Unknown(Missing::Record),
        other => other,
    })?;
    for receipt in &receipts {
        keep_receipt(&mut patient.keep, receipt)?;
    }
    fetched.into_iter().next().ok_or(AgentError::Unknown(Missing::Record))
}
