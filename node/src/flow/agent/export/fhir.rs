//! The few FHIR R4 data types that the exports are made of, each with the elements that are used and no others.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use karute_consent::id::{NodeId, PartyKey, VaultId};
use karute_consent::time::Timestamp;
use karute_consent::tree::digest_of;
use serde::Serialize;

/// A set of resources that belong together.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle<R> {
    resource_type: &'static str,
    r#type: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry: Vec<BundleEntry<R>>,
}

/// One resource of a [`Bundle`], under its name.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BundleEntry<R> {
    full_url: String,
    resource: R,
}

impl<R> Bundle<R> {
    /// Resources with their ids, which are UUIDs.
    pub(super) fn collection(made: Timestamp, resources: impl Iterator<Item = (String, R)>) -> Self {
        let entry = resources.map(|(id, resource)| BundleEntry { full_url: format!("{UUID_URN}{id}"), resource });
        Self { resource_type: "Bundle", r#type: "collection", timestamp: instant(made), entry: entry.collect() }
    }

    /// The resources.
    pub fn resources(&self) -> impl Iterator<Item = &R> {
        self.entry.iter().map(|entry| &entry.resource)
    }
}

/// A code of a code system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Coding {
    pub(super) system: &'static str,
    pub(super) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<&'static str>,
}

impl Coding {
    /// A code with the words of its code system.
    pub(super) const fn new(system: &'static str, code: &'static str, display: &'static str) -> Self {
        Self { system, code, display: Some(display) }
    }

    /// A code that speaks for itself.
    pub(super) const fn bare(system: &'static str, code: &'static str) -> Self {
        Self { system, code, display: None }
    }
}

/// Something by its codes, or in words where no code is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Concept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) coding: Vec<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

impl From<Coding> for Concept {
    fn from(coding: Coding) -> Self {
        Self { coding: vec![coding], text: None }
    }
}

/// A name of something in a name space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Identifier {
    pub(super) system: &'static str,
    pub(super) value: String,
}

impl Identifier {
    pub(super) fn new(system: &'static str, value: impl ToString) -> Self {
        Self { system, value: value.to_string() }
    }

    /// A name that is a URI.
    pub(super) fn uri(value: impl ToString) -> Self {
        Self::new(URI, value)
    }

    /// Bytes by their SHA-256, as a name after RFC 6920.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self::uri(sha256_uri(digest_of(&[bytes]).as_bytes()))
    }
}

/// A resource that is meant: by its name, or by its place in the same Bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Reference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<String>,
}

impl Reference {
    /// A resource of this type with this name.
    pub(super) fn logical(of: &'static str, identifier: Identifier) -> Self {
        Self { of: Some(of), identifier: Some(identifier), ..Self::default() }
    }

    /// The subject of a vault: a pseudonym, since the vault's id names nobody.
    pub(super) fn patient(vault: VaultId) -> Self {
        Self::logical("Patient", Identifier::new(VAULT_SYSTEM, vault))
    }

    /// A node.
    pub(super) fn node(of: &'static str, node: NodeId) -> Self {
        Self::logical(of, Identifier::new(NODE_SYSTEM, node))
    }

    /// A party, with the name on its card.
    pub(super) fn party(of: &'static str, key: PartyKey, name: Option<&str>) -> Self {
        Self { display: name.map(str::to_owned), ..Self::logical(of, Identifier::uri(key)) }
    }

    /// A grant: as an entry of the Bundle of grants, and by its id for who has only this Bundle.
    pub(super) fn grant(grant: karute_consent::id::StatementId) -> Self {
        Self::logical("Consent", Identifier::new(GRANT_SYSTEM, grant))
    }

    /// The same, as an entry of this Bundle.
    pub(super) fn in_bundle(self, id: &str) -> Self {
        Self { reference: Some(format!("{UUID_URN}{id}")), ..self }
    }
}

/// From and until, both in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Period {
    pub(super) start: String,
    pub(super) end: String,
}

/// What is said of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_updated: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) profile: Vec<&'static str>,
}

/// A moment: `2026-11-22T14:03:00Z`.
pub(super) fn instant(moment: Timestamp) -> String {
    let month = moment.month();
    let of_month = moment.secs() - month.start().secs();
    let (day, secs) = (of_month / DAY_SECS + 1, of_month % DAY_SECS);
    format!("{month}-{day:02}T{:02}:{:02}:{:02}Z", secs / 3600, secs % 3600 / 60, secs % 60)
}

/// Bytes as FHIR writes them.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A SHA-256 as a URI (RFC 6920).
pub(super) fn sha256_uri(digest: &[u8; 32]) -> String {
    format!("ni:///sha-256;{}", URL_SAFE_NO_PAD.encode(digest))
}

/// A UUID (RFC 9562, version 8) that the same thing always has.
pub(super) fn uuid_of(kind: &str, id: &[&[u8]]) -> String {
    let mut parts: Vec<&[u8]> = vec![UUID_CONTEXT, kind.as_bytes(), &[0]];
    parts.extend(id);
    let digest = digest_of(&parts);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Name spaces of ids.
pub(super) const URI: &str = "urn:ietf:rfc:3986";
pub(super) const VAULT_SYSTEM: &str = "urn:karute:vault";
pub(super) const NODE_SYSTEM: &str = "urn:karute:node";
pub(super) const GRANT_SYSTEM: &str = "urn:karute:grant";
pub(super) const RECORD_SYSTEM: &str = "urn:karute:record";
pub(super) const REQUEST_SYSTEM: &str = "urn:karute:request";
pub(super) const STATEMENT_SYSTEM: &str = "urn:karute:statement";
pub(super) const EVENT_SYSTEM: &str = "urn:karute:event";

const UUID_URN: &str = "urn:uuid:";
const UUID_CONTEXT: &[u8] = b"karute-v1/export/";
const DAY_SECS: u64 = 86_400;
