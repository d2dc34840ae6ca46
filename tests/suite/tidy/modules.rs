//! A file that no `mod` names is not compiled, so its tests never run and its code is not checked. Every Rust file
//! is listed, and every crate stands under the lint table of the workspace.

use std::collections::BTreeSet;

use super::source::{self, Source, folder_of, folder_of_children, named_path, places_of, skip_space, word_at};
use super::{Finding, expect_none, expect_some};

/// Folder and the files that cargo starts from.
const ROOTS: [(&str, &[&str]); 5] = [
    ("consent/src", &["lib.rs"]),
    ("protocol/src", &["lib.rs"]),
    ("node/src", &["lib.rs", "main.rs"]),
    ("tests/src", &["lib.rs", "bin/vectors.rs"]),
    ("tests/suite", &["main.rs"]),
];

const CRATES: [&str; 4] = ["consent", "protocol", "node", "tests"];

/// The files in which the modules that a source declares may lie, test-only ones too.
fn declared(source: &Source) -> Vec<String> {
    let all = Source::new(&source.path, &source.raw.replace("#[cfg(test)]", "").replace("#[cfg(all(test,", "#[x(("));
    let home = folder_of_children(&source.path);
    let mut paths = Vec::new();
    for at in places_of(&all.code, "mod") {
        let Some(name) = word_at(&all.code, skip_space(&all.code, at + 3)) else { continue };
        let after = skip_space(&all.code, skip_space(&all.code, at + 3) + name.len());
        if all.code[after..].starts_with(';') {
            paths.extend([format!("{home}/{name}.rs"), format!("{home}/{name}/mod.rs")]);
            let item = all.code[..at].rfind([';', '}']).map_or(0, |end| end + 1);
            paths.extend(named_path(&all.raw[item..at]).map(|file| format!("{}/{file}", folder_of(&all.path))));
        }
    }
    paths
}

fn reached(files: &[Source], folder: &str, roots: &[&str]) -> BTreeSet<String> {
    let mut open: Vec<String> = roots.iter().map(|root| format!("{folder}/{root}")).collect();
    open.extend(files.iter().map(|s| s.path.clone()).filter(|path| folder_of(path) == format!("{folder}/bin")));
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        let Some(source) = files.iter().find(|s| s.path == path) else { continue };
        if seen.insert(path) {
            open.extend(declared(source));
        }
    }
    seen
}

fn check(files: &[Source], folder: &str, roots: &[&str]) -> Vec<Finding> {
    let seen = reached(files, folder, roots);
    let below = format!("{folder}/");
    files
        .iter()
        .filter(|s| s.path.starts_with(&below) && !seen.contains(&s.path))
        .map(|s| Finding::new(&s.path, 1, "no `mod` names this file, so it is not compiled"))
        .collect()
}

fn check_lints(path: &str, manifest: &str) -> Vec<Finding> {
    let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
    let under = lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"]);
    if under { Vec::new() } else { vec![Finding::new(path, 1, "does not stand under the workspace's lints")] }
}

fn everything(under: &str) -> Vec<Source> {
    let paths = source::files(under).into_iter().filter(|path| path.ends_with(".rs"));
    paths.map(|path| Source::new(&path, &source::text(&path).expect("sources are UTF-8"))).collect()
}

#[test]
fn no_source_file_is_forgotten() {
    expect_none(ROOTS.iter().flat_map(|(folder, roots)| check(&everything(folder), folder, roots)).collect());
}

#[test]
fn every_crate_stands_under_the_lint_table() {
    let manifests = CRATES.iter().map(|krate| format!("{krate}/Cargo.toml"));
    expect_none(manifests.flat_map(|path| check_lints(&path, &source::text(&path).expect("a manifest"))).collect());
}

#[test]
fn a_forgotten_file_and_a_crate_without_lints_are_noticed() {
    let files = [
        Source::new(
            "a/src/lib.rs",
            "pub mod one;\n#[cfg(test)]\nmod three;\n#[path = \"six.rs\"]\nmod seven;\n// mod four;\nmod five { }",
        ),
        Source::new("a/src/one.rs", "mod two;"),
        Source::new("a/src/one/two.rs", ""),
        Source::new("a/src/three/mod.rs", ""),
        Source::new("a/src/six.rs", ""),
        Source::new("a/src/bin/eight.rs", ""),
        Source::new("a/src/four.rs", ""),
    ];
    let found = check(&files, "a/src", &["lib.rs"]);
    assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a/src/four.rs"]);
    expect_some(&check_lints("a/Cargo.toml", "[package]\n[lints.clippy]\nx = 1"), "lints");
    assert_eq!(check_lints("a/Cargo.toml", "[lints]\nworkspace = true\n"), []);
}
