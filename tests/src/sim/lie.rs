//! What a lying host of a simulated history does.

use super::book::Book;
use super::cast::{DEPOSITOR, LATE_DEPOSITOR, PARTIES, READER};
use super::dice::Dice;
use super::host::SimHost;

/// One lie; a history has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lie {
    /// Shows everybody an older state.
    RollBack,
    /// Shows two groups two states that grow apart.
    Fork,
    /// Shows a revocation to the patient only.
    HideRevocation,
    /// Shows depositors the state before the last revocation.
    OldDirectory,
    /// Answers a deposit and forgets it.
    DropDeposit,
    /// Serves a revoked grant.
    ServeRevoked,
    /// Turns its clock back.
    ClockBack,
    /// Writes down a reading that nobody asked for.
    ForgeRead,
    /// Writes one request down twice.
    RepeatRead,
    /// Changes the last event.
    RewriteEvent,
    /// Leaves the last events out of audits.
    OmitEvents,
    /// Ends answers early.
    ShortStream,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::RollBack,
        Self::Fork,
        Self::HideRevocation,
        Self::OldDirectory,
        Self::DropDeposit,
        Self::ServeRevoked,
        Self::ClockBack,
        Self::ForgeRead,
        Self::RepeatRead,
        Self::RewriteEvent,
        Self::OmitEvents,
        Self::ShortStream,
    ];
}

impl SimHost {
    /// From now on the host lies. Some lies are told here, others when somebody asks.
    pub(super) fn begins_to_lie(&mut self, lie: Lie, dice: &mut Dice) {
        self.lie = Some(lie);
        match lie {
            Lie::RollBack if !self.snapshots.is_empty() => {
                let place = dice.below(self.snapshots.len() as u64) as usize;
                let older: Book = self.snapshots[place].clone();
                for face in self.faces() {
                    self.books[face] = older.clone();
                }
            }
            Lie::Fork => {
                let other = self.books.len();
                self.books.push(self.books[0].clone());
                for party in 1..PARTIES {
                    if dice.percent(50) {
                        self.face[party] = other;
                    }
                }
            }
            Lie::OldDirectory => {
                let entries = self.books[0].state.size();
                let Some(older) = self.snapshots.iter().rfind(|book| book.state.size() < entries) else { return };
                self.books.push(older.clone());
                for party in [DEPOSITOR, LATE_DEPOSITOR] {
                    self.face[party] = self.books.len() - 1;
                }
            }
            Lie::ClockBack => self.clock -= (3600 + dice.below(2 * 86_400)) as i64,
            Lie::RewriteEvent => self.books[0].rewrite_last(|event| event.count += 1),
            Lie::RollBack
            | Lie::HideRevocation
            | Lie::DropDeposit
            | Lie::ServeRevoked
            | Lie::ForgeRead
            | Lie::RepeatRead
            | Lie::OmitEvents
            | Lie::ShortStream => {}
        }
    }

    /// Who is shown the state without the revocation from now on.
    pub(super) fn hides_revocation(&mut self) {
        if self.lie == Some(Lie::HideRevocation) && self.books.len() == 1 {
            self.books.push(self.books[0].clone());
            for party in [DEPOSITOR, READER, LATE_DEPOSITOR] {
                self.face[party] = 1;
            }
        }
    }

    fn faces(&self) -> Vec<usize> {
        let mut faces = self.face.to_vec();
        faces.sort_unstable();
        faces.dedup();
        faces
    }
}
