//! Granting: scope, purpose and dates from a template, keys for exactly that, sealed to the holder and appended as one.
//!
//! A kind of data that has no collection yet gets one in the same append, so that what comes later is readable too.

use std::collections::BTreeSet;

use karute_consent::card::Card;
use karute_consent::category::Kind;
use karute_consent::directory::CollectionLeaves;
use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{CollectionId, PartyKey, RecordId, RotationSequence};
use karute_consent::ledger::EntryKind;
use karute_consent::purpose::Purpose;
use karute_consent::scope::{Action, Scope};
use karute_consent::statement::{Unverified, Verified, sign};
use karute_consent::template::{Keys, Template};
use karute_consent::time::{MonthRange, Validity};
use karute_consent::tree::digest_of;
use karute_consent::vault::Nonce;
use karute_protocol::hpke::Entropy;
use karute_protocol::package::{CoreDigest, Package, PackageItem, package_hash};
use karute_protocol::particulars::{NamedCollection, Obligation, Particulars};

use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::agent::patient::Patient;
use crate::flow::agent::append::{By, Draft, TRIES, append, lost_the_race};
use crate::flow::agent::collections::{collection_of, kinds_by_collection, next_directory};
use crate::flow::agent::holding::package_bytes;
use crate::flow::agent::lines::Granted;
use crate::flow::agent::packing::nodes_for_grant;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::record_keys::{GrantedRecord, keys_of_records};
use crate::flow::agent::rotate::rotate_pending;
use crate::flow::agent::sync::refresh_patient;

/// What is to be granted.
#[derive(Clone)]
pub struct NewGrant {
    /// The holder's signed card.
    pub card: Vec<u8>,
    /// The template, whose exact meaning the grant must have.
    pub template: Template,
    /// The template's actions if absent.
    pub actions: Option<Vec<Action>>,
    /// Kinds of data; for single records those of the records.
    pub kinds: Vec<Kind>,
    /// Months of deposit; all if absent.
    pub months: Option<MonthRange>,
    /// Single records, for templates with record keys.
    pub records: Vec<RecordId>,
    /// Depositors; all if empty.
    pub depositors: Vec<PartyKey>,
    /// The template's purpose if absent.
    pub purposes: Option<Vec<Purpose>>,
    /// The template's days if absent.
    pub days: Option<u32>,
    /// The template's uses if absent.
    pub uses: Option<u32>,
    /// The template's depth if absent.
    pub depth: Option<u8>,
    /// What the holder promises.
    pub obligations: Vec<Obligation>,
    /// Language of the text, a BCP 47 tag.
    pub language: String,
    /// The consent text that was shown, at most 4096 bytes.
    pub text: String,
}

/// A grant in the terms of the vault, before its collections and keys are looked up.
pub(super) struct Plan {
    pub(super) card: Verified<Card>,
    /// None: the core stands for itself.
    pub(super) template: Option<Template>,
    pub(super) actions: BTreeSet<Action>,
    pub(super) kinds: BTreeSet<Kind>,
    pub(super) months: Option<MonthRange>,
    pub(super) records: BTreeSet<RecordId>,
    pub(super) depositors: BTreeSet<PartyKey>,
    pub(super) purposes: BTreeSet<Purpose>,
    pub(super) days: u32,
    pub(super) uses: Option<u32>,
    pub(super) depth: u8,
    pub(super) obligations: BTreeSet<Obligation>,
    pub(super) language: String,
    pub(super) text: String,
}

