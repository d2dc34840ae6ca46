//! The rules of the house, read from the sources themselves: who imports whom, how long a file may be, which words
//! are not used, which rule ids exist. Every check is a function from sources to findings, and every check has a
//! test beside it on a small bad sample, so that it is known to be able to fail.

mod channels;
mod contexts;
mod imports;
mod machine;
mod modules;
mod open;
mod rules;
mod secrets;
mod shape;
mod source;
mod words;

use std::fmt;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Fails the test with every finding, one a line.
#[track_caller]
fn expect_none(mut findings: Vec<Finding>) {
    findings.sort();
    findings.dedup();
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} places break the rule:\n{}", lines.len(), lines.join("\n"));
}

/// Fails unless the check finds something in a sample that breaks the rule, and nothing in one that keeps it.
#[track_caller]
fn expect_some(findings: &[Finding], what: &str) {
    assert!(
        findings.iter().any(|f| f.what.contains(what)),
        "the bad sample went unnoticed: wanted a finding with {what:?}, got {findings:?}"
    );
}
