//! Good values to start from: the vectors that have no fault.

use std::sync::LazyLock;

use karute_consent::ledger::Item;
use karute_consent::statement::Unverified;
use serde_bytes::ByteBuf;
use serde_json::Value;

use crate::vectors::cbor::Cbor;

macro_rules! vectors {
    ($($krate:literal $($name:literal)+;)+) => {
        &[$($(($name, include_str!(concat!("../../../", $krate, "/vectors/", $name, ".json"))),)+)+]
    };
}

/// The files of vectors, by name.
const FILES: &[(&str, &str)] = vectors! {
    "consent" "encoding" "statement" "card" "charter" "authority" "grant" "revocation" "request" "ask" "ledger" "decide";
    "protocol" "schedule" "seal" "directory" "package" "run" "record" "trail" "proof" "message" "range"
        "cosignature";
};

/// Every vector: its kind, its stage, its input.
pub static CASES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let cases = |text: &&str| -> Vec<Value> { serde_json::from_str(text).expect("a file of vectors is a list") };
    FILES.iter().flat_map(|(_, text)| cases(text)).collect()
});

/// The vectors of a kind.
pub fn cases(kind: &'static str) -> impl Iterator<Item = &'static Value> {
    CASES.iter().filter(move |case| case["kind"] == kind)
}

/// The inputs of the vectors of a kind that have no fault.
pub fn inputs(kind: &'static str) -> impl Iterator<Item = &'static Value> {
    cases(kind).filter(|case| case["stage"] == "none").map(|case| &case["input"])
}

/// The bytes of a field in hex; none if there is no such field.
pub fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex_to_bytes(value[field].as_str().unwrap_or_default())
}

/// Bytes from hex of a vector.
pub fn hex_to_bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("vectors are hex") as u8;
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// 32 bytes of a field.
pub fn fixed<const N: usize>(value: &Value, field: &str) -> [u8; N] {
    bytes(value, field).try_into().expect("a field of this length")
}

/// The good statements: type and bytes.
pub static STATEMENTS: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
    let statement = |input: &'static Value| (input["type"].as_str().expect("a type"), bytes(input, "bytes"));
    inputs("statement").map(statement).collect()
});

/// The items of a ledger's vector, those that it stands behind included.
pub fn items(name: &str) -> Vec<Item> {
    let case = CASES.iter().find(|case| case["name"] == name).expect("a vector of this name");
    let before = case["input"]["after"].as_str().map(items).unwrap_or_default();
    let own = case["input"]["items"].as_array().expect("items");
    before.into_iter().chain(own.iter().map(item)).collect()
}

fn item(value: &Value) -> Item {
    let leaves = |leaves: &Value| {
        let leaf = |leaf: &Value| Cbor::Bytes(hex_to_bytes(leaf.as_str().expect("hex")));
        let leaves = leaves.as_array().expect("leaves").iter().map(leaf).collect();
        vec![ByteBuf::from(Cbor::List(leaves).encode())]
    };
    Item {
        entry: Unverified::from_bytes(bytes(value, "entry")),
        salt: karute_consent::id::Salt::from_slice(&bytes(value, "salt")),
        body: Some(bytes(value, "body")),
        attachments: value.get("leaves").map(leaves),
    }
}
