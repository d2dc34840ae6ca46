//! What one schedule is: who reads what and how fast, what is revoked and by whom, and when. All of it follows from a seed.

use super::stream::Pace;

/// Numbers from a seed (splitmix64).
#[derive(Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    /// Once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Records with their bodies.
    Fetch,
    /// The headers of all records.
    List,
    /// Its part of the ledger, with its key packages.
    Sync,
}

/// One reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    /// Place of its grant in the chain, 0 for the grant without parent.
    pub(super) level: usize,
    pub(super) asks: Asks,
    /// Bytes that the transport takes before the writer waits.
    pub(super) pipe: usize,
    pub(super) pace: Pace,
}

/// Who ends the grant, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A device sends the revocation.
    Device,
    /// A device appends it with an entry of its own.
    Append,
    /// A guardian, whose grant has the action revoke, sends it.
    Guardian,
    /// The issuer of the grant sends it: a holder further up, or a device.
    Issuer,
}

/// When the revocation is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before the readers send their requests.
    Before,
    /// At the same time.
    Beside,
    /// After the host handed this many bytes of the first reader's stream to the transport.
    After(usize),
}

/// One schedule.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Which of the vault's records are fetched, a bit each.
    pub(super) records: u64,
    /// Grants in the chain.
    pub(super) levels: usize,
    pub(super) readers: Vec<Reader>,
    /// Place of the revoked grant in the chain.
    pub(super) revoked: usize,
    pub(super) by: By,
    pub(super) when: When,
}

impl Plan {
    /// The schedule of a seed, in a vault whose records have these sizes, the smallest first.
    pub(super) fn of(seed: u64, sizes: &[usize]) -> Self {
        let mut dice = Dice(seed);
        let mut records = 0;
        for _ in 0..=dice.below(3) {
            // The smaller half twice as often.
            let place = dice.below(sizes.len()).min(dice.below(sizes.len() + 2));
            records |= 1 << place;
        }
        let total: usize = (0..sizes.len()).filter(|place| records >> place & 1 == 1).map(|place| sizes[place]).sum();
        let levels = 1 + dice.below(3);
        let revoked = dice.below(levels);
        // The first bytes are what every answer has: what is permitted, the first record.
        let lands = if dice.once_in(3) { dice.below(6_000) } else { dice.below(total + total / 16 + 6_000) };
        let mut readers: Vec<Reader> =
            (0..=dice.below(3)).map(|_| Self::reader(&mut dice, levels, lands, total)).collect();
        if !dice.once_in(4) {
            readers[0].level = revoked + dice.below(levels - revoked);
        }
        let by = dice.pick(&[By::Device, By::Append, By::Guardian, By::Issuer]);
        let when = match dice.below(10) {
            0 => When::Before,
            1 => When::Beside,
            _ => When::After(lands),
        };
        Self { seed, records, levels, readers, revoked, by, when }
    }

    /// A reader of a schedule whose revocation is sent when so many bytes were handed over.
    fn reader(dice: &mut Dice, levels: usize, lands: usize, total: usize) -> Reader {
        let pipe = dice.pick(&[256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20]);
        // Mostly one that does not take the whole answer at once.
        let pipe = if dice.once_in(5) { pipe } else { pipe.min(total / 4).max(256) };
        let asks = match dice.below(10) {
            0 => Asks::List,
            1 => Asks::Sync,
            _ => Asks::Fetch,
        };
        let pace = match dice.below(100) {
            0 => Pace::Stop(dice.below(lands + 20_000)),
            // While it pauses, so many bytes are handed over as the pipe takes.
            1..=45 => Pace::Stall(lands.saturating_sub(dice.below(pipe)), 20 + dice.below(250) as u64),
            46..=55 => Pace::Stall(dice.below(lands + 20_000), 1 + dice.below(40) as u64),
            56..=75 => Pace::Slow(dice.pick(&[16 << 10, 64 << 10])),
            _ => Pace::Fast,
        };
        Reader { level: dice.below(levels), asks, pipe, pace }
    }
}
