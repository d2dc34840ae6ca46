//! Cards: who a key claims to be, and what to seal to for that party. A card is no permission.

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::id::PartyKey;
use crate::limits::{CARD_BYTES_MAX, EVIDENCE_BYTES_MAX, NAME_BYTES_MAX};
use crate::sealing::SealingKey;
use crate::statement::{Malformed, Statement};
use crate::text::{check_addresses, check_line};
use crate::time::Timestamp;

crate::wire_enum! {
    /// What kind of party a card is of.
    CardKind {
        /// A patient.
        Patient = 1 "patient",
        /// A hospital, clinic, pharmacy, care home or laboratory.
        Facility = 2 "facility",
        /// A researcher or a study.
        Researcher = 3 "researcher",
        /// Somebody who acts for a patient.
        Guardian = 4 "guardian",
        /// Somebody who runs a node.
        Custodian = 5 "custodian",
    }
}

/// A party's own word on who it is, signed by that party.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Card {
    /// What kind of party.
    #[serde(index = 1)]
    pub kind: CardKind,
    /// The party's name, as people know it.
    #[serde(index = 2)]
    pub name: String,
    /// What to seal to for this party.
    #[serde(index = 3)]
    pub sealing_key: SealingKey,
    /// When the card was made.
    #[serde(index = 4)]
    pub issued: Timestamp,
    /// What others say about this party; opaque here.
    #[serde(index = 5, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub evidence: Option<Vec<u8>>,
    /// Where the party's node can be reached; absent rather than empty.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<String>>,
}

impl Statement for Card {
    const TYPE: &'static str = "card";
    const BYTES_MAX: usize = CARD_BYTES_MAX;

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        // C-14
        check_line(&self.name, NAME_BYTES_MAX)?;
        if self.evidence.as_ref().is_some_and(|evidence| evidence.len() > EVIDENCE_BYTES_MAX) {
            return Err(Malformed::Bytes);
        }
        match &self.addresses {
            Some(addresses) if addresses.is_empty() => Err(Malformed::Count),
            Some(addresses) => check_addresses(addresses),
            None => Ok(()),
        }
    }
}