/// Grants access by card and template.
pub async fn grant(patient: &mut Patient, reach: &mut Reach, new: NewGrant) -> Result<Granted, AgentError> {
    let card = Unverified::<Card>::from_bytes(new.card).verify().map_err(|_| AgentError::Impossible(Obstacle::Card))?;
    let terms = new.template.terms();
    if (terms.keys == Keys::Records) == new.records.is_empty() {
        return Err(AgentError::Impossible(Obstacle::Scope));
    }
    let plan = Plan {
        card,
        template: Some(new.template),
        actions: new
            .actions
            .map_or_else(|| terms.actions.iter().copied().collect(), |chosen| chosen.into_iter().collect()),
        kinds: new.kinds.into_iter().collect(),
        months: new.months,
        records: new.records.into_iter().collect(),
        depositors: new.depositors.into_iter().collect(),
        purposes: new.purposes.map_or_else(|| [terms.purpose].into(), |chosen| chosen.into_iter().collect()),
        days: new.days.unwrap_or(u32::from(terms.days_default)),
        uses: new.uses.or(terms.uses),
        depth: new.depth.unwrap_or(*terms.depth.start()),
        obligations: new.obligations.into_iter().collect(),
        language: new.language,
        text: new.text,
    };
    carry_out(patient, reach, plan).await
}

/// Looks up what the plan needs, makes the grant and appends it.
pub(super) async fn carry_out(patient: &mut Patient, reach: &mut Reach, plan: Plan) -> Result<Granted, AgentError> {
    for _ in 0..TRIES {
        refresh_patient(patient, reach).await?;
        rotate_pending(patient, reach).await?;
        let records = keys_of_records(patient, reach, &plan.records).await?;
        let (drafts, granted) = draft(patient, &plan, records)?;
        let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
        let session = reach.host(&link, patient.view()?).await?;
        let appended = append(patient, session, drafts, None).await;
        if lost_the_race(&appended) {
            continue;
        }
        appended?;
        patient.set_label(granted.holder, &granted.holder_name);
        patient.save()?;
        return Ok(Granted { size: patient.view()?.size(), ..granted });
    }
    Err(AgentError::Fault(crate::agent::error::HostFault::Conflict))
}

/// The directory, if one is needed first, and the grant.
fn draft(patient: &Patient, plan: &Plan, records: Vec<GrantedRecord>) -> Result<(Vec<Draft>, Granted), AgentError> {
    let mut drafts = Vec::new();
    let mut leaves = patient.view()?.leaves().cloned().unwrap_or_default();
    if missing_kind(patient, plan, &leaves)? {
        let kinds: Vec<Kind> = plan.kinds.iter().copied().collect();
        let directory = next_directory(patient, &kinds, &BTreeSet::new())?;
        leaves = directory.leaves;
        drafts.push(directory.draft);
    }
    let core = core_of(patient, plan, &records)?;
    let digest = CoreDigest(core.digest().map_err(|_| value())?);
    let card = plan.card.payload();
    let package = match packed(patient, &core, &leaves, records)? {
        items if items.is_empty() => None,
        items => {
            let package = Package::new(items).map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
            let entropy = Entropy::new(patient.ambient().entropy());
            Some(package.seal(&card.sealing_key, digest, RotationSequence::FIRST, entropy).map_err(|_| value())?)
        }
    };
    let words = particulars(patient, plan, &core)?;
    let audit = &patient.view()?.state()?.authority().ok_or(AgentError::Unknown(Missing::Vault))?.payload().audit;
    let entropy = [Entropy::new(patient.ambient().entropy()), Entropy::new(patient.ambient().entropy())];
    let sealed = words.seal(digest, core.holder, audit, entropy).map_err(|_| value())?;
    let mut attachments = vec![sealed.to_attachment().map_err(|_| value())?];
    if let Some(package) = &package {
        attachments.push(package_bytes(package)?);
    }
    let package_hash = package.as_ref().map(package_hash).transpose().map_err(|_| value())?;
    let grant = Grant { core, sealed_hash: sealed.digest().map_err(|_| value())?, package_hash };
    let grant = sign(grant, &patient.device).map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
    let core = &grant.payload().core;
    let granted = Granted {
        grant: grant.id(),
        holder: core.holder,
        holder_name: card.name.clone(),
        actions: core.scope.actions.iter().copied().collect(),
        kinds: words
            .collections
            .iter()
            .map(|named| Kind { category: named.category, sensitivity: named.sensitivity })
            .collect(),
        not_before: core.validity.not_before(),
        not_after: core.validity.not_after(),
        uses: core.uses,
        size: 0,
    };
    drafts.push(Draft::new(EntryKind::Grant, &grant, attachments, By::Device));
    Ok((drafts, granted))
}

