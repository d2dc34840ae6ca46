//! Who may import whom. Cargo enforces the direction between the crates; this table enforces it between the rooms,
//! and keeps every foreign crate behind one door.

use std::collections::BTreeMap;

use super::source::{self, PRODUCT, Source, folder_of_children, skip_space, word_at};
use super::{Finding, expect_none, expect_some};

/// What a rule forbids to name.
#[derive(Clone, Copy)]
enum Name {
    /// A foreign crate, by the first segment of a path.
    Krate(&'static str),
    /// Consecutive segments anywhere in a path.
    Path(&'static str),
    /// One segment anywhere in a path, or a method.
    Word(&'static str),
}
use Name::{Krate, Path, Word};

/// Below `rooms`, apart from `doors`, none of `never` is named.
struct Rule {
    rooms: &'static [&'static str],
    doors: &'static [&'static str],
    never: &'static [Name],
}

const PURE: &[Name] = &[
    Krate("tokio"),
    Krate("libp2p"),
    Krate("sled"),
    Krate("tracing"),
    Krate("getrandom"),
    Krate("rand"),
    Krate("rand_core"),
    Path("std::fs"),
    Path("std::net"),
    Path("std::env"),
    Path("std::process"),
    Path("std::thread"),
    Word("SystemTime"),
    Word("Instant"),
    Word("OsRng"),
];

const RULES: &[Rule] = &[
    Rule { rooms: &["consent/src", "protocol/src"], doors: &[], never: PURE },
    // One foreign crate, one door.
    Rule { rooms: &PRODUCT, doors: &["consent/src/encoding.rs"], never: &[Krate("serde_cbor")] },
    Rule { rooms: &PRODUCT, doors: &["consent/src/party.rs"], never: &[Krate("ed25519_dalek")] },
    Rule { rooms: &PRODUCT, doors: &["protocol/src/hpke.rs"], never: &[Krate("hpke"), Krate("x25519_dalek")] },
    Rule { rooms: &PRODUCT, doors: &["protocol/src/aead.rs", "node/src/keystore.rs"], never: &[Krate("aes_gcm")] },
    Rule { rooms: &PRODUCT, doors: &["node/src/vault/"], never: &[Krate("sled")] },
    Rule { rooms: &PRODUCT, doors: &["node/src/net/"], never: &[Krate("libp2p"), Krate("libp2p_stream")] },
    Rule {
        rooms: &PRODUCT,
        doors: &["node/src/cli/", "node/src/main.rs"],
        never: &[Krate("clap"), Krate("clap_complete"), Krate("clap_mangen")],
    },
    Rule { rooms: &PRODUCT, doors: &["node/src/progress.rs"], never: &[Krate("indicatif"), Krate("terminal_size")] },
    Rule {
        rooms: &PRODUCT,
        doors: &["node/src/passphrase.rs", "node/src/cli/patient/recover.rs"],
        never: &[Krate("rpassword")],
    },
    Rule { rooms: &PRODUCT, doors: &["node/src/intake/"], never: &[Krate("dicom_object"), Krate("encoding_rs")] },
    Rule {
        rooms: &["node/src"],
        doors: &["node/src/ambient.rs"],
        never: &[
            Path("SystemTime::now"),
            Path("Instant::now"),
            Word("OsRng"),
            Word("thread_rng"),
            Word("generate_ed25519"),
            Krate("getrandom"),
            Krate("rand"),
        ],
    },
    Rule {
        rooms: &PRODUCT,
        doors: &["node/src/gateway/", "node/src/witness/"],
        never: &[Krate("axum"), Krate("hyper"), Krate("http")],
    },
    Rule { rooms: &PRODUCT, doors: &["node/src/cosign/"], never: &[Krate("ureq")] },
    // The host is blind: its rooms name nothing that holds a key. What protocol hides behind `open` is in open.rs.
    Rule {
        rooms: &["node/src/flow/host", "node/src/vault", "node/src/net", "node/src/cosign", "node/src/witness"],
        doors: &[],
        never: &[Path("crate::agent"), Path("crate::intake"), Path("crate::flow::agent")],
    },
    // The rooms of the node.
    Rule {
        rooms: &["node/src/vault"],
        doors: &[],
        never: &[Path("crate::flow"), Path("crate::net"), Path("crate::gateway"), Path("crate::cli")],
    },
    Rule { rooms: &["node/src/flow"], doors: &[], never: &[Path("crate::gateway"), Path("crate::cli")] },
    // Deeds stand on the network, which carries bytes and knows none of them.
    Rule {
        rooms: &["node/src/net"],
        doors: &[],
        never: &[Path("crate::flow"), Path("crate::vault"), Path("crate::gateway"), Path("crate::cli")],
    },
    Rule {
        rooms: &["node/src/gateway"],
        doors: &[],
        never: &[Path("crate::vault"), Path("crate::net"), Path("crate::cli")],
    },
    // Who asks witnesses reads the logs and knows nothing of deeds.
    Rule {
        rooms: &["node/src/cosign"],
        doors: &[],
        never: &[Path("crate::flow"), Path("crate::net"), Path("crate::gateway"), Path("crate::cli")],
    },
    // A witness knows checkpoints and charters, and nothing of vaults, nodes or records.
    Rule {
        rooms: &["node/src/witness"],
        doors: &[],
        never: &[
            Path("crate::vault"),
            Path("crate::net"),
            Path("crate::flow"),
            Path("crate::cosign"),
            Path("crate::gateway"),
            Path("crate::cli"),
        ],
    },
    // Here the parts are put together: a custodian's commands hold a store, and one file holds an agent's way to a node.
    Rule {
        rooms: &["node/src/cli"],
        doors: &["node/src/cli/node/", "node/src/cli/agent.rs"],
        never: &[Path("crate::vault"), Path("crate::net"), Path("crate::gateway")],
    },
];

/// A path or method that a source names, with every alias of the file written out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
    /// Named after a dot.
    pub(super) method: bool,
}

