//! The network of a simulated history: letters are late, out of order, doubled and lost, as the dice say.

use std::collections::{BTreeMap, HashMap};

use super::dice::Dice;
use super::letters::{End, Letter};

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) lost_percent: u64,
    pub(super) doubled_percent: u64,
    pub(super) late_percent: u64,
}

pub(super) struct Post {
    pub(super) from: End,
    pub(super) to: End,
    pub(super) letter: Letter,
}

/// Letters on their way, by the second of their arrival and by the order in which they were sent.
pub(super) struct Wire {
    under_way: BTreeMap<(u64, u64), Post>,
    sent: u64,
    /// When the last answer to each party arrives.
    last_told: HashMap<usize, u64>,
    pub(super) weather: Weather,
}

impl Wire {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let lost_percent = dice.pick(&[0, 0, 2, 10]);
        let doubled_percent = dice.pick(&[0, 0, 3, 10]);
        let late_percent = dice.pick(&[0, 10, 30]);
        Self {
            under_way: BTreeMap::new(),
            sent: 0,
            last_told: HashMap::new(),
            weather: Weather { lost_percent, doubled_percent, late_percent },
        }
    }

    /// From now on everything arrives, once and soon.
    pub(super) fn clears_up(&mut self) {
        self.weather = Weather { lost_percent: 0, doubled_percent: 0, late_percent: 0 };
    }

    /// Sends a letter; the weather decides what becomes of it. A connection between a party and the host gives letters in
    /// their order or breaks; between host and witnesses each request stands for itself.
    pub(super) fn send(&mut self, dice: &mut Dice, now: u64, from: End, to: End, letter: Letter) {
        let delay = if dice.percent(self.weather.late_percent) { dice.below(45) } else { dice.below(2) };
        let doubled = dice.percent(self.weather.doubled_percent).then(|| dice.below(40));
        let lost = dice.percent(self.weather.lost_percent);
        let at = match (&letter, to) {
            (Letter::Told(..), End::Party(party)) => {
                let last = self.last_told.entry(party).or_default();
                *last = (now + delay).max(*last);
                *last
            }
            _ => now + delay,
        };
        if lost {
            match (&letter, from, to) {
                (Letter::Ask(number, _), party, _) | (Letter::Told(number, _), _, party) => {
                    self.put(at, Post { from: End::Host, to: party, letter: Letter::Cut(*number) });
                }
                _ => {}
            }
            return;
        }
        if let Some(later) = doubled.filter(|_| !matches!(letter, Letter::Told(..))) {
            self.put(at + later, Post { from, to, letter: letter.clone() });
        }
        self.put(at, Post { from, to, letter });
    }

    /// Something that an end tells itself; it is never lost.
    pub(super) fn remind(&mut self, at: u64, whom: End, letter: Letter) {
        self.put(at, Post { from: whom, to: whom, letter });
    }

    fn put(&mut self, at: u64, post: Post) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), post);
    }

    /// The next letter that arrives before `until`, and when.
    pub(super) fn next_before(&mut self, until: u64) -> Option<(u64, Post)> {
        let ((at, _), _) = self.under_way.first_key_value()?;
        if *at >= until {
            return None;
        }
        self.under_way.pop_first().map(|((at, _), post)| (at, post))
    }

    /// Breaks every connection of an end that died: whoever waits for it is told.
    pub(super) fn cut(&mut self, now: u64, end: End) {
        let (lost, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.under_way).into_iter().partition(|(_, post)| {
                (post.to == end || post.from == end) && !matches!(post.letter, Letter::Late(_) | Letter::Cut(_))
            });
        self.under_way = kept;
        for post in lost.into_values() {
            match (&post.letter, post.from, post.to) {
                (Letter::Ask(number, _), party, _) | (Letter::Told(number, _), _, party) => {
                    self.put(now + 1, Post { from: end, to: party, letter: Letter::Cut(*number) });
                }
                _ => {}
            }
        }
    }
}
