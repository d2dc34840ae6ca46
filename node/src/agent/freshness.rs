//! What is told about the freshness of the keys that a deposit was sealed to, or why nothing was sealed (P-47).

use std::fmt;

use karute_consent::time::Timestamp;
use karute_protocol::freshness::{Fresh, Stale, Voucher};
use serde::Serialize;

/// Who vouched for the keys of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// Who says that they were the newest.
    pub by: VouchedBy,
    /// When they said so: of the quorum's times the oldest, or the host's.
    pub witnessed_at: Timestamp,
    /// How many witnesses have to; 0 where there are none.
    pub quorum: u8,
}

/// Who vouches for a ledger's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VouchedBy {
    /// The vault's witnesses.
    Witnesses,
    /// The node alone, since there are no witnesses.
    Host,
}

impl Freshness {
    /// What was judged.
    pub fn new(fresh: &Fresh, quorum: u8) -> Self {
        let by = match fresh.by {
            Voucher::Witnesses => VouchedBy::Witnesses,
            Voucher::HostOnly => VouchedBy::Host,
        };
        Self { by, witnessed_at: fresh.at, quorum }
    }
}

/// Nothing was sealed: nobody who has to vouches for the newest keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFresh {
    stale: Stale,
    now: Timestamp,
}

impl NotFresh {
    /// By this clock.
    pub fn new(stale: Stale, now: Timestamp) -> Self {
        Self { stale, now }
    }

    /// Why.
    pub fn stale(&self) -> &Stale {
        &self.stale
    }

    /// What can be done about it.
    pub fn advice(&self) -> &'static str {
        match &self.stale {
            Stale::NotWitnessed { .. } => {
                "try again when the witnesses answer the node. A node that hides a revocation looks just like this, \
                 so nothing switches this check off"
            }
            Stale::HostClock { .. } => "set the clock of this machine, or have the node's operator look at the node's",
            _ => "do not trust this node before you know why",
        }
    }
}

impl fmt::Display for NotFresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was sealed: ")?;
        let Stale::NotWitnessed { quorum, secs_max, seen } = &self.stale else {
            return fmt::Display::fmt(&self.stale, f);
        };
        let within = span(*secs_max);
        write!(
            f,
            "{quorum} of {} witnesses must have seen the newest state of the vault in the last {within}",
            seen.len()
        )?;
        for (place, (name, time)) in seen.iter().enumerate() {
            f.write_str(if place == 0 { "; seen by " } else { ", " })?;
            match time {
                Some(time) => write!(f, "{name} {} ago", span(time.abs_diff(self.now)))?,
                None => write!(f, "{name} never")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for NotFresh {}

/// A span of time for a person, in the largest unit of which there are two: `26 hours`.
pub fn span(secs: u64) -> String {
    for (unit, secs_of) in [("day", 86_400), ("hour", 3_600), ("minute", 60)] {
        if secs >= 2 * secs_of {
            return format!("{} {unit}s", secs / secs_of);
        }
    }
    match secs {
        1 => "1 second".to_owned(),
        secs => format!("{secs} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_saw_the_vault_when_is_told_by_name() {
        let now = Timestamp::from_secs(1_000_000);
        let seen = vec![("tokyo".to_owned(), Some(now.minus_secs(93_600))), ("osaka".to_owned(), None)];
        let stale = Stale::NotWitnessed { quorum: 2, secs_max: 86_400, seen };
        let told = NotFresh::new(stale, now).to_string();
        assert_eq!(
            told,
            "nothing was sealed: 2 of 2 witnesses must have seen the newest state of the vault in the last 24 hours; \
             seen by tokyo 26 hours ago, osaka never"
        );
    }

    #[test]
    fn spans_are_for_people() {
        assert_eq!(
            [span(1), span(100), span(900), span(86_400)],
            ["1 second", "100 seconds", "15 minutes", "24 hours"]
        );
        assert_eq!(span(172_800), "2 days");
    }
}
