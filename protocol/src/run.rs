//! Runs: what one deposit session to one epoch key shares, and re-wraps, which file a run anew (SPEC section 6).
//!
//! A depositor draws a run secret and seals it to the epoch key; from then on nobody but who holds that epoch's node can
//! open the run's records, the depositor excepted. A re-wrap seals the same secret to another key: that one mechanism
//! files the inbox, moves records out of a leaked generation and re-files mistakes. Losing a run secret loses the
//! records of one session.

use hmac::{Hmac, KeyInit, Mac};
use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::{CollectionId, Digest, Generation, PartyKey, RecordId, RunId, StatementId, VaultId};
use karute_consent::request::Head;
use karute_consent::sealing::SealingKey;
use karute_consent::statement::{Malformed, Statement, Verified};
use karute_consent::time::{Month, Timestamp};
use serde::Serialize;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::hpke::{Entropy, SealError, Sealed, seal};
#[cfg(feature = "open")]
use crate::hpke::{OpenError, SealingSecret, open};
use crate::label::{SECRET_LEN, expand, seal_info};
use crate::record::keys::{RecordKey, RecordKeys};

/// What the records of a run are sealed under: 32 random bytes.
pub struct RunSecret(Zeroizing<[u8; SECRET_LEN]>);

impl RunSecret {
    /// Takes over 32 random bytes.
    pub fn new(bytes: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for a keystore that lets a deposit be resumed.
    pub fn bytes(&self) -> &Zeroizing<[u8; SECRET_LEN]> {
        &self.0
    }

    /// The keys of one record: of its meta and of its body.
    pub fn record_keys(&self, of: &RecordPlace) -> RecordKeys {
        let context: [&[u8]; 5] =
            [&[RECORD_SUITE], of.vault.as_bytes(), of.run.as_bytes(), of.depositor.as_bytes(), of.record.as_bytes()];
        RecordKeys {
            meta: RecordKey::new(expand(&self.0, "record-meta", &context)),
            body: Some(RecordKey::new(expand(&self.0, "record-body", &context))),
        }
    }
}

/// What the keys of a record are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The vault.
    pub vault: VaultId,
    /// The run.
    pub run: RunId,
    /// Who deposits.
    pub depositor: PartyKey,
    /// The record.
    pub record: RecordId,
}

/// A depositor's own secret for naming records, so that a retry names the same record and nobody else can tell.
pub struct RecordSecret(Zeroizing<[u8; SECRET_LEN]>);

impl RecordSecret {
    /// Takes over 32 random bytes, kept for as long as the depositor deposits.
    pub fn new(bytes: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self(bytes)
    }

    /// The id of a file in a vault; `file` is the SHA-256 of its bytes.
    pub fn record_id(&self, vault: VaultId, file: &Digest) -> RecordId {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("HMAC takes a key of any length");
        mac.update(vault.as_bytes());
        mac.update(file.as_bytes());
        let mut id = [0; RecordId::LEN];
        id.copy_from_slice(&mac.finalize().into_bytes()[..RecordId::LEN]);
        RecordId::from_bytes(id)
    }
}

/// Everything of a run but its seal: the context that the seal is bound to.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RunFacts {
    /// Drawn at random by the depositor.
    #[serde(index = 1)]
    pub run: RunId,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// Where its records are filed; [`CollectionId::INBOX`] for the inbox.
    #[serde(index = 3)]
    pub collection: CollectionId,
    /// Generation of the collection; of the inbox the root number.
    #[serde(index = 4)]
    pub generation: Generation,
    /// Month of the epoch key.
    #[serde(index = 5)]
    pub epoch: Month,
    /// Who deposits, and signs.
    #[serde(index = 6)]
    pub depositor: PartyKey,
    /// The deposit grant; absent only when a device deposits.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub grant: Option<StatementId>,
    /// The ledger head that the epoch key was taken from.
    #[serde(index = 8)]
    pub head: Head,
}

impl RunFacts {
    /// Seals the run secret to the epoch key (or the inbox key); what comes out is to be signed by the depositor.
    pub fn seal(self, secret: &RunSecret, to: &SealingKey, entropy: Entropy) -> Result<Run, RunError> {
        let info = context_of("run", &self)?;
        let seal = seal(to, &info, &secret.0[..], entropy).map_err(RunError::Seal)?;
        Ok(Run::join(self, seal))
    }
}

