//! The axes of the matrix. A cell is one value of each.

use karute_consent::scope::Action;

/// Who acts, and which chain of grants it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// A device in force. With a chain it names the one down to G.
    Device,
    /// A device that was removed. It names the chain down to G.
    RemovedDevice,
    /// The identity key in force.
    Identity,
    /// The key that the charter committed to.
    NextIdentity,
    /// The holder of G.
    Holder,
    /// The holder of another grant, who names the chain down to G.
    OtherHolder,
    /// The holder of D below G, who names the chain down to D.
    Delegate,
    /// The holder of P above G, who names the chain down to G.
    ParentAsChild,
    /// The holder of P, who names P.
    Parent,
    /// The holder of W, who names W.
    Guardian,
    /// Whoever has an ask in the mailbox; names the chain down to G.
    Asker,
    /// Nobody that the vault knows; names the chain down to G.
    Stranger,
}

/// How the grants stand that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// The request names no grant; its purpose is the patient's request.
    NoGrant,
    /// The request names no grant; its purpose is treatment.
    NoGrantOtherPurpose,
    /// G is in force.
    Valid,
    /// G begins in five days.
    NotYetValid,
    /// G ended five days ago.
    Expired,
    /// G is revoked.
    Revoked,
    /// P is revoked.
    ParentRevoked,
    /// The request is for research, which no grant is for.
    OtherPurpose,
    /// The request asks for a collection that only O covers.
    OtherCollection,
    /// The request asks for months that no grant covers.
    OtherMonth,
    /// G's one use is spent.
    UsesExhausted,
    /// The same, and the request resumes the one that spent it, which was a list.
    Resumed,
    /// The same, but that list was narrower than the request.
    ResumedBeyond,
    /// The same, more than 24 hours later.
    ResumedLate,
    /// The chain ends with a child of a grant of depth 0.
    BelowDepthZero,
    /// The chain ends with a good child that is in no ledger.
    Unregistered,
    /// The chain leaves a grant out.
    BrokenChain,
}

/// The moment and the session of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// In the middle of the validity.
    Middle,
    /// Exactly at its not-before.
    AtStart,
    /// In its last second.
    LastSecond,
    /// Exactly at its not-after.
    AtEnd,
    /// The request's clock is 120 s ahead of the host's.
    Ahead120,
    /// 121 s ahead.
    Ahead121,
    /// 120 s late.
    Late120,
    /// 121 s late.
    Late121,
    /// The host's clock is 120 s behind what it committed.
    Behind120,
    /// 121 s behind.
    Behind121,
    /// The request names another vault.
    OtherVault,
    /// Another node.
    OtherNode,
    /// Another peer.
    OtherPeer,
    /// The challenge of another session.
    OtherChallenge,
    /// A sequence that was there before.
    Replayed,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) role: Role,
    pub(super) action: Action,
    pub(super) state: State,
    pub(super) moment: Moment,
}

/// One thing that a peer can try with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    /// List records.
    List,
    /// Fetch records.
    Fetch,
    /// Fetch records to hand them on.
    Export,
    /// Read the trail.
    Audit,
    /// Read one's own part of the ledger.
    Sync,
    /// Read the mailbox.
    Asks,
    /// Ask for an epoch key in order to read.
    KeyToRead,
    /// Ask for an epoch key in order to deposit.
    KeyToDeposit,
    /// Begin a run, after asking for the key.
    Run,
    /// Put a record, after that.
    Put,
    /// Show the charter and the authorities.
    Face,
    /// Erase a record that a device deposited.
    Erase,
    /// Withdraw the record that the other holder deposited.
    Withdraw,
    /// File a run anew, after a list.
    ReWrap,
    /// Grant something, as a device does.
    Grant,
    /// Pass the last grant of the chain on, and have the home host write it down.
    PassOn,
    /// Seal a later package of D on to its holder, after a sync.
    PackageOn,
    /// Revoke the last grant of the chain.
    Revoke,
    /// Write a revocation of it into the ledger oneself.
    AppendRevocation,
    /// Write a new directory into the ledger.
    Directory,
    /// Take a device in.
    Authority,
    /// Take the vault over with the committed next identity key.
    Succession,
    /// Answer the waiting ask.
    Answer,
    /// Ask for access.
    Ask,
}

