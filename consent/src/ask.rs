//! Asks: a party's wish for a grant, the envelope it waits under in a mailbox, and the patient's answer.

use std::collections::BTreeSet;

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::card::Card;
use crate::category::Kind;
use crate::encoding::bad_value;
use crate::id::{AskId, Digest, PartyKey, StatementId, VaultId};
use crate::limits::{ASK_BYTES_MAX, ASK_CATEGORIES_MAX, ASK_DAYS_MAX, NOTE_BYTES_MAX};
use crate::purpose::Purpose;
use crate::scope::Action;
use crate::statement::{Malformed, Statement, Unverified};
use crate::text::check_prose;
use crate::time::{MonthRange, Timestamp};

/// What a party wishes to be granted, signed by that party.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Ask {
    /// Names this ask.
    #[serde(index = 1)]
    pub id: AskId,
    /// The vault, if it is known.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultId>,
    /// What to do.
    #[serde(index = 3)]
    pub actions: BTreeSet<Action>,
    /// What kinds of data.
    #[serde(index = 4, deserialize_with = "ascending_kinds")]
    pub categories: BTreeSet<Kind>,
    /// Months of deposit, if not all.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub months: Option<MonthRange>,
    /// What for.
    #[serde(index = 6)]
    pub purpose: Purpose,
    /// For how many days.
    #[serde(index = 7)]
    pub days: u16,
    /// The asker's own signed card.
    #[serde(index = 8)]
    pub card: Unverified<Card>,
    /// When it was signed.
    #[serde(index = 9)]
    pub issued: Timestamp,
    /// Words to the patient.
    #[serde(index = 10)]
    pub note: String,
}

/// What a host sees of an ask that waits in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct AskEnvelope {
    /// The ask's name.
    #[serde(index = 1)]
    pub id: AskId,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// Digest of the sealed ask.
    #[serde(index = 3)]
    pub sealed_hash: Digest,
    /// When it was signed.
    #[serde(index = 4)]
    pub issued: Timestamp,
}

/// The patient's answer to an ask, signed by a device.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct AskAnswer {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// The ask.
    #[serde(index = 2)]
    pub ask: AskId,
    /// What came of it.
    #[serde(index = 3)]
    pub outcome: Outcome,
    /// The grant that came of it.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub grant: Option<StatementId>,
    /// When it was signed.
    #[serde(index = 5)]
    pub issued: Timestamp,
}

crate::wire_enum! {
    /// What came of an ask.
    Outcome {
        /// Granted as asked.
        Granted = 1 "granted",
        /// Granted, but less than asked.
        Narrower = 2 "narrower",
        /// Declined.
        Declined = 3 "declined",
    }
}

/// Reads kinds in their order (C-10). A repeated one would otherwise vanish with its fields and pass for unknown ones.
fn ascending_kinds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeSet<Kind>, D::Error> {
    let kinds: Vec<Kind> = serde::Deserialize::deserialize(from)?;
    if !kinds.is_sorted_by(|before, after| before < after) {
        return Err(bad_value());
    }
    Ok(kinds.into_iter().collect())
}

impl Statement for Ask {
    const TYPE: &'static str = "ask";
    const BYTES_MAX: usize = ASK_BYTES_MAX;

    fn check(&self, signer: PartyKey) -> Result<(), Malformed> {
        if self.actions.is_empty() || self.actions.contains(&Action::Sync) {
            return Err(Malformed::Actions);
        }
        if !(1..=ASK_CATEGORIES_MAX).contains(&self.categories.len()) {
            return Err(Malformed::Count);
        }
        if !(1..=ASK_DAYS_MAX).contains(&self.days) {
            return Err(Malformed::Range);
        }
        check_prose(&self.note, NOTE_BYTES_MAX)?;
        // C-54
        self.card.clone().verify_by(signer).map(|_| ()).map_err(|_| Malformed::Card)
    }
}

impl Statement for AskEnvelope {
    const TYPE: &'static str = "ask-envelope";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        Ok(())
    }
}

impl Statement for AskAnswer {
    const TYPE: &'static str = "ask-answer";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        // C-54
        let granted = self.outcome != Outcome::Declined;
        if granted == self.grant.is_some() { Ok(()) } else { Err(Malformed::Outcome) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::category::{Category, Sensitivity};
    use crate::statement::{StatementError, sign};
    use crate::testing::{card, identity};

    fn ask(card_of: u8) -> Ask {
        Ask {
            id: AskId::from_bytes([1; 16]),
            vault: None,
            actions: BTreeSet::from([Action::List, Action::Read]),
            categories: BTreeSet::from([Kind { category: Category::Lab, sensitivity: Sensitivity::Normal }]),
            months: None,
            purpose: Purpose::Treatment,
            days: 90,
            card: sign(card(), &identity(card_of)).expect("valid card").to_unverified(),
            issued: Timestamp::from_secs(5),
            note: "お願いします\nB病院".to_owned(),
        }
    }

    #[test]
    fn an_ask_carries_its_signers_own_card() {
        let signed = sign(ask(5), &identity(5)).expect("own card");
        let read = signed.to_unverified().verify().expect("verifies");
        assert_eq!(read.payload(), &ask(5));
        assert_eq!(sign(ask(6), &identity(5)), Err(StatementError::Rule(Malformed::Card)));
    }

    #[test]
    fn an_answer_names_a_grant_exactly_when_it_grants() {
        let answer = |outcome, grant| AskAnswer {
            vault: VaultId::from_bytes([1; 32]),
            ask: AskId::from_bytes([1; 16]),
            outcome,
            grant,
            issued: Timestamp::from_secs(5),
        };
        let (key, some) = (identity(1).key(), Some(StatementId::from_bytes([2; 32])));
        assert_eq!(answer(Outcome::Granted, some).check(key), Ok(()));
        assert_eq!(answer(Outcome::Narrower, None).check(key), Err(Malformed::Outcome));
        assert_eq!(answer(Outcome::Declined, some).check(key), Err(Malformed::Outcome));
        assert_eq!(answer(Outcome::Declined, None).check(key), Ok(()));
    }
}
