//! A facility lists: what is in reach of its grant, with the host's signed word that nothing was left out.

use karute_consent::id::VaultId;
use karute_consent::scope::Action;
use karute_protocol::message::List;

use crate::agent::error::AgentError;
use crate::agent::facility::Facility;
use crate::flow::agent::fetch::{Query, choose, wanted};
use crate::flow::agent::holding::holder_keyring;
use crate::flow::agent::lines::Records;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::reading::{Extent, read_list};
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::records::Gathered;
use crate::flow::agent::source::{Copies, Source};
use crate::flow::agent::sync::refresh_facility;

/// Lists records of a vault.
pub async fn list(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    query: Query,
) -> Result<Records, AgentError> {
    refresh_facility(facility, reach, vault).await?;
    let grant = choose(facility, vault, &query, Action::List)?;
    let wanted = wanted(&grant, &query, Action::List)?;
    let limited = wanted.selector.months.is_some() || wanted.selector.records.is_some();
    let scoped = grant.core.scope.records.is_some() || grant.core.scope.depositors.is_some();
    let extent = if limited || scoped { Extent::Part } else { Extent::WholePlaces };
    let mut keyring = holder_keyring(facility, vault, None)?;
    let known = facility.known(vault)?;
    let source = Source {
        link: known.link(),
        view: known.view(),
        ambient: facility.ambient(),
        signer: &facility.identity,
        acting: query.acting.as_ref(),
        copies: Copies::Repeatable,
    };
    let session = reach.host(source.link, source.view).await?;
    let signed = source.request(session, &wanted)?;
    let list = List { request: signed.request.to_unverified(), acting: signed.acting };
    let mut gathered = Gathered::default();
    let each = |shown| gathered.take(shown, &mut keyring, |_| None);
    let (complete, permitted) = read_list(session, source.view, list, &signed.request, extent, each).await?;
    let view = known.view();
    let records = gathered.into_records(complete, |party| view.was_device(party));
    keep_receipt(&mut facility.keep, &permitted.receipt)?;
    Ok(records)
}
