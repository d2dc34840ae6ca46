//! What a finding shows when it holds, and why something is none.

use karute_consent::id::{PartyKey, StatementId, VaultId};
use karute_consent::ledger::ItemError;
use karute_consent::statement::StatementError;
use karute_consent::time::Timestamp;

use super::{FindingError, FindingKind};
use crate::checkpoint::CheckpointError;
use crate::cosignature::CosignatureError;
use crate::merkle::{TreeHash, TreeHead};
use crate::note::{KeyName, NoteError};
use crate::trail::{CheckpointRefused, EventKind, ReceiptError, TrailIndex, TrailNumber};

/// What a verified finding shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which lie.
    pub kind: FindingKind,
    /// Who told it: a node, or a witness where the kind is [`FindingKind::WitnessEquivocation`].
    pub accused: PartyKey,
    /// Whether the accused may still be right: the evidence lacks something that it could show.
    pub refutable: bool,
    /// The lie in numbers.
    pub facts: Facts,
}

/// What the evidence shows, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    /// Two roots for one size of one log; of a host, or cosigned by a witness.
    TwoRoots {
        /// The log.
        origin: KeyName,
        /// Leaves, by both heads.
        size: u64,
        /// The one root.
        root_a: TreeHash,
        /// The other root.
        root_b: TreeHash,
    },
    /// Two heads of one log, and no proof that the later one extends the earlier one.
    NotExtended {
        /// The log.
        origin: KeyName,
        /// The smaller head.
        head_a: TreeHead,
        /// The greater head.
        head_b: TreeHead,
    },
    /// A log that later was shorter.
    Shrunk {
        /// The log.
        origin: KeyName,
        /// How many leaves it had at least.
        size_a: u64,
        /// When.
        time_a: Timestamp,
        /// How many it had later.
        size_b: u64,
        /// When.
        time_b: Timestamp,
    },
    /// Two different leaves at one index of the trail.
    TwoLeavesAtIndex {
        /// The index.
        index: TrailIndex,
        /// What the one leaf is of.
        a: LeafPlace,
        /// What the other leaf is of.
        b: LeafPlace,
    },
    /// Two different leaves with one number of one vault.
    TwoLeavesOfNumber {
        /// The vault.
        vault: VaultId,
        /// The number.
        number: TrailNumber,
        /// Index of the one.
        index_a: TrailIndex,
        /// Index of the other.
        index_b: TrailIndex,
    },
    /// An event above the number that the host later said there were.
    NotCounted {
        /// The vault.
        vault: VaultId,
        /// Number of the event.
        number: TrailNumber,
        /// Its time.
        time: Timestamp,
        /// How many events there were, by the host's answer.
        count: TrailNumber,
        /// Time of that answer.
        answered: Timestamp,
    },
    /// A stored record that a list of everything does not have.
    NotListed {
        /// The vault.
        vault: VaultId,
        /// Id of the record's header.
        header: StatementId,
        /// Number of the deposit's event.
        number: TrailNumber,
        /// Its time.
        time: Timestamp,
        /// How many numbers the list went through.
        listed: u64,
        /// Time of the list.
        answered: Timestamp,
    },
    /// A deed under a grant that the host had already revoked.
    ServedRevoked {
        /// The vault.
        vault: VaultId,
        /// The revoked grant.
        grant: StatementId,
        /// Index of the revocation's event.
        revoked_index: TrailIndex,
        /// Its time.
        revoked_time: Timestamp,
        /// What was done.
        served: EventKind,
        /// Who was served.
        party: PartyKey,
        /// Index of that event.
        served_index: TrailIndex,
        /// Its time.
        served_time: Timestamp,
    },
    /// A deed that its grants do not allow.
    Overstepped {
        /// The vault.
        vault: VaultId,
        /// The last grant of the chain.
        grant: StatementId,
        /// Where it goes beyond them.
        overstep: Overstep,
        /// What was done.
        served: EventKind,
        /// Who was served.
        party: PartyKey,
        /// Number of the event.
        number: TrailNumber,
        /// Its time.
        time: Timestamp,
    },
    /// An event that stands after another one and is older.
    Backwards {
        /// Index of the one before.
        index_a: TrailIndex,
        /// Its time.
        time_a: Timestamp,
        /// Index of the one after.
        index_b: TrailIndex,
        /// Its time.
        time_b: Timestamp,
    },
    /// An event without the signed request that it must come from.
    Unasked {
        /// The vault.
        vault: VaultId,
        /// Number of the event.
        number: TrailNumber,
        /// What it says was done.
        kind: EventKind,
        /// Who it says did it.
        party: PartyKey,
        /// Its time.
        time: Timestamp,
        /// What is wrong with its request.
        why: ReceiptError,
    },
}

/// Of which vault a leaf is, and which of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafPlace {
    /// The vault.
    pub vault: VaultId,
    /// The number there.
    pub number: TrailNumber,
}

/// Where a deed goes beyond its grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overstep {
    /// A grant of the chain is not the child of the one before, or exceeds it (C-31, C-32, C-44).
    Chain,
    /// Who acted does not hold the last grant (C-45).
    Holder,
    /// A grant of the chain was not valid yet (C-46).
    NotYetValid,
    /// A grant of the chain was no longer valid (C-46).
    Expired,
    /// The last grant does not have the action (C-47).
    Action,
    /// The last grant does not have the purpose (C-48).
    Purpose,
}

