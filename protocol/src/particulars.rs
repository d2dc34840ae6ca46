//! Sealed side letters: what holder and patient may read and the host may not (SPEC sections 5 and 9).
//!
//! The particulars of a grant are the words behind it: names, the consent text that was shown, obligations. They are
//! sealed twice, for the holder and for the patient. The acting person of a request and an ask in the mailbox are sealed
//! to the vault's audit key. A signed statement names the hash of each, so none can be exchanged.

mod letter;

use std::collections::BTreeSet;

use karute_consent::card::Card;
use karute_consent::category::{Category, Sensitivity};
use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::{CollectionId, Digest, PartyKey};
use karute_consent::limits::{COLLECTIONS_MAX, NAME_BYTES_MAX};
use karute_consent::sealing::SealingKey;
use karute_consent::statement::{Malformed, StatementError, Unverified, Verified};
use karute_consent::text::{check_line, check_prose};
use karute_consent::tree::digest_of;
use karute_consent::wire_enum;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use zeroize::Zeroizing;

use crate::hpke::{Entropy, SealError, Sealed, seal};
#[cfg(feature = "open")]
use crate::hpke::{OpenError, SealingSecret, open};
use crate::label::seal_info;
use crate::limits::{CONSENT_TEXT_LEN_MAX, LANGUAGE_LEN_MAX};
use crate::package::CoreDigest;

#[cfg(feature = "open")]
pub use letter::open_ask;
pub use letter::{ActingPerson, LetterError, check_letter, letter_hash, seal_ask};

/// What a grant is about, in words.
#[derive(Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Particulars {
    /// The holder's signed card.
    #[serde(index = 1)]
    pub holder_card: Unverified<Card>,
    /// The patient's name, 1 to 128 bytes.
    #[serde(index = 2)]
    pub patient_name: String,
    /// What the collections of the scope hold, ascending by collection.
    #[serde(index = 3)]
    pub collections: Vec<NamedCollection>,
    /// Number of the template; 0 for none.
    #[serde(index = 4)]
    pub template: u8,
    /// SHA-256 of the text.
    #[serde(index = 5)]
    pub text_hash: Digest,
    /// Language of the text, a BCP 47 tag.
    #[serde(index = 6)]
    pub language: String,
    /// What the holder promises.
    #[serde(index = 7)]
    pub obligations: BTreeSet<Obligation>,
    /// The consent text that was shown, at most 4096 bytes.
    #[serde(index = 8)]
    pub text: String,
}

/// What a collection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, SerializeIndexed, DeserializeIndexed)]
pub struct NamedCollection {
    /// The collection.
    #[serde(index = 1)]
    pub collection: CollectionId,
    /// Its category.
    #[serde(index = 2)]
    pub category: Category,
    /// Its sensitivity.
    #[serde(index = 3)]
    pub sensitivity: Sensitivity,
}

wire_enum! {
    /// What a holder promises; evidence, not enforcement.
    Obligation {
        /// Gives nothing on.
        NoOnwardGiving = 1 "no-onward-giving",
        /// Erases its copies when the grant ends.
        EraseAtEnd = 2 "erase-at-end",
        /// Tells the patient about each use.
        NotifyPatient = 3 "notify-patient",
    }
}

impl Particulars {
    /// Refuses texts above their limits, a hash that is not the text's, and a card that is not the holder's (P-11).
    pub fn check(&self, holder: PartyKey) -> Result<Verified<Card>, ParticularsError> {
        check_line(&self.patient_name, NAME_BYTES_MAX).map_err(ParticularsError::Text)?;
        check_prose(&self.text, CONSENT_TEXT_LEN_MAX).map_err(ParticularsError::Text)?;
        let tag = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(2..=LANGUAGE_LEN_MAX).contains(&self.language.len()) || !self.language.bytes().all(tag) {
            return Err(ParticularsError::Language);
        }
        let ascending = self.collections.is_sorted_by(|one, next| one.collection < next.collection);
        if !ascending || self.collections.len() > COLLECTIONS_MAX {
            return Err(ParticularsError::Collections);
        }
        if digest_of(&[self.text.as_bytes()]) != self.text_hash {
            return Err(ParticularsError::TextHash); // P-11
        }
        self.holder_card.clone().verify_by(holder).map_err(ParticularsError::Card) // P-11
    }

