//! Why a deed of an agent did not succeed, and what that means at the edge.

use std::path::{Path, PathBuf};

use karute_consent::id::PartyKey;
use karute_protocol::finding::FindingKind;
use karute_protocol::message::FaultCode;
use thiserror::Error;

use crate::agent::connect::ConnectError;
use crate::agent::freshness::NotFresh;
use crate::failure::{Failure, FailureKind};

/// Why a deed over the network did not succeed.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The host said no. It says the same whatever the reason; the vault's trail has the reason.
    #[error("the host refused")]
    Refused,
    /// The host could not do it.
    #[error("the host reports a fault: {0}")]
    Fault(HostFault),
    /// No session with the host came about, or it ended.
    #[error("the host cannot be reached")]
    Unreachable(#[source] ConnectError),
    /// What the host sent is not what the protocol allows there.
    #[error("the host's answer is malformed: {0}")]
    Malformed(&'static str),
    /// What the host, or another party, says does not hold.
    #[error("verification failed: {what}")]
    VerificationFailed {
        /// What does not hold.
        what: Unproven,
    },
    /// A node or a witness signed what convicts it. The evidence is kept.
    #[error("{} lied: {}{}", liar(*.kind), lie(*.kind), kept_at(.file.as_deref()))]
    Lied {
        /// Which lie.
        kind: FindingKind,
        /// The node's key, or the witness's.
        accused: PartyKey,
        /// Where the finding is; an agent in memory has no file.
        file: Option<PathBuf>,
    },
    /// Nobody who has to vouches that the keys to seal to are the newest (P-47).
    #[error(transparent)]
    NotFresh(Box<NotFresh>),
    /// What is asked for is not known here.
    #[error("unknown: {0}")]
    Unknown(Missing),
    /// What is asked for breaks a rule.
    #[error("cannot be done: {0}")]
    Impossible(Obstacle),
    /// The agent's own folder or a file did not do as asked.
    #[error(transparent)]
    Local(#[from] LocalError),
}

/// A failure of the agent's own folder or of a file; carries the edge's own words.
#[derive(Debug, Error)]
#[error("{}", .0.chain())]
pub struct LocalError(pub Failure);

/// Faults a host reports (message 42).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HostFault {
    /// It could not read the message.
    #[error("it could not read the message")]
    Malformed,
    /// It has too much to do.
    #[error("it is busy")]
    Busy,
    /// Somebody else appended first.
    #[error("the ledger grew meanwhile")]
    Conflict,
    /// Its storage failed.
    #[error("its storage failed")]
    Storage,
    /// A limit is reached.
    #[error("a limit is reached")]
    Limit,
    /// The run's keys are no longer in force.
    #[error("the keys of the run are not in force")]
    NotInForce,
    /// What came is not what was announced.
    #[error("what came is not what was announced")]
    Changed,
    /// It wants a registration code for a new vault.
    #[error("it asks for a registration code for a new vault")]
    Registration,
}

/// A claim that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unproven {
    /// The node that answers is not the vault's host.
    #[error("the node that answers is not this vault's host")]
    Node,
    /// A signature.
    #[error("a signed statement does not hold")]
    Statement,
    /// An entry of the ledger does not follow the one before.
    #[error("the ledger breaks a rule")]
    Ledger,
    /// The ledger shown is smaller than, or another than, one seen before.
    #[error("the host shows an older or another ledger than before")]
    OlderHead,
    /// The trail is smaller than one that the host signed before.
    #[error("the host shows a shorter trail than it signed before")]
    ShorterTrail,
    /// A tree head is not the host's answer to what was asked just now.
    #[error("the host's word on its newest head does not hold")]
    TreeHead,
    /// A witness's line under a checkpoint does not verify.
    #[error("a witness's signature does not hold")]
    Cosignature,
    /// A checkpoint is not signed by the host or of another root.
    #[error("a checkpoint does not hold")]
    Checkpoint,
    /// A proof does not lead to its root.
    #[error("a proof does not lead to its root")]
    Proof,
    /// A receipt.
    #[error("a receipt does not hold")]
    Receipt,
    /// A key is not of the directory in force.
    #[error("a key is not of the directory in force")]
    Directory,
    /// A key package does not open, or opens other keys than the directory has.
    #[error("a key package does not hold")]
    Package,
    /// The sealed part of a grant.
    #[error("the sealed part of a grant does not hold")]
    Particulars,
    /// A list leaves something out.
    #[error("the list leaves records out")]
    Omission,
    /// A record's header, run and re-wrap do not belong together.
    #[error("a record's header and run do not belong together")]
    Record,
    /// A record's meta does not open or does not fit.
    #[error("the description of a record does not open")]
    Meta,
    /// A body is not the one its header names.
    #[error("a body is not the one its header names")]
    Body,
    /// The trail has a gap or shrank.
    #[error("the trail has a gap")]
    TrailGap,
    /// Times or places of the trail run backwards (P-38).
    #[error("the trail runs backwards")]
    TrailOrder,
    /// An event without the request that it must have come of (P-39).
    #[error("the trail tells of something that nobody asked for")]
    Unasked,
    /// The content of an event is missing, and no erasure names it (P-40).
    #[error("the content of an event is gone, and nobody had it erased")]
    EventMissing,
    /// The host's word on the number of events does not fit what it sent.
    #[error("the host's word on its trail does not fit the trail")]
    AuditAnswer,
    /// A tombstone without the statement that took its record away (P-42).
    #[error("a record is gone, and nobody signed for that")]
    Tombstone,
    /// An ask or its card.
    #[error("an ask does not hold")]
    Ask,
}