/// A run, signed by its depositor: the run secret, sealed to one epoch key or to the inbox.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Run {
    /// Drawn at random by the depositor.
    #[serde(index = 1)]
    pub run: RunId,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// Where its records are filed; [`CollectionId::INBOX`] for the inbox.
    #[serde(index = 3)]
    pub collection: CollectionId,
    /// Generation of the collection; of the inbox the root number.
    #[serde(index = 4)]
    pub generation: Generation,
    /// Month of the epoch key.
    #[serde(index = 5)]
    pub epoch: Month,
    /// Who deposits, and signs.
    #[serde(index = 6)]
    pub depositor: PartyKey,
    /// The deposit grant; absent only when a device deposits.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub grant: Option<StatementId>,
    /// The ledger head that the epoch key was taken from.
    #[serde(index = 8)]
    pub head: Head,
    /// The run secret.
    #[serde(index = 9)]
    pub seal: Sealed,
}

impl Statement for Run {
    const TYPE: &'static str = "run";

    fn check(&self, signer: PartyKey) -> Result<(), Malformed> {
        if self.depositor == signer { Ok(()) } else { Err(Malformed::Signer) } // P-12
    }
}

impl Run {
    fn join(facts: RunFacts, seal: Sealed) -> Self {
        let RunFacts { run, vault, collection, generation, epoch, depositor, grant, head } = facts;
        Self { run, vault, collection, generation, epoch, depositor, grant, head, seal }
    }

    /// Everything but the seal.
    pub fn facts(&self) -> RunFacts {
        let Self { run, vault, collection, generation, epoch, depositor, grant, head, seal: _ } = self.clone();
        RunFacts { run, vault, collection, generation, epoch, depositor, grant, head }
    }

    /// Refuses a run without a grant, unless a device in force deposits (P-12).
    pub fn check_grant(&self, depositor: Depositor) -> Result<(), RunError> {
        match (depositor, self.grant) {
            (Depositor::Other, None) => Err(RunError::NoGrant), // P-12
            _ => Ok(()),
        }
    }

    /// Refuses a run whose month is neither the host's nor one within 24 hours of the host's time (P-13).
    pub fn check_epoch(&self, now: Timestamp) -> Result<(), RunError> {
        let near = now.minus_secs(EPOCH_GRACE_SECS).month()..=now.plus_secs(EPOCH_GRACE_SECS).month();
        if near.contains(&self.epoch) { Ok(()) } else { Err(RunError::OtherMonth) } // P-13
    }

    /// The run secret, for who holds the epoch's private key.
    #[cfg(feature = "open")]
    pub fn open(&self, epoch: &SealingSecret) -> Result<RunSecret, RunError> {
        open_secret(epoch, &context_of("run", &self.facts())?, &self.seal)
    }
}

/// Who deposits, as far as it matters for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depositor {
    /// A device in force of the vault.
    Device,
    /// Any other party.
    Other,
}

/// Everything of a re-wrap but its seal.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ReWrapFacts {
    /// The run.
    #[serde(index = 1)]
    pub run: RunId,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// Where its records are filed from here on.
    #[serde(index = 3)]
    pub collection: CollectionId,
    /// Generation of that collection.
    #[serde(index = 4)]
    pub generation: Generation,
    /// Month of the epoch key.
    #[serde(index = 5)]
    pub epoch: Month,
    /// Who deposited.
    #[serde(index = 6)]
    pub depositor: PartyKey,
    /// The run or re-wrap that was in force.
    #[serde(index = 7)]
    pub replaces: StatementId,
}

impl ReWrapFacts {
    /// Seals the secret of the run to another epoch key; what comes out is to be signed by a device.
    pub fn seal(self, secret: &RunSecret, to: &SealingKey, entropy: Entropy) -> Result<ReWrap, RunError> {
        let info = context_of("re-wrap", &self)?;
        let seal = seal(to, &info, &secret.0[..], entropy).map_err(RunError::Seal)?;
        let Self { run, vault, collection, generation, epoch, depositor, replaces } = self;
        Ok(ReWrap { run, vault, collection, generation, epoch, depositor, replaces, seal })
    }
}

