//! The two keys of a record: one for its meta, one for its body.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{BODY_CONTEXT, Header};
use crate::body::{BodyKey, BodySealer, Commitment, Salt};
use crate::label::{SECRET_LEN, expand};

/// The key of a meta or of a body. Who holds it opens that one thing and nothing else.
pub struct RecordKey(Zeroizing<[u8; SECRET_LEN]>);

impl RecordKey {
    /// Takes over derived bytes.
    pub fn new(bytes: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for a package, a proof file or a keystore.
    pub fn bytes(&self) -> &Zeroizing<[u8; SECRET_LEN]> {
        &self.0
    }

    /// The same key once more, where two deeds need one each.
    pub fn copy(&self) -> RecordKey {
        Self(self.0.clone())
    }

    /// As the key of one sealed body.
    pub(crate) fn body_key(&self) -> BodyKey {
        BodyKey::new(self.0.clone())
    }

    /// The salt of the body that this key seals; there is only one.
    pub(crate) fn body_salt(&self) -> Salt {
        Salt(*expand(&self.0, "body-salt", &[]))
    }

    /// What ties a body to this key; it stands in the header.
    pub fn body_commitment(&self) -> Commitment {
        BodySealer::new(&self.body_key(), self.body_salt(), BODY_CONTEXT).commitment()
    }

    /// Whether this is the body key of a header's record (P-09).
    pub fn opens_body_of(&self, header: &Header) -> bool {
        self.body_commitment().0.ct_eq(header.commitment.as_bytes()).into()
    }
}

/// The keys of one record; without the body key only the meta opens.
pub struct RecordKeys {
    /// Opens the meta.
    pub meta: RecordKey,
    /// Opens the body.
    pub body: Option<RecordKey>,
}
