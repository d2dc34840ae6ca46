//! The tree belongs on any machine: no path of one machine and no registry's address stands in it. The words looked
//! for are put together from halves, so that this file does not contain them.

use super::source;
use super::{Finding, expect_none, expect_some};

const PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

const HOSTS: [&str; 7] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("static.rust-lang", ".org"),
    concat!("deb.debian", ".org"),
];

/// Written by cargo, which puts the registry into every line.
const NOT_OURS: [&str; 2] = ["Cargo.lock", "tests/fuzz/Cargo.lock"];

fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for word in PATHS {
            let from_the_root = |at: usize| {
                !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || "._-~$})*>".contains(c))
            };
            if line.match_indices(word).any(|(at, _)| from_the_root(at)) {
                found.push(Finding::new(path, i + 1, format!("a path of one machine: {word}")));
            }
        }
        for host in HOSTS.iter().filter(|host| line.contains(*host)) {
            found.push(Finding::new(path, i + 1, format!("the address of a registry: {host}")));
        }
    }
    found
}

#[test]
fn the_tree_names_no_machine_and_no_registry() {
    let ours = source::files("").into_iter().filter(|path| !NOT_OURS.contains(&path.as_str()));
    expect_none(ours.flat_map(|p| source::text(&p).map(|t| check(&p, &t)).unwrap_or_default()).collect());
}

#[test]
fn a_machine_path_and_a_registry_are_noticed() {
    for path in PATHS {
        expect_some(&check("a.md", &format!("see `{path}x/y`")), "one machine");
        assert_eq!(check("a.md", &format!("see https://a.example{path}x and $HERE{path}")), []);
    }
    for host in HOSTS {
        expect_some(&check("a.md", &format!("from https://{host}/x")), "registry");
    }
}
