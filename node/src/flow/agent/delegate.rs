//! Passing a grant on, narrower: the holder derives fewer nodes or record keys, seals them to the next party, and the home host
//! writes the child grant into the ledger. What is not in the ledger counts nowhere.

use std::collections::BTreeSet;

use karute_consent::card::Card;
use karute_consent::category::Kind;
use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{CollectionId, Digest, PartyKey, RecordId, RotationSequence, Salt, StatementId, VaultId};
use karute_consent::scope::{Action, Scope};
use karute_consent::statement::{Unverified, Verified, sign};
use karute_consent::time::{MonthRange, Validity};
use karute_consent::tree::digest_of;
use karute_consent::vault::Nonce;
use karute_protocol::hpke::Entropy;
use karute_protocol::keys::cover;
use karute_protocol::message::{Append, AppendItem, Attach, Message};
use karute_protocol::package::{CoreDigest, Package, PackageItem, package_hash};
use karute_protocol::particulars::Particulars;
use karute_protocol::wire::{LedgerSize, Octets};

use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::agent::facility::{Child, Facility};
use crate::flow::agent::grants::{HeldGrant, held_grants, kinds_of};
use crate::flow::agent::holding::{package_bytes, packages_of};
use crate::flow::agent::lines::Granted;
use crate::flow::agent::packing::months_of;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::{accept_receipt, keep_receipt};
use crate::flow::agent::sync::refresh_facility;

/// What is passed on.
#[derive(Clone, Debug)]
pub struct Delegate {
    /// The grant that is passed on in part.
    pub parent: StatementId,
    /// The next holder's signed card.
    pub card: Vec<u8>,
    /// Actions; all of the parent's if empty.
    pub actions: Vec<Action>,
    /// Kinds of data; all of the parent's if empty.
    pub kinds: Vec<Kind>,
    /// Months; the parent's if absent.
    pub months: Option<MonthRange>,
    /// Single records; the parent's if empty.
    pub records: Vec<RecordId>,
    /// Days from now; to the parent's end if absent, and never beyond it.
    pub days: Option<u32>,
    /// Uses; the parent's if absent.
    pub uses: Option<u32>,
    /// How deeply it may be passed on; not at all if absent.
    pub depth: Option<u8>,
    /// Language of the text, a BCP 47 tag.
    pub language: String,
    /// The text that was shown.
    pub text: String,
}

/// A child grant with what belongs to it.
struct ChildGrant {
    grant: Verified<Grant>,
    attachments: Vec<Vec<u8>>,
    words: Particulars,
}

/// Passes a grant on.
pub async fn delegate(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    wish: Delegate,
) -> Result<Granted, AgentError> {
    refresh_facility(facility, reach, vault).await?;
    let parent = parent_of(facility, vault, wish.parent)?;
    let card = Unverified::<Card>::from_bytes(wish.card.clone()).verify();
    let card = card.map_err(|_| AgentError::Impossible(Obstacle::Card))?;
    let core = core_of(facility, &parent, &card, &wish)?;
    core.lies_within(&parent.core).map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
    let passed = facility.known(vault)?.view().state()?.rotation();
    let ChildGrant { grant, attachments, words } = sealed(facility, vault, &parent, core, &card, &wish)?;
    let item = send(facility, reach, vault, &grant, attachments).await?;
    let known = facility.known(vault)?;
    let session = reach.host(known.link(), known.view()).await?;
    let node = session.node();
    let append = Append { vault, size: LedgerSize(known.view().size()), items: vec![item], registration: None };
    let Message::Appended(appended) = session.ask(append).await? else {
        return Err(AgentError::Malformed("answer to a child grant"));
    };
    accept_receipt(known.view(), &appended.receipt, node)?;
    keep_receipt(&mut facility.keep, &appended.receipt)?;
    let child = Child { grant: grant.id(), card: card.to_unverified(), passed };
    facility.known_mut(vault)?.children.push(child);
    facility.save_children(vault)?;
    refresh_facility(facility, reach, vault).await?;
    let size = facility.known(vault)?.view().size();
    let core = &grant.payload().core;
    Ok(Granted {
        grant: grant.id(),
        holder: core.holder,
        holder_name: card.payload().name.clone(),
        actions: core.scope.actions.iter().copied().collect(),
        kinds: kinds_of(&words, core),
        not_before: core.validity.not_before(),
        not_after: core.validity.not_after(),
        uses: core.uses,
        size,
    })
}

fn parent_of(facility: &Facility, vault: VaultId, id: StatementId) -> Result<HeldGrant, AgentError> {
    let state = facility.known(vault)?.view().state()?;
    let grant = state.grant(id).filter(|grant| grant.holder() == facility.party());
    let grant = grant.ok_or(AgentError::Unknown(Missing::Grant))?;
    if grant.core().depth == 0 {
        return Err(AgentError::Impossible(Obstacle::Delegation));
    }
    let action = grant.core().scope.actions.first().copied().ok_or(AgentError::Unknown(Missing::Grant))?;
    let held = held_grants(facility, vault, action)?;
    held.into_iter().find(|held| held.id == id).ok_or(AgentError::Unknown(Missing::Grant))
}

