//! A vault's charter and its authorities: which keys may sign what.
//!
//! The identity key signs authorities and nothing else of the vault's life; an authority is the whole set of devices
//! and hosts in force. The charter and each authority commit to the key that may replace the identity key, so that a
//! stolen identity key is answered by one that was never used. A lost identity key and a lost next key lose the vault.

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::id::{AuthorityNumber, Digest, NodeId, PartyKey, RootNumber, VaultId};
use crate::limits::{DEVICES_MAX, HOSTS_MAX, NAME_BYTES_MAX, WITNESSES_MAX};
use crate::sealing::SealingKey;
use crate::statement::{Malformed, Statement, Verified};
use crate::text::{check_addresses, check_line};
use crate::time::Timestamp;
use crate::tree::digest_of;

/// How a vault begins. Its statement id is the vault id.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Charter {
    /// The patient's identity key, which signs the charter.
    #[serde(index = 1)]
    pub identity: PartyKey,
    /// Commitment to the next identity key: see [`commit_to_next`].
    #[serde(index = 2)]
    pub next: Digest,
    /// Key of root 0 that deposits are sealed to when no epoch key is in force.
    #[serde(index = 3)]
    pub inbox: SealingKey,
    /// Key of root 0 that side letters to the patient are sealed to.
    #[serde(index = 4)]
    pub audit: SealingKey,
    /// Key of the printed recovery code.
    #[serde(index = 5)]
    pub recovery: SealingKey,
    /// Who cosigns checkpoints, ascending by key.
    #[serde(index = 6)]
    pub witnesses: Vec<Witness>,
    /// How many witnesses have to.
    #[serde(index = 7)]
    pub quorum: u8,
    /// When the vault was made.
    #[serde(index = 8)]
    pub created: Timestamp,
    /// Keeps vaults of one patient apart.
    #[serde(index = 9)]
    pub nonce: Nonce,
}

crate::byte_id!(
    /// Random bytes that make two otherwise equal statements differ.
    Nonce, 16
);

/// Somebody who cosigns log checkpoints that only grow.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Witness {
    /// The witness's name, as in its signature lines.
    #[serde(index = 1)]
    pub name: String,
    /// The witness's key.
    #[serde(index = 2)]
    pub key: PartyKey,
}

/// Who cosigns checkpoints, and how many of them have to.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct WitnessSet {
    /// The witnesses, ascending by key.
    #[serde(index = 1)]
    pub witnesses: Vec<Witness>,
    /// How many of them have to cosign; 0: none does.
    #[serde(index = 2)]
    pub quorum: u8,
}

impl WitnessSet {
    /// C-15, C-58
    fn check(&self) -> Result<(), Malformed> {
        if self.witnesses.len() > WITNESSES_MAX {
            return Err(Malformed::Count);
        }
        if usize::from(self.quorum) > self.witnesses.len() {
            return Err(Malformed::Quorum);
        }
        check_ascending(self.witnesses.iter().map(|witness| witness.key))?;
        self.witnesses.iter().try_for_each(|witness| check_line(&witness.name, NAME_BYTES_MAX))
    }
}

/// The whole set of devices and hosts in force.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Authority {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Which authority of the vault.
    #[serde(index = 2)]
    pub number: AuthorityNumber,
    /// The identity key in force from here on.
    #[serde(index = 3)]
    pub identity: PartyKey,
    /// Commitment to the key after it.
    #[serde(index = 4)]
    pub next: Digest,
    /// The devices, ascending by key.
    #[serde(index = 5)]
    pub devices: Vec<Device>,
    /// The hosts, ascending by node.
    #[serde(index = 6)]
    pub hosts: Vec<Host>,
    /// The inbox key of the root in force.
    #[serde(index = 7)]
    pub inbox: SealingKey,
    /// The audit key of the root in force.
    #[serde(index = 8)]
    pub audit: SealingKey,
    /// Key of the printed recovery code.
    #[serde(index = 9)]
    pub recovery: SealingKey,
    /// Which root is in force.
    #[serde(index = 10)]
    pub root_number: RootNumber,
    /// Digest of the list of root packages.
    #[serde(index = 11)]
    pub roots: Digest,
    /// Who cosigns checkpoints from here on; absent: the set in force stays.
    #[serde(index = 12, skip_serializing_if = "Option::is_none")]
    pub witness_set: Option<WitnessSet>,
}

