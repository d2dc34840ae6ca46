//! What stands in the journal's frames: one type for each kind of frame, each with its number for ever.
//!
//! A frame's kind says which type its payload is; a changed type is a new kind. Bytes that an erasure must be able to
//! take away (sealed records, sealed asks) stand in frames of their own. Applying the same changes to an empty index
//! always gives the same index: everything a change needs is in it or in what was applied before.

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{
    AskId, CollectionId, Digest, Generation, PartyKey, RecordId, RequestId, RotationSequence, RunId, Salt, Seq,
    StatementId,
};
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::time::{Month, Timestamp};
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::{Leaf, TrailNumber};
use karute_protocol::wire::{ByteCount, Octets};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::effect::TombstoneReason;
use super::journal::{FrameKind, NewFrame, VaultTag, limits::PAYLOAD_BYTES_MAX};

/// A payload type and its number.
pub(super) trait Change: Serialize + DeserializeOwned {
    /// The kind of frame; never used for another type.
    const KIND: FrameKind;

    /// A frame with this payload.
    fn frame(&self, vault: VaultTag) -> Result<NewFrame, EncodingError> {
        Ok(NewFrame { kind: Self::KIND, vault, payload: to_bytes(self)? })
    }

    /// Reads a payload.
    fn read(payload: &[u8]) -> Result<Self, EncodingError> {
        from_bytes(payload, PAYLOAD_BYTES_MAX)
    }
}

macro_rules! change {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
        pub(super) struct $name { $($(#[$field_meta])* pub(super) $field: $type,)+ }

        impl Change for $name {
            const KIND: FrameKind = FrameKind($kind);
        }
    };
}

change! {
    /// An entry of the ledger.
    LedgerEntry = 1 {
        #[serde(index = 1)]
        seq: Seq,
        #[serde(index = 2)]
        entry: Octets,
        #[serde(index = 3)]
        attachments: u8,
        #[serde(index = 4)]
        names: Vec<Name>,
    }
}
change! {
    /// Salt and body of an entry.
    LedgerBody = 2 {
        #[serde(index = 1)]
        seq: Seq,
        #[serde(index = 2)]
        salt: Salt,
        #[serde(index = 3)]
        body: Octets,
    }
}
change! {
    /// One attachment of an entry.
    LedgerAttachment = 3 {
        #[serde(index = 1)]
        seq: Seq,
        #[serde(index = 2)]
        index: u8,
        #[serde(index = 3)]
        bytes: Octets,
    }
}
change! {
    /// A leaf of the trail.
    TrailEntry = 4 {
        #[serde(index = 1)]
        leaf: Leaf,
    }
}
change! {
    /// A run, with its first record.
    RunBegun = 5 {
        #[serde(index = 1)]
        run: RunId,
        #[serde(index = 2)]
        id: StatementId,
        #[serde(index = 3)]
        statement: Octets,
        #[serde(index = 4)]
        collection: CollectionId,
        #[serde(index = 5)]
        generation: Generation,
        #[serde(index = 6)]
        epoch: Month,
        #[serde(index = 7)]
        depositor: PartyKey,
    }
}
change! {
    /// A record is there.
    RecordStored = 6 {
        #[serde(index = 1)]
        record: RecordId,
        #[serde(index = 2)]
        run: RunId,
        #[serde(index = 3)]
        number: RecordNumber,
        #[serde(index = 4)]
        header_id: StatementId,
        #[serde(index = 5)]
        body_root: Digest,
        #[serde(index = 6)]
        body_length: ByteCount,
    }
}
change! {
    /// The sealed bytes of a record; erased when it is taken away.
    RecordContent = 7 {
        #[serde(index = 1)]
        record: RecordId,
        #[serde(index = 2)]
        header: Octets,
        #[serde(index = 3)]
        meta: Octets,
        #[serde(index = 4, skip_serializing_if = "Option::is_none")]
        body: Option<Octets>,
    }
}
change! {
    /// A run is sealed anew.
    RunReWrapped = 8 {
        #[serde(index = 1)]
        run: RunId,
        #[serde(index = 2)]
        id: StatementId,
        #[serde(index = 3)]
        statement: Octets,
        #[serde(index = 4)]
        collection: CollectionId,
        #[serde(index = 5)]
        generation: Generation,
        #[serde(index = 6)]
        epoch: Month,
    }
}
change! {
    /// Records are taken away.
    RecordsRemoved = 9 {
        #[serde(index = 1)]
        records: Vec<RecordId>,
        #[serde(index = 2)]
        reason: TombstoneReason,
        #[serde(index = 3)]
        id: StatementId,
        #[serde(index = 4)]
        statement: Octets,
    }
}
change! {
    /// A permit was given.
    RightUsed = 10 {
        #[serde(index = 1)]
        request: RequestId,
        #[serde(index = 2)]
        signer: PartyKey,
        #[serde(index = 3)]
        chain: Vec<StatementId>,
        #[serde(index = 4)]
        counted: Vec<StatementId>,
        #[serde(index = 5)]
        time: Timestamp,
        #[serde(index = 6)]
        action: Action,
        #[serde(index = 7)]
        selector: Selector,
    }
}
change! {
    /// An ask waits.
    AskReceived = 11 {
        #[serde(index = 1)]
        ask: AskId,
        #[serde(index = 2)]
        sender: PartyKey,
        #[serde(index = 3)]
        envelope: Octets,
        #[serde(index = 4)]
        received: Timestamp,
    }
}
change! {
    /// The sealed bytes of an ask; erased when it is answered.
    AskContent = 12 {
        #[serde(index = 1)]
        ask: AskId,
        #[serde(index = 2)]
        sealed: Octets,
    }
}
change! {
    /// An ask is answered.
    AskAnswered = 13 {
        #[serde(index = 1)]
        ask: AskId,
        #[serde(index = 2)]
        statement: Octets,
    }
}
change! {
    /// A package is passed on.
    PackagePassed = 14 {
        #[serde(index = 1)]
        grant: StatementId,
        #[serde(index = 2)]
        rotation: RotationSequence,
        #[serde(index = 3)]
        package: Octets,
    }
}
change! {
    /// Salt and content of an event, behind its leaf; erased when the patient wants it.
    TrailContent = 15 {
        #[serde(index = 1)]
        number: TrailNumber,
        #[serde(index = 2)]
        salt: Salt,
        #[serde(index = 3)]
        event: Octets,
    }
}
change! {
    /// Salt and content of events are gone.
    EventsErased = 16 {
        #[serde(index = 1)]
        numbers: Vec<TrailNumber>,
    }
}

/// A name of an attachment: kind 1, a keys root; kind 2, a grant with a rotation sequence.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub(super) struct Name {
    #[serde(index = 1)]
    pub(super) kind: u8,
    #[serde(index = 2)]
    pub(super) key: Digest,
    #[serde(index = 3)]
    pub(super) sequence: RotationSequence,
    #[serde(index = 4)]
    pub(super) index: u8,
}

impl Name {
    pub(super) const KEY_LEAVES: u8 = 1;
    pub(super) const PACKAGE: u8 = 2;
}
