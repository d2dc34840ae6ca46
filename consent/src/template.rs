//! Templates: the few grants with an exact meaning that people are asked to choose from.
//!
//! Checked by whoever issues a grant. A host judges the core alone and never learns the template.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::grant::GrantCore;
use crate::id::{CollectionId, PartyKey, RecordId, VaultId};
use crate::purpose::Purpose;
use crate::scope::{Action, Scope};
use crate::statement::Malformed;
use crate::time::{MonthRange, Timestamp, Validity};
use crate::vault::Nonce;

crate::wire_enum! {
    /// A grant with an exact meaning.
    Template {
        /// A first visit: two days at most.
        FirstVisit = 1 "first-visit",
        /// Ongoing care.
        OngoingCare = 2 "ongoing-care",
        /// A referral: single records.
        Referral = 3 "referral",
        /// A pharmacy, once: single records.
        Pharmacy = 4 "pharmacy",
        /// A guardian or family member.
        Guardian = 5 "guardian",
        /// A study.
        Study = 6 "study",
        /// Deposit, without any right to read.
        Deposit = 7 "deposit",
    }
}

/// What keys a grant comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Keys of collections and months.
    Collections,
    /// Keys of single records.
    Records,
    /// None.
    None,
}

/// What a template fixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The actions, exactly.
    pub actions: &'static [Action],
    /// The only purpose.
    pub purpose: Purpose,
    /// What keys the grant comes with.
    pub keys: Keys,
    /// Validity when nobody chooses, days.
    pub days_default: u16,
    /// Longest validity, days.
    pub days_max: u16,
    /// The uses, exactly.
    pub uses: Option<u32>,
    /// What depths can be chosen; the first is the default.
    pub depth: RangeInclusive<u8>,
}

/// What a patient chooses when filling in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The vault.
    pub vault: VaultId,
    /// Who gets the grant.
    pub holder: PartyKey,
    /// The collections.
    pub collections: BTreeSet<CollectionId>,
    /// Months of deposit, if limited.
    pub months: Option<MonthRange>,
    /// Single records: there for a template with record keys, and only then.
    pub records: Option<BTreeSet<RecordId>>,
    /// Depositors, if limited.
    pub depositors: Option<BTreeSet<PartyKey>>,
    /// From when.
    pub not_before: Timestamp,
    /// For how many days; the template's default if not chosen.
    pub days: Option<u16>,
    /// How deeply it may be delegated; the template's default if not chosen.
    pub depth: Option<u8>,
    /// Random.
    pub nonce: Nonce,
}

/// Why a core is not what its template means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Actions other than the template's.
    #[error("actions other than the template's")]
    Actions,
    /// Purposes other than the template's.
    #[error("purposes other than the template's")]
    Purposes,
    /// Records named where keys of collections are meant, or the reverse.
    #[error("the template needs single records, or does not allow them")]
    Records,
    /// Longer than the template allows, or no time at all.
    #[error("validity is longer than the template allows")]
    Validity,
    /// Uses other than the template's.
    #[error("uses other than the template's")]
    Uses,
    /// A depth that the template does not allow.
    #[error("delegation depth that the template does not allow")]
    Depth,
    /// A rule that holds for every grant.
    #[error("breaks a rule that holds for every grant")]
    Rule(#[source] Malformed),
}

impl Template {
    /// What this template fixes (SPEC section 8).
    pub fn terms(self) -> Terms {
        use Action::{Audit, Deposit, List, Read, Revoke};
        let terms = |actions, purpose, keys, (days_default, days_max), uses, depth| Terms {
            actions,
            purpose,
            keys,
            days_default,
            days_max,
            uses,
            depth,
        };
        match self {
            Self::FirstVisit => terms(&[List, Read], Purpose::Treatment, Keys::Collections, (1, 2), None, 0..=0),
            Self::OngoingCare => terms(&[List, Read], Purpose::Treatment, Keys::Collections, (90, 366), None, 0..=0),
            Self::Referral => terms(&[List, Read], Purpose::Treatment, Keys::Records, (30, 90), None, 0..=1),
            Self::Pharmacy => terms(&[Read], Purpose::Treatment, Keys::Records, (7, 30), Some(1), 0..=0),
            Self::Guardian => {
                let actions = &[List, Read, Audit, Revoke];
                terms(actions, Purpose::FamilyRequest, Keys::Collections, (90, 366), None, 1..=1)
            }
            Self::Study => terms(&[List, Read], Purpose::Research, Keys::Collections, (90, 366), None, 0..=0),
            Self::Deposit => terms(&[Deposit], Purpose::Treatment, Keys::None, (90, 366), None, 0..=0),
        }
    }

