//! Who plays: keys that every history shares, since making them costs more than playing.

use std::sync::LazyLock;

use karute_consent::id::{CollectionId, NodeId, PartyKey};
use karute_consent::party::Identity;
use karute_consent::vault::{Witness, WitnessSet};
use karute_protocol::cosignature::WitnessKey;
use karute_protocol::note::NoteKey;

/// The patient's device.
pub(super) const PATIENT: usize = 0;
/// A hospital that deposits.
pub(super) const DEPOSITOR: usize = 1;
/// A hospital that reads, and whose grant is revoked again and again.
pub(super) const READER: usize = 2;
/// A hospital that deposits and comes late.
pub(super) const LATE_DEPOSITOR: usize = 3;
/// How many parties there are.
pub(super) const PARTIES: usize = 4;
/// How many witnesses there are; two of them make the quorum.
pub(super) const WITNESSES: usize = 3;

pub(super) struct Cast {
    pub(super) identity: Identity,
    pub(super) next: Identity,
    /// The host's log key.
    pub(super) host: Identity,
    pub(super) parties: [Identity; PARTIES],
    /// In the order of the witness set.
    pub(super) witnesses: Vec<Identity>,
    pub(super) witness_keys: Vec<WitnessKey>,
}

pub(super) static CAST: LazyLock<Cast> = LazyLock::new(|| {
    let identity = |number: u8| Identity::from_seed(&[number; 32]);
    let mut witnesses: Vec<Identity> = (20..20 + WITNESSES as u8).map(identity).collect();
    witnesses.sort_by_key(Identity::key);
    let named = |(place, witness): (usize, &Identity)| {
        let name = format!("witness.example/w{place}").parse().expect("a key name");
        let NoteKey { name, party } = NoteKey { name, party: witness.party() };
        WitnessKey { name, party }
    };
    let witness_keys = witnesses.iter().enumerate().map(named).collect();
    Cast {
        identity: identity(1),
        next: identity(2),
        host: identity(4),
        parties: [identity(3), identity(5), identity(6), identity(7)],
        witnesses,
        witness_keys,
    }
});

impl Cast {
    pub(super) fn node(&self) -> NodeId {
        NodeId::from_bytes(*self.host.key().as_bytes())
    }

    pub(super) fn key(&self, party: usize) -> PartyKey {
        self.parties[party].key()
    }

    /// Two of three, or nobody.
    pub(super) fn witness_set(&self, quorum: u8) -> WitnessSet {
        let named = |key: &WitnessKey| Witness { name: key.name.to_string(), key: key.party.key() };
        let witnesses = if quorum == 0 { Vec::new() } else { self.witness_keys.iter().map(named).collect() };
        WitnessSet { witnesses, quorum }
    }
}

/// The one collection of the vault.
pub(super) fn collection() -> CollectionId {
    CollectionId::from_bytes([1; 16])
}
