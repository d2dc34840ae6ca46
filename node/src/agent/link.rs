//! Vault links and join texts: what one agent hands another by QR code, paper or message. They carry no right.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::{PartyKey, VaultId};
use karute_consent::sealing::SealingKey;
use karute_protocol::archive;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::agent::error::Obstacle;

/// A vault and where its home host is: `karute:vault:…`. At least one address, at most four.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VaultLink(archive::VaultLink);

impl VaultLink {
    /// A link to a vault at these addresses.
    pub fn new(vault: VaultId, addresses: Vec<String>) -> Self {
        Self(archive::VaultLink { vault, addresses })
    }

    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.0.vault
    }

    /// Addresses of its home host.
    pub fn addresses(&self) -> &[String] {
        &self.0.addresses
    }
}

/// What a new device shows the old one: its keys, `karute:join:…`.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct JoinText {
    /// The device's signing key.
    #[serde(index = 1)]
    pub key: PartyKey,
    /// What to seal to for this device.
    #[serde(index = 2)]
    pub sealing_key: SealingKey,
}

/// Writes a value behind a prefix as unpadded base64url.
fn to_text<T: Serialize>(prefix: &str, value: &T) -> Result<String, Obstacle> {
    let bytes = to_bytes(value).map_err(|_| Obstacle::Text)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Reads the bytes behind a prefix; white space at both ends is forgiven.
fn text_to_bytes(prefix: &str, text: &str) -> Result<Vec<u8>, Obstacle> {
    let coded = text.trim().strip_prefix(prefix).filter(|coded| coded.len() <= TEXT_CHARS_MAX);
    URL_SAFE_NO_PAD.decode(coded.ok_or(Obstacle::Text)?).map_err(|_| Obstacle::Text)
}

/// Reads a value behind a prefix.
fn from_text<T: Serialize + DeserializeOwned>(prefix: &str, text: &str) -> Result<T, Obstacle> {
    let bytes = text_to_bytes(prefix, text)?;
    from_bytes(&bytes, bytes.len()).map_err(|_| Obstacle::Text)
}

impl fmt::Display for VaultLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text().map_err(|_| fmt::Error)?)
    }
}

impl FromStr for VaultLink {
    type Err = Obstacle;

    fn from_str(text: &str) -> Result<Self, Obstacle> {
        let link = archive::VaultLink::from_text(text).map_err(|_| Obstacle::Text)?;
        if link.addresses.is_empty() { Err(Obstacle::Text) } else { Ok(Self(link)) }
    }
}

impl fmt::Display for JoinText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_text(JOIN_PREFIX, self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for JoinText {
    type Err = Obstacle;

    fn from_str(text: &str) -> Result<Self, Obstacle> {
        from_text(JOIN_PREFIX, text)
    }
}

const JOIN_PREFIX: &str = "karute:join:";
/// Longest coded text taken, in characters: a statement of the largest size fits.
const TEXT_CHARS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_and_a_cut_one_does_not() {
        let link = VaultLink::new(VaultId::from_bytes([7; 32]), vec!["/ip4/192.0.2.1/tcp/7400/p2p/x".into()]);
        let text = link.to_string();
        assert!(text.starts_with("karute:vault:"));
        assert_eq!(format!(" {text}\n").parse(), Ok(link));
        assert_eq!(text[..text.len() - 2].parse::<VaultLink>(), Err(Obstacle::Text));
        assert_eq!(text.replace("vault", "ask").parse::<VaultLink>(), Err(Obstacle::Text));
        assert!(VaultLink::new(VaultId::from_bytes([7; 32]), vec![]).to_string().parse::<VaultLink>().is_err());
    }
}
