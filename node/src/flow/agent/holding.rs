//! The keys a facility was given: packages of its grants, compared with the directory before they count (P-09).

use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::{RotationSequence, StatementId, VaultId};
use karute_consent::ledger::LedgerGrant;
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_protocol::hpke::Sealed;
use karute_protocol::message::{GrantPackage, Key, Message};
use karute_protocol::package::{CoreDigest, Package, PackageItem};

use crate::agent::error::{AgentError, Unproven};
use crate::agent::facility::Facility;
use crate::agent::keyring::Keyring;
use crate::agent::view::VaultView;
use crate::flow::agent::grants::{HeldGrant, attachments, held_grants};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::session::Session;

/// What a check of packages found.
pub(super) struct CheckedPackages {
    /// Packages that open and whose keys are the directory's, as far as that can be seen now.
    pub(super) good: u64,
    /// Grants with a package that does not open or leads to other keys.
    pub(super) bad: Vec<StatementId>,
}

/// Every package of a grant: the first one, then those of rotations.
pub(super) fn packages_of(
    facility: &Facility,
    view: &VaultView,
    grant: &LedgerGrant,
) -> Result<Vec<Package>, AgentError> {
    let refused = || AgentError::unproven(Unproven::Package);
    let core = CoreDigest(grant.core().digest().map_err(|_| refused())?);
    let mut packages = Vec::new();
    let open = |sealed: &Sealed, rotation| Package::open(sealed, &facility.sealing, core, rotation);
    if let Some(bytes) = attachments(view, grant).and_then(|all| all.get(1)) {
        let sealed: Sealed = from_bytes(bytes, bytes.len()).map_err(|_| refused())?;
        packages.push(open(&sealed, RotationSequence::FIRST).map_err(|_| refused())?);
    }
    let later = view.packages.iter().filter(|package| package.grant == grant.statement.id());
    for GrantPackage { rotation, package, .. } in later.filter(|package| package.rotation != RotationSequence::FIRST) {
        packages.push(open(package, *rotation).map_err(|_| refused())?);
    }
    Ok(packages)
}

/// The keys that the grants of this facility give it, those of this grant alone if one is named.
pub(super) fn holder_keyring(
    facility: &Facility,
    vault: VaultId,
    only: Option<StatementId>,
) -> Result<Keyring, AgentError> {
    let view = facility.known(vault)?.view();
    let mut keyring = Keyring::new(vault);
    let own = view.state()?.grants().filter(|grant| grant.holder() == facility.party());
    for grant in own.filter(|grant| only.is_none_or(|only| only == grant.statement.id())) {
        // A package that does not open is reported by the sync; here it just gives no keys.
        for package in packages_of(facility, view, grant).unwrap_or_default() {
            keyring.add(package.into_items());
        }
    }
    Ok(keyring)
}

/// Opens every package of the grants in force and compares each key of this month with the directory (P-09).
pub(super) async fn check_packages(
    facility: &Facility,
    reach: &mut Reach,
    vault: VaultId,
) -> Result<CheckedPackages, AgentError> {
    let mut checked = CheckedPackages { good: 0, bad: Vec::new() };
    let mut grants = held_grants(facility, vault, Action::Read)?;
    grants.extend(
        held_grants(facility, vault, Action::List)?
            .into_iter()
            .filter(|g| !g.core.scope.actions.contains(&Action::Read)),
    );
    for grant in grants {
        let known = facility.known(vault)?;
        let of_ledger = known.view().state()?.grant(grant.id).ok_or(AgentError::unproven(Unproven::Ledger))?;
        let Ok(packages) = packages_of(facility, known.view(), of_ledger) else {
            checked.bad.push(grant.id);
            continue;
        };
        let session = reach.host(known.link(), known.view()).await?;
        let mut good = true;
        for package in &packages {
            good &= agrees(facility, session, vault, &grant, package).await?;
        }
        if good {
            checked.good += packages.len() as u64;
        } else {
            checked.bad.push(grant.id);
        }
    }
    Ok(checked)
}

/// Whether the keys of this month in a package are those of the directory. A use is never spent on this.
async fn agrees(
    facility: &Facility,
    session: &mut Session,
    vault: VaultId,
    grant: &HeldGrant,
    package: &Package,
) -> Result<bool, AgentError> {
    if grant.core.uses.is_some() {
        return Ok(true);
    }
    let view = facility.known(vault)?.view();
    let month = facility.ambient().now().month();
    let action = if grant.core.scope.actions.contains(&Action::Read) { Action::Read } else { Action::List };
    let mut collections: Vec<_> = package
        .items()
        .iter()
        .filter_map(|item| match item {
            PackageItem::Node { collection, node, .. } => node.name().contains(month).then_some(*collection),
            _ => None,
        })
        .collect();
    collections.dedup();
    for collection in collections {
        let selector = Selector { collections: Some([collection].into()), ..Selector::default() };
        let (chain, purpose) = (grant.chain.clone(), grant.purpose);
        let wanted = Wanted { action, chain, selector, purpose, resumes: None };
        let request = session.request(facility.ambient(), &facility.identity, view, &wanted, None)?.to_unverified();
        let Message::KeyFound(found) = session.ask(Key { request, collection, month }).await? else {
            return Err(AgentError::Malformed("answer to a key"));
        };
        let Some(proof) = found.proof else { continue }; // pending: there is nothing to compare with
        let proven = proof.verify(view.state()?.directory_id(), collection, month);
        let proven = proven.map_err(|_| AgentError::unproven(Unproven::Directory))?;
        let held = package.node(collection, proven.generation, month).is_some();
        if held && package.check_epoch(&proven).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The encoding of a sealed package, as it is attached.
pub(super) fn package_bytes(package: &Sealed) -> Result<Vec<u8>, AgentError> {
    to_bytes(package).map_err(|_| AgentError::unproven(Unproven::Package))
}
