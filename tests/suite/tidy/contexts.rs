//! Every signature, id, digest, seal and derived key is made under a context string of its own (invariant I-4). A
//! string that stands at two places would let one thing be taken for another, so each stands at one place only, and
//! in a SPEC.

use std::collections::BTreeMap;

use super::source::{self, Literal, Source};
use super::{Finding, expect_none, expect_some};

/// The whole context that a literal stands for, if it stands for one.
fn context(source: &Source, literal: &Literal) -> Option<String> {
    let text = literal.text.trim_end_matches("\\0");
    let before = source.code[..literal.at - 1].trim_end_matches('b').trim_end();
    let statement = &before[before.rfind([';', '{', '}']).map_or(0, |end| end + 1)..];
    if before.ends_with("TYPE: &'static str =") {
        return Some(format!("{VERSION}ed25519/{text}"));
    }
    if before.ends_with("seal_info(") {
        return Some(format!("{VERSION}hpke/{text}"));
    }
    if statement.contains("expand(") || statement.contains("expand::<") {
        return Some(format!("{VERSION}{text}"));
    }
    let whole = text.starts_with("karute-") && text.contains("-v1") && text != VERSION;
    whole.then(|| text.to_owned())
}

fn contexts(sources: &[Source]) -> Vec<(&Source, &Literal, String)> {
    let all = sources.iter().flat_map(|s| s.literals.iter().map(move |l| (s, l)));
    all.filter_map(|(s, l)| context(s, l).map(|context| (s, l, context))).collect()
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let mut found = Vec::new();
    for (source, literal, context) in contexts(sources) {
        if let Some(other) = first.insert(context.clone(), format!("{}:{}", source.path, literal.line)) {
            found.push(Finding::new(
                &source.path,
                literal.line,
                format!("the context {context:?} stands at {other} too"),
            ));
        }
    }
    found
}

/// Contexts of the two pure crates that no SPEC names: nobody else could make the same bytes.
fn check_written(sources: &[Source], specs: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, literal, context) in contexts(sources) {
        let last = literal.text.trim_end_matches("\\0");
        let spelt = [context.trim_end_matches("{}").to_owned(), format!("\"{last}\""), format!("`{last}`")];
        let named = spelt.iter().any(|c| specs.contains(c));
        let listed = context.contains("/ed25519/") && specs.split([' ', '`', '\n']).any(|word| word == last);
        if !named && !listed {
            found.push(Finding::new(&source.path, literal.line, format!("the context {context:?} is in no SPEC")));
        }
    }
    found
}

/// What the contexts of both SPECs begin with.
const VERSION: &str = "karute-v1/";

#[test]
fn every_context_string_stands_at_one_place() {
    let product = source::product();
    let all = contexts(&product);
    for (room, least) in [("/ed25519/", 12), ("/hpke/", 4), ("karute-v1/", 30)] {
        let count = all.iter().filter(|(_, _, context)| context.contains(room)).count();
        assert!(
            count >= least,
            "only {count} contexts with {room}: are they written otherwise than this check believes?"
        );
    }
    expect_none(check(&product));
}

#[test]
fn every_context_string_is_in_a_spec() {
    let specs: Vec<String> =
        ["consent", "protocol"].iter().filter_map(|c| source::text(&format!("{c}/SPEC.md"))).collect();
    let pure: Vec<Source> = source::product().into_iter().filter(|s| !s.path.starts_with("node/")).collect();
    expect_none(check_written(&pure, &specs.join("\n")));
}

#[test]
fn a_context_used_twice_and_one_nobody_wrote_down_are_noticed() {
    let source = |path: &str, text: &str| Source::new(path, text);
    let pairs = [
        ("const A: &str = \"karute-v1/run\";", "const B: &[u8] = b\"karute-v1/run\\0\";"),
        ("fn f() { expand(&k, \"run\", &[]) }", "const B: &[u8] = b\"karute-v1/run\\0\";"),
        ("fn f() { expand::<16>(&k, \"run\", &[]); }", "fn g() { x(expand(&self.k, \"run\", &[])) }"),
        ("fn f() { seal_info(\"run\", &[]) }", "fn g() { seal_info(\"run\", &[x]) }"),
        (
            "impl S for A { const TYPE: &'static str = \"run\"; }",
            "impl S for B { const TYPE: &'static str = \"run\"; }",
        ),
        ("const A: &[u8] = b\"karute-journal-x-v1\\0\";", "fn g() { h.update(b\"karute-journal-x-v1\\0\") }"),
    ];
    for (one, two) in pairs {
        expect_some(&check(&[source("consent/src/a.rs", one), source("node/src/b.rs", two)]), "too");
        expect_some(&check_written(&[source("protocol/src/a.rs", one)], "only `karute-v1/body` here"), "in no SPEC");
    }
    let fine = [source("a.rs", pairs[3].0), source("b.rs", pairs[4].0), source("c.rs", pairs[0].0)];
    assert_eq!(check(&fine), []);
    assert_eq!(check_written(&fine, "label \"run\", type `run`, and `karute-v1/run`"), []);
}
