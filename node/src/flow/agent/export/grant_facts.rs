//! What an export of the grants says, collected from the patient's ledger and the opened particulars.

use karute_consent::card::CardKind;
use karute_consent::id::{CollectionId, Digest, NodeId, PartyKey, StatementId, VaultId};
use karute_consent::ledger::{Body, LedgerGrant};
use karute_consent::revocation::RevocationReason;
use karute_consent::time::Timestamp;
use karute_protocol::particulars::Obligation;

use crate::agent::error::{AgentError, Missing};
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;
use crate::flow::agent::grants::{grants, particulars_for_patient};
use crate::flow::agent::lines::GrantLine;

/// A grant, ready to be told in another form.
#[derive(Clone, Debug)]
pub struct GrantFacts {
    /// What the list of grants says of it.
    pub line: GrantLine,
    /// The vault.
    pub vault: VaultId,
    /// The node that keeps the vault and enforces the grant.
    pub node: NodeId,
    /// The grant as it was signed.
    pub signed: Vec<u8>,
    /// Who granted it.
    pub issuer: Issuer,
    /// When it came into the ledger.
    pub granted: Timestamp,
    /// What the holder's card says; nothing when the particulars did not open.
    pub holder: Option<HolderFacts>,
    /// What was agreed in words; nothing when the particulars did not open.
    pub words: Option<WordFacts>,
    /// The collections.
    pub collections: Vec<CollectionId>,
    /// Only what these parties deposited.
    pub depositors: Option<Vec<PartyKey>>,
    /// How it ended, if it was revoked.
    pub revoked: Option<RevokedFacts>,
}

/// Who granted.
#[derive(Clone, Debug)]
pub enum Issuer {
    /// A device of the patient.
    Patient(PartyKey),
    /// The holder of the grant above.
    Holder(PartyKey, Option<HolderFacts>),
}

/// A party by its card.
#[derive(Clone, Debug)]
pub struct HolderFacts {
    /// Its name.
    pub name: String,
    /// What kind of party.
    pub kind: CardKind,
}

/// What was agreed in words.
#[derive(Clone, Debug)]
pub struct WordFacts {
    /// The text that was shown.
    pub text: String,
    /// Its SHA-256.
    pub text_hash: Digest,
    /// Its language, a BCP 47 tag.
    pub language: String,
    /// What the holder promised.
    pub obligations: Vec<Obligation>,
}

/// How a grant ended.
#[derive(Clone, Copy, Debug)]
pub struct RevokedFacts {
    /// When it was signed.
    pub issued: Timestamp,
    /// Why.
    pub reason: RevocationReason,
    /// The grant that it names: this one, or one above.
    pub grant: StatementId,
}

/// Collects the facts of all grants of the vault, in the order in which they were granted.
pub fn grant_facts(patient: &Patient, now: Timestamp) -> Result<Vec<GrantFacts>, AgentError> {
    let view = patient.view()?;
    let node = view.home().ok_or(AgentError::Unknown(Missing::Vault))?;
    grants(patient, now)?
        .into_iter()
        .map(|line| {
            let grant = view.state()?.grant(line.grant).ok_or(AgentError::Unknown(Missing::Grant))?;
            facts(patient, view, node, grant, line)
        })
        .collect()
}

fn facts(
    patient: &Patient,
    view: &VaultView,
    node: NodeId,
    grant: &LedgerGrant,
    line: GrantLine,
) -> Result<GrantFacts, AgentError> {
    let words = particulars_for_patient(patient, grant)?.map(|words| WordFacts {
        text: words.text,
        text_hash: words.text_hash,
        language: words.language,
        obligations: words.obligations.into_iter().collect(),
    });
    let scope = &grant.core().scope;
    let item = view.item(grant.seq).and_then(|item| item.entry.clone().verify().ok());
    let entry = item.ok_or(AgentError::Unknown(Missing::Grant))?;
    Ok(GrantFacts {
        vault: grant.core().vault,
        node,
        signed: grant.statement.bytes().to_vec(),
        issuer: issuer(patient, view, grant)?,
        granted: entry.payload().time,
        holder: card(patient, grant)?,
        words,
        collections: scope.collections.iter().copied().collect(),
        depositors: scope.depositors.as_ref().map(|depositors| depositors.iter().copied().collect()),
        revoked: revoked(view, grant)?,
        line,
    })
}

fn issuer(patient: &Patient, view: &VaultView, grant: &LedgerGrant) -> Result<Issuer, AgentError> {
    let above = grant.core().parent.and_then(|parent| view.state().ok()?.grant(parent));
    Ok(match above {
        None => Issuer::Patient(grant.issuer()),
        Some(above) => Issuer::Holder(grant.issuer(), card(patient, above)?),
    })
}

/// The holder by its card, as far as the particulars open.
fn card(patient: &Patient, grant: &LedgerGrant) -> Result<Option<HolderFacts>, AgentError> {
    let words = particulars_for_patient(patient, grant)?;
    let card = words.and_then(|words| words.holder_card.verify_by(grant.holder()).ok());
    Ok(card.map(|card| HolderFacts { name: card.payload().name.clone(), kind: card.payload().kind }))
}

/// The revocation that ended a grant first: its own, or one above it.
fn revoked(view: &VaultView, grant: &LedgerGrant) -> Result<Option<RevokedFacts>, AgentError> {
    let ends = view.state()?.lineage(grant.statement.id()).filter_map(|above| above.revoked_at);
    let Some(item) = ends.min().and_then(|seq| view.item(seq)) else { return Ok(None) };
    let Ok((_, Some(Body::Revocation(revocation)))) = item.open() else { return Ok(None) };
    let revocation = revocation.payload();
    Ok(Some(RevokedFacts { issued: revocation.issued, reason: revocation.reason, grant: revocation.grant }))
}
