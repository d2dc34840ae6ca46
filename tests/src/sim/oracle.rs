//! Who knows everything in a simulated history, and says when something happened that must not.

use std::collections::BTreeSet;

use karute_consent::id::Generation;
use karute_protocol::limits::FRESH_SECS_MAX;
use karute_protocol::merkle::{TreeHash, TreeHead};

use super::cast::{PATIENT, WITNESSES};
use super::host::SimHost;
use super::letters::Which;
use super::lie::Lie;
use super::party::Party;
use super::witness::SimWitness;

/// What must not happen, and did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An honest host was convicted, or looked like a liar.
    #[error("an honest host was accused: {0}")]
    Accused(String),
    /// A lie did harm and nobody noticed.
    #[error("nobody noticed: {0:?}")]
    Unnoticed(Lie),
    /// A frame left under a grant whose revocation had been acknowledged.
    #[error("{0} frames left after the revocation was acknowledged")]
    ServedRevoked(u64),
    /// A witness signed what it must not.
    #[error("witness {witness} signed size {size} after size {before}")]
    Witness {
        /// Which one.
        witness: usize,
        /// The size that it signed.
        size: u64,
        /// The size that it had signed.
        before: u64,
    },
    /// A record was sealed to a key that a revoked holder has, although witnesses had seen the revocation long before.
    #[error("a record was sealed to generation {generation} {secs} s after the revocation was witnessed")]
    SealedToRevoked {
        /// The generation of the key.
        generation: u32,
        /// How long after.
        secs: u64,
    },
    /// Everything worked again, and a deposit was not possible.
    #[error("of 4 deposits at the end {0} were sealed")]
    Stuck(u64),
}

/// A revocation that the patient knows to be in the ledger.
struct Known {
    /// The ledger just after it.
    ledger: TreeHead,
    /// The keys that the reader has go up to this generation.
    generation: Generation,
    /// When each witness first signed a ledger that holds it.
    seen: [Option<u64>; WITNESSES],
}

pub(super) struct Oracle {
    quorum: u8,
    known: Vec<Known>,
    /// How much of what each witness signed was looked at.
    looked_at: [usize; WITNESSES],
    sealed_looked_at: Vec<usize>,
    /// Entries of the patient's ledger that were looked at.
    entries: u64,
    harmed: bool,
}

/// What clocks and letters may add to the time for which a head is fresh.
const SLACK_SECS: u64 = 300;

impl Oracle {
    pub(super) fn new(quorum: u8) -> Self {
        Self {
            quorum,
            known: Vec::new(),
            looked_at: [0; WITNESSES],
            sealed_looked_at: Vec::new(),
            entries: 0,
            harmed: false,
        }
    }

    /// After every letter.
    pub(super) fn watches(
        &mut self,
        now: u64,
        host: &SimHost,
        witnesses: &[SimWitness],
        parties: &[Party],
    ) -> Result<(), Violation> {
        if host.lie.is_none() && host.frames_after_revocation > 0 {
            return Err(Violation::ServedRevoked(host.frames_after_revocation));
        }
        self.learns_revocations(&parties[PATIENT]);
        self.watches_witnesses(now, host, witnesses)?;
        self.watches_seals(parties)
    }

    fn learns_revocations(&mut self, patient: &Party) {
        let size = patient.ledger().size;
        if size == self.entries {
            return;
        }
        for (_, place, _) in patient.revocations.iter().filter(|(_, place, _)| *place as u64 >= self.entries) {
            let Some(root) = patient.ledger_root_at(*place as u64 + 1) else { continue };
            let ledger = TreeHead { size: *place as u64 + 1, root };
            // New generations begin with directories; the revoked reader has every key up to the last one before.
            let generation = patient.generation_before(*place);
            self.known.push(Known { ledger, generation, seen: [None; WITNESSES] });
        }
        self.entries = size;
    }

    fn watches_witnesses(&mut self, now: u64, host: &SimHost, witnesses: &[SimWitness]) -> Result<(), Violation> {
        for (number, witness) in witnesses.iter().enumerate() {
            let new = self.looked_at[number]..witness.signed.len();
            for place in new {
                let (which, head, _) = witness.signed[place];
                let before = witness.signed[..place].iter().rev().find(|(other, _, _)| *other == which);
                if let Some((_, before, _)) = before
                    && (before.size > head.size || (before.size == head.size && before.root != head.root))
                {
                    return Err(Violation::Witness { witness: number, size: head.size, before: before.size });
                }
                if which == Which::Ledger {
                    self.notes_seen(number, head, now, host);
                }
            }
            self.looked_at[number] = witness.signed.len();
        }
        Ok(())
    }

