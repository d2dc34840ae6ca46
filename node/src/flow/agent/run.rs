//! Opening runs: one for each kind of data of a deposit, sealed to the key that the directory in force names, or to the inbox.

use karute_consent::category::Kind;
use karute_consent::id::{CollectionId, Generation, RunId, StatementId, VaultId};
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::sealing::SealingKey;
use karute_consent::statement::{Verified, sign};
use karute_consent::time::Month;
use karute_protocol::directory::KeyProof;
use karute_protocol::hpke::Entropy;
use karute_protocol::message::{Key, Message, OpenRun};
use karute_protocol::run::{Run, RunFacts, RunSecret};

use crate::agent::error::{AgentError, Missing, Obstacle, Unproven};
use crate::agent::facility::{Facility, KeptRun};
use crate::agent::keep::Kept;
use crate::flow::agent::grants::{HeldGrant, held_grants};
use crate::flow::agent::reach::Wanted;
use crate::flow::agent::session::Session;

/// A run that the host took, and its secret.
pub(super) struct OpenedRun {
    pub(super) run: Verified<Run>,
    pub(super) secret: RunSecret,
}

/// Where a run's records go, and the key they are sealed to.
struct Target {
    collection: CollectionId,
    generation: Generation,
    epoch: Month,
    key: SealingKey,
    grant: StatementId,
}

/// Opens a run for a kind of data. A kept run of the same place goes on. The caller has made sure that the ledger held is
/// fresh for that kind (P-47).
pub(super) async fn open_run(
    facility: &mut Facility,
    session: &mut Session,
    vault: VaultId,
    kind: Kind,
) -> Result<OpenedRun, AgentError> {
    let grants = held_grants(facility, vault, Action::Deposit)?;
    let (grant, collection) = choose(&grants, kind)?;
    let target = target(facility, session, vault, grant, collection).await?;
    let opened = kept_or_new(facility, vault, &target)?;
    match session.ask(OpenRun { run: opened.run.to_unverified() }).await? {
        Message::Done(_) => Ok(opened),
        _ => Err(AgentError::Malformed("answer to a run")),
    }
}

/// The grant for a kind of data and its collection there; any deposit grant and the inbox for a kind that none names.
fn choose(grants: &[HeldGrant], kind: Kind) -> Result<(&HeldGrant, CollectionId), AgentError> {
    for grant in grants {
        if let Some(collection) = grant.collection(kind) {
            return Ok((grant, collection));
        }
    }
    let any = grants.first().ok_or(AgentError::Unknown(Missing::Grant))?;
    Ok((any, CollectionId::INBOX))
}

/// Asks for the key of this month and proves it from the newest entry held (P-05, P-06).
async fn target(
    facility: &Facility,
    session: &mut Session,
    vault: VaultId,
    grant: &HeldGrant,
    collection: CollectionId,
) -> Result<Target, AgentError> {
    let view = facility.known(vault)?.view();
    let state = view.state()?;
    let asked = if collection == CollectionId::INBOX { grant.any_collection()? } else { collection };
    let selector = Selector { collections: Some([asked].into()), ..Selector::default() };
    let wanted =
        Wanted { action: Action::Deposit, chain: grant.chain.clone(), selector, purpose: grant.purpose, resumes: None };
    let request = session.request(facility.ambient(), &facility.identity, view, &wanted, None)?;
    let epoch = facility.ambient().now().month();
    let message = Key { request: request.to_unverified(), collection: asked, month: epoch };
    let Message::KeyFound(found) = session.ask(message).await? else {
        return Err(AgentError::Malformed("answer to a key"));
    };
    let authority = state.authority().ok_or(AgentError::unproven(Unproven::Ledger))?.payload();
    // P-35: whatever the host says, nothing is sealed to keys that a removed device or a revoked holder has.
    let usable = |proof: &KeyProof| proof.is_of_root(authority.root_number) && !state.is_pending(collection);
    if let Some(proof) = found.proof.as_ref().filter(|proof| asked == collection && usable(proof)) {
        let proven = proof.verify(state.directory_id(), collection, epoch);
        let key = proven.map_err(|_| AgentError::unproven(Unproven::Directory))?;
        return Ok(Target { collection, generation: key.generation, epoch, key: key.key, grant: grant.id });
    }
    let generation = Generation(authority.root_number.0);
    Ok(Target { collection: CollectionId::INBOX, generation, epoch, key: authority.inbox.clone(), grant: grant.id })
}

/// The run that was kept for this place, or a new one, which is kept before it is used.
fn kept_or_new(facility: &mut Facility, vault: VaultId, target: &Target) -> Result<OpenedRun, AgentError> {
    for kept in &facility.known(vault)?.runs {
        let run = kept.run.clone().verify().map_err(|_| AgentError::unproven(Unproven::Statement))?;
        let of = run.payload();
        let place = (of.collection, of.generation, of.epoch, of.grant);
        if place == (target.collection, target.generation, target.epoch, Some(target.grant)) {
            return Ok(OpenedRun { run, secret: RunSecret::new(kept.secret.copy()) });
        }
    }
    let head = facility.known(vault)?.view().head().ok_or(AgentError::unproven(Unproven::Ledger))?;
    let secret = RunSecret::new(facility.ambient().secret());
    let facts = RunFacts {
        run: RunId::from_bytes(facility.ambient().entropy()),
        vault,
        collection: target.collection,
        generation: target.generation,
        epoch: target.epoch,
        depositor: facility.party(),
        grant: Some(target.grant),
        head,
    };
    let refused = |_| AgentError::Impossible(Obstacle::Value);
    let sealed = facts.seal(&secret, &target.key, Entropy::new(facility.ambient().entropy()));
    let run =
        sign(sealed.map_err(refused)?, &facility.identity).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    let kept = KeptRun { run: run.to_unverified(), secret: Kept::new(secret.bytes().clone()) };
    facility.known_mut(vault)?.runs.push(kept);
    facility.save_runs(vault)?;
    Ok(OpenedRun { run, secret })
}
