//! Histories that once went wrong, each a plain list, with the seed of its world. Every world begins with deposit grants of
//! both patients to A and B.

use super::op::Op;

/// Name, seed, operations.
pub(super) fn found() -> Vec<(&'static str, u64, Vec<Op>)> {
    let second_grant = vec![
        Op::GrantDeposit { p: 0, f: 0 },
        Op::RaceDeposit { p: 0, f: 0, kind: 2, file: 2, which: 2 },
        Op::GrantDeposit { p: 0, f: 0 },
        Op::RaceDeposit { p: 0, f: 0, kind: 1, file: 3, which: 4 },
        Op::Deposit { p: 0, f: 0, kind: 0, file: 4 },
    ];
    vec![
        ("a deposit grant ends while another is in force", 11, second_grant),
        (
            "a whole round: deposit, read, pass on, revoke, deposit again",
            1,
            vec![
                Op::Deposit { p: 0, f: 0, kind: 0, file: 0 },
                Op::GrantRead { p: 0, f: 1, kinds: 1, months: 0, of: None, days: 30 },
                Op::GrantRecords { p: 0, f: 1, which: 0 },
                Op::Delegate { p: 0, which: 1, t: 2 },
                Op::Fetch { p: 0, which: 1 },
                Op::Fetch { p: 0, which: 2 },
                Op::RawFetch { p: 0, which: 3 },
                Op::Deposit { p: 0, f: 0, kind: 2, file: 1 },
                Op::Sync { p: 0 },
                Op::Restart,
                Op::Revoke { p: 0, which: 2 },
                Op::Replay { which: 0 },
                Op::Deposit { p: 0, f: 0, kind: 0, file: 2 },
                Op::Fetch { p: 0, which: 3 },
                Op::AddDevice { p: 0 },
                Op::RemoveDevice { p: 0 },
                Op::Pass { hours: 24 * 20 },
                Op::Deposit { p: 0, f: 0, kind: 1, file: 3 },
            ],
        ),
    ]
}
