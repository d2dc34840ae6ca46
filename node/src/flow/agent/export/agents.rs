//! Who took part in an event: the party's program, the person at its desk, the node.

use karute_consent::card::CardKind;
use serde::Serialize;

use super::codes::purpose;
use super::fhir::{Coding, Concept, Identifier, Reference};
use super::pattern::{Object, Pattern};
use super::trail_facts::{PartyFacts, PartyKind, TrailFacts, What};

/// One who took part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    r#type: Concept,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role: Vec<Concept>,
    who: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    requestor: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purpose_of_use: Vec<Concept>,
}

/// An access point of the network.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Network {
    address: String,
    r#type: &'static str,
}

impl Network {
    /// A multiaddr; FHIR calls what is no host name and no IP address a URI.
    fn at(address: String) -> Self {
        Self { address, r#type: NETWORK_URI }
    }
}

/// All who took part, the party's program first.
pub(super) fn agents(trail: &TrailFacts, what: &What, pattern: &Pattern) -> Vec<Agent> {
    match pattern.object {
        Object::Decision => asked_and_denied(trail, what, pattern),
        _ => {
            let user = user(trail, what, pattern);
            let client = agent(pattern.client, what.party.reference(trail));
            let client = Agent { requestor: user.is_none(), network: peer(what), ..client };
            std::iter::once(client).chain(user).chain([server(trail, pattern)]).collect()
        }
    }
}

/// The node alone, where nobody knows any more who acted.
pub(super) fn node_alone(trail: &TrailFacts) -> Vec<Agent> {
    vec![agent(NODE_APPLICATION, trail.observer())]
}

/// BALP's consent decision: the program, the person or party that wants to know, its house, and who decides.
fn asked_and_denied(trail: &TrailFacts, what: &What, pattern: &Pattern) -> Vec<Agent> {
    let program = what.peer.as_ref().map_or_else(
        || what.party.reference(trail),
        |peer| Reference::logical("Device", Identifier::new(PEER_SYSTEM, peer)),
    );
    let client = Agent { network: peer(what), ..agent(pattern.client, program) };
    let party = Agent {
        requestor: true,
        purpose_of_use: what.purpose.map(purpose).into_iter().collect(),
        ..agent(pattern.user, what.party.reference(trail))
    };
    let user = user(trail, what, pattern).unwrap_or(party);
    let house =
        (what.party.kind == PartyKind::Card(CardKind::Facility)).then(|| agent(PROVIDER, what.party.reference(trail)));
    let decided = agent(pattern.server, trail.observer());
    [client, user].into_iter().chain(house).chain([decided]).collect()
}

/// The person who acted: the one that the reader named, or the patient.
fn user(trail: &TrailFacts, what: &What, pattern: &Pattern) -> Option<Agent> {
    let purpose_of_use = what.purpose.map(purpose).into_iter().collect();
    if let Some(person) = &what.acting {
        let role = person.role.as_ref().map(|role| Concept { coding: Vec::new(), text: Some(role.clone()) });
        let who = Reference { of: Some("Practitioner"), display: Some(person.name.clone()), ..Reference::default() };
        let named = Agent { name: Some(person.name.clone()), ..agent(pattern.user, who) };
        return Some(Agent { role: role.into_iter().collect(), requestor: true, purpose_of_use, ..named });
    }
    let patient = || agent(pattern.user, Reference::patient(trail.vault));
    (what.party.kind == PartyKind::Own).then(|| Agent { requestor: true, purpose_of_use, ..patient() })
}

fn server(trail: &TrailFacts, pattern: &Pattern) -> Agent {
    let network = trail.addresses.first().map(|address| Network::at(address.clone()));
    Agent { network, ..agent(pattern.server, trail.observer()) }
}

fn peer(what: &What) -> Option<Network> {
    what.peer.as_ref().map(|peer| Network::at(format!("/p2p/{peer}")))
}

fn agent(of: Coding, who: Reference) -> Agent {
    Agent {
        r#type: of.into(),
        role: Vec::new(),
        who,
        name: None,
        requestor: false,
        network: None,
        purpose_of_use: Vec::new(),
    }
}

impl Agent {
    /// Whether it is said where this one was in the network.
    pub(super) fn has_network(&self) -> bool {
        self.network.is_some()
    }
}

impl PartyFacts {
    fn reference(&self, trail: &TrailFacts) -> Reference {
        let of = match self.kind {
            PartyKind::Own | PartyKind::Unknown => "Device",
            PartyKind::Card(kind) => card_type(kind),
        };
        let name = self.name.as_deref().or((self.key == trail.node.key()).then_some("node"));
        Reference::party(of, self.key, name)
    }
}

/// The type of resource that a party of this kind is.
pub(super) fn card_type(kind: CardKind) -> &'static str {
    match kind {
        CardKind::Patient => "Patient",
        CardKind::Guardian => "RelatedPerson",
        CardKind::Facility | CardKind::Researcher | CardKind::Custodian => "Organization",
    }
}

const NETWORK_URI: &str = "5";
const PEER_SYSTEM: &str = "urn:karute:peer";
const NODE_APPLICATION: Coding = Coding::new(super::codes::DCM, "110150", "Application");
const PROVIDER: Coding =
    Coding::new("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", "healthcare provider");
