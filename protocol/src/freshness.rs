//! Freshness: whether a ledger head may name the key that a depositor seals to (P-47).
//!
//! A host that shows an older head could have new records sealed to a key that a revoked holder still has. So a head
//! must be the highest that the depositor ever accepted, and witnesses must have seen the log at it not long ago. Where
//! a vault has no witnesses, the host's own signed and challenged word takes their place, and the verdict says so:
//! a host that lies there leaves a statement that convicts it, but nothing stops it at that moment.

use karute_consent::category::Sensitivity;
use karute_consent::id::NodeId;
use karute_consent::time::Timestamp;
use karute_consent::vault::WitnessSet;

use crate::cosignature::{CosignatureError, witnessed};
use crate::limits;
use crate::merkle::TreeHead;
use crate::trail::{CheckpointRefused, CheckpointText, Log};

/// What a head is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The highest head that the depositor ever accepted for this log, from which it has its key.
    pub accepted: TreeHead,
    /// What the host shows for it, with cosignatures.
    pub checkpoint: &'a CheckpointText,
    /// The log.
    pub log: Log,
    /// The home node, which signs it.
    pub node: NodeId,
    /// The witness set in force.
    pub set: &'a WitnessSet,
    /// Of the kind that is sealed.
    pub sensitivity: Sensitivity,
    /// The depositor's clock.
    pub now: Timestamp,
}

/// A verified tree-head: the home node signed it, for this log, under the depositor's own nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostWord {
    /// What the host says its newest head is.
    pub head: TreeHead,
    /// The host's clock.
    pub time: Timestamp,
}

/// A head is fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// When it was seen to be the newest one.
    pub at: Timestamp,
    /// Who says so.
    pub by: Voucher,
}

/// Who vouches for a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// The quorum of the vault's witnesses.
    Witnesses,
    /// The host alone: there are no witnesses, which must be said.
    HostOnly,
}

/// Why nothing may be sealed under a head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The checkpoint is not one of this log, signed by its home node (P-23).
    #[error("checkpoint of the ledger refused")]
    Checkpoint(#[source] CheckpointRefused),
    /// A cosignature under a known witness's name does not verify (P-44).
    #[error("cosignatures of the checkpoint refused")]
    Cosignature(#[source] CosignatureError),
    /// The checkpoint is not of the highest head that was accepted (P-06).
    #[error("checkpoint is of size {shown}, the highest accepted is {accepted}")]
    OtherHead {
        /// Entries in the checkpoint.
        shown: u64,
        /// Entries in the highest head accepted.
        accepted: u64,
    },
    /// Too few witnesses cosigned this head, or too long ago.
    #[error("fewer than {quorum} witnesses saw this head in the last {secs_max} seconds")]
    NotWitnessed {
        /// How many have to.
        quorum: u8,
        /// How old the quorum may be.
        secs_max: u64,
        /// Each witness of the set, and when it last saw this head.
        seen: Vec<(String, Option<Timestamp>)>,
    },
    /// There are no witnesses, and the host did not sign that this is its newest head.
    #[error("the host did not say that this is its newest head")]
    NoHostWord,
    /// There are no witnesses, and the host's word is of another head.
    #[error("the host says that its newest head has {said} entries")]
    OtherHostWord {
        /// Entries that the host speaks of.
        said: u64,
    },
    /// There are no witnesses, and the host's clock is not the depositor's.
    #[error("the host's time is {secs} seconds from the own clock")]
    HostClock {
        /// Between the two clocks.
        secs: u64,
    },
}

/// Seconds for which a witnessed head is fresh.
pub fn secs_max(sensitivity: Sensitivity) -> u64 {
    match sensitivity {
        Sensitivity::Normal => limits::FRESH_SECS_MAX,
        Sensitivity::Sensitive => limits::FRESH_SENSITIVE_SECS_MAX,
    }
}

/// Whether a depositor may seal under a head now (P-47). `word` is what the host said; it counts without witnesses only.
pub fn judge(question: &Question<'_>, word: Option<HostWord>) -> Result<Fresh, Stale> {
    let shown = question.checkpoint.verify(question.log, question.node).map_err(Stale::Checkpoint)?;
    if shown != question.accepted {
        return Err(Stale::OtherHead { shown: shown.size, accepted: question.accepted.size });
    }
    let (quorum, now) = (question.set.quorum, question.now);
    if quorum == 0 {
        return judge_word(shown, word, now);
    }
    let seen = witnessed(question.checkpoint, question.set).map_err(Stale::Cosignature)?;
    let secs_max = secs_max(question.sensitivity);
    // A witness's clock that is ahead is believed: the own one may be behind.
    match seen.at {
        Some(at) if at >= now.max(at).minus_secs(secs_max) => Ok(Fresh { at, by: Voucher::Witnesses }),
        _ => Err(Stale::NotWitnessed { quorum, secs_max, seen: seen.each }),
    }
}

fn judge_word(shown: TreeHead, word: Option<HostWord>, now: Timestamp) -> Result<Fresh, Stale> {
    let word = word.ok_or(Stale::NoHostWord)?;
    if word.head != shown {
        return Err(Stale::OtherHostWord { said: word.head.size });
    }
    let secs = word.time.abs_diff(now);
    if secs > limits::HOST_WORD_SECS_MAX {
        return Err(Stale::HostClock { secs });
    }
    Ok(Fresh { at: word.time, by: Voucher::HostOnly })
}

#[cfg(test)]
mod tests;
