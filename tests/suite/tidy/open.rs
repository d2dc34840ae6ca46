//! The host is blind (invariant I-6). What opens a sealed record stands in `protocol` behind the feature `open`;
//! host rooms may not name it, and may not hide code from the host-only build, which is the compiler's own proof.

use super::imports::mentions;
use super::source::{self, Source, places_of, skip_space, word_at};
use super::{Finding, expect_none, expect_some};

const HOST_ROOMS: [&str; 3] = ["node/src/flow/host", "node/src/vault", "node/src/net"];

/// Methods whose names are everybody's: the host-only build notices them, this check cannot.
const EVERYBODYS: [&str; 4] = ["open", "new", "from", "as_bytes"];

/// The names of the items that exist only with the feature `open`.
fn gated_names(source: &Source) -> Vec<String> {
    let gated = |attribute: &str| attribute.starts_with("#[cfg(") && attribute.contains("feature=\"open\"");
    let mut names = Vec::new();
    for span in source.items_under(gated) {
        let item = &source.code[span];
        for keyword in ["fn", "struct", "enum", "trait", "mod", "const", "type"] {
            for at in places_of(item, keyword) {
                let Some(name) = word_at(item, skip_space(item, at + keyword.len())) else { continue };
                if !item[..at].contains('{') || item.trim_start_matches("#[cfg(").contains("impl ") {
                    names.push(name.to_owned());
                }
            }
        }
    }
    names.retain(|name| !EVERYBODYS.contains(&name.as_str()));
    names
}

fn check(source: &Source, gated: &[String]) -> Vec<Finding> {
    if !HOST_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for mention in mentions(source) {
        if let Some(name) = mention.path.iter().find(|segment| gated.contains(segment)) {
            found.push(Finding::new(&source.path, mention.line, format!("a host room names {name}, which opens")));
        }
    }
    for (line, text) in &source.literals {
        if source.raw.lines().nth(line - 1).is_some_and(|l| l.contains("feature =")) && (text == "agent" || text == "open") {
            found.push(Finding::new(&source.path, *line, "hidden from the host-only build"));
        }
    }
    found
}

#[test]
fn host_rooms_name_nothing_that_opens() {
    let product = source::product();
    let gated: Vec<String> =
        product.iter().filter(|s| s.path.starts_with("protocol/src")).flat_map(gated_names).collect();
    assert!(!gated.is_empty(), "nothing in protocol stands behind the feature `open`");
    expect_none(product.iter().flat_map(|s| check(s, &gated)).collect());
}

#[test]
fn a_host_that_names_an_opener_is_noticed() {
    let protocol = Source::new(
        "protocol/src/record.rs",
        "#[cfg(feature = \"open\")]\npub fn open_meta(x: u8) -> u8 { let y = 1; y }\n\
         #[cfg(feature = \"open\")]\nimpl RunKeys {\n    pub fn unseal(self) {}\n}\n\
         pub fn seal() {}\n#[cfg(feature = \"open\")]\npub mod reader;",
    );
    let gated = gated_names(&protocol);
    assert_eq!(gated, ["open_meta", "unseal", "reader"]);
    for text in [
        "use karute_protocol::record::open_meta;",
        "fn f(k: RunKeys) { k.unseal() }",
        "use karute_protocol::reader;",
        "use karute_protocol::record;\nfn f() { record::open_meta(1) }",
    ] {
        expect_some(&check(&Source::new("node/src/flow/host/a.rs", text), &gated), "which opens");
        assert_eq!(check(&Source::new("node/src/flow/agent/a.rs", text), &gated), []);
    }
    let hidden = Source::new("node/src/net/a.rs", "#[cfg(feature = \"agent\")]\nfn f() {}");
    expect_some(&check(&hidden, &gated), "hidden");
    assert_eq!(check(&Source::new("node/src/vault/a.rs", "fn f() { record::seal() }"), &gated), []);
}
