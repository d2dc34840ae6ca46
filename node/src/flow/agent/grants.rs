//! Grants as their parties see them: with names from the sealed part, and how they stand now.

use karute_consent::category::Kind;
use karute_consent::grant::GrantCore;
use karute_consent::id::{CollectionId, PartyKey, RootNumber, StatementId, VaultId};
use karute_consent::ledger::{Item, LedgerGrant};
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::statement::Verified;
use karute_consent::time::Timestamp;
use karute_protocol::hpke::SealingSecret;
use karute_protocol::keys::Root;
use karute_protocol::package::CoreDigest;
use karute_protocol::particulars::{Particulars, Reader, SealedParticulars};

use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::facility::Facility;
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;
use crate::flow::agent::lines::{GrantLine, GrantState};

/// A grant that this facility can use now.
pub(super) struct HeldGrant {
    pub(super) id: StatementId,
    /// This grant and those above it, root first, as a request names them.
    pub(super) chain: Vec<StatementId>,
    pub(super) core: GrantCore,
    /// The first purpose of the grant: what it is used for unless something else is said.
    pub(super) purpose: Purpose,
    particulars: Option<Particulars>,
}

impl HeldGrant {
    /// The collection for a kind of data, if the grant names it.
    pub(super) fn collection(&self, kind: Kind) -> Option<CollectionId> {
        let named = self.particulars.as_ref()?.collections.iter();
        let mut of_kind =
            named.filter(|named| (named.category, named.sensitivity) == (kind.category, kind.sensitivity));
        of_kind.find(|named| self.core.scope.collections.contains(&named.collection)).map(|named| named.collection)
    }

    /// Some collection of the grant.
    pub(super) fn any_collection(&self) -> Result<CollectionId, AgentError> {
        self.core.scope.collections.first().copied().ok_or(AgentError::Unknown(Missing::Grant))
    }

    /// The particulars, if they opened.
    pub(super) fn particulars(&self) -> Option<&Particulars> {
        self.particulars.as_ref()
    }
}

/// The grants with an action that this facility can use now, the one that lasts longest first.
pub(super) fn held_grants(facility: &Facility, vault: VaultId, action: Action) -> Result<Vec<HeldGrant>, AgentError> {
    let held = all_held(facility, vault, action)?;
    Ok(held.into_iter().filter(|(state, _)| *state == GrantState::Active).map(|(_, grant)| grant).collect())
}

/// The grants with an action, those in force first, then the one that lasts longest.
pub(super) fn all_held(
    facility: &Facility,
    vault: VaultId,
    action: Action,
) -> Result<Vec<(GrantState, HeldGrant)>, AgentError> {
    let (view, now) = (facility.known(vault)?.view(), facility.ambient().now());
    let mut held = Vec::new();
    for grant in view.state()?.grants() {
        if grant.holder() == facility.party() && grant.core().scope.actions.contains(&action) {
            held.push((standing(view, grant, now)?, hold(facility, view, grant)?));
        }
    }
    held.sort_by_key(|(state, grant)| {
        (*state != GrantState::Active, std::cmp::Reverse(grant.core.validity.not_after()))
    });
    Ok(held)
}

fn hold(facility: &Facility, view: &VaultView, grant: &LedgerGrant) -> Result<HeldGrant, AgentError> {
    let mut chain: Vec<StatementId> =
        view.state()?.lineage(grant.statement.id()).map(|above| above.statement.id()).collect();
    chain.reverse();
    let purpose = grant.core().purposes.first().copied().ok_or(AgentError::unproven(Unproven::Ledger))?;
    let particulars = particulars_for(view, grant, Reader::Holder, &facility.sealing);
    Ok(HeldGrant { id: grant.statement.id(), chain, core: grant.core().clone(), purpose, particulars })
}

/// How a grant stands at a moment: revoked wins, then the narrowest of the times above it.
pub(super) fn standing(view: &VaultView, grant: &LedgerGrant, now: Timestamp) -> Result<GrantState, AgentError> {
    let state = view.state()?;
    if state.is_revoked(grant.statement.id()) {
        return Ok(GrantState::Revoked);
    }
    let mut above = state.lineage(grant.statement.id());
    let outside = above.find(|grant| !grant.core().validity.contains(now));
    Ok(match outside {
        None => GrantState::Active,
        Some(grant) if now < grant.core().validity.not_before() => GrantState::NotYet,
        Some(_) => GrantState::Expired,
    })
}

