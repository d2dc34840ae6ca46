//! Help as people see it, word for word, and what a shell and `man` are given.
//!
//! `KARUTE_BLESS=1` writes the files in `help/` anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::program::run;

/// The commands below this one, as its own help lists them.
fn below(help: &str) -> Vec<String> {
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let first = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    first.filter(|name| name != "help").collect()
}

fn help_of(path: &[String]) -> String {
    let ran = run(Path::new("/"), path.iter().map(String::as_str).chain(["--help"]));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path:?}");
    ran.out
}

/// Every command with its help.
fn all() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let help = help_of(&path);
        for name in below(&help) {
            open.push(path.iter().cloned().chain([name]).collect());
        }
        found.push((path, help));
    }
    found
}

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/cli/help");
    let bless = std::env::var_os("KARUTE_BLESS").is_some();
    let mut expected = BTreeSet::new();
    for (path, help) in all() {
        let name = [vec!["karute".to_owned()], path].concat().join("-");
        let file: PathBuf = folder.join(format!("{name}.txt"));
        if bless {
            std::fs::write(&file, &help).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(help, golden, "{name}: see the top of this file");
        expected.insert(file);
    }
    assert!(expected.len() > 30, "{} commands", expected.len());
    let there: BTreeSet<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(there, expected, "a file of help without its command");
}

#[test]
fn help_is_the_same_however_it_is_asked_for() {
    let shown = |words: &[&str]| run(Path::new("/"), words).out;
    assert_eq!(shown(&["patient", "grant", "--help"]), shown(&["help", "patient", "grant"]));
    let bare = run(Path::new("/"), ["patient"]);
    assert_eq!(bare.code, 2, "{bare:?}");
    assert!(bare.err.contains("Usage: karute patient"), "{bare:?}");
    let version = run(Path::new("/"), ["--version"]);
    assert_eq!((version.code, version.out.trim()), (0, concat!("karute ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_shell_is_given_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(Path::new("/"), ["completions", shell]);
        assert_eq!(ran.code, 0, "{ran:?}");
        for word in ["karute", "deposit", "passphrase-file"] {
            assert!(ran.out.contains(word), "{shell}: {word}");
        }
    }
    run(Path::new("/"), ["completions", "dos"]).fails(2, &["dos", "bash"]);
}

#[test]
fn every_command_has_a_page_of_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man1");
    let ran = run(folder.path(), ["man", "--out", out.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for (path, _) in all() {
        let name = [vec!["karute".to_owned()], path].concat().join("-");
        let page = std::fs::read_to_string(out.join(format!("{name}.1"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
    }
}