    /// Fills in the template.
    pub fn core(self, choice: Choice) -> Result<GrantCore, TemplateError> {
        let terms = self.terms();
        let Choice { vault, holder, collections, months, records, depositors, not_before, days, depth, nonce } = choice;
        let end = not_before.plus_secs(u64::from(days.unwrap_or(terms.days_default)) * DAY_SECS);
        let actions = terms.actions.iter().copied().collect();
        let core = GrantCore {
            vault,
            holder,
            scope: Scope { actions, collections, months, records, depositors },
            purposes: BTreeSet::from([terms.purpose]),
            validity: Validity::new(not_before, end).map_err(|_| TemplateError::Validity)?,
            uses: terms.uses,
            depth: depth.unwrap_or(*terms.depth.start()),
            parent: None,
            nonce,
        };
        self.check(&core)?;
        Ok(core)
    }

    /// Checks that a core is exactly what this template means.
    pub fn check(self, core: &GrantCore) -> Result<(), TemplateError> {
        let terms = self.terms();
        let records_fit = core.scope.records.is_some() == (terms.keys == Keys::Records);
        let rules = [
            (core.scope.actions.iter().eq(terms.actions), TemplateError::Actions),
            (core.purposes.iter().eq([&terms.purpose]), TemplateError::Purposes),
            (records_fit, TemplateError::Records),
            (core.validity.secs() <= u64::from(terms.days_max) * DAY_SECS, TemplateError::Validity),
            (core.uses == terms.uses, TemplateError::Uses),
            (terms.depth.contains(&core.depth), TemplateError::Depth),
        ];
        match rules.into_iter().find(|(fits, _)| !fits) {
            Some((_, error)) => Err(error),
            None => core.check().map_err(TemplateError::Rule),
        }
    }
}

const DAY_SECS: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(template: Template) -> Choice {
        let records = (template.terms().keys == Keys::Records).then(|| BTreeSet::from([RecordId::from_bytes([5; 16])]));
        Choice {
            vault: VaultId::from_bytes([1; 32]),
            holder: PartyKey::from_bytes([2; 32]),
            collections: BTreeSet::from([CollectionId::from_bytes([3; 16])]),
            months: None,
            records,
            depositors: None,
            not_before: Timestamp::from_secs(1_000),
            days: None,
            depth: None,
            nonce: Nonce::from_bytes([4; 16]),
        }
    }

    #[test]
    fn every_template_can_be_filled_in_and_not_beyond_its_longest_validity() {
        for template in Template::ALL {
            let core = template.core(choice(*template)).expect("default choice");
            let days = template.terms().days_default;
            assert_eq!(core.validity.secs(), u64::from(days) * DAY_SECS, "{template}");
            let too_long = Choice { days: Some(template.terms().days_max + 1), ..choice(*template) };
            assert_eq!(template.core(too_long), Err(TemplateError::Validity), "{template}");
        }
    }

    #[test]
    fn record_templates_name_records_and_others_do_not() {
        let none = Choice { records: None, ..choice(Template::Pharmacy) };
        assert_eq!(Template::Pharmacy.core(none), Err(TemplateError::Records));
        let some = Choice { records: choice(Template::Pharmacy).records, ..choice(Template::OngoingCare) };
        assert_eq!(Template::OngoingCare.core(some), Err(TemplateError::Records));
    }

    #[test]
    fn only_a_guardian_and_a_referral_can_be_delegated() {
        for template in Template::ALL {
            let deeper = Choice { depth: Some(1), ..choice(*template) };
            let allowed = matches!(template, Template::Guardian | Template::Referral);
            assert_eq!(template.core(deeper).is_ok(), allowed, "{template}");
        }
    }

    #[test]
    fn another_template_is_noticed() {
        let core = Template::OngoingCare.core(choice(Template::OngoingCare)).expect("default choice");
        assert_eq!(Template::Deposit.check(&core), Err(TemplateError::Actions));
        assert_eq!(Template::Study.check(&core), Err(TemplateError::Purposes));
        assert_eq!(Template::FirstVisit.check(&core), Err(TemplateError::Validity));
        let once = GrantCore { uses: Some(1), ..core };
        assert_eq!(Template::OngoingCare.check(&once), Err(TemplateError::Uses));
    }
}
