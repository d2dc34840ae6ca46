//! Time as statements use it: seconds, spans of seconds, months. All UTC; "now" is always an argument.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::encoding::bad_value;

/// A moment: whole seconds since 1970-01-01T00:00:00Z, before the year 10000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment there is.
    pub const LAST: Self = Self(253_402_300_799);

    /// The moment so many seconds after 1970 began; the last one if that is beyond it.
    pub const fn from_secs(secs: u64) -> Self {
        if secs < Self::LAST.0 { Self(secs) } else { Self::LAST }
    }

    /// Seconds since 1970 began.
    pub const fn secs(self) -> u64 {
        self.0
    }

    /// This moment and `secs` seconds; the end of time if that is beyond it.
    pub fn plus_secs(self, secs: u64) -> Self {
        Self::from_secs(self.0.saturating_add(secs))
    }

    /// This moment less `secs` seconds; 1970 if that is before it.
    pub fn minus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_sub(secs))
    }

    /// Seconds between two moments, whichever is first.
    pub fn abs_diff(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// The month that this moment lies in; the last one there is for moments beyond it.
    pub fn month(self) -> Month {
        let days = i64::try_from(self.0 / DAY_SECS).unwrap_or(i64::MAX / 2);
        let (year, month) = year_and_month(days);
        let index = (year - 1970) * 12 + i64::from(month) - 1;
        Month(u16::try_from(index).unwrap_or(u16::MAX))
    }
}

/// A span of time: `not_before` is in it, `not_after` is not. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Why two moments or two months make no span, or a text no month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The end is not after the start.
    #[error("the end is not after the start")]
    Empty,
    /// Not a month from 1970-01 on, written YYYY-MM.
    #[error("expected a month from 1970-01 on, written YYYY-MM")]
    NotAMonth,
}

impl Validity {
    /// The span from `not_before` to just before `not_after`.
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Result<Self, TimeError> {
        // C-08
        if not_before < not_after { Ok(Self { not_before, not_after }) } else { Err(TimeError::Empty) }
    }

    /// First moment in the span.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// First moment after the span.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether a moment lies in the span.
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.not_before <= moment && moment < self.not_after
    }

    /// Whether every moment of this span lies in `outer`.
    pub fn within(&self, outer: &Self) -> bool {
        outer.not_before <= self.not_before && self.not_after <= outer.not_after
    }

    /// Length in seconds, at least 1.
    pub fn secs(&self) -> u64 {
        self.not_after.0 - self.not_before.0
    }
}

/// A month: its index since 1970-01 (UTC), so that 0 is January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub u16);

impl Month {
    /// The month after this one; nothing after the last.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// The month before this one; nothing before the first.
    pub fn previous(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// First moment of the month.
    pub fn start(self) -> Timestamp {
        let (year, month) = (1970 + i64::from(self.0 / 12), i64::from(self.0 % 12) + 1);
        Timestamp::from_secs(u64::try_from(days_before(year, month)).map_or(0, |days| days * DAY_SECS))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", 1970 + u32::from(self.0 / 12), self.0 % 12 + 1)
    }
}

impl FromStr for Month {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let shaped = text.len() == 7 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let (year, month) = text.split_once('-').filter(|_| shaped).ok_or(TimeError::NotAMonth)?;
        let year: u32 = year.parse().map_err(|_| TimeError::NotAMonth)?;
        let month: u32 = month.parse().map_err(|_| TimeError::NotAMonth)?;
        if year < 1970 || !(1..=12).contains(&month) {
            return Err(TimeError::NotAMonth);
        }
        let found = u16::try_from((year - 1970) * 12 + month - 1).map(Self).map_err(|_| TimeError::NotAMonth)?;
        if found.to_string() == text { Ok(found) } else { Err(TimeError::NotAMonth) }
    }
}

/// Months from `from` to just before `to`. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MonthRange {
    from: Month,
    to: Month,
}

impl MonthRange {
    /// The months from `from` to just before `to`.
    pub fn new(from: Month, to: Month) -> Result<Self, TimeError> {
        // C-08
        if from < to { Ok(Self { from, to }) } else { Err(TimeError::Empty) }
    }

    /// First month in the range.
    pub fn from(&self) -> Month {
        self.from
    }

    /// First month after the range.
    pub fn to(&self) -> Month {
        self.to
    }

    /// Number of months, at least 1.
    pub fn span(&self) -> u16 {
        self.to.0 - self.from.0
    }

    /// Whether a month lies in the range.
    pub fn contains(&self, month: Month) -> bool {
        self.from <= month && month < self.to
    }

    /// Whether every month of this range lies in `outer`.
    pub fn within(&self, outer: &Self) -> bool {
        outer.from <= self.from && self.to <= outer.to
    }

