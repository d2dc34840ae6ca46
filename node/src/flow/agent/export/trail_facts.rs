//! What an export of the trail says, collected from an audited trail and the patient's ledger: plain values, all public.

use std::collections::{BTreeSet, HashMap};

use karute_consent::card::CardKind;
use karute_consent::encoding::to_bytes;
use karute_consent::id::{Digest, NodeId, PartyKey, RecordId, RequestId, StatementId, VaultId};
use karute_consent::ledger::{Body, Subject};
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::time::Timestamp;
use karute_protocol::message::TrailItem;
use karute_protocol::trail::{Event, EventKind, Log};

use super::fhir::Reference;
use super::grant_facts::GrantFacts;
use crate::agent::error::AgentError;
use crate::agent::patient::Patient;
use crate::agent::trail_file::TrailFile;
use crate::agent::view::VaultView;
use crate::flow::agent::audit::{Trail, TrailLine};
use crate::net::PeerKey;

/// A trail, ready to be told in another form.
#[derive(Clone, Debug)]
pub struct TrailFacts {
    /// The vault.
    pub vault: VaultId,
    /// The node that recorded it.
    pub node: NodeId,
    /// Where that node is, as multiaddrs.
    pub addresses: Vec<String>,
    /// Origin of the node's trail.
    pub origin: String,
    /// The node's signed word on its trail, to which all proofs lead.
    pub checkpoint: String,
    /// When this is told.
    pub exported: Timestamp,
    /// The events, by number.
    pub events: Vec<EventFacts>,
}

/// One event with its proof.
#[derive(Clone, Debug)]
pub struct EventFacts {
    /// Its number in the vault.
    pub number: u64,
    /// When, by the node's clock.
    pub time: Timestamp,
    /// What happened; nothing once the event is erased.
    pub what: Option<What>,
    /// How it is proven.
    pub evidence: Evidence,
}

/// What ties an event to the node's checkpoint.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The leaf as the trail has it.
    pub leaf: Vec<u8>,
    /// Its place in the node's trail.
    pub index: u64,
    /// The inclusion proof: its hashes, one behind the other, from the leaf up.
    pub proof: Vec<u8>,
    /// Salt and event as the leaf's event hash covers them.
    pub opening: Option<(Vec<u8>, Vec<u8>)>,
}

/// What happened.
#[derive(Clone, Debug)]
pub struct What {
    /// What was done.
    pub kind: EventKind,
    /// Who acted.
    pub party: PartyFacts,
    /// From which transport end, as its base58 text.
    pub peer: Option<String>,
    /// The request.
    pub request: Option<RequestId>,
    /// That request as it was signed.
    pub statement: Option<Vec<u8>>,
    /// What was asked for.
    pub action: Option<Action>,
    /// What for.
    pub purpose: Option<Purpose>,
    /// The first records.
    pub records: Vec<RecordId>,
    /// Records in all.
    pub count: u64,
    /// 0, or the number of the deny reason.
    pub outcome: u8,
    /// Who sat at the reader's desk. Never the reason that was typed: it may speak of an illness.
    pub acting: Option<Person>,
    /// The grants that were used, root first.
    pub chain: Vec<StatementId>,
    /// The statement that it is about.
    pub subject: Option<StatementId>,
    /// What that statement is, where it is an entry of the ledger.
    pub entry: Option<EntryFacts>,
    /// Where a deposit filed its record.
    pub place: Option<String>,
    /// The ledger when it was decided.
    pub ledger: LedgerFacts,
}

/// A party as the patient knows it.
#[derive(Clone, Debug)]
pub struct PartyFacts {
    /// Its key.
    pub key: PartyKey,
    /// Its name by its card.
    pub name: Option<String>,
    /// What kind of party.
    pub kind: PartyKind,
}

/// What kind of party acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartyKind {
    /// A device or the identity of the patient.
    Own,
    /// A party whose card was seen.
    Card(CardKind),
    /// Another one.
    Unknown,
}

/// The person that a reader named.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The role, if one was named.
    pub role: Option<String>,
}

/// A head of the vault's ledger.
#[derive(Clone, Copy, Debug)]
pub struct LedgerFacts {
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Option<Digest>,
}

/// What an entry of the ledger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFacts {
    /// Grants.
    Grant(StatementId),
    /// Revokes this grant.
    Revocation(StatementId),
    /// Erases.
    Erasure,
    /// Says who belongs to the vault.
    Parties,
    /// Puts keys into force.
    Keys,
}

impl TrailFacts {
    /// The node, as who recorded it.
    pub(super) fn observer(&self) -> Reference {
        Reference::node("Device", self.node)
    }
}