impl Mention {
    pub(super) fn has_path(&self, wanted: &str) -> bool {
        let wanted: Vec<&str> = wanted.split("::").collect();
        self.path.windows(wanted.len()).any(|w| w == wanted)
    }

    fn is(&self, name: Name) -> bool {
        match name {
            Krate(wanted) => !self.method && self.path.first().is_some_and(|first| first == wanted),
            Path(wanted) => !self.method && self.has_path(wanted),
            Word(wanted) => self.path.iter().any(|segment| segment == wanted),
        }
    }
}

/// Everything a source names.
pub(super) fn mentions(source: &Source) -> Vec<Mention> {
    let home = module_path(&source.path);
    let mut found = Vec::new();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut at = 0;
    while at < source.code.len() {
        let Some(word) = word_at(&source.code, at) else {
            at += 1;
            continue;
        };
        let line = source.line(at);
        let after_dot = source.code[..at].trim_end().ends_with('.');
        if word == "use" {
            let end = source.code[at..].find(';').map_or(source.code.len(), |e| at + e);
            for (path, bound) in use_tree(source.code[at + 3..end].trim(), &[]) {
                let path = absolute(path, &home);
                names.insert(bound, path.clone());
                found.push(Mention { line, path, method: false });
            }
            at = end;
        } else if word == "mod" {
            if let Some(name) = word_at(&source.code, skip_space(&source.code, at + 3)) {
                let mut path = home.clone();
                path.push(name.to_owned());
                names.insert(name.to_owned(), path);
            }
            at += 3;
        } else {
            let path = inline_path(&source.code, at);
            at += path.len();
            let path = path.split("::").map(str::to_owned).collect();
            found.push(Mention { line, path, method: after_dot });
        }
    }
    for mention in found.iter_mut().filter(|m| !m.method) {
        if let Some(full) = names.get(&mention.path[0]) {
            mention.path.splice(0..1, full.iter().cloned());
        }
        mention.path = absolute(std::mem::take(&mut mention.path), &home);
    }
    found
}

fn inline_path(code: &str, at: usize) -> &str {
    let mut end = at;
    while let Some(word) = word_at(code, end) {
        end += word.len();
        if !code[end..].starts_with("::") || word_at(code, end + 2).is_none() {
            break;
        }
        end += 2;
    }
    &code[at..end]
}

/// The paths of a use declaration, each with the name it binds.
pub(super) fn use_tree(tree: &str, before: &[String]) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim().trim_start_matches("::");
    if let Some(inner) = tree.strip_prefix('{') {
        let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
        return split_commas(inner).into_iter().flat_map(|part| use_tree(part, before)).collect();
    }
    if tree.is_empty() {
        return Vec::new();
    }
    let (head, rest) = tree.split_once("::").map_or((tree, None), |(head, rest)| (head, Some(rest)));
    let (name, alias) = head.split_once(" as ").map_or((head, None), |(name, alias)| (name, Some(alias)));
    let mut path = before.to_vec();
    if name.trim() != "self" || before.is_empty() {
        path.push(name.trim().to_owned());
    }
    match rest {
        Some(rest) => use_tree(rest, &path),
        None => {
            let bound = alias.or(path.last().map(String::as_str)).unwrap_or_default().trim().to_owned();
            vec![(path, bound)]
        }
    }
}