/// What is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Missing {
    /// There is no vault yet.
    #[error("there is no vault yet; make one, join one or recover one")]
    Vault,
    /// A vault this facility has no link of.
    #[error("this vault is not known here; give its link")]
    VaultLink,
    /// A grant.
    #[error("no such grant")]
    Grant,
    /// A record.
    #[error("no such record in reach")]
    Record,
    /// An ask.
    #[error("no such ask")]
    Ask,
    /// A device.
    #[error("no such device")]
    Device,
    /// A key that would open this.
    #[error("no key here opens it")]
    Key,
    /// The identity key is on another device.
    #[error("the identity key is not on this device")]
    Identity,
    /// A receipt.
    #[error("no such receipt")]
    Receipt,
}

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// There is a vault already.
    #[error("there is a vault already")]
    VaultExists,
    /// A text is not what it should be.
    #[error("the text is not of the expected form")]
    Text,
    /// A recovery code is misspelt.
    #[error("the recovery code is misspelt")]
    RecoveryCode,
    /// The recovery code is of another vault, or was replaced.
    #[error("the recovery code is not of this vault, or a later one replaced it")]
    OtherRecoveryCode,
    /// The scope would be empty or wider than allowed.
    #[error("the scope is empty or wider than allowed")]
    Scope,
    /// A range of bytes is empty, ends behind the file, or is not of just one record.
    #[error("the range must be of one record, not empty and within its file")]
    Range,
    /// The validity is too long or empty.
    #[error("the time span is empty or longer than the template allows")]
    Validity,
    /// The grant cannot be passed on.
    #[error("this grant cannot be passed on")]
    Delegation,
    /// The last device would be removed, or this one.
    #[error("a vault keeps at least one device, and a device cannot remove itself")]
    LastDevice,
    /// The card is not fit for this.
    #[error("the card is not signed by its party or not fit for this")]
    Card,
    /// A file is larger than a body may be, or changed while it was read.
    #[error("the file changed while it was read, or is too large")]
    File,
    /// The grant has been revoked.
    #[error("the grant is revoked")]
    Revoked,
    /// A value is outside of what its statement allows.
    #[error("a value is longer or larger than its statement allows")]
    Value,
    /// The keys for it are no longer kept.
    #[error("a limit of the protocol is reached")]
    Limit,
}

impl From<FaultCode> for HostFault {
    fn from(code: FaultCode) -> Self {
        match code {
            FaultCode::Malformed => Self::Malformed,
            FaultCode::Busy => Self::Busy,
            FaultCode::Conflict => Self::Conflict,
            FaultCode::Storage => Self::Storage,
            FaultCode::Limit => Self::Limit,
            FaultCode::NotInForce => Self::NotInForce,
            FaultCode::Changed => Self::Changed,
            FaultCode::RegistrationWanted => Self::Registration,
        }
    }
}

impl AgentError {
    /// A claim that does not hold.
    pub fn unproven(what: Unproven) -> Self {
        Self::VerificationFailed { what }
    }
}

impl From<Failure> for AgentError {
    fn from(failure: Failure) -> Self {
        Self::Local(LocalError(failure))
    }
}

impl From<Missing> for AgentError {
    fn from(what: Missing) -> Self {
        Self::Unknown(what)
    }
}

impl From<Obstacle> for AgentError {
    fn from(what: Obstacle) -> Self {
        Self::Impossible(what)
    }
}

