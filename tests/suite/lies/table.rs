//! The table: what each lie comes to for each role. It is `table.txt` beside this file, one paragraph for a lie: its name,
//! eight cells in the order of [`Role::ALL`], and why those who find nothing are not harmed. A lie without a paragraph, a
//! cell that is missing and a word that means nothing are errors.

use std::sync::OnceLock;

use karute_protocol::finding::FindingKind;
use karute_tests::liar::Lie;

use super::Came;
use super::roles::Role;

/// One cell.
pub(super) struct Cell {
    pub(super) came: Came,
    /// Why that is enough.
    pub(super) why: &'static str,
}

/// What this lie comes to for this role.
pub(super) fn expected(lie: Lie, role: Role) -> Cell {
    let place = Role::ALL.iter().position(|other| *other == role).expect("all roles are there");
    let mut lines = table().lines().skip_while(|line| *line != lie.name()).skip(1);
    let cells = lines.next().unwrap_or_else(|| panic!("{lie} is not in the table"));
    let cells: Vec<&'static str> = cells.split('|').map(str::trim).collect();
    assert_eq!(cells.len(), Role::ALL.len(), "{lie}: a cell for each role");
    let why = lines.next().and_then(|line| line.trim().strip_prefix("why: "));
    let why = why.unwrap_or_else(|| panic!("{lie}: no word on why that is enough"));
    Cell { came: read(cells[place]), why }
}

fn read(cell: &'static str) -> Came {
    match cell.split_once(' ').unwrap_or((cell, "")) {
        ("finding", name) => Came::Finding(kind(name)),
        ("refused", what) if !what.is_empty() => Came::Refused(what),
        ("told", "") => Came::Told,
        ("harmless", "") => Came::Harmless,
        ("less", "") => Came::Less,
        ("vouched", "") => Came::Vouched,
        _ => panic!("no cell: {cell}"),
    }
}

fn kind(name: &str) -> FindingKind {
    KINDS.into_iter().find(|kind| kind.to_string() == name).unwrap_or_else(|| panic!("no finding: {name}"))
}

const KINDS: [FindingKind; 10] = [
    FindingKind::Equivocation,
    FindingKind::Inconsistency,
    FindingKind::Rollback,
    FindingKind::RewrittenEntry,
    FindingKind::MissingEntry,
    FindingKind::DroppedDeposit,
    FindingKind::ServedAfterRevocation,
    FindingKind::BeyondGrant,
    FindingKind::TimeRunsBack,
    FindingKind::ForgedEntry,
];

fn table() -> &'static str {
    static TABLE: OnceLock<String> = OnceLock::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/suite/lies/table.txt");
    TABLE.get_or_init(|| std::fs::read_to_string(path).expect("the table lies beside this file"))
}