/// The particulars of a grant, opened with this key; nothing if they are not shown or do not open.
pub(super) fn particulars_for(
    view: &VaultView,
    grant: &LedgerGrant,
    reader: Reader,
    secret: &SealingSecret,
) -> Option<Particulars> {
    let sealed = SealedParticulars::from_attachment(attachments(view, grant)?.first()?).ok()?;
    let core = CoreDigest(grant.core().digest().ok()?);
    sealed.open(reader, secret, core, grant.holder()).ok().map(|(particulars, _)| particulars)
}

/// What belongs to a grant: the sealed part, then the first key package if there is one.
pub(super) fn attachments<'v>(view: &'v VaultView, grant: &LedgerGrant) -> Option<&'v Vec<serde_bytes::ByteBuf>> {
    let item: &Item = view.item(grant.seq)?;
    item.attachments.as_ref()
}

/// The particulars of a grant as the patient reads them: sealed to the audit key of the root that was in force.
pub(super) fn particulars_for_patient(
    patient: &Patient,
    grant: &LedgerGrant,
) -> Result<Option<Particulars>, AgentError> {
    for number in (0..patient.roots.len() as u32).rev() {
        let root = Root::new(RootNumber(number), patient.root(RootNumber(number))?);
        let found = particulars_for(patient.view()?, grant, Reader::Patient, &root.audit_secret());
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// All grants of the patient's vault, in the order in which they were granted.
pub fn grants(patient: &Patient, now: Timestamp) -> Result<Vec<GrantLine>, AgentError> {
    let view = patient.view()?;
    let mut all: Vec<&LedgerGrant> = view.state()?.grants().collect();
    all.sort_by_key(|grant| grant.seq);
    all.into_iter().map(|grant| line(view, grant, particulars_for_patient(patient, grant)?, now)).collect()
}

/// The grants that a device signed and that are in force or will be. They outlive the device: only a revocation ends them.
pub fn grants_signed_by(patient: &Patient, device: PartyKey, now: Timestamp) -> Result<Vec<GrantLine>, AgentError> {
    let state = patient.view()?.state()?;
    let mut lines = grants(patient, now)?;
    lines.retain(|line| {
        let by_device = state.grant(line.grant).is_some_and(|grant| grant.issuer() == device);
        by_device && matches!(line.state, GrantState::Active | GrantState::NotYet)
    });
    Ok(lines)
}

/// The grants that this facility holds in a vault, and those it passed on.
pub(super) fn facility_grants(
    facility: &Facility,
    vault: VaultId,
    now: Timestamp,
) -> Result<Vec<GrantLine>, AgentError> {
    let (view, me) = (facility.known(vault)?.view(), facility.party());
    let mut own: Vec<&LedgerGrant> =
        view.state()?.grants().filter(|grant| grant.holder() == me || grant.issuer() == me).collect();
    own.sort_by_key(|grant| grant.seq);
    let particulars = |grant: &LedgerGrant| particulars_for(view, grant, Reader::Holder, &facility.sealing);
    own.into_iter().map(|grant| line(view, grant, particulars(grant), now)).collect()
}

fn line(
    view: &VaultView,
    grant: &LedgerGrant,
    particulars: Option<Particulars>,
    now: Timestamp,
) -> Result<GrantLine, AgentError> {
    let core = grant.core();
    let card = particulars.as_ref().and_then(|words| words.holder_card.clone().verify_by(core.holder).ok());
    let kinds = particulars.as_ref().map(|words| kinds_of(words, core)).unwrap_or_default();
    Ok(GrantLine {
        grant: grant.statement.id(),
        parent: core.parent,
        holder: core.holder,
        holder_name: card.map(|card: Verified<_>| card.payload().name.clone()),
        template: particulars.as_ref().map(|words| words.template),
        actions: core.scope.actions.iter().copied().collect(),
        kinds,
        from_month: core.scope.months.as_ref().map(|months| months.from()),
        to_month: core.scope.months.as_ref().map(|months| months.to()),
        records: core.scope.records.as_ref().map(|records| records.iter().copied().collect()),
        purposes: core.purposes.iter().copied().collect(),
        not_before: core.validity.not_before(),
        not_after: core.validity.not_after(),
        uses: core.uses,
        depth: core.depth,
        state: standing(view, grant, now)?,
    })
}

/// The kinds of data that a scope is about, by the names in its particulars.
pub(super) fn kinds_of(words: &Particulars, core: &GrantCore) -> Vec<Kind> {
    let named = words.collections.iter().filter(|named| core.scope.collections.contains(&named.collection));
    named.map(|named| Kind { category: named.category, sensitivity: named.sensitivity }).collect()
}
