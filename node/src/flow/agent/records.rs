//! What is in the vault: the patient lists every record and opens each description.

use std::collections::{BTreeSet, HashMap};

use karute_consent::category::Kind;
use karute_consent::id::{PartyKey, RecordId};
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::time::MonthRange;
use karute_protocol::message::List;

use crate::agent::error::{AgentError, Missing};
use crate::agent::keyring::Keyring;
use crate::agent::patient::Patient;
use crate::flow::agent::collections::collection_of;
use crate::flow::agent::lines::{RecordLine, Records};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::{Extent, Shown, ShownRecord, read_list};
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::roots::device_keyring;
use crate::flow::agent::sync::refresh_patient;

/// Which records to list.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Kinds of data; all, and what waits in the inbox, if empty.
    pub kinds: Vec<Kind>,
    /// Months of deposit; all if absent.
    pub months: Option<MonthRange>,
}

/// Lists the vault's records.
pub async fn records(patient: &mut Patient, reach: &mut Reach, filter: RecordFilter) -> Result<Records, AgentError> {
    refresh_patient(patient, reach).await?;
    let mut collections = BTreeSet::new();
    for kind in &filter.kinds {
        collections.insert(collection_of(patient, *kind)?);
    }
    let selector = Selector {
        collections: Some(collections).filter(|named| !named.is_empty()),
        months: filter.months,
        records: None,
    };
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let extent = if filter.months.is_some() { Extent::Part } else { Extent::WholePlaces };
    let wanted = Wanted { selector, ..Wanted::own(Action::List) };
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let list = List { request: request.to_unverified(), acting: None };
    let mut keyring = device_keyring(patient)?;
    let mut gathered = Gathered::default();
    let name_of = |party| patient.label(party).map(str::to_owned);
    let each = |shown| gathered.take(shown, &mut keyring, name_of);
    let view = patient.view()?;
    let (complete, permitted) = read_list(session, view, list, &request, extent, each).await?;
    let records = gathered.into_records(complete, |party| view.was_device(party));
    keep_receipt(&mut patient.keep, &permitted.receipt)?;
    Ok(records)
}

/// Records of a list as they come, opened one by one.
#[derive(Default)]
pub(super) struct Gathered {
    records: Vec<RecordLine>,
    gone: Vec<crate::flow::agent::lines::GoneLine>,
    closed: u64,
    /// Who says that a record takes the place of which.
    replacements: Vec<(RecordId, RecordId, PartyKey)>,
}

impl Gathered {
    /// Opens the next thing of a list.
    pub(super) fn take(
        &mut self,
        shown: Shown,
        keyring: &mut Keyring,
        name_of: impl Fn(PartyKey) -> Option<String>,
    ) -> Result<(), AgentError> {
        match shown {
            Shown::Gone(gone) => self.gone.push(gone),
            Shown::Record(record) => match record.open(keyring) {
                None => self.closed += 1,
                Some((meta, _)) => {
                    let depositor = record.run.payload().depositor;
                    self.note_replacement(&record, depositor);
                    self.records.push(record.line(meta, name_of(depositor)));
                }
            },
        }
        Ok(())
    }

    fn note_replacement(&mut self, record: &ShownRecord, depositor: PartyKey) {
        if let Some(replaced) = record.supersedes() {
            self.replacements.push((replaced, record.header.payload().record, depositor));
        }
    }

    /// The list, with what takes whose place: counted only from the same depositor or from a device (P-21).
    pub(super) fn into_records(mut self, complete: bool, is_device: impl Fn(PartyKey) -> bool) -> Records {
        let places: HashMap<RecordId, usize> =
            self.records.iter().enumerate().map(|(place, line)| (line.record, place)).collect();
        for (replaced, by, who) in self.replacements {
            let Some(place) = places.get(&replaced) else { continue };
            let line = &mut self.records[*place];
            if line.depositor == who || is_device(who) {
                line.superseded_by = Some(by);
            }
        }
        Records { records: self.records, gone: self.gone, closed: self.closed, complete }
    }
}
