//! The keys of single records, for grants that are limited to them: read through a list of one's own vault.

use std::collections::BTreeSet;

use karute_consent::id::{CollectionId, RecordId};
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_protocol::message::List;
use karute_protocol::record::keys::RecordKeys;

use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::{Extent, Shown, read_list};
use crate::flow::agent::roots::device_keyring;

/// A record that is to be granted: where it is filed, and its keys.
pub(super) struct GrantedRecord {
    pub(super) record: RecordId,
    pub(super) collection: CollectionId,
    pub(super) keys: RecordKeys,
}

/// The keys of these records; fails if one of them is not there, not filed yet, or does not open.
pub(super) async fn keys_of_records(
    patient: &Patient,
    reach: &mut Reach,
    records: &BTreeSet<RecordId>,
) -> Result<Vec<GrantedRecord>, AgentError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    if records.len() > karute_consent::limits::RECORDS_PER_SCOPE_MAX {
        return Err(AgentError::Impossible(Obstacle::Limit));
    }
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let selector = Selector { records: Some(records.clone()), ..Selector::default() };
    let wanted = Wanted { selector, ..Wanted::own(Action::List) };
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let list = List { request: request.to_unverified(), acting: None };
    let (mut keyring, mut found) = (device_keyring(patient)?, Vec::new());
    let each = |shown| {
        if let Shown::Record(shown) = shown
            && shown.collection != CollectionId::INBOX
            && let Some((_, keys)) = shown.open(&mut keyring)
        {
            let record = shown.header.payload().record;
            found.push(GrantedRecord { record, collection: shown.collection, keys });
        }
        Ok(())
    };
    read_list(session, patient.view()?, list, &request, Extent::Part, each).await?;
    let there: BTreeSet<RecordId> = found.iter().map(|granted| granted.record).collect();
    if there == *records && found.len() == records.len() {
        Ok(found)
    } else {
        Err(AgentError::Unknown(Missing::Record))
    }
}