/// A device of the patient: it signs grants, revocations, directories, rotations, erasures and entries.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Device {
    /// The device's key.
    #[serde(index = 1)]
    pub key: PartyKey,
    /// What the vault's roots are sealed to for this device.
    #[serde(index = 2)]
    pub sealing_key: SealingKey,
    /// When it was added.
    #[serde(index = 3)]
    pub added: Timestamp,
}

/// A node that hosts the vault.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Host {
    /// The node.
    #[serde(index = 1)]
    pub node: NodeId,
    /// What it is to the vault.
    #[serde(index = 2)]
    pub role: HostRole,
    /// Where it can be reached.
    #[serde(index = 3)]
    pub addresses: Vec<String>,
}

crate::wire_enum! {
    /// What a host is to a vault.
    HostRole {
        /// Orders the ledger.
        Home = 1 "home",
        /// Keeps a copy.
        Mirror = 2 "mirror",
    }
}

/// Why an authority does not follow from what is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// Signed neither by the identity key in force nor by the committed next one (C-17).
    #[error("authority signed neither by the identity key nor by the committed next one")]
    Signer,
    /// Identity or next do not fit the key that signed (C-18).
    #[error("identity or next do not fit the key that signed the authority")]
    Identity,
    /// The number is not the one after that in force (C-19).
    #[error("authority number does not rise by one")]
    Number,
    /// The root number does not stay or rise as it has to (C-19).
    #[error("root number does not stay or rise as it has to")]
    RootNumber,
    /// Inbox, audit or recovery key do not stay or change as they have to (C-20).
    #[error("inbox, audit or recovery key do not stay or change as they have to")]
    SealingKeys,
}

/// The commitment to a key that may replace the identity key.
pub fn commit_to_next(key: PartyKey) -> Digest {
    digest_of(&[b"karute-v1/next-identity", &[0], key.as_bytes()])
}

impl Verified<Charter> {
    /// The vault that this charter begins.
    pub fn vault(&self) -> VaultId {
        VaultId::from_bytes(*self.id().as_bytes())
    }
}

impl Charter {
    /// Its witnesses and their quorum together.
    pub fn witness_set(&self) -> WitnessSet {
        WitnessSet { witnesses: self.witnesses.clone(), quorum: self.quorum }
    }
}

impl Authority {
    /// The host that orders the ledger.
    pub fn home(&self) -> Option<&Host> {
        self.hosts.iter().find(|host| host.role == HostRole::Home)
    }

    /// The device with this key.
    pub fn device(&self, key: PartyKey) -> Option<&Device> {
        self.devices.iter().find(|device| device.key == key)
    }

    /// Checks that the first authority follows from the charter.
    pub fn follows_charter(&self, signer: PartyKey, charter: &Charter) -> Result<(), SuccessionError> {
        let before = Before {
            number: None,
            identity: charter.identity,
            next: charter.next,
            devices: &[],
            inbox: &charter.inbox,
            audit: &charter.audit,
            recovery: &charter.recovery,
            root_number: RootNumber::FIRST,
        };
        before.check_successor(self, signer)
    }

    /// Checks that this authority follows from the one in force.
    pub fn follows(&self, signer: PartyKey, before: &Authority) -> Result<(), SuccessionError> {
        let before = Before {
            number: Some(before.number),
            identity: before.identity,
            next: before.next,
            devices: &before.devices,
            inbox: &before.inbox,
            audit: &before.audit,
            recovery: &before.recovery,
            root_number: before.root_number,
        };
        before.check_successor(self, signer)
    }
}