    fn notes_seen(&mut self, witness: usize, head: TreeHead, now: u64, host: &SimHost) {
        for known in self.known.iter_mut().filter(|known| known.seen[witness].is_none()) {
            let holds = |root_at: &dyn Fn(u64) -> Option<TreeHash>| {
                root_at(head.size) == Some(head.root) && root_at(known.ledger.size) == Some(known.ledger.root)
            };
            let in_a_book = host.books.iter().chain(&host.snapshots);
            if in_a_book.into_iter().any(|book| holds(&|size| book.root_at(Which::Ledger, size))) {
                known.seen[witness] = Some(now);
            }
        }
    }

    /// Nothing is sealed to keys of a revoked holder once the revocation was witnessed and the time of freshness passed.
    fn watches_seals(&mut self, parties: &[Party]) -> Result<(), Violation> {
        self.sealed_looked_at.resize(parties.len(), 0);
        for (place, party) in parties.iter().enumerate() {
            for sealed in &party.sealed[self.sealed_looked_at[place]..] {
                for known in self.known.iter().filter(|_| self.quorum > 0) {
                    let knew = sealed.ledger.size >= known.ledger.size
                        && party.ledger_root_at(known.ledger.size) == Some(known.ledger.root);
                    let exposed = sealed.generation.0 > 0 && sealed.generation <= known.generation;
                    let mut seen: Vec<u64> = known.seen.iter().flatten().copied().collect();
                    seen.sort_unstable();
                    let Some(done) = seen.get(usize::from(self.quorum) - 1) else { continue };
                    let secs = sealed.at.saturating_sub(*done);
                    if !knew && exposed && secs > FRESH_SECS_MAX + SLACK_SECS {
                        return Err(Violation::SealedToRevoked { generation: sealed.generation.0, secs });
                    }
                }
            }
            self.sealed_looked_at[place] = party.sealed.len();
        }
        Ok(())
    }

    /// At the end, when everybody has checked everything. `sealed` of four deposits went through.
    pub(super) fn judges(&mut self, host: &SimHost, parties: &[Party], sealed: u64) -> Result<(), Violation> {
        let accused: BTreeSet<String> = parties
            .iter()
            .flat_map(|party| {
                let findings = party.findings.iter().map(|finding| format!("{:?}", finding.kind()));
                findings.chain(party.alarms.iter().map(|alarm| format!("{alarm:?}"))).collect::<Vec<_>>()
            })
            .collect();
        let Some(lie) = host.lie else {
            if !accused.is_empty() {
                return Err(Violation::Accused(format!("{accused:?}")));
            }
            return if sealed == 4 { Ok(()) } else { Err(Violation::Stuck(sealed)) };
        };
        self.harmed = does_harm(lie, host, parties);
        if self.harmed && accused.is_empty() { Err(Violation::Unnoticed(lie)) } else { Ok(()) }
    }

    pub(super) fn was_harmed(&self) -> bool {
        self.harmed
    }
}

/// Whether anybody holds, or was told, something that is not so.
fn does_harm(lie: Lie, host: &SimHost, parties: &[Party]) -> bool {
    match lie {
        Lie::ServeRevoked | Lie::ForgeRead | Lie::RepeatRead => host.lies_told > 0,
        Lie::ShortStream => host.shortened.iter().any(|(party, number)| parties[*party].whole.contains(number)),
        Lie::ClockBack | Lie::OmitEvents => true,
        Lie::RollBack | Lie::Fork | Lie::HideRevocation | Lie::OldDirectory | Lie::DropDeposit | Lie::RewriteEvent => {
            !host.books.iter().any(|book| parties.iter().all(|party| fits(party, book)))
        }
    }
}

/// Whether all that a party holds is of this book.
fn fits(party: &Party, book: &super::book::Book) -> bool {
    let receipts = party.receipts.iter().all(|receipt| {
        let place = usize::try_from(receipt.index.0).unwrap_or(usize::MAX);
        book.trail.get(place).is_some_and(|written| written.leaf == receipt.leaf)
    });
    let ledger = party.ledger();
    let same_ledger = book.root_at(Which::Ledger, ledger.size) == Some(ledger.root);
    let trail = party.trail.as_ref().is_none_or(|(_, head)| book.root_at(Which::Trail, head.size) == Some(head.root));
    receipts && same_ledger && trail
}