fn split_commas(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// `node/src/flow/host/fetch.rs` is `crate::flow::host::fetch`.
pub(super) fn module_path(file: &str) -> Vec<String> {
    let below = folder_of_children(file);
    let below = below.split_once("src").map_or("", |(_, rest)| rest);
    std::iter::once("crate").chain(below.split('/').filter(|s| !s.is_empty())).map(str::to_owned).collect()
}

fn absolute(path: Vec<String>, home: &[String]) -> Vec<String> {
    let mut base = home.to_vec();
    let mut rest = path.as_slice();
    if !matches!(rest.first().map(String::as_str), Some("self" | "super")) {
        return path;
    }
    while let Some(first) = rest.first() {
        match first.as_str() {
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    base
}

fn check(source: &Source, rules: &[Rule]) -> Vec<Finding> {
    let within = |rooms: &[&str]| rooms.iter().any(|room| source.path.starts_with(room));
    let rules: Vec<&Rule> = rules.iter().filter(|r| within(r.rooms) && !within(r.doors)).collect();
    let mut found = Vec::new();
    for mention in mentions(source) {
        for name in rules.iter().flat_map(|rule| rule.never) {
            if mention.is(*name) {
                let what = format!("may not name {} here", mention.path.join("::"));
                found.push(Finding::new(&source.path, mention.line, what));
            }
        }
    }
    found
}

#[test]
fn every_room_imports_only_what_it_may() {
    expect_none(source::product().iter().flat_map(|s| check(s, RULES)).collect());
}

#[test]
fn a_forbidden_import_is_noticed_however_it_is_written() {
    for (path, text, what) in [
        ("consent/src/a.rs", "use std::{fmt, fs::{self, File}};", "std::fs"),
        ("consent/src/a.rs", "use std as s;\nfn f() { s::fs::read(p); }", "std::fs::read"),
        ("consent/src/a.rs", "fn now() -> u64 { std::time::SystemTime::now().x() }", "SystemTime"),
        ("protocol/src/a.rs", "use hpke::{Kem, kem::XWing};", "hpke::kem::XWing"),
        ("protocol/src/a.rs", "fn f() { ::hpke::setup() }", "hpke::setup"),
        ("protocol/src/a.rs", "fn f() { let mut g = rand_core::OsRng; }", "OsRng"),
        ("node/src/flow/host/fetch.rs", "use crate::{failure::Failure, agent::keystore};", "crate::agent"),
        ("node/src/flow/host/fetch.rs", "use super::super::agent::fetch;", "crate::flow::agent"),
        ("node/src/flow/host/fetch.rs", "use sled::Tree;", "sled::Tree"),
        ("node/src/vault/commit.rs", "use super::super::net;\nfn f() { net::send() }", "crate::net::send"),
        ("node/src/vault/commit.rs", "use std::time::Instant;\nfn f() { Instant::now() }", "std::time::Instant::now"),
        ("node/src/cli/show.rs", "fn f() { crate::vault::open() }", "crate::vault::open"),
        ("node/src/witness/desk.rs", "use crate::vault::Store;", "crate::vault::Store"),
        ("node/src/cosign/mod.rs", "use axum::Router;", "axum::Router"),
        ("node/src/witness/serve.rs", "fn f() { ureq::get(x) }", "ureq::get"),
        ("node/src/agent/patient.rs", "use serde_cbor as cbor;\nfn f() { cbor::to_vec(x) }", "serde_cbor::to_vec"),
    ] {
        expect_some(&check(&Source::new(path, text), RULES), what);
    }
}

#[test]
fn a_module_of_our_own_with_the_name_of_a_crate_is_not_the_crate() {
    for text in [
        "use crate::hpke;\nfn f() { hpke::seal(x) }",
        "mod hpke;\npub use self::hpke::Suite;\nfn f() { hpke::seal(x) }",
        "// hpke::seal\nfn f() { x.sled(); }",
        "#[cfg(test)]\nmod tests { use std::fs; }",
    ] {
        assert_eq!(check(&Source::new("protocol/src/a.rs", text), RULES), [], "{text}");
    }
    let door = Source::new("protocol/src/hpke.rs", "use hpke::Kem;");
    assert_eq!(check(&door, RULES), []);
}
