//! The key schedule: derivations, the time tree, recovery codes (P-03, P-04).

use serde_json::{Value, json};

use super::case::{Case, hex};
use super::cast::{MONTH, public, secret_of, seed};
use super::forge::hash;
use super::keys::{collection_id, collection_root, epoch_secret, expand, node};

/// The cases of `schedule.json`.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        expansion("derived-without-context", "inbox", b""),
        expansion("derived-with-context", "collection-id", b"context"),
        schedule("collection-of-the-first-generation", 3, 1, 1, MONTH),
        schedule("sensitive-collection-of-the-seventh-generation", 14, 2, 7, 65_535),
        cover("one-month", MONTH, MONTH + 1, json!([[16, 684]])),
        cover("a-year-that-is-no-power-of-two", 684, 696, json!([[14, 171], [13, 86]])),
        cover("all-months-but-the-last", 0, 3, json!([[15, 0], [16, 2]])),
        cover("odd-ends", 5, 12, json!([[16, 5], [15, 3], [14, 2]])),
    ];
    cases.extend(recovery_codes());
    cases
}

fn expansion(name: &str, label: &str, context: &[u8]) -> Case {
    let key = seed("some key");
    let input = json!({ "key": hex(key), "label": label, "context": hex(context), "length": 32 });
    Case::good("expand", "P-01", name, input).gives(json!(hex(expand(&key, label, context))))
}

fn schedule(name: &str, category: u8, sensitivity: u8, generation: u32, month: u64) -> Case {
    let (root, vault) = (seed("root 0"), seed("a vault"));
    let collection = collection_id(&root, &vault, category, sensitivity);
    let top = collection_root(&root, &vault, &collection, generation);
    let epoch = epoch_secret(&top, month);
    let input = json!({
        "root": hex(root), "vault": hex(vault), "category": category, "sensitivity": sensitivity,
        "generation": generation, "month": month,
    });
    let key = public(&secret_of(2, epoch));
    Case::good("schedule", "P-09", name, input).gives(json!({
        "inbox": hex(expand(&root, "inbox", &[])), "audit": hex(expand(&root, "audit", &[])),
        "collection": hex(collection), "collection_root": hex(top), "leaf": hex(node(&top, 16, month)),
        "epoch": hex(epoch), "epoch_public_sha256": hex(hash(&[key.field(2).bytes()])),
    }))
}

fn cover(name: &str, from: u64, to: u64, nodes: Value) -> Case {
    Case::good("cover", "P-03", name, json!({ "from": from, "to": to })).gives(nodes)
}

/// The printed form of a code.
pub fn recovery_text(code: &[u8; 32]) -> String {
    let check = hash(&[b"karute-v1/recovery-check", &[0], code]);
    let letters = base32(&[&code[..], &check[..4]].concat());
    let groups: Vec<&str> = (0..letters.len()).step_by(4).map(|at| &letters[at..letters.len().min(at + 4)]).collect();
    format!("karute-recovery-1-{}", groups.join("-"))
}

/// RFC 4648 section 6, lower case, no padding.
fn base32(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let letter = |group: usize| (0..5).fold(0, |value, n| value << 1 | bit(5 * group + n));
    let letters = (0..(8 * bytes.len()).div_ceil(5)).map(letter);
    letters.map(|value| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(value)])).collect()
}

fn recovery_codes() -> Vec<Case> {
    let code = seed("recovery code");
    let text = recovery_text(&code);
    let good = |name: &str, text: &str| {
        Case::good("recovery", "P-04", name, json!({ "text": text })).gives(json!({ "code": hex(code) }))
    };
    let bad = |name: &str, text: String| Case::bad("recovery", "P-04", "encoding", name, json!({ "text": text }));
    let last = text.chars().next_back().expect("letters");
    let body = text.split_at("karute-recovery-1-".len()).1;
    let changed = if body.starts_with('a') { 'b' } else { 'a' };
    vec![
        good("code-as-printed", &text),
        good("code-in-capitals-with-spaces", &text.to_uppercase().replace('-', " ")),
        bad("code-with-a-letter-less", text[..text.len() - 1].to_owned()),
        bad("code-with-a-letter-more", format!("{text}{last}")),
        bad("code-with-another-first-letter", format!("karute-recovery-1-{changed}{}", &body[1..])),
        bad("code-with-a-digit-that-base32-has-not", format!("karute-recovery-1-1{}", &body[1..])),
        bad("code-of-version-2", text.replace("-1-", "-2-")),
        bad("code-without-its-beginning", body.to_owned()),
    ]
}
