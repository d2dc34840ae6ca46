//! A facility fetches: under a grant it holds, for a purpose of that grant, to files that are byte for byte what was deposited.

use std::path::Path;

use karute_consent::category::Kind;
use karute_consent::id::{RecordId, StatementId, VaultId};
use karute_consent::purpose::Purpose;
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::time::MonthRange;
use karute_protocol::particulars::ActingPerson;

use crate::agent::error::{AgentError, Missing};
use crate::agent::facility::Facility;
use crate::failure::Failure;
use crate::flow::agent::fetching::{Fetches, Fetching};
use crate::flow::agent::grants::{HeldGrant, all_held};
use crate::flow::agent::holding::holder_keyring;
use crate::flow::agent::lines::{Destination, Fetched, Watch};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::source::{Copies, Source};
use crate::flow::agent::sync::refresh_facility;

/// What to list or fetch.
#[derive(Clone)]
pub struct Query {
    /// Kinds of data; all of the grant if empty.
    pub kinds: Vec<Kind>,
    /// Months of deposit; all of the grant if absent.
    pub months: Option<MonthRange>,
    /// Single records; all in reach if empty.
    pub records: Vec<RecordId>,
    /// What for; the grant's own purpose if absent.
    pub purpose: Option<Purpose>,
    /// The grant to use; the one that fits and lasts longest if absent.
    pub grant: Option<StatementId>,
    /// Who sits at the desk, and why; only the patient can read it.
    pub acting: Option<ActingPerson>,
}

/// Fetches records into a folder.
pub async fn fetch(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    query: Query,
    to: &Path,
    watch: Watch<'_>,
) -> Result<Vec<Fetched>, AgentError> {
    refresh_facility(facility, reach, vault).await?;
    std::fs::create_dir_all(to).map_err(|e| Failure::io("making the folder", to, e))?;
    let grant = choose(facility, vault, &query, Action::Read)?;
    let keyring = holder_keyring(facility, vault, None)?;
    let known = facility.known(vault)?;
    let source = Source {
        link: known.link(),
        view: known.view(),
        ambient: facility.ambient(),
        signer: &facility.identity,
        acting: query.acting.as_ref(),
        copies: if grant.core.uses.is_some() { Copies::Counted } else { Copies::Repeatable },
    };
    let wanted = wanted(&grant, &query, Action::Read)?;
    let fetching = Fetching::new(source, keyring, wanted, Destination::Folder(to.to_owned()));
    let Fetches { fetched, receipts } = fetching.run(reach, watch).await?;
    for receipt in &receipts {
        keep_receipt(&mut facility.keep, receipt)?;
    }
    Ok(fetched)
}

/// The grant to use for a query.
pub(super) fn choose(
    facility: &Facility,
    vault: VaultId,
    query: &Query,
    action: Action,
) -> Result<HeldGrant, AgentError> {
    let fits = |grant: &HeldGrant| {
        let scope = &grant.core.scope;
        query.grant.is_none_or(|named| named == grant.id)
            && query.purpose.is_none_or(|purpose| grant.core.purposes.contains(&purpose))
            && query.kinds.iter().all(|kind| grant.collection(*kind).is_some())
            && scope.records.as_ref().is_none_or(|all| query.records.iter().all(|record| all.contains(record)))
    };
    // One that is not in force comes last: the host then refuses it, and the trail keeps the reason.
    let mut held = all_held(facility, vault, action)?.into_iter().map(|(_, grant)| grant);
    held.find(fits).ok_or(AgentError::Unknown(Missing::Grant))
}

/// The request that a query makes under a grant.
pub(super) fn wanted(grant: &HeldGrant, query: &Query, action: Action) -> Result<Wanted, AgentError> {
    let collections = query.kinds.iter().filter_map(|kind| grant.collection(*kind)).collect();
    let records =
        Some(query.records.iter().copied().collect()).filter(|named: &std::collections::BTreeSet<_>| !named.is_empty());
    let months = query.months.or(grant.core.scope.months);
    let collections = Some(collections).filter(|named: &std::collections::BTreeSet<_>| !named.is_empty());
    let selector = Selector { collections, months, records };
    let purpose = query.purpose.unwrap_or(grant.purpose);
    Ok(Wanted { action, chain: grant.chain.clone(), selector, purpose, resumes: None })
}
