//! Letters to the vault's audit key: the acting person of a request, and an ask in the mailbox.

use karute_consent::ask::Ask;
use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::{AskId, Digest, RequestId, VaultId};
use karute_consent::sealing::SealingKey;
#[cfg(feature = "open")]
use karute_consent::statement::Unverified;
use karute_consent::statement::{Malformed, Verified};
use karute_consent::text::check_line;
use karute_consent::tree::digest_of;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use zeroize::Zeroizing;

use crate::hpke::{Entropy, SealError, Sealed, seal};
#[cfg(feature = "open")]
use crate::hpke::{OpenError, SealingSecret, open};
use crate::label::seal_info;

/// Who sits at the holder's desk, and why. Not printable.
#[derive(Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ActingPerson {
    /// The person's name, 1 to 256 bytes.
    #[serde(index = 1)]
    pub name: String,
    /// The person's role, 1 to 256 bytes.
    #[serde(index = 2)]
    pub role: String,
    /// Why, 1 to 256 bytes.
    #[serde(index = 3)]
    pub reason: String,
}

impl ActingPerson {
    fn check(&self) -> Result<(), LetterError> {
        let texts = [&self.name, &self.role, &self.reason];
        texts.into_iter().try_for_each(|text| check_line(text, TEXT_LEN_MAX)).map_err(LetterError::Text)
    }

    /// Seals the acting person of one request to the vault's audit key.
    pub fn seal(
        &self,
        audit: &SealingKey,
        vault: VaultId,
        request: RequestId,
        entropy: Entropy,
    ) -> Result<Sealed, LetterError> {
        self.check()?;
        let plain = Zeroizing::new(to_bytes(self).map_err(LetterError::Encoding)?);
        seal(audit, &acting_info(vault, request), &plain, entropy).map_err(LetterError::Seal)
    }

    /// Opens the acting person of one request.
    #[cfg(feature = "open")]
    pub fn open(
        sealed: &Sealed,
        audit: &SealingSecret,
        vault: VaultId,
        request: RequestId,
    ) -> Result<Self, LetterError> {
        use karute_consent::encoding::from_bytes;

        let plain = open(audit, &acting_info(vault, request), sealed).map_err(LetterError::Open)?;
        let person: Self = from_bytes(&plain, plain.len()).map_err(LetterError::Encoding)?;
        person.check()?;
        Ok(person)
    }
}

/// Seals an ask to the vault's audit key, for its mailbox.
pub fn seal_ask(
    ask: &Verified<Ask>,
    audit: &SealingKey,
    vault: VaultId,
    entropy: Entropy,
) -> Result<Sealed, LetterError> {
    seal(audit, &ask_info(vault, ask.payload().id), ask.bytes(), entropy).map_err(LetterError::Seal)
}

/// Opens an ask from the mailbox; `id` is the envelope's. Its signature is still to be verified.
#[cfg(feature = "open")]
pub fn open_ask(
    sealed: &Sealed,
    audit: &SealingSecret,
    vault: VaultId,
    id: AskId,
) -> Result<Unverified<Ask>, LetterError> {
    let plain = open(audit, &ask_info(vault, id), sealed).map_err(LetterError::Open)?;
    Ok(Unverified::from_bytes(plain.to_vec()))
}

/// What a request or an envelope names a letter by: `H` of the sealed value's encoding.
pub fn letter_hash(letter: &Sealed) -> Result<Digest, LetterError> {
    Ok(digest_of(&[&to_bytes(letter).map_err(LetterError::Encoding)?]))
}

/// Refuses a letter that is missing, surplus, or not the one that the statement names (P-27).
pub fn check_letter(named: Option<Digest>, letter: Option<&Sealed>) -> Result<(), LetterError> {
    let found = letter.map(letter_hash).transpose()?;
    if named == found { Ok(()) } else { Err(LetterError::OtherLetter) } // P-27
}

fn acting_info(vault: VaultId, request: RequestId) -> Vec<u8> {
    seal_info("acting", &[vault.as_bytes(), request.as_bytes()])
}

fn ask_info(vault: VaultId, ask: AskId) -> Vec<u8> {
    seal_info("ask", &[vault.as_bytes(), ask.as_bytes()])
}

/// Why a letter is refused, not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// A text is empty, too long or has control characters.
    #[error("a text of the letter is refused")]
    Text(#[source] Malformed),
    /// Not the one spelling.
    #[error("letter is not in its one spelling")]
    Encoding(#[source] EncodingError),
    /// Not sealed.
    #[error("letter not sealed")]
    Seal(#[source] SealError),
    /// Not the letter that the statement names (P-27).
    #[error("letter is not the one that the statement names")]
    OtherLetter,
    /// Sealed to another key, for another request or ask, or altered.
    #[cfg(feature = "open")]
    #[error("letter does not open")]
    Open(#[source] OpenError),
}

const TEXT_LEN_MAX: usize = 256;