impl Role {
    pub(super) const ALL: [Self; 12] = [
        Self::Device,
        Self::RemovedDevice,
        Self::Identity,
        Self::NextIdentity,
        Self::Holder,
        Self::OtherHolder,
        Self::Delegate,
        Self::ParentAsChild,
        Self::Parent,
        Self::Guardian,
        Self::Asker,
        Self::Stranger,
    ];

    /// The name that this role's key is made from: the holder of P is one party in two roles.
    pub(super) fn name(self) -> String {
        let who = if self == Self::ParentAsChild { Self::Parent } else { self };
        format!("{who:?}")
    }
}

impl State {
    pub(super) const ALL: [Self; 17] = [
        Self::NoGrant,
        Self::NoGrantOtherPurpose,
        Self::Valid,
        Self::NotYetValid,
        Self::Expired,
        Self::Revoked,
        Self::ParentRevoked,
        Self::OtherPurpose,
        Self::OtherCollection,
        Self::OtherMonth,
        Self::UsesExhausted,
        Self::Resumed,
        Self::ResumedBeyond,
        Self::ResumedLate,
        Self::BelowDepthZero,
        Self::Unregistered,
        Self::BrokenChain,
    ];

    pub(super) fn names_no_grant(self) -> bool {
        matches!(self, Self::NoGrant | Self::NoGrantOtherPurpose)
    }

    /// The last grant of the chain is one that no ledger has.
    pub(super) fn names_x(self) -> bool {
        matches!(self, Self::BelowDepthZero | Self::Unregistered)
    }

    /// The request says that it resumes the one that spent the use.
    pub(super) fn resumes(self) -> bool {
        matches!(self, Self::Resumed | Self::ResumedBeyond | Self::ResumedLate)
    }

    pub(super) fn has_one_use(self) -> bool {
        matches!(self, Self::UsesExhausted) || self.resumes()
    }
}

impl Moment {
    pub(super) const ALL: [Self; 15] = [
        Self::Middle,
        Self::AtStart,
        Self::LastSecond,
        Self::AtEnd,
        Self::Ahead120,
        Self::Ahead121,
        Self::Late120,
        Self::Late121,
        Self::Behind120,
        Self::Behind121,
        Self::OtherVault,
        Self::OtherNode,
        Self::OtherPeer,
        Self::OtherChallenge,
        Self::Replayed,
    ];
}

impl Operation {
    /// In an order in which what one of them changes does not matter to those after it.
    pub(super) const ALL: [Self; 24] = [
        Self::List,
        Self::Fetch,
        Self::Export,
        Self::Audit,
        Self::Sync,
        Self::Asks,
        Self::KeyToRead,
        Self::KeyToDeposit,
        Self::Run,
        Self::Put,
        Self::Face,
        Self::Erase,
        Self::Withdraw,
        Self::ReWrap,
        Self::Grant,
        Self::PassOn,
        Self::PackageOn,
        Self::Revoke,
        Self::AppendRevocation,
        Self::Directory,
        Self::Authority,
        Self::Succession,
        Self::Answer,
        Self::Ask,
    ];

    /// Whether it needs a vault that nobody else uses, since it changes what the others stand on.
    pub(super) fn needs_own_vault(self) -> bool {
        matches!(self, Self::Revoke | Self::AppendRevocation | Self::Directory | Self::Authority | Self::Succession)
    }
}

/// Every action of a request.
pub(super) const ACTIONS: [Action; 7] =
    [Action::Deposit, Action::List, Action::Read, Action::Audit, Action::Revoke, Action::Export, Action::Sync];