    /// Seals the particulars for the holder (the key of its card) and for the patient (the audit key in force).
    pub fn seal(
        &self,
        core: CoreDigest,
        holder: PartyKey,
        audit: &SealingKey,
        entropy: [Entropy; 2],
    ) -> Result<SealedParticulars, ParticularsError> {
        let card = self.check(holder)?;
        let plain = Zeroizing::new(to_bytes(self).map_err(ParticularsError::Encoding)?);
        let [for_holder, for_patient] = entropy;
        let sealed =
            |to, reader, entropy| seal(to, &info_of(core, reader), &plain, entropy).map_err(ParticularsError::Seal);
        Ok(SealedParticulars {
            holder: sealed(&card.payload().sealing_key, Reader::Holder, for_holder)?,
            patient: sealed(audit, Reader::Patient, for_patient)?,
        })
    }
}

/// For whom particulars are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The holder of the grant.
    Holder,
    /// The patient.
    Patient,
}

/// The sealed part of a grant: the same particulars twice. Its digest stands in the grant, its bytes are an attachment.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct SealedParticulars {
    /// For the holder.
    #[serde(index = 1)]
    pub holder: Sealed,
    /// For the patient.
    #[serde(index = 2)]
    pub patient: Sealed,
}

impl SealedParticulars {
    /// Reads an attachment.
    pub fn from_attachment(attachment: &[u8]) -> Result<Self, ParticularsError> {
        use karute_consent::{encoding::from_bytes, limits::ATTACHMENT_BYTES_MAX};
        from_bytes(attachment, ATTACHMENT_BYTES_MAX).map_err(ParticularsError::Encoding)
    }

    /// The sealed part as it goes with a grant.
    pub fn to_attachment(&self) -> Result<Vec<u8>, ParticularsError> {
        to_bytes(self).map_err(ParticularsError::Encoding)
    }

    /// What the grant names the sealed part by: `H` of its encoding.
    pub fn digest(&self) -> Result<Digest, ParticularsError> {
        Ok(digest_of(&[&self.to_attachment()?]))
    }

    /// The particulars, checked (P-11), with the holder's card.
    #[cfg(feature = "open")]
    pub fn open(
        &self,
        reader: Reader,
        secret: &SealingSecret,
        core: CoreDigest,
        holder: PartyKey,
    ) -> Result<(Particulars, Verified<Card>), ParticularsError> {
        use karute_consent::encoding::from_bytes;

        let sealed = match reader {
            Reader::Holder => &self.holder,
            Reader::Patient => &self.patient,
        };
        let plain = open(secret, &info_of(core, reader), sealed).map_err(ParticularsError::Open)?;
        let particulars: Particulars = from_bytes(&plain, plain.len()).map_err(ParticularsError::Encoding)?;
        let card = particulars.check(holder)?;
        Ok((particulars, card))
    }
}

fn info_of(core: CoreDigest, reader: Reader) -> Vec<u8> {
    let reader = match reader {
        Reader::Holder => 1,
        Reader::Patient => 2,
    };
    seal_info("particulars", &[core.0.as_bytes(), &[reader]])
}

/// Why particulars are refused, not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParticularsError {
    /// A text is empty, too long or has control characters.
    #[error("a text of the particulars is refused")]
    Text(#[source] Malformed),
    /// Not a language tag.
    #[error("language is no tag")]
    Language,
    /// Too many collections, or not ascending.
    #[error("collections are too many or not ascending")]
    Collections,
    /// The hash is not the text's (P-11).
    #[error("text hash is not the text's")]
    TextHash,
    /// The card is not signed by the holder (P-11).
    #[error("holder card refused")]
    Card(#[source] StatementError),
    /// Not the one spelling.
    #[error("particulars are not in their one spelling")]
    Encoding(#[source] EncodingError),
    /// Not sealed.
    #[error("particulars not sealed")]
    Seal(#[source] SealError),
    /// Sealed to another key or for another grant, or altered.
    #[cfg(feature = "open")]
    #[error("particulars do not open")]
    Open(#[source] OpenError),
}

#[cfg(test)]
mod tests;
