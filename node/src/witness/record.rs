//! What stands in a witness's store: a mark with the witness's key, then records.
//!
//! Record: length of the content u32 ‖ CRC32C u32 ‖ number u64 ‖ kind u8 ‖ content. The checksum covers all but itself.
//! Numbers rise. Kind 1 is a cosigned checkpoint as its text, which holds origin, size and root; kind 2 a vault that was
//! admitted: vault 32 ‖ home node 32 ‖ number of its newest authority u32 ‖ id of that authority 32. Big-endian.

use std::io::{self, Read};

use karute_consent::id::{AuthorityNumber, NodeId, PartyKey, StatementId, VaultId};
use karute_protocol::merkle::TreeHead;
use karute_protocol::note::KeyName;
use karute_protocol::trail::CheckpointText;
use karute_protocol::witness::AddCheckpoint;

use super::limits::RECORD_BYTES_MAX;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The newest head of a log.
    Head(HeadRecord),
    /// A vault and who signs for it.
    Vault(VaultRecord),
}

/// A checkpoint that was cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeadRecord {
    pub(super) origin: KeyName,
    pub(super) head: TreeHead,
    pub(super) text: CheckpointText,
}

/// A vault that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VaultRecord {
    pub(super) vault: VaultId,
    pub(super) home: NodeId,
    pub(super) number: AuthorityNumber,
    pub(super) authority: StatementId,
}

impl Record {
    /// Appends the record as it stands in the store.
    pub(super) fn write(&self, number: u64, to: &mut Vec<u8>) {
        let content = self.content();
        let length = (content.len() as u32).to_be_bytes();
        let rest = [&number.to_be_bytes()[..], &[self.kind()], &content].concat();
        let check = crc32c::crc32c_append(crc32c::crc32c(&length), &rest);
        to.extend_from_slice(&length);
        to.extend_from_slice(&check.to_be_bytes());
        to.extend_from_slice(&rest);
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Head(_) => KIND_HEAD,
            Self::Vault(_) => KIND_VAULT,
        }
    }

    fn content(&self) -> Vec<u8> {
        match self {
            Self::Head(head) => head.text.0.clone().into_bytes(),
            Self::Vault(record) => {
                let number = record.number.0.to_be_bytes();
                [record.vault.as_ref(), record.home.as_ref(), &number, record.authority.as_ref()].concat()
            }
        }
    }

    fn read_content(kind: u8, content: Vec<u8>) -> Option<Self> {
        match kind {
            KIND_HEAD => HeadRecord::read(content).map(Self::Head),
            KIND_VAULT => VaultRecord::read(&content).map(Self::Vault),
            _ => None,
        }
    }
}

impl HeadRecord {
    /// Reads a cosigned checkpoint, as the store keeps it.
    pub(super) fn read(content: Vec<u8>) -> Option<Self> {
        let text = CheckpointText(String::from_utf8(content).ok()?);
        let read = AddCheckpoint::new(0, Vec::new(), &text).ok()?;
        Some(Self { origin: read.origin().clone(), head: read.unverified_head(), text })
    }
}

impl VaultRecord {
    fn read(content: &[u8]) -> Option<Self> {
        let (vault, rest) = content.split_first_chunk()?;
        let (home, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        Some(Self {
            vault: VaultId::from_bytes(*vault),
            home: NodeId::from_bytes(*home),
            number: AuthorityNumber(u32::from_be_bytes(*number)),
            authority: StatementId::from_slice(rest)?,
        })
    }
}

/// The mark at the beginning of a store.
pub(super) fn mark(key: &PartyKey) -> [u8; MARK_LEN] {
    let mut mark = [0; MARK_LEN];
    mark[..MAGIC.len()].copy_from_slice(MAGIC);
    mark[MAGIC.len()..].copy_from_slice(key.as_bytes());
    mark
}

/// What comes next in a store.
pub(super) enum Next {
    /// A record, its number, and the bytes that it takes.
    Record(Record, u64, u64),
    /// The bytes end here.
    End,
    /// What follows is no whole record: a torn tail, or damage.
    Broken,
}

/// Reads one record. An error is the disk's; bytes that are not a record are [`Next::Broken`].
pub(super) fn read_next(from: &mut impl Read) -> io::Result<Next> {
    let mut head = Vec::with_capacity(HEAD_LEN);
    from.by_ref().take(HEAD_LEN as u64).read_to_end(&mut head)?;
    if head.is_empty() {
        return Ok(Next::End);
    }
    let Some((length, check, number, kind)) = split_head(&head) else {
        return Ok(Next::Broken);
    };
    if length > RECORD_BYTES_MAX {
        return Ok(Next::Broken);
    }
    let mut content = Vec::new();
    from.by_ref().take(u64::from(length)).read_to_end(&mut content)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&head[..4]), &head[8..]);
    if content.len() != length as usize || crc32c::crc32c_append(sum, &content) != check {
        return Ok(Next::Broken);
    }
    let bytes = HEAD_LEN as u64 + u64::from(length);
    Ok(Record::read_content(kind, content).map_or(Next::Broken, |record| Next::Record(record, number, bytes)))
}

fn split_head(head: &[u8]) -> Option<(u32, u32, u64, u8)> {
    let (length, rest) = head.split_first_chunk()?;
    let (check, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let [kind] = rest else { return None };
    Some((u32::from_be_bytes(*length), u32::from_be_bytes(*check), u64::from_be_bytes(*number), *kind))
}

const MAGIC: &[u8; 16] = b"karute-witness-1";
/// Bytes of the mark.
pub(super) const MARK_LEN: usize = 48;
/// Bytes before the content of a record.
pub(super) const HEAD_LEN: usize = 17;
const KIND_HEAD: u8 = 1;
const KIND_VAULT: u8 = 2;
