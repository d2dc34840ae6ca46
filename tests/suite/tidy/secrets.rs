//! Secrets are not printable, copyable or serialisable, and are wiped when they go (invariant I-13).

use super::source::{self, Source, item_end, places_of, skip_space, word_at};
use super::{Finding, expect_none, expect_some};

/// How the name of a type that holds a secret ends.
const SECRET_ENDINGS: [&str; 8] =
    ["Secret", "SecretKey", "PrivateKey", "Seed", "Identity", "Entropy", "Passphrase", "RecoveryCode"];

const NEVER: [&str; 8] = ["Debug", "Clone", "Copy", "Serialize", "Deserialize", "Display", "Hash", "Default"];

/// Types that wipe themselves; a struct of nothing else needs no more.
const WIPED: [&str; 5] = ["Zeroizing", "SigningKey", "StaticSecret", "ZeroizeOnDrop", "DecapsulationKey"];

/// Exceptions: a type and a trait, each with its reason.
const EXCEPT: [(&str, &str); 2] = [
    ("WireSecret", "Serialize"), // the one form in which a secret enters what is then sealed; private to the crate
    ("WireSecret", "Deserialize"), // and in which it comes out again
];

fn is_secret(name: &str) -> bool {
    SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The attributes that stand before an item at `at`, without spaces.
fn attributes_before(code: &str, at: usize) -> String {
    let from = code[..at].rfind([';', '}', '{']).map_or(0, |i| i + 1);
    code[from..at].split_whitespace().collect()
}

fn derives(attributes: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for part in attributes.split("#[derive(").skip(1) {
        all.extend(part.split(")]").next().unwrap_or_default().split(',').filter_map(|d| d.rsplit("::").next()));
    }
    all
}

/// Name and place of every secret type of a source, with its attributes and its definition.
fn secret_types(source: &Source) -> Vec<(String, usize, String, String)> {
    let mut found = Vec::new();
    for keyword in ["struct", "enum"] {
        for at in places_of(&source.code, keyword) {
            let Some(name) = word_at(&source.code, skip_space(&source.code, at + keyword.len())) else { continue };
            if is_secret(name) {
                let end = item_end(source.code.as_bytes(), at);
                let attributes = attributes_before(&source.code, at);
                found.push((name.to_owned(), source.line(at), attributes, source.code[at..end].to_owned()));
            }
        }
    }
    found
}

/// Trait and type of every `impl Trait for Type`, generics left out.
fn impls(source: &Source) -> Vec<(String, String, usize)> {
    let mut found = Vec::new();
    for at in places_of(&source.code, "impl") {
        let head = source.code[at..].split('{').next().unwrap_or_default();
        if let Some((what, whom)) = head.split_once(" for ") {
            let last = |text: &str| {
                let bare = text.split('<').next().unwrap_or_default();
                bare.rsplit("::").next().unwrap_or_default().trim().trim_start_matches("impl ").to_owned()
            };
            let what = if what.trim_start_matches("impl").starts_with('<') {
                what.split_once("> ").map_or(what, |w| w.1)
            } else {
                what
            };
            found.push((last(what), last(whom), source.line(at)));
        }
    }
    found
}

fn check(source: &Source) -> Vec<Finding> {
    let types = secret_types(source);
    let impls = impls(source);
    let mut found = Vec::new();
    for (name, line, attributes, body) in &types {
        for shown in derives(attributes).into_iter().filter(|d| NEVER.contains(d)) {
            found.push(Finding::new(&source.path, *line, format!("the secret {name} derives {shown}")));
        }
        let has = |wanted: &str| impls.iter().any(|(what, whom, _)| what == wanted && whom == name);
        let wiped = derives(attributes).contains(&"ZeroizeOnDrop") || has("Drop") || has("ZeroizeOnDrop");
        let of_wiped = WIPED.iter().any(|w| body.contains(w))
            || body.split(|c: char| !c.is_alphanumeric()).skip(1).any(|word| word != name && is_secret(word));
        if !wiped && !of_wiped {
            found.push(Finding::new(&source.path, *line, format!("the secret {name} is not wiped on drop")));
        }
    }
    for (what, whom, line) in &impls {
        if is_secret(whom) && NEVER.contains(&what.as_str()) && !EXCEPT.contains(&(whom.as_str(), what.as_str())) {
            found.push(Finding::new(&source.path, *line, format!("the secret {whom} has {what}")));
        }
    }
    found
}

#[test]
fn secrets_cannot_be_printed_copied_or_left_behind() {
    let product = source::product();
    assert!(product.iter().map(|s| secret_types(s).len()).sum::<usize>() > 0, "no secret type was found at all");
    expect_none(product.iter().flat_map(check).collect());
}

#[test]
fn a_secret_that_leaks_is_noticed() {
    for (text, what) in [
        ("#[derive(Clone, ZeroizeOnDrop)]\npub struct RunSecret([u8; 32]);", "derives Clone"),
        (
            "fn a() {}\n#[allow(x)]\n#[derive(std::fmt::Debug)]\nstruct EpochSeed { b: Zeroizing<[u8; 32]> }",
            "derives Debug",
        ),
        ("pub struct Identity { key: [u8; 32] }", "not wiped"),
        ("struct Identity(SigningKey);\nimpl std::fmt::Debug for Identity { }", "has Debug"),
        ("struct Entropy(Zeroizing<u8>);\nimpl<'a> serde::Serialize for Entropy { }", "has Serialize"),
    ] {
        expect_some(&check(&Source::new("a.rs", text)), what);
    }
    for fine in [
        "#[derive(ZeroizeOnDrop)]\npub struct RunSecret([u8; 32]);\n#[derive(Clone)]\nstruct Card;",
        "struct Identity(SigningKey);\nimpl From<&Identity> for Party { }",
        "struct Keys;\nstruct RootSecret { s: [u8; 32] }\nimpl Drop for RootSecret { fn drop(&mut self) {} }",
    ] {
        assert_eq!(check(&Source::new("a.rs", fine)), [], "{fine}");
    }
}
