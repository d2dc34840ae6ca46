//! Words that are not used: calls that end the process in a host's hands, names that say nothing, and notes to
//! oneself. They are put together from halves here, so that this file does not contain what it looks for.

use std::ops::Range;

use super::source::{self, Source, item_end, places_of, word_at};
use super::{Finding, expect_none, expect_some};

/// Macros and methods that do not stand in product code.
const CALLS: [(&str, &str); 6] = [
    ("unwrap", "("),
    ("panic", "!"),
    (concat!("to", "do"), "!"),
    ("unimplemented", "!"),
    ("dbg", "!"),
    ("unwrap_unchecked", "("),
];

/// Parts of names: of types, functions, modules, constants and files.
const NAMES: [&str; 12] = [
    "manager", "managers", "helper", "helpers", "util", "utils", "handler", "handlers", "common", "misc", "token",
    "tokens",
];

/// Notes, in any text of ours, whatever their case.
const NOTES: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("for", " now"),
    concat!("place", "holder"),
    concat!("dum", "my"),
    concat!("not yet ", "implemented"),
];

/// The parts of a snake_case or CamelCase name, in small letters.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && !before.is_uppercase()) {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        before = c;
    }
    parts
}

fn check_calls(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for (word, after) in CALLS {
        for at in places_of(&source.code, word) {
            if source.code[at + word.len()..].trim_start().starts_with(after) {
                found.push(Finding::new(&source.path, source.line(at), format!("{word} in product code")));
            }
        }
    }
    found
}

/// The blocks of `impl Trait for Type`, whose names the trait has chosen.
fn chosen_elsewhere(source: &Source) -> Vec<Range<usize>> {
    let heads = places_of(&source.code, "impl").into_iter();
    heads
        .filter(|at| source.code[*at..].split(['{', ';']).next().is_some_and(|head| head.contains(" for ")))
        .map(|at| at..item_end(source.code.as_bytes(), at))
        .collect()
}

fn check_names(source: &Source) -> Vec<Finding> {
    let foreign = chosen_elsewhere(source);
    let mut found = Vec::new();
    let mut judge = |name: &str, line: usize| {
        if let Some(part) = parts(name).iter().find(|part| NAMES.contains(&part.as_str())) {
            found.push(Finding::new(&source.path, line, format!("the name {name} says nothing with {part:?}")));
        }
    };
    for keyword in ["fn", "struct", "enum", "trait", "mod", "const", "static", "type", "macro_rules"] {
        for at in places_of(&source.code, keyword).into_iter().filter(|at| !foreign.iter().any(|f| f.contains(at))) {
            let next = source.code[at + keyword.len()..].find(|c: char| c.is_ascii_alphabetic() || c == '_');
            let name = next.and_then(|n| word_at(&source.code, at + keyword.len() + n));
            judge(name.unwrap_or_default(), source.line(at));
        }
    }
    let file = source.path.rsplit('/').next().unwrap_or_default();
    judge(file.trim_end_matches(".rs"), 1);
    found
}

fn check_notes(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let small = line.to_lowercase();
        for note in NOTES {
            let note = note.to_lowercase();
            let whole = |at: usize| {
                let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                edge(small[..at].chars().next_back()) && edge(small[at + note.len()..].chars().next())
            };
            let loops = |at: usize| small[at..].starts_with(concat!("for", " now", " in "));
            if small.match_indices(&note).any(|(at, _)| whole(at) && !loops(at)) {
                found.push(Finding::new(path, i + 1, format!("{note:?} stands here")));
            }
        }
    }
    found
}

/// Sources, scripts and pages of ours; input made by others is not.
fn is_ours(path: &str) -> bool {
    let kinds = [".rs", ".py", ".js", ".ts", ".sh", ".toml", ".css"];
    let program =
        kinds.iter().any(|kind| path.ends_with(kind)) || path.starts_with("scripts/") || path.starts_with(".ci/");
    program && !path.starts_with("tests/data/")
}

#[test]
fn nothing_in_product_code_ends_the_process() {
    expect_none(source::product().iter().flat_map(check_calls).collect());
}

#[test]
fn names_say_something() {
    let ours = source::product().into_iter().chain(source::sources("tests"));
    expect_none(ours.flat_map(|s| check_names(&s)).collect());
}

#[test]
fn no_note_to_oneself_is_left() {
    let ours = source::files("").into_iter().filter(|path| is_ours(path));
    expect_none(ours.flat_map(|p| source::text(&p).map(|t| check_notes(&p, &t)).unwrap_or_default()).collect());
}

#[test]
fn a_call_a_name_and_a_note_are_noticed() {
    let call = Source::new("a.rs", "fn f() { x.unwrap(); y.unwrap_or(1); panic!(\"x\") }\n// x.unwrap()\n");
    assert_eq!(check_calls(&call).len(), 2);
    for (text, name) in [
        ("pub struct VaultManager;", "manager"),
        ("fn read_helper() {}", "helper"),
        ("mod util { }", "util"),
        ("const ACCESS_TOKEN: u8 = 1;", "token"),
    ] {
        expect_some(&check_names(&Source::new("a.rs", text)), name);
    }
    expect_some(&check_names(&Source::new("node/src/common.rs", "")), "common");
    assert_eq!(check_names(&Source::new("a.rs", "use tokio_util::x;\nfn uncommonly() {}")), []);
    let foreign = "impl Behaviour for Limits { type ConnectionHandler = X; fn on_handler(&self) {} }";
    assert_eq!(check_names(&Source::new("a.rs", foreign)), []);
    for note in NOTES {
        expect_some(&check_notes("a.py", &format!("x = 1  # {note}: later")), "stands here");
    }
    assert_eq!(check_notes("a.py", "for nowhere, a method todos"), []);
}