    /// The months that lie in both ranges, if there are any.
    pub fn overlap(&self, other: &Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to)).ok()
    }

    /// Each month in order.
    pub fn iter(&self) -> impl Iterator<Item = Month> + use<> {
        (self.from.0..self.to.0).map(Month)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let secs = u64::deserialize(from)?;
        let last = Self::LAST.0;
        if secs <= last { Ok(Self(secs)) } else { Err(bad_value()) }
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(self.0)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u16::deserialize(from).map(Self)
    }
}

/// On the wire a span is the map of its two ends.
#[derive(SerializeIndexed, DeserializeIndexed)]
struct Ends<T> {
    #[serde(index = 1)]
    first: T,
    #[serde(index = 2)]
    end: T,
}

impl Serialize for Validity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Ends { first: self.not_before, end: self.not_after }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Validity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let ends = Ends::deserialize(from)?;
        Self::new(ends.first, ends.end).map_err(|_| bad_value())
    }
}

impl Serialize for MonthRange {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Ends { first: self.from, end: self.to }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for MonthRange {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let ends = Ends::deserialize(from)?;
        Self::new(ends.first, ends.end).map_err(|_| bad_value())
    }
}

/// Days from 1970-01-01 to the first day of a month of the Gregorian calendar; `month` counts from 1.
fn days_before(year: i64, month: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last day of a year.
    let year = if month <= 2 { year - 1 } else { year };
    let months_since_march = (month + 9) % 12;
    let days_in_year = (153 * months_since_march + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_in_year - MARCH_YEAR_0_TO_1970
}

/// Year and month (from 1) of the day that is `days` after 1970-01-01.
fn year_and_month(days: i64) -> (i64, u8) {
    let days = days + MARCH_YEAR_0_TO_1970;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let year = era * 400 + year_of_era;
    match months_since_march {
        0..=9 => (year, months_since_march as u8 + 3),
        _ => (year + 1, months_since_march as u8 - 9),
    }
}

const DAY_SECS: u64 = 86_400;
/// Days in 400 years of the Gregorian calendar.
const ERA_DAYS: i64 = 146_097;
/// Days from 1 March of year 0 to 1 January 1970.
const MARCH_YEAR_0_TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_fall_into_their_months() {
        let cases = [
            (0, "1970-01"),
            (2_678_399, "1970-01"),
            (2_678_400, "1970-02"),
            (951_782_400, "2000-02"), // 29 February 2000
            (951_868_800, "2000-03"),
            (1_795_305_600, "2026-11"),
            (4_107_542_400, "2100-03"), // no leap day in 2100
            (4_107_542_399, "2100-02"),
        ];
        for (secs, month) in cases {
            assert_eq!(Timestamp(secs).month().to_string(), month, "{secs}");
        }
    }

    #[test]
    fn the_end_of_time_has_a_month() {
        assert_eq!(Timestamp::from_secs(u64::MAX), Timestamp::LAST);
        assert_eq!(Timestamp::LAST.month(), Month(u16::MAX));
    }

    #[test]
    fn a_month_has_one_text() {
        assert_eq!("2026-11".parse(), Ok(Month(682)));
        for text in ["2026-1", "2026-00", "2026-13", "1969-12", "2026/11", "+026-11", "9999-12", "20-2611", "2026-011"]
        {
            assert_eq!(text.parse::<Month>(), Err(TimeError::NotAMonth), "{text}");
        }
    }

    #[test]
    fn the_start_is_in_a_span_and_the_end_is_not() {
        let span = Validity::new(Timestamp(10), Timestamp(12)).expect("not empty");
        assert!(!span.contains(Timestamp(9)));
        assert!(span.contains(Timestamp(10)));
        assert!(span.contains(Timestamp(11)));
        assert!(!span.contains(Timestamp(12)));
        assert_eq!(Validity::new(Timestamp(10), Timestamp(10)), Err(TimeError::Empty));
    }

    proptest! {
        #[test]
        fn a_month_begins_where_the_one_before_ends(index in 1..u16::MAX) {
            let start = Month(index).start();
            prop_assert_eq!(start.month(), Month(index));
            prop_assert_eq!(start.minus_secs(1).month(), Month(index - 1));
        }

        #[test]
        fn months_read_back(index in any::<u16>()) {
            prop_assert_eq!(Month(index).to_string().parse(), Ok(Month(index)));
        }

        #[test]
        fn the_overlap_is_what_both_contain(a in 0..40u16, b in 1..40u16, c in 0..40u16, d in 1..40u16, m in 0..90u16) {
            let one = MonthRange::new(Month(a), Month(a + b)).expect("not empty");
            let two = MonthRange::new(Month(c), Month(c + d)).expect("not empty");
            let both = one.contains(Month(m)) && two.contains(Month(m));
            prop_assert_eq!(one.overlap(&two).is_some_and(|o| o.contains(Month(m))), both);
        }
    }
}
