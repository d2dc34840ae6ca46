//! Every vector of both SPECs, checked by the crates: a fault must be noticed at exactly the stage that its vector
//! names, and what comes out of a good one must be what stands beside it. The form of the files is described in
//! `tests/python/README.md`; a second implementation checks the same files.

pub(crate) mod consent;
mod evidence;
mod example;
mod known;
mod proofs;
mod protocol;
mod records;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What came out of an input, or the stage that refused it.
type Outcome = Result<Option<Value>, &'static str>;

type Check = fn(&Value) -> Outcome;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the tree").to_owned()
}

/// The files of cases, each with its name.
fn files() -> Vec<(String, Vec<Value>)> {
    let mut files = Vec::new();
    for folder in ["consent", "protocol"] {
        for file in fs::read_dir(top().join(folder).join("vectors")).expect("a folder of vectors") {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.ends_with(".json") && name != "example.json" {
                let text = fs::read_to_string(&path).expect("text");
                files.push((format!("{folder}/{name}"), serde_json::from_str(&text).expect("an array of cases")));
            }
        }
    }
    files.sort_by(|one, next| one.0.cmp(&next.0));
    files
}

fn checks() -> BTreeMap<&'static str, Check> {
    [consent::CHECKS, protocol::CHECKS, records::CHECKS, proofs::CHECKS, evidence::CHECKS]
        .concat()
        .into_iter()
        .collect()
}

/// Puts the items of the case that `after` names before the items of this one.
fn resolve(case: &Value, file: &[Value]) -> Value {
    let mut case = case.clone();
    if let Some(before) = case["input"]["after"].as_str() {
        let before = file.iter().find(|other| other["name"] == before).expect("`after` names a case of the same file");
        let mut items = resolve(before, file)["input"]["items"].as_array().expect("a ledger").clone();
        items.extend(case["input"]["items"].as_array().cloned().unwrap_or_default());
        case["input"]["items"] = items.into();
    }
    case
}

/// What is wrong with how a case was judged.
fn fault(case: &Value, found: Outcome) -> Option<String> {
    let wanted = case["stage"].as_str().expect("a stage");
    match found {
        // A denial is an output and names its stage as well.
        Ok(Some(output)) if case["kind"] == "decide" => {
            let reason = output.as_u64();
            let stage = if reason.is_none() {
                "none"
            } else if matches!(reason, Some(9 | 10)) {
                "chain"
            } else {
                "decide"
            };
            let fits = case["output"] == output && wanted == stage;
            (!fits).then(|| format!("gave {output} at {stage}, not {} at {wanted}", case["output"]))
        }
        Ok(_) if wanted != "none" => Some(format!("accepted what {wanted} must refuse")),
        Ok(Some(output)) if case.get("output").is_some_and(|wanted| *wanted != output) => {
            Some(format!("gave {output}, not {}", case["output"]))
        }
        Ok(None) if case.get("output").is_some() => Some("gave nothing".to_owned()),
        Ok(_) => None,
        Err(stage) if stage == wanted => None,
        Err(stage) => Some(format!("refused at {stage}, not at {wanted}")),
    }
}

#[test]
fn every_fault_is_noticed_at_its_stage_and_every_output_is_equal() {
    let checks = checks();
    let (mut good, mut bad, mut wrong) = (0, 0, Vec::new());
    for (name, file) in files() {
        for case in &file {
            let kind = case["kind"].as_str().expect("a kind");
            let check = checks.get(kind).unwrap_or_else(|| panic!("{name}: unknown kind {kind}"));
            let found = fault(case, check(&resolve(case, &file)["input"]));
            wrong.extend(found.map(|fault| format!("{name} {} ({}): {fault}", case["name"], case["rule"])));
            if case["stage"] == "none" { good += 1 } else { bad += 1 }
        }
    }
    println!("{good} good vectors, {bad} with a fault");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), good + bad, wrong.join("\n"));
    assert!(bad >= 180, "only {bad} vectors have a fault");
}

#[test]
fn every_kind_has_a_good_vector_and_every_name_is_there_once() {
    let mut kinds: BTreeMap<&str, bool> = checks().into_keys().map(|kind| (kind, false)).collect();
    let files = files();
    for (name, file) in &files {
        let mut names: Vec<&str> = file.iter().map(|case| case["name"].as_str().expect("a name")).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "{name}");
        for case in file.iter().filter(|case| case["stage"] == "none") {
            kinds.insert(case["kind"].as_str().expect("a kind"), true);
        }
    }
    let without: Vec<&str> = kinds.into_iter().filter(|(_, good)| !good).map(|(kind, _)| kind).collect();
    assert_eq!(without, Vec::<&str>::new(), "kinds without a good vector");
}

/// The bytes of a field in hex.
fn bytes(input: &Value, field: &str) -> Vec<u8> {
    unhex(input[field].as_str().unwrap_or_else(|| panic!("{field} is hex")))
}

/// The bytes of a field with a fixed length.
fn fixed<const N: usize>(input: &Value, field: &str) -> [u8; N] {
    bytes(input, field).try_into().unwrap_or_else(|_| panic!("{field} has {N} bytes"))
}

/// The number in a field.
fn number(input: &Value, field: &str) -> u64 {
    input[field].as_u64().unwrap_or_else(|| panic!("{field} is a number"))
}

/// A number that is known to be small.
fn small<N: TryFrom<u64>>(input: &Value, field: &str) -> N {
    N::try_from(number(input, field)).unwrap_or_else(|_| panic!("{field} is small"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn hex(bytes: impl AsRef<[u8]>) -> Value {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
