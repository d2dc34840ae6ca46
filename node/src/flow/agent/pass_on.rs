//! Passing later keys on: after a rotation the patient seals to direct holders only, and each of them seals what its child grants
//! cover on to their holders.

use karute_consent::id::{RotationSequence, VaultId};
use karute_protocol::hpke::Entropy;
use karute_protocol::message::{Message, PassOn};
use karute_protocol::package::{CoreDigest, Package};

use crate::agent::error::{AgentError, Obstacle, Unproven};
use crate::agent::facility::{Child, Facility};
use crate::flow::agent::delegate::narrower;
use crate::flow::agent::grants::standing;
use crate::flow::agent::lines::GrantState;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::{accept_receipt, keep_receipt};

/// Passes on what came since the last time; answers how many packages. The session must have seen a sync of this facility.
pub(super) async fn pass_on(facility: &mut Facility, reach: &mut Reach, vault: VaultId) -> Result<u64, AgentError> {
    let mut passed = 0;
    for place in 0..facility.known(vault)?.children.len() {
        let messages = due(facility, vault, &facility.known(vault)?.children[place])?;
        for message in messages {
            let (rotation, known) = (message.rotation, facility.known(vault)?);
            let session = reach.host(known.link(), known.view()).await?;
            let node = session.node();
            let Message::Done(done) = session.ask(message).await? else {
                return Err(AgentError::Malformed("answer to a package that was passed on"));
            };
            if let Some(receipt) = &done.receipt {
                accept_receipt(facility.known(vault)?.view(), receipt, node)?;
                keep_receipt(&mut facility.keep, receipt)?;
            }
            facility.known_mut(vault)?.children[place].passed = rotation;
            facility.save_children(vault)?;
            passed += 1;
        }
    }
    Ok(passed)
}

/// The packages that a child is still to be given, by rotation.
fn due(facility: &Facility, vault: VaultId, child: &Child) -> Result<Vec<PassOn>, AgentError> {
    let view = facility.known(vault)?.view();
    let Some(grant) = view.state()?.grant(child.grant) else { return Ok(Vec::new()) };
    let core = grant.core();
    let stands = standing(view, grant, facility.ambient().now())?;
    let parent = core.parent.and_then(|parent| view.state().ok()?.grant(parent));
    let (Some(parent), GrantState::Active | GrantState::NotYet) = (parent, stands) else { return Ok(Vec::new()) };
    let refused = || AgentError::unproven(Unproven::Package);
    let digest = |core: &karute_consent::grant::GrantCore| core.digest().map(CoreDigest).map_err(|_| refused());
    let (own, theirs) = (digest(parent.core())?, digest(core)?);
    let card = child.card.clone().verify_by(core.holder).map_err(|_| AgentError::Impossible(Obstacle::Card))?;
    let later = |rotation: RotationSequence| rotation > child.passed;
    let mut messages = Vec::new();
    for sent in view.packages.iter().filter(|sent| sent.grant == parent.statement.id() && later(sent.rotation)) {
        let package = Package::open(&sent.package, &facility.sealing, own, sent.rotation).map_err(|_| refused())?;
        let keys = narrower(vec![package], core)?;
        if keys.is_empty() {
            continue;
        }
        let package = Package::new(keys).map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
        let entropy = Entropy::new(facility.ambient().entropy());
        let sealed = package.seal(&card.payload().sealing_key, theirs, sent.rotation, entropy);
        let package = sealed.map_err(|_| AgentError::Impossible(Obstacle::Value))?;
        messages.push(PassOn { grant: child.grant, rotation: sent.rotation, package });
    }
    messages.sort_by_key(|message| message.rotation);
    Ok(messages)
}
