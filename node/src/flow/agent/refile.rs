//! Filing the inbox: a run that waits there is sealed anew to the collection its records belong to.
//!
//! The month of deposit stays what it was. A run whose records are of several kinds goes where its first record goes; a
//! run that opens with no key here stays in the inbox.

use std::collections::{BTreeMap, BTreeSet};

use karute_consent::category::Kind;
use karute_consent::id::{CollectionId, RunId};
use karute_consent::party::Identity;
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified, sign};
use karute_protocol::hpke::Entropy;
use karute_protocol::limits::RE_WRAPS_MAX;
use karute_protocol::message::{List, Message, ReWraps};
use karute_protocol::run::{ReWrap, ReWrapFacts, Run};

use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::agent::keyring::Keyring;
use crate::agent::patient::Patient;
use crate::flow::agent::append::append;
use crate::flow::agent::collections::{collection_of, next_directory};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::{Extent, Shown, read_list};
use crate::flow::agent::roots::device_keyring;

/// A run that waits in the inbox.
struct WaitingRun {
    run: Verified<Run>,
    kind: Kind,
}

/// Files what waits in the inbox; answers how many runs were filed.
pub(super) async fn refile(patient: &mut Patient, reach: &mut Reach) -> Result<u64, AgentError> {
    let mut keyring = device_keyring(patient)?;
    let waiting = read_inbox(patient, reach, &mut keyring).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    make_collections(patient, reach, &waiting).await?;
    let mut keyring = device_keyring(patient)?;
    let mut re_wraps = Vec::new();
    for waiting in waiting.values() {
        if let Some(wrap) = re_wrap(patient, &mut keyring, waiting)? {
            re_wraps.push(wrap);
        }
    }
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    for batch in re_wraps.chunks(RE_WRAPS_MAX) {
        match session.ask(ReWraps { re_wraps: batch.to_vec() }).await? {
            Message::Done(_) => {}
            _ => return Err(AgentError::Malformed("answer to re-wraps")),
        }
    }
    Ok(re_wraps.len() as u64)
}

/// Lists the inbox and opens each record's meta, which tells its kind.
async fn read_inbox(
    patient: &Patient,
    reach: &mut Reach,
    keyring: &mut Keyring,
) -> Result<BTreeMap<RunId, WaitingRun>, AgentError> {
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    let inbox = Selector { collections: Some(BTreeSet::from([CollectionId::INBOX])), ..Selector::default() };
    let wanted = Wanted { selector: inbox, ..Wanted::own(Action::List) };
    let request = session.request(patient.ambient(), &patient.device, patient.view()?, &wanted, None)?;
    let list = List { request: request.to_unverified(), acting: None };
    let mut waiting = BTreeMap::new();
    let each = |shown| {
        if let Shown::Record(record) = shown
            && record.collection == CollectionId::INBOX
            && record.re_wrap.is_none()
            && let Some((meta, _)) = record.open(keyring)
        {
            let kind = Kind { category: meta.category, sensitivity: meta.sensitivity };
            let run = record.run.clone();
            waiting.entry(run.payload().run).or_insert(WaitingRun { run, kind });
        }
        Ok(())
    };
    read_list(session, patient.view()?, list, &request, Extent::WholePlaces, each).await?;
    Ok(waiting)
}

/// Makes the collections that the waiting runs need and that do not exist.
async fn make_collections(
    patient: &mut Patient,
    reach: &mut Reach,
    waiting: &BTreeMap<RunId, WaitingRun>,
) -> Result<(), AgentError> {
    let kinds: BTreeSet<Kind> = waiting.values().map(|waiting| waiting.kind).collect();
    let mut missing = Vec::new();
    for kind in kinds {
        let collection = collection_of(patient, kind)?;
        if patient.view()?.state()?.leaf(collection).is_none() {
            missing.push(kind);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let directory = next_directory(patient, &missing, &BTreeSet::new())?;
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    append(patient, session, vec![directory.draft], None).await.map(|_| ())
}

/// The re-wrap of a run into its collection; nothing while that waits for new keys.
fn re_wrap(
    patient: &Patient,
    keyring: &mut Keyring,
    waiting: &WaitingRun,
) -> Result<Option<Unverified<ReWrap>>, AgentError> {
    let collection = collection_of(patient, waiting.kind)?;
    let Some(generation) = patient.view()?.state()?.generation_in_force(collection) else { return Ok(None) };
    let of = waiting.run.payload();
    let Some(key) = keyring.epoch_secret(collection, generation, of.epoch) else { return Ok(None) };
    let Some(secret) = keyring.run_secret(&waiting.run, None) else { return Ok(None) };
    let facts = ReWrapFacts {
        run: of.run,
        vault: of.vault,
        collection,
        generation,
        epoch: of.epoch,
        depositor: of.depositor,
        replaces: waiting.run.id(),
    };
    let sealed = facts.seal(secret, &key.public(), Entropy::new(patient.ambient().entropy()));
    let wrap = sealed.map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    signed(wrap, &patient.device).map(|wrap| Some(wrap.to_unverified()))
}

fn signed(wrap: ReWrap, device: &Identity) -> Result<Verified<ReWrap>, AgentError> {
    sign(wrap, device).map_err(|_| AgentError::Impossible(Obstacle::Value))
}