/// Why something says nothing against anybody (P-50).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAFinding {
    /// A field is missing, or there is one that this kind does not have.
    #[error("not the fields of its kind")]
    Fields,
    /// The evidence is too long to be handed on.
    #[error("evidence cannot be written as a finding")]
    Unwritable(#[source] FindingError),
    /// A checkpoint is not one that the accused signed.
    #[error("checkpoint is not the accused's")]
    Checkpoint(#[source] CheckpointRefused),
    /// A head is of a log that the accused does not sign.
    #[error("head is of no log of the accused")]
    Origin,
    /// A tree-head is not one that the accused signed.
    #[error("tree head is not the accused's")]
    TreeHead(#[source] StatementError),
    /// A receipt is not one of the accused.
    #[error("receipt is not the accused's")]
    Receipt(#[source] ReceiptError),
    /// The answer is not one that the accused signed.
    #[error("answer is not the accused's")]
    Answer(#[source] StatementError),
    /// The request does not verify.
    #[error("request does not verify")]
    Request(#[source] StatementError),
    /// An item of the ledger does not verify.
    #[error("ledger item does not verify")]
    Item(#[source] ItemError),
    /// Name or key of the witness cannot stand in a note.
    #[error("name or key of the witness cannot be used")]
    WitnessKey(#[source] NoteError),
    /// A cosigned note is malformed, or the witness's line does not verify.
    #[error("cosigned note is refused")]
    Cosignatures(#[source] CosignatureError),
    /// What was cosigned is no checkpoint.
    #[error("what was cosigned is no checkpoint")]
    CosignedText(#[source] CheckpointError),
    /// A checkpoint is not cosigned by the witness that is accused.
    #[error("checkpoint is not cosigned by the accused")]
    Cosignature,
    /// The heads are of two logs.
    #[error("heads are of different logs")]
    OtherLog,
    /// The sizes are not as the kind asks: equal, smaller before greater, or greater before smaller.
    #[error("sizes are not those of this kind")]
    Sizes,
    /// Both have the same root.
    #[error("both have the same root")]
    SameRoot,
    /// The heads do extend one another.
    #[error("heads extend one another")]
    Consistent,
    /// The later evidence is not later, or not by as much as an honest host may lag.
    #[error("not late enough to have to cover it")]
    NotLater,
    /// Both receipts are of the same leaf.
    #[error("receipts are of one leaf")]
    SameLeaf,
    /// The receipts have neither index nor number in common, as the kind asks.
    #[error("receipts are of different places")]
    OtherPlace,
    /// Parts are about different vaults.
    #[error("parts are about different vaults")]
    OtherVault,
    /// The answer counts the event.
    #[error("the answer counts this event")]
    Counted,
    /// The receipt is not of a record that was stored.
    #[error("receipt is not of a record that was stored")]
    NotADeposit,
    /// The request does not ask for everything.
    #[error("request does not ask for a list of everything")]
    NotWhole,
    /// The answer is to another request.
    #[error("answer is to another request")]
    OtherRequest,
    /// The ids are not those that the answer was about.
    #[error("ids are not those of the answer")]
    OtherIds,
    /// The record is in the list.
    #[error("the record is in the list")]
    Listed,
    /// Items are not as the kind asks: one revocation, or the grants of the chain in their order.
    #[error("ledger items are not those of this kind")]
    OtherItems,
    /// The receipt is not that of the revocation's entry.
    #[error("receipt is not of the revocation's entry")]
    NotRevoked,
    /// Nothing was served: another kind of event, or a refusal.
    #[error("receipt is not of something that was served")]
    NotServed,
    /// It was served before the revocation.
    #[error("served before the revocation")]
    ServedBefore,
    /// It was served under other grants.
    #[error("served under other grants")]
    OtherGrant,
    /// The grants allow it.
    #[error("the grants allow it")]
    Permitted,
    /// Time runs forward between the two.
    #[error("time runs forward")]
    InOrder,
    /// The event comes from a request as it must.
    #[error("the event has its request")]
    Asked,
}

impl Facts {
    /// The vault that the lie is about, where it is about one.
    pub fn vault(&self) -> Option<VaultId> {
        match self {
            Self::TwoLeavesOfNumber { vault, .. }
            | Self::NotCounted { vault, .. }
            | Self::NotListed { vault, .. }
            | Self::ServedRevoked { vault, .. }
            | Self::Overstepped { vault, .. }
            | Self::Unasked { vault, .. } => Some(*vault),
            Self::TwoRoots { .. }
            | Self::NotExtended { .. }
            | Self::Shrunk { .. }
            | Self::TwoLeavesAtIndex { .. }
            | Self::Backwards { .. } => None,
        }
    }
}

impl Overstep {
    /// In a few words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chain => "broken-chain",
            Self::Holder => "not-holder",
            Self::NotYetValid => "not-yet-valid",
            Self::Expired => "expired",
            Self::Action => "action-not-granted",
            Self::Purpose => "purpose-not-granted",
        }
    }
}