/// Collects the facts of the lines of an audited trail that are still in it.
pub fn trail_facts(patient: &Patient, trail: &Trail, grants: &[GrantFacts]) -> Result<TrailFacts, AgentError> {
    let file = TrailFile::from_bytes(&trail.evidence).map_err(|_| AgentError::Malformed("trail"))?;
    let view = patient.view()?;
    let known = Known { patient, view, grants, entries: entries(view) };
    let erased = trail.erased.iter().map(|line| line.number);
    let wanted: BTreeSet<u64> = trail.lines.iter().map(|line| line.number).chain(erased).collect();
    let lines: HashMap<u64, &TrailLine> = trail.lines.iter().map(|line| (line.number, line)).collect();
    let mut events = Vec::new();
    for item in file.items.iter().filter(|item| wanted.contains(&item.leaf.number.0)) {
        let line = lines.get(&item.leaf.number.0);
        let acting = line.and_then(|line| line.acting.as_ref()).map(|acting| Person {
            name: acting.name.clone(),
            role: Some(acting.role.clone()).filter(|role| role != NOT_SAID),
        });
        events.push(known.event(item, acting).map_err(|_| AgentError::Malformed("trail"))?);
    }
    Ok(TrailFacts {
        vault: file.vault,
        node: file.node,
        addresses: patient.link().map(|link| link.addresses().to_vec()).unwrap_or_default(),
        origin: Log::Trail.origin(file.node).to_string(),
        checkpoint: file.checkpoint.0,
        exported: patient.ambient().now(),
        events,
    })
}

/// What the patient knows that an event does not say.
struct Known<'a> {
    patient: &'a Patient,
    view: &'a VaultView,
    grants: &'a [GrantFacts],
    entries: HashMap<StatementId, EntryFacts>,
}

impl Known<'_> {
    fn event(
        &self,
        item: &TrailItem,
        acting: Option<Person>,
    ) -> Result<EventFacts, karute_consent::encoding::EncodingError> {
        let opening = match (&item.salt, &item.event) {
            (Some(salt), Some(event)) => Some((salt.as_bytes().to_vec(), to_bytes(event)?)),
            _ => None,
        };
        Ok(EventFacts {
            number: item.leaf.number.0,
            time: item.leaf.time,
            what: item.event.as_ref().map(|event| self.what(event, acting)),
            evidence: Evidence {
                leaf: to_bytes(&item.leaf)?,
                index: item.index.0,
                proof: item.proof.iter().flat_map(|hash| hash.0).collect(),
                opening,
            },
        })
    }

    fn what(&self, event: &Event, acting: Option<Person>) -> What {
        let peer = event.peer.as_ref().and_then(|peer| PeerKey::from_bytes(&peer.0).ok());
        let statement = event.request_statement.clone().and_then(|statement| statement.verify_by(event.party).ok());
        What {
            kind: event.kind,
            party: self.party(event.party),
            peer: peer.map(|peer| peer.to_string()),
            request: event.request,
            statement: statement.map(|statement| statement.bytes().to_vec()),
            action: event.action,
            purpose: event.purpose,
            records: event.records.clone(),
            count: event.count,
            outcome: event.outcome.0,
            acting,
            chain: event.chain.clone(),
            subject: event.subject,
            entry: event.subject.and_then(|subject| self.entries.get(&subject).copied()),
            place: event.place.map(|place| format!("{}/{}/{}", place.collection, place.generation, place.number)),
            ledger: LedgerFacts { size: event.head.size, root: Some(event.head.root) },
        }
    }

    fn party(&self, key: PartyKey) -> PartyFacts {
        let identity = self.view.state().is_ok_and(|state| state.identity() == key);
        let own = identity || self.view.was_device(key);
        let held = self.grants.iter().rev().filter(|grant| grant.line.holder == key);
        let card = held.filter_map(|grant| grant.holder.as_ref()).next();
        let kind = match card {
            _ if own => PartyKind::Own,
            Some(card) => PartyKind::Card(card.kind),
            None => PartyKind::Unknown,
        };
        let name = card.map(|card| card.name.clone()).or_else(|| self.patient.label(key).map(str::to_owned));
        PartyFacts { key, name, kind }
    }
}

/// What the entries of the ledger are, by their ids; a revocation by its own id too, since it may be sent again.
fn entries(view: &VaultView) -> HashMap<StatementId, EntryFacts> {
    let mut entries = HashMap::new();
    for (entry, body) in view.items().iter().filter_map(|item| item.open().ok()) {
        let Some(body) = body else { continue };
        let facts = entry_facts(&body);
        entries.insert(entry.id(), facts);
        if matches!(facts, EntryFacts::Revocation(_)) {
            entries.insert(body.id(), facts);
        }
    }
    entries
}

fn entry_facts(body: &Body) -> EntryFacts {
    match body.subject() {
        Subject::Grant(grant) => EntryFacts::Grant(grant),
        Subject::Revocation(grant) => EntryFacts::Revocation(grant),
        Subject::Erasure => EntryFacts::Erasure,
        Subject::Charter | Subject::Authority => EntryFacts::Parties,
        Subject::Directory | Subject::Rotation | Subject::Hidden => EntryFacts::Keys,
    }
}

/// What stands in place of a role that was not named.
const NOT_SAID: &str = "-";
