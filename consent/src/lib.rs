//! karute-consent decides: who is who, what was signed, what is in force, and whether a request is permitted.
//!
//! Pure: no clock, randomness, file, socket, async or logging; all of that is an argument. What it is trusted for
//! stands in SPEC.md beside it, rule by rule (C-01 and on); the check that keeps a rule names its number.

pub mod ask;
pub mod card;
pub mod category;
pub mod chain;
pub mod directory;
pub mod encoding;
pub mod grant;
pub mod id;
pub mod ledger;
pub mod limits;
pub mod party;
pub mod policy;
pub mod purpose;
pub mod request;
pub mod revocation;
pub mod scope;
pub mod sealing;
pub mod statement;
pub mod template;
pub mod text;
pub mod time;
pub mod tree;
pub mod vault;
pub mod wire;

#[cfg(test)]
mod testing;
