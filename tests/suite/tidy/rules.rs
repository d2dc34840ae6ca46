//! Every rule has an id (C-nn in consent, P-nn in protocol), found in three places: the SPEC that defines it, the
//! code that checks it, and a vector that breaks it. An id in one place and not in another is a rule nobody keeps,
//! or a check nobody asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::source::{self, Source};
use super::{Finding, expect_none, expect_some};

/// Crate, first letter of its ids.
const SPECS: [(&str, &str); 2] = [("consent", "C-"), ("protocol", "P-")];

/// Heading of the SPEC section that lists the rules which no vector can show, with the reason.
const WITHOUT_VECTOR: &str = "Rules without a vector";

/// The ids in a text, each with its line; `C-07` and `C-7` are two ids, and only the first is one.
fn ids(text: &str, letter: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices(letter) {
            let alone = !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '-');
            let digits: String = line[at + letter.len()..].chars().take_while(char::is_ascii_digit).collect();
            if alone && digits.len() >= 2 {
                found.push((format!("{letter}{digits}"), i + 1));
            }
        }
    }
    found
}

/// The ids that a SPEC defines: those in bold.
fn defined(spec: &str, letter: &str) -> BTreeMap<String, usize> {
    let bold = |line: &str, id: &str| line.contains(&format!("**{id}**")) || line.contains(&format!("**{id} "));
    let mut found = BTreeMap::new();
    for (i, line) in spec.lines().enumerate() {
        for (id, _) in ids(line, letter) {
            if bold(line, &id) {
                found.entry(id).or_insert(i + 1);
            }
        }
    }
    found
}

/// The ids in the section of the SPEC that lists what no vector can show.
fn without_vector(spec: &str, letter: &str) -> BTreeSet<String> {
    let mut lines = spec.lines().skip_while(|line| !(line.starts_with('#') && line.contains(WITHOUT_VECTOR)));
    let heading: Vec<&str> = lines.by_ref().take(1).collect();
    let section: Vec<&str> = heading.into_iter().chain(lines.take_while(|line| !line.starts_with('#'))).collect();
    ids(&section.join("\n"), letter).into_iter().map(|(id, _)| id).collect()
}

/// The ids in the fields `rule`, `rules` and `name` of a file of vectors.
fn in_vectors(value: &Value, letter: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| in_vectors(v, letter, into)),
        Value::Object(fields) => {
            for (field, v) in fields {
                if ["rule", "rules", "name"].contains(&field.as_str()) {
                    into.extend(ids(&v.to_string(), letter).into_iter().map(|(id, _)| id));
                }
                in_vectors(v, letter, into);
            }
        }
        _ => {}
    }
}

/// What is wrong between one SPEC, the sources and the vectors.
fn check(path: &str, letter: &str, spec: &str, code: &[Source], vectors: &[Value]) -> Vec<Finding> {
    let defined = defined(spec, letter);
    let unshown = without_vector(spec, letter);
    let mut shown = BTreeSet::new();
    vectors.iter().for_each(|v| in_vectors(v, letter, &mut shown));
    let texts: Vec<(&str, String)> = code.iter().map(|s| (s.path.as_str(), s.without_tests())).collect();
    let checked: BTreeSet<String> = texts.iter().flat_map(|(_, t)| ids(t, letter)).map(|(id, _)| id).collect();

    let mut found = Vec::new();
    for (id, line) in &defined {
        if !checked.contains(id) {
            found.push(Finding::new(path, *line, format!("{id} stands at no check in the code")));
        }
        if !shown.contains(id) && !unshown.contains(id) {
            found.push(Finding::new(path, *line, format!("{id} has no vector, and no reason for having none")));
        }
    }
    for id in shown.iter().filter(|id| !defined.contains_key(*id)) {
        found.push(Finding::new(path, 1, format!("the vectors name {id}, which the SPEC does not define")));
    }
    for (file, text) in &texts {
        for (id, line) in ids(text, letter) {
            if !defined.contains_key(&id) {
                found.push(Finding::new(file, line, format!("{id} is not defined in {path}")));
            }
        }
    }
    found
}

fn vectors_of(krate: &str) -> Vec<Value> {
    let paths = source::files(&format!("{krate}/vectors")).into_iter().filter(|path| path.ends_with(".json"));
    paths
        .map(|path| {
            let text = source::text(&path).expect("vectors are UTF-8");
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
        })
        .collect()
}

#[test]
fn every_rule_stands_in_the_spec_the_code_and_the_vectors() {
    let product = source::product();
    let mut found = Vec::new();
    for (krate, letter) in SPECS {
        let path = format!("{krate}/SPEC.md");
        let spec = source::text(&path).expect("a SPEC");
        assert!(defined(&spec, letter).len() > 20, "{path} defines hardly a rule; is it written otherwise?");
        found.extend(check(&path, letter, &spec, &product, &vectors_of(krate)));
    }
    expect_none(found);
}

#[test]
fn no_rule_is_defined_twice_or_left_out() {
    for (krate, letter) in SPECS {
        let spec = source::text(&format!("{krate}/SPEC.md")).expect("a SPEC");
        let numbers: Vec<usize> =
            defined(&spec, letter).keys().map(|id| id[letter.len()..].parse().expect("digits")).collect();
        let gap = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
        assert_eq!(gap, None, "{krate}: the numbers of the rules have a gap");
        for id in defined(&spec, letter).keys() {
            assert!(spec.matches(&format!("- **{id}**")).count() <= 1, "{id} is defined twice");
        }
    }
}

#[test]
fn a_rule_without_code_vector_or_definition_is_noticed() {
    let spec = "- **C-01** One.\n- **C-02** Two, see C-01.\n- **C-03** Three.\n## 9. Rules without a vector\nC-03: a clock.\n## 10. End\nC-02";
    let code =
        [Source::new("consent/src/a.rs", "// C-01 here\n// C-03 and C-04 there\n#[cfg(test)]\nmod t { /* C-02 */ }")];
    let vectors =
        [serde_json::json!({"cases": [{"name": "c-x", "rule": "C-01", "input": "C-02"}, {"rule": ["C-09"]}]})];
    let found = check("consent/SPEC.md", "C-", spec, &code, &vectors);
    for what in ["C-02 stands at no check", "C-02 has no vector", "the vectors name C-09", "C-04 is not defined"] {
        expect_some(&found, what);
    }
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(ids("EC-01 C-1 C-12, HPC-03 RFC-22", "C-"), [("C-12".to_owned(), 1)]);
}
