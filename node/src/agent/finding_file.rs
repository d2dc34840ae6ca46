//! Findings in an agent's folder: proof that somebody lied, kept until it is handed on.
//!
//! A finding is named by its kind and its content, so that the same one found twice is one file. It is no secret and is
//! not sealed: whoever gets the file checks it with `karute verify finding`. Its loss costs the proof, not the vault.

use std::path::PathBuf;

use karute_consent::tree::digest_of;
use karute_protocol::finding::{Finding, FindingError, Verdict};

use crate::agent::error::AgentError;
use crate::agent::keep::Keep;

/// A finding that is kept here.
#[derive(Clone, Debug)]
pub struct KeptFinding {
    /// Name of its file.
    pub name: String,
    /// The finding itself.
    pub finding: Finding,
    /// What it shows.
    pub verdict: Verdict,
}

/// Keeps a finding. Gives the path of its file; an agent in memory has none.
pub fn keep_finding(keep: &mut Keep, finding: &Finding) -> Result<Option<PathBuf>, AgentError> {
    let bytes = finding.to_bytes().map_err(|_| AgentError::Malformed("finding"))?;
    keep.put_finding(&finding_name(finding).map_err(|_| AgentError::Malformed("finding"))?, &bytes)
}

/// The findings kept here, by name. What does not hold is none, and is passed over.
pub fn findings(keep: &Keep) -> Result<Vec<KeptFinding>, AgentError> {
    let kept = keep.findings()?.into_iter().filter_map(|(name, bytes)| {
        let finding = Finding::from_bytes(&bytes).ok()?;
        let verdict = finding.verify().ok()?;
        Some(KeptFinding { name, finding, verdict })
    });
    Ok(kept.collect())
}

/// `<kind>-<12 digits of its digest>.finding`
pub fn finding_name(finding: &Finding) -> Result<String, FindingError> {
    let digest = digest_of(&[&finding.to_bytes()?]).to_hex();
    Ok(format!("{}-{}.finding", finding.kind(), &digest[..DIGITS]))
}

/// Digits of the digest in a name.
const DIGITS: usize = 12;