/// The same run, sealed to another epoch key; signed by a device.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ReWrap {
    /// The run.
    #[serde(index = 1)]
    pub run: RunId,
    /// The vault.
    #[serde(index = 2)]
    pub vault: VaultId,
    /// Where its records are filed from here on.
    #[serde(index = 3)]
    pub collection: CollectionId,
    /// Generation of that collection.
    #[serde(index = 4)]
    pub generation: Generation,
    /// Month of the epoch key.
    #[serde(index = 5)]
    pub epoch: Month,
    /// Who deposited.
    #[serde(index = 6)]
    pub depositor: PartyKey,
    /// The run or re-wrap that was in force.
    #[serde(index = 7)]
    pub replaces: StatementId,
    /// The run secret.
    #[serde(index = 8)]
    pub seal: Sealed,
}

impl Statement for ReWrap {
    const TYPE: &'static str = "re-wrap";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        if self.collection == CollectionId::INBOX { Err(Malformed::Inbox) } else { Ok(()) }
    }
}

impl ReWrap {
    /// Everything but the seal.
    pub fn facts(&self) -> ReWrapFacts {
        let Self { run, vault, collection, generation, epoch, depositor, replaces, seal: _ } = self.clone();
        ReWrapFacts { run, vault, collection, generation, epoch, depositor, replaces }
    }

    /// Refuses a re-wrap that is not of this run and its month, or does not name what is in force for it (P-14).
    pub fn check_replaces(&self, run: &Verified<Run>, in_force: StatementId) -> Result<(), RunError> {
        let of = run.payload();
        if (self.run, self.vault, self.depositor) != (of.run, of.vault, of.depositor) {
            return Err(RunError::OtherRun); // P-14
        }
        if self.epoch != of.epoch {
            return Err(RunError::OtherMonth); // P-14: the month of deposit stays what it was
        }
        if self.replaces == in_force { Ok(()) } else { Err(RunError::NotInForce) } // P-14
    }

    /// The run secret, for who holds the epoch's private key.
    #[cfg(feature = "open")]
    pub fn open(&self, epoch: &SealingSecret) -> Result<RunSecret, RunError> {
        open_secret(epoch, &context_of("re-wrap", &self.facts())?, &self.seal)
    }
}

fn context_of<F: Serialize>(label: &str, facts: &F) -> Result<Vec<u8>, RunError> {
    Ok(seal_info(label, &[&to_bytes(facts).map_err(RunError::Encoding)?]))
}

#[cfg(feature = "open")]
fn open_secret(epoch: &SealingSecret, info: &[u8], seal: &Sealed) -> Result<RunSecret, RunError> {
    let secret = open(epoch, info, seal).map_err(RunError::Open)?;
    let bytes: [u8; SECRET_LEN] = secret[..].try_into().map_err(|_| RunError::NotASecret)?;
    Ok(RunSecret(Zeroizing::new(bytes)))
}

/// Why a run or re-wrap is refused, not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The facts cannot be encoded.
    #[error("run cannot be encoded")]
    Encoding(#[source] EncodingError),
    /// The secret was not sealed.
    #[error("run secret not sealed")]
    Seal(#[source] SealError),
    /// The seal does not open: another key, or other facts than it was sealed under.
    #[cfg(feature = "open")]
    #[error("run secret does not open")]
    Open(#[source] OpenError),
    /// What was sealed is not 32 bytes.
    #[error("what was sealed is no run secret")]
    NotASecret,
    /// No grant, and the depositor is no device (P-12).
    #[error("run names no grant and its depositor is no device")]
    NoGrant,
    /// The month of a run is not near the host's (P-13), or that of a re-wrap is not the run's (P-14).
    #[error("epoch is not the one that it has to be")]
    OtherMonth,
    /// A re-wrap of another run, vault or depositor (P-14).
    #[error("re-wrap is of another run")]
    OtherRun,
    /// A re-wrap that does not name what is in force (P-14).
    #[error("re-wrap does not name what is in force")]
    NotInForce,
}

/// The number of the record suite, which record keys are bound to.
const RECORD_SUITE: u8 = 1;
/// How long before and after a month its key may still or already be used: 24 hours.
const EPOCH_GRACE_SECS: u64 = 86_400;

#[cfg(test)]
mod tests;
