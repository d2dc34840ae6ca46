//! Reasons to deny: kept for the trail, never told to a peer.

use crate::statement::Stage;

crate::wire_enum! {
    /// Why a request is denied: for the trail; the peer is told none of it.
    DenyReason {
        /// Another vault (C-39).
        WrongVault = 1 "wrong-vault",
        /// Another node (C-39).
        WrongNode = 2 "wrong-node",
        /// Another peer than the transport proved (C-39).
        WrongPeer = 3 "wrong-peer",
        /// Not this session's challenge (C-38).
        WrongChallenge = 4 "wrong-challenge",
        /// A sequence that does not rise (C-38).
        Replayed = 5 "replayed",
        /// The request's time is too far from the host's (C-40).
        ClockSkew = 6 "clock-skew",
        /// The host's clock is behind what it committed (C-41).
        ClockBehind = 7 "clock-behind",
        /// No grant, and no device (C-42).
        NoGrant = 8 "no-grant",
        /// A grant that is not in the ledger (C-43).
        UnknownGrant = 9 "unknown-grant",
        /// Grants that are no chain (C-44).
        BrokenChain = 10 "broken-chain",
        /// The signer is not the holder (C-45).
        NotHolder = 11 "not-holder",
        /// A grant of the chain is revoked (C-35).
        Revoked = 12 "revoked",
        /// A grant of the chain is not valid yet (C-46).
        NotYetValid = 13 "not-yet-valid",
        /// A grant of the chain is no longer valid (C-46).
        Expired = 14 "expired",
        /// The action is not granted (C-47).
        ActionNotGranted = 15 "action-not-granted",
        /// The purpose is not granted (C-48).
        PurposeNotGranted = 16 "purpose-not-granted",
        /// A grant of the chain has no use left (C-49).
        UsesExhausted = 17 "uses-exhausted",
        /// The request names what is not granted (C-50).
        OutsideScope = 18 "outside-scope",
    }
}

impl std::error::Error for DenyReason {}

impl DenyReason {
    /// The stage that noticed it.
    pub fn stage(self) -> Stage {
        match self {
            Self::UnknownGrant | Self::BrokenChain => Stage::Chain,
            _ => Stage::Decide,
        }
    }
}
