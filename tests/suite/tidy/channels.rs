//! Everything has a limit: a channel without one turns a slow reader into a full memory.

use super::imports::mentions;
use super::source::{self, Source};
use super::{Finding, expect_none, expect_some};

const UNBOUNDED: [&str; 4] = ["unbounded_channel", "unbounded", "UnboundedSender", "UnboundedReceiver"];

fn check(source: &Source) -> Vec<Finding> {
    mentions(source)
        .into_iter()
        .filter(|m| {
            m.path.iter().any(|segment| UNBOUNDED.contains(&segment.as_str())) || m.has_path("std::sync::mpsc::channel")
        })
        .map(|m| Finding::new(&source.path, m.line, format!("{} has no bound", m.path.join("::"))))
        .collect()
}

#[test]
fn every_channel_is_bounded() {
    expect_none(source::product().iter().flat_map(check).collect());
}

#[test]
fn a_channel_without_a_bound_is_noticed() {
    for text in [
        "fn f() { tokio::sync::mpsc::unbounded_channel() }",
        "use std::sync::mpsc;\nfn f() { let (a, b) = mpsc::channel(); }",
        "use std::sync::mpsc::channel;",
        "use futures::channel::mpsc::{self, UnboundedSender};",
    ] {
        expect_some(&check(&Source::new("node/src/a.rs", text)), "has no bound");
    }
    let fine = "use tokio::sync::mpsc;\nfn f() { mpsc::channel(16); std::sync::mpsc::sync_channel(1); }";
    assert_eq!(check(&Source::new("node/src/a.rs", fine)), []);
}
