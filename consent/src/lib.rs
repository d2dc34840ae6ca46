//! karute-consent decides: who is who, what was signed, what is in force, and whether a request is permitted.
//!
//! Pure: no clock, randomness, file, socket, async or logging; all of that is an argument. What it is trusted for
//! stands in SPEC.md beside it, rule by rule (C-01 and on); the check that keeps a rule names its number.

pub mod encoding;
pub mod id;
pub mod limits;
pub mod party;
pub mod purpose;
pub mod statement;
pub mod time;
pub mod wire;
