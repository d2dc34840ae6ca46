//! A file holds one noun or one deed, and a function fits a screen.

use super::source::{self, Source, places_of, skip_space, word_at};
use super::{Finding, expect_none, expect_some};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Name, first line and length in lines of every function with a body.
fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let code = source.code.as_bytes();
    let mut found = Vec::new();
    for at in places_of(&source.code, "fn") {
        let Some(name) = word_at(&source.code, skip_space(&source.code, at + 2)) else { continue };
        let end = source::item_end(code, at);
        if code[end - 1] == b'}' {
            let first = source.line(at);
            found.push((name.to_owned(), first, source.line(end - 1) + 1 - first));
        }
    }
    found
}

fn check(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let lines = source.raw.lines().count();
    if lines > FILE_LINES_MAX {
        found.push(Finding::new(&source.path, lines, format!("{lines} lines; {FILE_LINES_MAX} is the end")));
    }
    for (name, line, length) in functions(source) {
        if length > FUNCTION_LINES_MAX {
            found.push(Finding::new(&source.path, line, format!("fn {name} has {length} lines")));
        }
    }
    found
}

fn check_story(source: &Source) -> Vec<Finding> {
    let told = source.raw.starts_with("//!");
    if told { Vec::new() } else { vec![Finding::new(&source.path, 1, "begins without its story (`//!`)")] }
}

#[test]
fn files_and_functions_stay_small() {
    expect_none(source::product().iter().flat_map(check).collect());
}

#[test]
fn every_file_begins_with_its_story() {
    let ours = source::product().into_iter().chain(source::sources("tests/src")).chain(source::sources("tests/suite"));
    expect_none(ours.flat_map(|s| check_story(&s)).collect());
}

#[test]
fn a_long_file_a_long_function_and_a_missing_story_are_noticed() {
    let body = "    let a = \"}\"; // }\n".repeat(70);
    let long =
        Source::new("a.rs", &format!("trait T {{ fn g(); }}\nimpl T {{\n  fn f(x: [u8; 3]) {{\n{body}  }}\n}}\n"));
    assert_eq!(functions(&long), [("f".to_owned(), 3, 72)]);
    expect_some(&check(&long), "fn f has 72 lines");
    expect_some(&check(&Source::new("a.rs", &"// x\n".repeat(401))), "401 lines");
    expect_some(&check_story(&long), "story");
    let fine = Source::new("a.rs", &format!("//! Story.\nfn f() {{\n{}}}\n", "    x();\n".repeat(68)));
    assert_eq!(check(&fine), []);
    assert_eq!(check_story(&fine), []);
}
