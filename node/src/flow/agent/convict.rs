//! What an agent does with a lie: the proof is kept in its folder, and told.

use std::collections::BTreeSet;
use std::path::PathBuf;

use karute_consent::id::{NodeId, RequestId, StatementId};
use karute_protocol::finding::{Finding, Verdict};
use karute_protocol::trail::TrailNumber;

use crate::agent::error::{AgentError, Unproven};
use crate::agent::finding_file::{finding_name, findings, keep_finding};
use crate::agent::keep::Keep;

/// A lie, and where its proof is.
#[derive(Clone, Debug)]
pub struct FindingLine {
    /// What the proof shows.
    pub verdict: Verdict,
    /// Its file; an agent in memory has none.
    pub file: Option<PathBuf>,
}

/// Something that is not as it should be, and that no finding proves to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// What the node sent does not hold.
    #[error("{0}")]
    Unproven(Unproven),
    /// A grant was used more often than it allows.
    #[error("grant {grant} allows {uses} uses, the trail has {counted}")]
    Overused {
        /// The grant.
        grant: StatementId,
        /// What it allows.
        uses: u32,
        /// What the trail says.
        counted: u32,
    },
    /// Two events for one request.
    #[error("entry {number} tells once more of the request {request}")]
    ToldAgain {
        /// The later event.
        number: TrailNumber,
        /// The request of both.
        request: RequestId,
    },
    /// A right that rests on a grant which is not in the ledger.
    #[error("entry {number} rests on a grant that the ledger does not have")]
    UnknownGrant {
        /// The event.
        number: TrailNumber,
    },
    /// A deed under a grant that was revoked in the ledger on which it was decided.
    #[error("entry {number} rests on a grant that was revoked before")]
    Revoked {
        /// The event.
        number: TrailNumber,
    },
    /// A deed without a grant of somebody who never was a device.
    #[error("entry {number} serves somebody who has neither a grant nor is one of your devices")]
    Stranger {
        /// The event.
        number: TrailNumber,
    },
    /// An event that was decided on a ledger which is not this one.
    #[error("entry {number} was decided on another ledger than yours")]
    OtherLedger {
        /// The event.
        number: TrailNumber,
    },
    /// A receipt held here whose event is not in the trail, too fresh to have to be.
    #[error("entry {number}, which was confirmed, is not in the trail yet: look again in a minute")]
    NotThereYet {
        /// The event.
        number: TrailNumber,
    },
    /// A stored record that the list does not have, too fresh to have to be.
    #[error("the record of entry {number} is not in the list yet: look again in a minute")]
    NotListedYet {
        /// The deposit's event.
        number: TrailNumber,
    },
    /// The log ends before a checkpoint that the node signed.
    #[error("node {node} signed a trail of {signed} entries and now says that there are {now}")]
    Shorter {
        /// The node.
        node: NodeId,
        /// Entries that it signed for.
        signed: u64,
        /// Entries that there are, it says.
        now: u64,
    },
}

/// Keeps the proofs, each once; answers what they show.
pub(super) fn convict(keep: &mut Keep, lies: &[Finding]) -> Result<Vec<FindingLine>, AgentError> {
    let (mut lines, mut seen) = (Vec::new(), BTreeSet::new());
    for finding in lies {
        let name = finding_name(finding).map_err(|_| AgentError::Malformed("finding"))?;
        let Ok(verdict) = finding.verify() else { continue };
        if seen.insert(name) {
            lines.push(FindingLine { verdict, file: keep_finding(keep, finding)? });
        }
    }
    Ok(lines)
}

/// What a deed ends with when there is a lie.
pub(super) fn refuse_liar(lines: &[FindingLine]) -> Result<(), AgentError> {
    let Some(line) = lines.first() else { return Ok(()) };
    Err(AgentError::Lied { kind: line.verdict.kind, accused: line.verdict.accused, file: line.file.clone() })
}

/// Lies and complaints of a check that goes on after each.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) findings: Vec<FindingLine>,
    pub(super) complaints: Vec<Complaint>,
}

impl Noted {
    /// What a step of the check gave. What the other end did wrong is noted; what went wrong otherwise ends the check.
    pub(super) fn step<T>(&mut self, keep: &Keep, step: Result<T, AgentError>) -> Result<Option<T>, AgentError> {
        match step {
            Ok(done) => return Ok(Some(done)),
            Err(AgentError::VerificationFailed { what }) => self.complaints.push(Complaint::Unproven(what)),
            Err(AgentError::Lied { kind, accused, file }) => {
                let named =
                    |name: &str| file.as_ref().is_none_or(|file| file.file_name().is_some_and(|own| own == name));
                let mut kept = findings(keep)?;
                kept.retain(|kept| (kept.verdict.kind, kept.verdict.accused) == (kind, accused) && named(&kept.name));
                let Some(kept) = kept.pop() else { return Err(AgentError::Lied { kind, accused, file }) };
                self.findings.push(FindingLine { verdict: kept.verdict, file });
            }
            Err(other) => return Err(other),
        }
        Ok(None)
    }

    /// Each once. Where there is a proof, what it proves is not said again without one.
    pub(super) fn settle(self) -> (Vec<FindingLine>, Vec<Complaint>) {
        let proven = !self.findings.is_empty();
        let (mut findings, mut complaints): (Vec<FindingLine>, Vec<Complaint>) = Default::default();
        for line in self.findings {
            if !findings.iter().any(|known| known.verdict == line.verdict) {
                findings.push(line);
            }
        }
        for complaint in self.complaints {
            let said = proven && matches!(complaint, Complaint::Unproven(_) | Complaint::Shorter { .. });
            if !said && !complaints.contains(&complaint) {
                complaints.push(complaint);
            }
        }
        (findings, complaints)
    }
}