/// What is in force before an authority.
struct Before<'a> {
    number: Option<AuthorityNumber>,
    identity: PartyKey,
    next: Digest,
    devices: &'a [Device],
    inbox: &'a SealingKey,
    audit: &'a SealingKey,
    recovery: &'a SealingKey,
    root_number: RootNumber,
}

impl Before<'_> {
    fn check_successor(&self, after: &Authority, signer: PartyKey) -> Result<(), SuccessionError> {
        self.check_identity(after, signer)?;
        let expected = self.number.map_or(Some(AuthorityNumber::FIRST), AuthorityNumber::next);
        if expected != Some(after.number) {
            return Err(SuccessionError::Number);
        }
        self.check_root(after)
    }

    fn check_identity(&self, after: &Authority, signer: PartyKey) -> Result<(), SuccessionError> {
        let fits = if signer == self.identity {
            // C-18: the identity key cannot give itself a successor of its own choice.
            after.identity == self.identity && after.next == self.next
        } else if commit_to_next(signer) == self.next {
            after.identity == signer && after.next != self.next
        } else {
            return Err(SuccessionError::Signer); // C-17
        };
        if fits { Ok(()) } else { Err(SuccessionError::Identity) }
    }

    fn check_root(&self, after: &Authority) -> Result<(), SuccessionError> {
        let identity_stays = after.identity == self.identity;
        // A device with another sealing key is another one: the roots were sealed to the key that is gone.
        let stays = |device: &Device| after.device(device.key).is_some_and(|now| now.sealing_key == device.sealing_key);
        let devices_stay = self.devices.iter().all(stays);
        let root_stays = after.root_number == self.root_number;
        // C-19
        if self.number.is_none() && !root_stays {
            return Err(SuccessionError::RootNumber);
        }
        if !root_stays && Some(after.root_number) != self.root_number.next() {
            return Err(SuccessionError::RootNumber);
        }
        if root_stays && !(identity_stays && devices_stay) {
            return Err(SuccessionError::RootNumber);
        }
        // C-20
        let inbox_fits = (after.inbox == *self.inbox) == root_stays;
        let audit_fits = (after.audit == *self.audit) == root_stays;
        let recovery_fits = (after.recovery == *self.recovery) == identity_stays;
        if inbox_fits && audit_fits && recovery_fits { Ok(()) } else { Err(SuccessionError::SealingKeys) }
    }
}

impl Statement for Charter {
    const TYPE: &'static str = "charter";

    fn check(&self, signer: PartyKey) -> Result<(), Malformed> {
        // C-15
        if signer != self.identity {
            return Err(Malformed::Signer);
        }
        self.witness_set().check()
    }
}

impl Statement for Authority {
    const TYPE: &'static str = "authority";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        if !(1..=DEVICES_MAX).contains(&self.devices.len()) || !(1..=HOSTS_MAX).contains(&self.hosts.len()) {
            return Err(Malformed::Count);
        }
        // C-16
        check_ascending(self.devices.iter().map(|device| device.key))?;
        check_ascending(self.hosts.iter().map(|host| host.node))?;
        if self.hosts.iter().filter(|host| host.role == HostRole::Home).count() != 1 {
            return Err(Malformed::Home);
        }
        self.hosts.iter().try_for_each(|host| check_addresses(&host.addresses))?;
        self.witness_set.as_ref().map_or(Ok(()), WitnessSet::check) // C-58
    }
}

/// C-10 for lists whose items are ordered by one of their fields.
pub(crate) fn check_ascending<K: Ord>(keys: impl Iterator<Item = K>) -> Result<(), Malformed> {
    if keys.is_sorted_by(|before, after| before < after) { Ok(()) } else { Err(Malformed::Order) }
}

#[cfg(test)]
mod tests;
