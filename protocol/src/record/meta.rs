//! The meta of a record: what it is, for who can open it.

use karute_consent::category::{Category, Sensitivity};
use karute_consent::encoding::{EncodingError, to_bytes};
use karute_consent::id::Digest;
use karute_consent::statement::Malformed;
use karute_consent::text::check_line;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use zeroize::Zeroizing;

use super::keys::RecordKey;
use super::{META_CONTEXT, SealedMeta};
use crate::body::{BodyError, Salt, seal_whole};
use crate::limits::{LABELS_MAX, META_SEALED_LEN_MAX};
use crate::padding::{PaddingError, pad};
use crate::wire::{ByteCount, Octets};

/// What a record is. Not printable: titles and authors are health data.
#[derive(Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Meta {
    /// 1 to 256 bytes.
    #[serde(index = 1)]
    pub title: String,
    /// The category.
    #[serde(index = 2)]
    pub category: Category,
    /// The sensitivity.
    #[serde(index = 3)]
    pub sensitivity: Sensitivity,
    /// Media type of the file, 1 to 256 bytes.
    #[serde(index = 4)]
    pub media_type: String,
    /// `YYYY-MM-DD`.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub service_date: Option<String>,
    /// Who wrote it, 1 to 256 bytes.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Up to 16 labels of 1 to 64 bytes, ascending.
    #[serde(index = 7)]
    pub labels: Vec<String>,
    /// Bytes of the file.
    #[serde(index = 8)]
    pub length: ByteCount,
    /// SHA-256 of the file.
    #[serde(index = 9)]
    pub digest: Digest,
    /// 1 to 255 bytes, a name and no path.
    #[serde(index = 10, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
}

impl Meta {
    /// Checks texts, date, labels and file name.
    pub fn check(&self) -> Result<(), MetaError> {
        let line = |text: &str, max| check_line(text, max).map_err(MetaError::Text);
        line(&self.title, TEXT_LEN_MAX)?;
        line(&self.media_type, TEXT_LEN_MAX)?;
        self.author.as_deref().map_or(Ok(()), |author| line(author, TEXT_LEN_MAX))?;
        self.labels.iter().try_for_each(|label| line(label, LABEL_LEN_MAX))?;
        if self.labels.len() > LABELS_MAX || !self.labels.is_sorted_by(|one, next| one < next) {
            return Err(MetaError::Labels);
        }
        if self.service_date.as_deref().is_some_and(|date| !is_date(date)) {
            return Err(MetaError::ServiceDate);
        }
        self.file_name.as_deref().map_or(Ok(()), check_file_name)
    }

    /// Seals the meta: length, encoding and padding under the meta key. `salt` is random.
    pub fn seal(&self, key: &RecordKey, salt: Salt) -> Result<SealedMeta, MetaError> {
        self.check()?;
        let encoding = Zeroizing::new(to_bytes(self).map_err(MetaError::Encoding)?);
        let length = u32::try_from(encoding.len()).map_err(|_| MetaError::TooLong)?;
        let plain = Zeroizing::new(pad([&length.to_be_bytes()[..], &encoding].concat()));
        let sealed = seal_whole(&key.body_key(), salt, META_CONTEXT, &plain).map_err(MetaError::Body)?;
        if sealed.len() > META_SEALED_LEN_MAX {
            return Err(MetaError::TooLong); // P-17
        }
        Ok(SealedMeta(Octets(sealed)))
    }
}

#[cfg(feature = "open")]
impl SealedMeta {
    /// Opens the meta (P-17). That the hash is the header's is checked by [`Header::check_meta`](super::Header::check_meta).
    pub fn open(&self, key: &RecordKey) -> Result<Meta, MetaError> {
        use crate::body::open_whole;
        use crate::padding::unpad;
        use karute_consent::encoding::from_bytes;

        if self.as_bytes().len() > META_SEALED_LEN_MAX {
            return Err(MetaError::TooLong); // P-17
        }
        let plain = open_whole(&key.body_key(), META_CONTEXT, self.as_bytes()).map(Zeroizing::new);
        let plain = plain.map_err(MetaError::Body)?;
        let (length, _) = plain.split_first_chunk::<LENGTH_LEN>().ok_or(MetaError::Length)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > plain.len() - LENGTH_LEN {
            return Err(MetaError::Length); // P-17
        }
        let unpadded = unpad(&plain, (LENGTH_LEN + length) as u64).map_err(MetaError::Padding)?; // P-17
        let meta: Meta = from_bytes(&unpadded[LENGTH_LEN..], META_SEALED_LEN_MAX).map_err(MetaError::Encoding)?; // P-17
        meta.check()?;
        Ok(meta)
    }
}

/// `YYYY-MM-DD`, a day that a calendar has.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if [4, 7].contains(&at) { *byte == b'-' } else { byte.is_ascii_digit() });
    if !shaped {
        return false;
    }
    let number =
        |from: usize, to: usize| bytes[from..to].iter().fold(0u32, |n, digit| n * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// A name that can be written into a folder without leaving it.
fn check_file_name(name: &str) -> Result<(), MetaError> {
    check_line(name, FILE_NAME_LEN_MAX).map_err(MetaError::Text)?;
    let path = name.contains(['/', '\\', '\0']) || name == "." || name == "..";
    if path { Err(MetaError::FileName) } else { Ok(()) }
}

/// Why a meta is refused, not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// A text is empty, too long, or has control characters.
    #[error("a text of the meta is refused")]
    Text(#[source] Malformed),
    /// Too many labels, or not ascending.
    #[error("labels are too many or not ascending")]
    Labels,
    /// Not a day written YYYY-MM-DD.
    #[error("service date is no day written YYYY-MM-DD")]
    ServiceDate,
    /// A path instead of a name.
    #[error("file name is a path")]
    FileName,
    /// Above the limit of a sealed meta (P-17).
    #[error("meta is above its limit")]
    TooLong,
    /// The length before the encoding does not fit (P-17).
    #[error("length of the meta does not fit")]
    Length,
    /// Padded by another number of bytes, or not with zeros (P-17).
    #[error("padding of the meta is wrong")]
    Padding(#[source] PaddingError),
    /// Not the one spelling of a meta (P-17).
    #[error("meta is not in its one spelling")]
    Encoding(#[source] EncodingError),
    /// Not sealed or not opened.
    #[error("meta not sealed or not opened")]
    Body(#[source] BodyError),
}

const TEXT_LEN_MAX: usize = 256;
const LABEL_LEN_MAX: usize = 64;
const FILE_NAME_LEN_MAX: usize = 255;
/// Bytes of the length before the encoding.
#[cfg(feature = "open")]
const LENGTH_LEN: usize = 4;