fn missing_kind(patient: &Patient, plan: &Plan, leaves: &CollectionLeaves) -> Result<bool, AgentError> {
    for kind in &plan.kinds {
        if leaves.leaf(collection_of(patient, *kind)?).is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The core, checked against its template where it has one.
fn core_of(patient: &Patient, plan: &Plan, records: &[GrantedRecord]) -> Result<GrantCore, AgentError> {
    let mut collections: BTreeSet<CollectionId> = records.iter().map(|record| record.collection).collect();
    for kind in &plan.kinds {
        collections.insert(collection_of(patient, *kind)?);
    }
    if patient.view()?.state()?.is_device(plan.card.signer()) {
        return Err(AgentError::Impossible(Obstacle::Card));
    }
    let now = patient.ambient().now();
    let end = now.plus_secs(u64::from(plan.days) * DAY_SECS);
    let core = GrantCore {
        vault: patient.view()?.vault(),
        holder: plan.card.signer(),
        scope: Scope {
            actions: plan.actions.clone(),
            collections,
            months: plan.months,
            records: Some(plan.records.clone()).filter(|records| !records.is_empty()),
            depositors: Some(plan.depositors.clone()).filter(|depositors| !depositors.is_empty()),
        },
        purposes: plan.purposes.clone(),
        validity: Validity::new(now, end).map_err(|_| AgentError::Impossible(Obstacle::Validity))?,
        uses: plan.uses,
        depth: plan.depth,
        parent: None,
        nonce: Nonce::from_bytes(patient.ambient().entropy()),
    };
    if let Some(template) = plan.template {
        template.check(&core).map_err(obstacle_of)?;
    }
    core.check().map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
    Ok(core)
}

fn obstacle_of(error: karute_consent::template::TemplateError) -> AgentError {
    use karute_consent::template::TemplateError;
    AgentError::Impossible(match error {
        TemplateError::Validity => Obstacle::Validity,
        TemplateError::Depth => Obstacle::Delegation,
        _ => Obstacle::Scope,
    })
}

/// Single records' keys, or the nodes of the collections when the scope has them.
fn packed(
    patient: &Patient,
    core: &GrantCore,
    leaves: &CollectionLeaves,
    records: Vec<GrantedRecord>,
) -> Result<Vec<PackageItem>, AgentError> {
    if core.scope.holds_collection_keys() {
        return nodes_for_grant(patient, core, leaves);
    }
    Ok(records.into_iter().map(|granted| PackageItem::Record { record: granted.record, keys: granted.keys }).collect())
}

fn particulars(patient: &Patient, plan: &Plan, core: &GrantCore) -> Result<Particulars, AgentError> {
    let kinds = kinds_by_collection(patient)?;
    let named = core.scope.collections.iter().filter_map(|collection| {
        let kind = kinds.get(collection)?;
        Some(NamedCollection { collection: *collection, category: kind.category, sensitivity: kind.sensitivity })
    });
    Ok(Particulars {
        holder_card: plan.card.to_unverified(),
        patient_name: patient.name().to_owned(),
        collections: named.collect(),
        template: plan.template.map_or(0, Template::number),
        text_hash: digest_of(&[plan.text.as_bytes()]),
        language: plan.language.clone(),
        obligations: plan.obligations.clone(),
        text: plan.text.clone(),
    })
}

fn value() -> AgentError {
    AgentError::Impossible(Obstacle::Value)
}

const DAY_SECS: u64 = 86_400;
