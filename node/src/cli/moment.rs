//! Times for people: UTC, to the minute, in the order that sorts.

use karute_consent::time::Timestamp;

/// `2026-11-22 14:03`, in UTC.
pub(super) fn minute(moment: Timestamp) -> String {
    let (day, secs) = (moment.secs() / DAY_SECS, moment.secs() % DAY_SECS);
    format!("{} {:02}:{:02}", civil(day), secs / 3600, secs % 3600 / 60)
}

/// `2026-11-22 14:03:07`, in UTC: where the order of two moments matters.
#[cfg(feature = "agent")]
pub(super) fn second(moment: Timestamp) -> String {
    format!("{}:{:02}", minute(moment), moment.secs() % 60)
}

/// The calendar day so many days after 1970-01-01 (the algorithm counts eras of 400 years from a 1st of March).
fn civil(days: u64) -> String {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

const DAY_SECS: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_minutes_are_the_calendars() {
        for (secs, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_795_356_180, "2026-11-22 14:03"),
            (4_107_542_400, "2100-03-01 00:00"),
            (253_402_300_799, "9999-12-31 23:59"),
        ] {
            assert_eq!(minute(Timestamp::from_secs(secs)), text);
        }
    }
}
