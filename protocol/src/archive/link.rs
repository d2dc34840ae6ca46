//! Links as text, for a screen or a QR code: a vault, or an ask.

use data_encoding::BASE64URL_NOPAD;
use karute_consent::ask::Ask;
use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::VaultId;
use karute_consent::limits::ASK_BYTES_MAX;
use karute_consent::statement::{Malformed, Unverified, Verified};
use karute_consent::text::check_addresses;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::limits::VAULT_LINK_LEN_MAX;

/// Where a vault is: its id and addresses of its hosts. It is no right; who has it can ask.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct VaultLink {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Up to 4 addresses of its hosts.
    #[serde(index = 2)]
    pub addresses: Vec<String>,
}

impl VaultLink {
    /// `karute:vault:` and base64url.
    pub fn to_text(&self) -> Result<String, LinkError> {
        check_addresses(&self.addresses).map_err(LinkError::Address)?;
        let bytes = to_bytes(self).map_err(LinkError::Encoding)?;
        Ok(format!("{VAULT_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)))
    }

    /// Reads a link; white space around it does not matter.
    pub fn from_text(text: &str) -> Result<Self, LinkError> {
        let link: Self = from_bytes(&decode(text, VAULT_PREFIX, VAULT_LINK_LEN_MAX)?, VAULT_LINK_LEN_MAX)
            .map_err(LinkError::Encoding)?;
        check_addresses(&link.addresses).map_err(LinkError::Address)?;
        Ok(link)
    }
}

/// An ask as text: `karute:ask:` and base64url of the signed statement.
pub fn ask_to_text(ask: &Verified<Ask>) -> String {
    format!("{ASK_PREFIX}{}", BASE64URL_NOPAD.encode(ask.bytes()))
}

/// Reads an ask; it is still to be verified.
pub fn ask_from_text(text: &str) -> Result<Unverified<Ask>, LinkError> {
    decode(text, ASK_PREFIX, ASK_BYTES_MAX).map(Unverified::from_bytes)
}

fn decode(text: &str, prefix: &str, max: usize) -> Result<Vec<u8>, LinkError> {
    let coded = text.trim().strip_prefix(prefix).ok_or(LinkError::OtherKind)?;
    if coded.len() > max.div_ceil(3) * 4 {
        return Err(LinkError::TooLong);
    }
    BASE64URL_NOPAD.decode(coded.as_bytes()).map_err(|_| LinkError::NotBase64)
}

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It does not begin as links of this kind do.
    #[error("not a link of this kind")]
    OtherKind,
    /// Longer than any link of this kind.
    #[error("link is too long")]
    TooLong,
    /// Not base64url without padding.
    #[error("link is not base64url")]
    NotBase64,
    /// Not the one spelling of what it links to.
    #[error("link is not in its one spelling")]
    Encoding(#[source] EncodingError),
    /// Too many addresses, or one that is empty, too long or has control characters.
    #[error("an address of the link is refused")]
    Address(#[source] Malformed),
}

const VAULT_PREFIX: &str = "karute:vault:";
const ASK_PREFIX: &str = "karute:ask:";

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> VaultLink {
        let addresses = vec!["/ip4/192.0.2.1/tcp/4001".to_string()];
        VaultLink { vault: VaultId::from_bytes([7; 32]), addresses }
    }

    #[test]
    fn a_link_reads_back() {
        let text = link().to_text().unwrap();
        assert!(text.starts_with("karute:vault:ogFYIAcH"), "{text}"); // {1: h'0707…
        assert_eq!(VaultLink::from_text(&format!(" {text}\n")), Ok(link()));
    }

    #[test]
    fn what_is_no_link_is_refused() {
        let text = link().to_text().unwrap();
        assert_eq!(VaultLink::from_text(&text[1..]), Err(LinkError::OtherKind));
        assert_eq!(VaultLink::from_text(&format!("{text}=")), Err(LinkError::NotBase64));
        assert!(matches!(VaultLink::from_text(&text[..text.len() - 4]), Err(LinkError::Encoding(_))));
        let long = format!("karute:vault:{}", "A".repeat(4000));
        assert_eq!(VaultLink::from_text(&long), Err(LinkError::TooLong));
        let five = VaultLink { addresses: vec!["/a".into(); 5], ..link() };
        assert_eq!(five.to_text(), Err(LinkError::Address(Malformed::Count)));
        assert_eq!(ask_from_text(&text), Err(LinkError::OtherKind));
    }
}