impl From<Unproven> for AgentError {
    fn from(what: Unproven) -> Self {
        Self::VerificationFailed { what }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        let error = match error {
            AgentError::Local(LocalError(failure)) => return failure,
            AgentError::Lied { ref file, .. } => {
                let shown = file.as_deref().map_or("FILE".to_owned(), |file| file.display().to_string());
                return Failure::new(FailureKind::Verification, error).hint(format!(
                    "do not trust it any more; whoever gets the file can check it without asking anybody: \
                     karute verify finding {shown}"
                ));
            }
            AgentError::NotFresh(why) => {
                let advice = why.advice();
                return Failure::new(FailureKind::Verification, why).hint(advice);
            }
            other => other,
        };
        let (kind, hint) = match &error {
            AgentError::Local(_) => (FailureKind::Storage, None),
            AgentError::Lied { .. } | AgentError::NotFresh(_) => (FailureKind::Verification, None),
            AgentError::Refused => (
                FailureKind::Refused,
                Some(
                    "the node tells nobody why; if this party holds or held a grant of the vault, the patient finds the reason in the trail. A party needs a grant in force, a device must be one of the vault's",
                ),
            ),
            AgentError::Fault(fault) => fault_kind(*fault),
            AgentError::Unreachable(_) => (FailureKind::Unreachable, Some("check the address, and that the node runs")),
            AgentError::Malformed(_) => (FailureKind::Verification, Some("the node may speak another version")),
            AgentError::VerificationFailed { .. } => {
                (FailureKind::Verification, Some("do not trust this node before you know why"))
            }
            AgentError::Unknown(missing) => (FailureKind::NotFound, where_to_look(*missing)),
            AgentError::Impossible(Obstacle::Validity) => {
                (FailureKind::InvalidInput, Some("karute patient grant --help names the longest time of each template"))
            }
            AgentError::Impossible(Obstacle::Range) => {
                (FailureKind::InvalidInput, Some("the list shows the size of the file; FROM- means up to its end"))
            }
            AgentError::Impossible(_) => (FailureKind::InvalidInput, None),
        };
        let failure = Failure::new(kind, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn liar(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::WitnessEquivocation => "a witness",
        _ => "the node",
    }
}

/// What was done, for a person; the finding has the numbers.
fn lie(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Equivocation => "it signed two different versions of one log (equivocation)",
        FindingKind::Inconsistency => "it does not show that its log only grew (inconsistency)",
        FindingKind::Rollback => "it took back what it had signed (rollback)",
        FindingKind::RewrittenEntry => "it rewrote an entry of its trail (rewritten-entry)",
        FindingKind::MissingEntry => "it left an entry of its trail out (missing-entry)",
        FindingKind::DroppedDeposit => "it dropped a record that it had taken (dropped-deposit)",
        FindingKind::ServedAfterRevocation => "it served a revoked grant (served-after-revocation)",
        FindingKind::BeyondGrant => "it gave out more than the grant allows (beyond-the-grant)",
        FindingKind::TimeRunsBack => "its trail goes back in time (time-runs-back)",
        FindingKind::WitnessEquivocation => "it signed two different versions of one log (witness-equivocation)",
        FindingKind::ForgedEntry => "it wrote down an event that nobody asked for (forged-entry)",
    }
}

fn kept_at(file: Option<&Path>) -> String {
    file.map_or_else(String::new, |file| format!("; the evidence is in {}", file.display()))
}

fn where_to_look(missing: Missing) -> Option<&'static str> {
    match missing {
        Missing::Grant => Some("karute facility status and karute patient grants list the grants"),
        Missing::Record => Some("the list shows what is in reach: karute facility list, karute patient records"),
        Missing::Ask => Some("karute patient requests shows who asks; an answered or old request is no longer there"),
        Missing::Device => Some("karute patient device list shows the devices"),
        Missing::Identity => Some("run this on the device that made or recovered the vault"),
        Missing::VaultLink => Some("give the vault's link with --vault"),
        Missing::Vault | Missing::Key | Missing::Receipt => None,
    }
}

fn fault_kind(fault: HostFault) -> (FailureKind, Option<&'static str>) {
    match fault {
        HostFault::Malformed | HostFault::Changed => (FailureKind::Internal, None),
        HostFault::Busy => (FailureKind::Busy, Some("try again later")),
        HostFault::Conflict => (FailureKind::Busy, Some("run the command again")),
        HostFault::Storage => (FailureKind::Storage, Some("the node's operator must look at its disk")),
        HostFault::Limit => (FailureKind::InvalidInput, None),
        HostFault::NotInForce => (FailureKind::Busy, Some("run the command again")),
        HostFault::Registration => (FailureKind::Refused, Some("ask the node's operator for a registration code")),
    }
}
