//! Findings: portable proof that a host, or a witness, lied (SPEC section 16).
//!
//! A finding holds what the accused signed, and nothing that only the accuser says: whoever gets one checks it offline,
//! without asking either. A [`Finding`] that was read says nothing before [`Finding::verify`] gave a [`Verdict`], and the
//! makers here give one only if it holds, so that nobody accuses by mistake. Trusted for P-50: were a condition left
//! out, an honest host could be convicted; were one too many in, a liar would go free.

mod access;
mod deposit;
mod evidence;
mod heads;
mod receipts;
mod verdict;
mod witness;

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::PartyKey;
use karute_consent::time::Timestamp;
use karute_consent::wire_enum;

use self::evidence::{Evidence, sets_of_fields};
use crate::limits::FINDING_LEN_MAX;

pub use access::overstep;
pub use heads::{SignedHead, extends};
pub use verdict::{Facts, LeafPlace, NotAFinding, Overstep, Verdict};

wire_enum! {
    /// Which lie.
    FindingKind {
        /// One log, one size, two roots.
        Equivocation = 1 "equivocation",
        /// Two heads of a log that do not extend one another.
        Inconsistency = 2 "inconsistency",
        /// A log that was longer before.
        Rollback = 3 "rollback",
        /// Two leaves in one place.
        RewrittenEntry = 4 "rewritten-entry",
        /// An event that an audit was not told of.
        MissingEntry = 5 "missing-entry",
        /// A record that was taken, and that a whole list does not have.
        DroppedDeposit = 6 "dropped-deposit",
        /// A right that was used after its revocation.
        ServedAfterRevocation = 7 "served-after-revocation",
        /// An answer that the grants do not allow.
        BeyondGrant = 8 "beyond-the-grant",
        /// An event that is older than the one before it.
        TimeRunsBack = 9 "time-runs-back",
        /// A witness that cosigned two roots of one size.
        WitnessEquivocation = 10 "witness-equivocation",
        /// An event that nobody asked for.
        ForgedEntry = 11 "forged-entry",
    }
}

/// An accusation with its evidence. Says nothing before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    evidence: Evidence,
}

impl Finding {
    /// Reads a finding. Nothing of it counts before it is verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FindingError> {
        let evidence: Evidence = from_bytes(bytes, FINDING_LEN_MAX).map_err(FindingError::Encoding)?;
        if evidence.version != VERSION {
            return Err(FindingError::Version);
        }
        Ok(Self { evidence })
    }

    /// The finding as it is kept and handed on.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FindingError> {
        let bytes = to_bytes(&self.evidence).map_err(FindingError::Encoding)?;
        if bytes.len() > FINDING_LEN_MAX { Err(FindingError::TooLong) } else { Ok(bytes) }
    }

    /// Which lie it says was told.
    pub fn kind(&self) -> FindingKind {
        self.evidence.kind
    }

    /// Whom it accuses: a node, or a witness where the kind is [`FindingKind::WitnessEquivocation`].
    pub fn accused(&self) -> PartyKey {
        self.evidence.accused
    }

    /// What the evidence shows, if it shows what the kind says (P-50).
    pub fn verify(&self) -> Result<Verdict, NotAFinding> {
        let evidence = &self.evidence;
        if !sets_of_fields(evidence.kind).contains(&evidence.fields()) {
            return Err(NotAFinding::Fields);
        }
        let facts = match evidence.kind {
            FindingKind::Equivocation => heads::equivocation(evidence),
            FindingKind::Inconsistency => heads::inconsistency(evidence),
            FindingKind::Rollback => heads::rollback(evidence),
            FindingKind::RewrittenEntry => receipts::rewritten_entry(evidence),
            FindingKind::MissingEntry => receipts::missing_entry(evidence),
            FindingKind::DroppedDeposit => deposit::dropped_deposit(evidence),
            FindingKind::ServedAfterRevocation => access::served_after_revocation(evidence),
            FindingKind::BeyondGrant => access::beyond_grant(evidence),
            FindingKind::TimeRunsBack => receipts::time_runs_back(evidence),
            FindingKind::WitnessEquivocation => witness::witness_equivocation(evidence),
            FindingKind::ForgedEntry => receipts::forged_entry(evidence),
        }?;
        let refutable = matches!(evidence.kind, FindingKind::Inconsistency | FindingKind::DroppedDeposit);
        Ok(Verdict { kind: evidence.kind, accused: evidence.accused, refutable, facts })
    }

    /// Gives out what was put together, if it holds and is not too long to be handed on.
    fn proven(evidence: Evidence) -> Result<Self, NotAFinding> {
        let finding = Self { evidence };
        finding.verify()?;
        finding.to_bytes().map_err(NotAFinding::Unwritable)?;
        Ok(finding)
    }
}

/// Whether a host's word at `answered` must cover what it acknowledged at `acknowledged` (P-41).
fn must_cover(answered: Timestamp, acknowledged: Timestamp) -> bool {
    acknowledged.plus_secs(COVER_SECS) < answered
}

/// Why bytes are no finding, before anything in them is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindingError {
    /// Not the one spelling of a finding.
    #[error("not the encoding of a finding")]
    Encoding(#[source] EncodingError),
    /// Of a version that is not known here.
    #[error("a finding of an unknown version")]
    Version,
    /// With its evidence longer than a finding may be.
    #[error("evidence is too long for a finding")]
    TooLong,
}

const VERSION: u8 = 1;
/// After so many seconds an answer covers what was acknowledged (P-41); also how far two clocks are taken to differ.
const COVER_SECS: u64 = 60;

#[cfg(test)]
mod tests;
