//! What can happen in a history. Numbers choose among what is there at that moment, so that every list of operations can
//! be played, a shortened one too.

use proptest::prelude::*;

/// One operation. `p` is a patient, `f` and `t` are facilities, `kind` a kind of data; `which` chooses among grants or
/// records.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// A facility is granted to deposit.
    GrantDeposit { p: u8, f: u8 },
    /// A facility is granted to list and read some kinds, of some months, of one depositor or all.
    GrantRead { p: u8, f: u8, kinds: u8, months: u8, of: Option<u8>, days: u8 },
    /// A facility is granted one record once.
    GrantOnce { p: u8, f: u8, which: u8 },
    /// A facility is granted two records, and may pass them on.
    GrantRecords { p: u8, f: u8, which: u8 },
    /// A holder passes a grant on.
    Delegate { p: u8, which: u8, t: u8 },
    /// A patient revokes.
    Revoke { p: u8, which: u8 },
    /// The same, but the device is gone before it has made new keys: deposits go to the inbox until it is back.
    RevokeOnly { p: u8, which: u8 },
    /// A facility deposits a file; there are few different files, so that some come twice.
    Deposit { p: u8, f: u8, kind: u8, file: u8 },
    /// A facility fetches everything under one of its grants.
    Fetch { p: u8, which: u8 },
    /// The same, with a request made by hand, which is kept.
    RawFetch { p: u8, which: u8 },
    /// A kept request is sent again, by whoever made it, in a new session.
    Replay { which: u8 },
    /// A facility fetches while the patient revokes that very grant.
    RaceFetch { p: u8, which: u8 },
    /// A facility deposits while the patient revokes a grant.
    RaceDeposit { p: u8, f: u8, kind: u8, file: u8, which: u8 },
    /// A facility withdraws a record, its own or not.
    Withdraw { p: u8, f: u8, which: u8 },
    /// A patient erases a record.
    Erase { p: u8, which: u8 },
    /// A patient takes a device in.
    AddDevice { p: u8 },
    /// A patient removes the device taken in last.
    RemoveDevice { p: u8 },
    /// A patient's device brings itself up to date, and files what waits in the inbox.
    Sync { p: u8 },
    /// Time passes.
    Pass { hours: u16 },
    /// Every clock is set back a little.
    Back { secs: u8 },
    /// The host ends and is opened again from its folder.
    Restart,
}

/// Any operation; what gives rights and records comes more often than what takes them away.
pub(super) fn ops() -> impl Strategy<Value = Op> {
    let (p, f, t) = (0..2_u8, 0..3_u8, 0..3_u8);
    let which = any::<u8>();
    let (kind, file) = (0..3_u8, 0..6_u8);
    prop_oneof![
        4 => (p.clone(), f.clone()).prop_map(|(p, f)| Op::GrantDeposit { p, f }),
        4 => (p.clone(), f.clone(), 1..8_u8, 0..3_u8, proptest::option::weighted(0.2, 0..3_u8), 1..60_u8)
            .prop_map(|(p, f, kinds, months, of, days)| Op::GrantRead { p, f, kinds, months, of, days }),
        2 => (p.clone(), f.clone(), which).prop_map(|(p, f, which)| Op::GrantOnce { p, f, which }),
        3 => (p.clone(), f.clone(), which).prop_map(|(p, f, which)| Op::GrantRecords { p, f, which }),
        3 => (p.clone(), which, t).prop_map(|(p, which, t)| Op::Delegate { p, which, t }),
        2 => (p.clone(), which).prop_map(|(p, which)| Op::Revoke { p, which }),
        1 => (p.clone(), which).prop_map(|(p, which)| Op::RevokeOnly { p, which }),
        12 => (p.clone(), f.clone(), kind.clone(), file.clone())
            .prop_map(|(p, f, kind, file)| Op::Deposit { p, f, kind, file }),
        3 => (p.clone(), which).prop_map(|(p, which)| Op::Fetch { p, which }),
        2 => (p.clone(), which).prop_map(|(p, which)| Op::RawFetch { p, which }),
        2 => which.prop_map(|which| Op::Replay { which }),
        1 => (p.clone(), which).prop_map(|(p, which)| Op::RaceFetch { p, which }),
        1 => (p.clone(), f.clone(), kind, file, which)
            .prop_map(|(p, f, kind, file, which)| Op::RaceDeposit { p, f, kind, file, which }),
        1 => (p.clone(), f, which).prop_map(|(p, f, which)| Op::Withdraw { p, f, which }),
        1 => (p.clone(), which).prop_map(|(p, which)| Op::Erase { p, which }),
        1 => p.clone().prop_map(|p| Op::AddDevice { p }),
        1 => p.clone().prop_map(|p| Op::RemoveDevice { p }),
        2 => p.prop_map(|p| Op::Sync { p }),
        2 => (1..240_u16).prop_map(|hours| Op::Pass { hours }),
        1 => (1..60_u8).prop_map(|secs| Op::Back { secs }),
        1 => Just(Op::Restart),
    ]
}