/// The child's core: what is not said is the parent's.
fn core_of(
    facility: &Facility,
    parent: &HeldGrant,
    card: &Verified<Card>,
    wish: &Delegate,
) -> Result<GrantCore, AgentError> {
    let mut collections: BTreeSet<CollectionId> = BTreeSet::new();
    for kind in &wish.kinds {
        collections.insert(parent.collection(*kind).ok_or(AgentError::Impossible(Obstacle::Scope))?);
    }
    let of = &parent.core;
    let chosen = |some: &[Action]| some.iter().copied().collect::<BTreeSet<Action>>();
    let (now, end) = (facility.ambient().now(), of.validity.not_after());
    let end = wish.days.map_or(end, |days| now.plus_secs(u64::from(days) * DAY_SECS).min(end));
    let records: BTreeSet<RecordId> = wish.records.iter().copied().collect();
    Ok(GrantCore {
        vault: of.vault,
        holder: card.signer(),
        scope: Scope {
            actions: if wish.actions.is_empty() { of.scope.actions.clone() } else { chosen(&wish.actions) },
            collections: if collections.is_empty() { of.scope.collections.clone() } else { collections },
            months: wish.months.or(of.scope.months),
            records: if records.is_empty() { of.scope.records.clone() } else { Some(records) },
            depositors: of.scope.depositors.clone() as Option<BTreeSet<PartyKey>>,
        },
        purposes: of.purposes.clone(),
        validity: Validity::new(now.max(of.validity.not_before()), end)
            .map_err(|_| AgentError::Impossible(Obstacle::Validity))?,
        uses: wish.uses.or(of.uses),
        depth: wish.depth.unwrap_or(0),
        parent: Some(parent.id),
        nonce: Nonce::from_bytes(facility.ambient().entropy()),
    })
}

/// The signed child with its attachments: particulars for holder and patient, and the narrower keys.
fn sealed(
    facility: &Facility,
    vault: VaultId,
    parent: &HeldGrant,
    core: GrantCore,
    card: &Verified<Card>,
    wish: &Delegate,
) -> Result<ChildGrant, AgentError> {
    let value = || AgentError::Impossible(Obstacle::Value);
    let view = facility.known(vault)?.view();
    let above = parent.particulars().ok_or(AgentError::Unknown(Missing::Key))?;
    let words = Particulars {
        holder_card: card.to_unverified(),
        patient_name: above.patient_name.clone(),
        collections: above
            .collections
            .iter()
            .filter(|named| core.scope.collections.contains(&named.collection))
            .copied()
            .collect(),
        template: 0,
        text_hash: digest_of(&[wish.text.as_bytes()]),
        language: wish.language.clone(),
        obligations: above.obligations.clone(),
        text: wish.text.clone(),
    };
    let digest = CoreDigest(core.digest().map_err(|_| value())?);
    let entropy = || Entropy::new(facility.ambient().entropy());
    let audit = &view.state()?.authority().ok_or(AgentError::Unknown(Missing::Vault))?.payload().audit;
    let part = words.seal(digest, core.holder, audit, [entropy(), entropy()]).map_err(|_| value())?;
    let mut attachments = vec![part.to_attachment().map_err(|_| value())?];
    let of_ledger = view.state()?.grant(parent.id).ok_or(AgentError::Unknown(Missing::Grant))?;
    let keys = narrower(packages_of(facility, view, of_ledger)?, &core)?;
    let mut hash: Option<Digest> = None;
    if !keys.is_empty() {
        let package = Package::new(keys).map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
        let to = &card.payload().sealing_key;
        let package = package.seal(to, digest, RotationSequence::FIRST, entropy()).map_err(|_| value())?;
        hash = Some(package_hash(&package).map_err(|_| value())?);
        attachments.push(package_bytes(&package)?);
    }
    let sealed_hash = part.digest().map_err(|_| value())?;
    let grant = sign(Grant { core, sealed_hash, package_hash: hash }, &facility.identity);
    let grant = grant.map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
    Ok(ChildGrant { grant, attachments, words })
}

/// What of the parent's keys a child opens: nodes below its own for the child's months, or single records of its own.
pub(super) fn narrower(packages: Vec<Package>, core: &GrantCore) -> Result<Vec<PackageItem>, AgentError> {
    let months = months_of(core).ok_or(AgentError::Impossible(Obstacle::Validity))?;
    let by_collection = core.scope.holds_collection_keys();
    let mut keys = Vec::new();
    for item in packages.into_iter().flat_map(Package::into_items) {
        match item {
            PackageItem::Record { record, keys: of_record } => {
                if core.scope.records.as_ref().is_some_and(|all| all.contains(&record)) {
                    keys.push(PackageItem::Record { record, keys: of_record });
                }
            }
            PackageItem::Node { collection, generation, node } => {
                if !by_collection || !core.scope.collections.contains(&collection) {
                    continue;
                }
                let end = node.name().last().next().unwrap_or(node.name().last());
                let Ok(own) = MonthRange::new(node.name().first(), end) else { continue };
                let Some(common) = own.overlap(&months) else { continue };
                for name in cover(&common) {
                    let node = node.descend(name).map_err(|_| AgentError::Impossible(Obstacle::Scope))?;
                    keys.push(PackageItem::Node { collection, generation, node });
                }
            }
            PackageItem::Root(_) => {}
        }
    }
    Ok(keys)
}

/// Sends the attachments and gives the item that asks the host to sequence the child.
async fn send(
    facility: &Facility,
    reach: &mut Reach,
    vault: VaultId,
    grant: &Verified<Grant>,
    attachments: Vec<Vec<u8>>,
) -> Result<AppendItem, AgentError> {
    let known = facility.known(vault)?;
    let session = reach.host(known.link(), known.view()).await?;
    let mut named = Vec::new();
    for bytes in attachments {
        named.push(digest_of(&[&bytes]));
        match session.ask(Attach { bytes: Octets(bytes) }).await? {
            Message::Done(_) => {}
            _ => return Err(AgentError::Malformed("answer to an attachment")),
        }
    }
    Ok(AppendItem {
        entry: Unverified::from_bytes(Vec::new()), // the home host makes and signs the entry (C-24)
        salt: Salt::from_bytes(facility.ambient().entropy()),
        body: Octets(grant.bytes().to_vec()),
        attachments: named,
    })
}

const DAY_SECS: u64 = 86_400;
