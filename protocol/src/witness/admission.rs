//! How a witness learns which node signs the ledger of a vault: it is shown the charter and every authority.

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{AuthorityNumber, NodeId, StatementId, VaultId};
use karute_consent::statement::{StatementError, Unverified, Verified};
use karute_consent::vault::{Authority, Charter, SuccessionError};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::limits;
use crate::wire::Octets;

/// What a vault is admitted by: `{1: charter, 2: authorities}`, statements, all authorities from number 0 on.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Admission {
    /// The charter, whose id is the vault's.
    #[serde(index = 1)]
    pub charter: Octets,
    /// The authorities, in their order.
    #[serde(index = 2)]
    pub authorities: Vec<Octets>,
}

/// A vault whose authorities were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The vault.
    pub vault: VaultId,
    /// The node that orders its ledger and signs for it.
    pub home: NodeId,
    /// The ids of all its authorities, by number; never empty.
    pub authorities: Vec<StatementId>,
}

impl Admission {
    /// Reads the body of a request to admit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AdmissionError> {
        let admission: Self = from_bytes(bytes, limits::ADMISSION_LEN_MAX).map_err(AdmissionError::Malformed)?;
        admission.check_count()?;
        Ok(admission)
    }

    /// The body as it travels.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AdmissionError> {
        self.check_count()?;
        to_bytes(self).map_err(AdmissionError::Malformed)
    }

    /// Checks that every authority follows from what was in force before it (C-15 to C-20).
    pub fn verify(&self) -> Result<Admitted, AdmissionError> {
        let charter = Unverified::<Charter>::from_bytes(self.charter.to_vec());
        let charter = charter.verify().map_err(AdmissionError::Statement)?;
        let vault = charter.vault();
        let mut ids = Vec::with_capacity(self.authorities.len());
        let mut before: Option<Verified<Authority>> = None;
        for bytes in &self.authorities {
            let authority = Unverified::<Authority>::from_bytes(bytes.to_vec());
            let authority = authority.verify().map_err(AdmissionError::Statement)?;
            if authority.payload().vault != vault {
                return Err(AdmissionError::OtherVault);
            }
            let (next, signer) = (authority.payload(), authority.signer());
            let follows = match &before {
                None => next.follows_charter(signer, charter.payload()),
                Some(before) => next.follows(signer, before.payload()),
            };
            follows.map_err(AdmissionError::Succession)?;
            ids.push(authority.id());
            before = Some(authority);
        }
        let home = before.as_ref().and_then(|last| last.payload().home()).map(|host| host.node);
        Ok(Admitted { vault, home: home.ok_or(AdmissionError::Count)?, authorities: ids })
    }

    fn check_count(&self) -> Result<(), AdmissionError> {
        let counted = (1..=limits::ADMISSION_AUTHORITIES_MAX).contains(&self.authorities.len());
        if counted { Ok(()) } else { Err(AdmissionError::Count) }
    }
}

impl Admitted {
    /// The number of the newest authority.
    pub fn number(&self) -> AuthorityNumber {
        // Authorities count from 0 without gap: `verify` refuses others, and more than a few hundred of them.
        AuthorityNumber((self.authorities.len() - 1) as u32)
    }

    /// The id of the newest authority.
    pub fn newest(&self) -> StatementId {
        self.authorities[self.authorities.len() - 1]
    }

    /// Whether this is another history than one whose authority `number` was `id`.
    pub fn contradicts(&self, number: AuthorityNumber, id: StatementId) -> bool {
        self.authorities.get(number.0 as usize).is_some_and(|own| *own != id)
    }
}

/// Why a vault is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Not an admission in its one spelling, or above its cap.
    #[error("not an admission")]
    Malformed(#[source] EncodingError),
    /// No authority, or too many.
    #[error("no authority, or too many")]
    Count,
    /// Charter or authority does not verify.
    #[error("charter or authority refused")]
    Statement(#[source] StatementError),
    /// An authority is of another vault.
    #[error("an authority is of another vault")]
    OtherVault,
    /// An authority does not follow from what was in force (C-17 to C-20).
    #[error("an authority does not follow from what was in force")]
    Succession(#[source] SuccessionError),
}

impl AdmissionError {
    /// The HTTP status code of the refusal.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Count => 400,
            Self::Statement(_) | Self::OtherVault | Self::Succession(_) => 403,
        }
    }
}

#[cfg(test)]
mod tests;
