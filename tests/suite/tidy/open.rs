//! The host is blind (invariant I-6). What opens a sealed record stands in `protocol` behind the feature `open`;
//! host rooms may not name it, and may not hide code from the host-only build, which is the compiler's own proof.

use std::collections::BTreeSet;

use super::imports::{mentions, module_path, use_tree};
use super::source::{self, Source, places_of, skip_space, word_at};
use super::{Finding, expect_none, expect_some};

const PROTOCOL: &str = "karute_protocol";

const HOST_ROOMS: [&str; 5] =
    ["node/src/flow/host", "node/src/vault", "node/src/net", "node/src/cosign", "node/src/witness"];

/// Methods whose names are everybody's: the host-only build notices them, this check cannot.
const EVERYBODYS: [&str; 5] = ["open", "new", "from", "as_bytes", "finish"];

/// What exists only with the feature `open`.
#[derive(Default)]
struct Gated {
    /// Functions, types and modules, by their path from outside: `karute_protocol::record::open_meta`.
    items: BTreeSet<String>,
    /// Methods, named after a dot or after their type.
    methods: BTreeSet<String>,
}

impl Gated {
    /// The gated item that a path leads to or into.
    fn on_the_way(&self, path: &[String]) -> Option<String> {
        (2..=path.len()).map(|end| path[..end].join("::")).find(|item| self.items.contains(item))
    }
}

fn is_gate(attribute: &str) -> bool {
    attribute.starts_with("#[cfg(") && attribute.contains("feature=\"open\"")
}

/// Adds what a source of the protocol gates: single items, whole impls, and whole files.
fn gather(source: &Source, gated: &mut Gated) {
    let mut home = module_path(&source.path);
    home[0] = PROTOCOL.to_owned();
    let home = home.join("::");
    if source.raw.lines().any(|line| line.starts_with("#![") && is_gate(&line.replace("#![", "#[").replace(' ', ""))) {
        gated.items.insert(home.clone());
    }
    for span in source.items_under(is_gate) {
        gather_item(&source.code[span], &home, gated);
    }
    gated.methods.retain(|name| !EVERYBODYS.contains(&name.as_str()));
}

fn gather_item(item: &str, home: &str, gated: &mut Gated) {
    let in_impl = |at: usize| item[..at].contains("impl ") || item[..at].contains("impl<");
    for keyword in ["fn", "struct", "enum", "trait", "mod", "const", "type"] {
        for at in places_of(item, keyword) {
            let Some(name) = word_at(item, skip_space(item, at + keyword.len())) else { continue };
            let takes_self = item[at..].split('{').next().is_some_and(|head| head.contains("self"));
            if keyword == "fn" && (takes_self || in_impl(at)) {
                gated.methods.insert(name.to_owned());
            } else if !in_impl(at) {
                gated.items.insert(format!("{home}::{name}"));
            }
        }
    }
    for at in places_of(item, "use") {
        let tree = item[at + 3..].split(';').next().unwrap_or_default();
        gated.items.extend(use_tree(tree.trim(), &[]).into_iter().map(|(_, bound)| format!("{home}::{bound}")));
    }
}

fn check(source: &Source, gated: &Gated) -> Vec<Finding> {
    if !HOST_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for mention in mentions(source) {
        let last = mention.path.last().map(String::as_str).unwrap_or_default();
        let of_protocol = mention.path[0] == PROTOCOL;
        let method = (mention.method || of_protocol && mention.path.len() > 2) && gated.methods.contains(last);
        if let Some(name) = gated.on_the_way(&mention.path).or(method.then(|| last.to_owned())) {
            found.push(Finding::new(&source.path, mention.line, format!("a host room names {name}, which opens")));
        }
        if of_protocol && last == "*" {
            found.push(Finding::new(&source.path, mention.line, "a host room imports without saying what"));
        }
    }
    let lines: Vec<&str> = source.raw.lines().collect();
    for literal in &source.literals {
        if lines[literal.line - 1].contains("feature") && ["agent", "open"].contains(&literal.text.as_str()) {
            found.push(Finding::new(&source.path, literal.line, "hidden from the host-only build"));
        }
    }
    found
}

fn gated_by(sources: &[Source]) -> Gated {
    let mut gated = Gated::default();
    sources.iter().filter(|s| s.path.starts_with("protocol/src")).for_each(|s| gather(s, &mut gated));
    gated
}

#[test]
fn host_rooms_name_nothing_that_opens() {
    let product = source::product();
    let gated = gated_by(&product);
    assert!(gated.items.len() > 3, "hardly anything in protocol stands behind the feature `open`");
    expect_none(product.iter().flat_map(|s| check(s, &gated)).collect());
}

#[test]
fn a_host_that_names_an_opener_is_noticed() {
    let gated = gated_by(&[
        Source::new(
            "protocol/src/record.rs",
            "#[cfg(feature = \"open\")]\npub fn open_meta(x: u8) -> u8 { let y = 1; y }\n\
             #[cfg(feature = \"open\")]\nimpl RunKeys {\n    pub fn unseal(self) {}\n}\n\
             pub fn seal() {}\n#[cfg(feature = \"open\")]\npub use crate::reader::RangeReader;",
        ),
        Source::new(
            "protocol/src/reader.rs",
            "//! x\n#![cfg(feature = \"open\")]\npub struct RangeReader;\npub fn open_all() {}",
        ),
    ]);
    for text in [
        "use karute_protocol::record::open_meta;",
        "fn f(k: RunKeys) { k.unseal() }",
        "use karute_protocol::record::RunKeys;\nfn f(k: RunKeys) { RunKeys::unseal(k) }",
        "use karute_protocol::record::{RangeReader as R};",
        "use karute_protocol::reader;",
        "use karute_protocol::record;\nfn f() { record::open_meta(1) }",
        "use karute_protocol as p;\nfn f() { p::reader::open_all() }",
    ] {
        expect_some(&check(&Source::new("node/src/flow/host/a.rs", text), &gated), "which opens");
        assert_eq!(check(&Source::new("node/src/flow/agent/a.rs", text), &gated), []);
    }
    let all = Source::new("node/src/vault/a.rs", "use karute_protocol::record::*;");
    expect_some(&check(&all, &gated), "without saying what");
    let hidden = Source::new("node/src/net/a.rs", "#[cfg(feature = \"agent\")]\nfn f() {}");
    expect_some(&check(&hidden, &gated), "hidden");
    for fine in [
        "use karute_protocol::record;\nfn f() { record::seal() }",
        "use karute_protocol::body::open_meta;\nstruct RangeReader;",
    ] {
        assert_eq!(check(&Source::new("node/src/vault/a.rs", fine), &gated), []);
    }
}
