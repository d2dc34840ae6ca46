//! Signed notes and checkpoints as text (P-23): C2SP signed-note and tlog-checkpoint, written out by hand.

use karute_consent::party::Identity;
use serde_json::json;

use super::case::{Case, Fault, hex};
use super::cast::{key, party, seed};
use super::forge::hash;
use crate::faults;

/// The text that a log signs.
pub fn checkpoint_text(origin: &str, size: u64, root: &[u8; 32]) -> String {
    format!("{origin}\n{size}\n{}\n", base64(root))
}

/// A signature line over a text.
pub fn line(name: &str, text: &str, by: &Identity) -> String {
    let key = by.key();
    let id = hash(&[name.as_bytes(), b"\n\x01", key.as_bytes()]);
    let signature = by.sign(text.as_bytes());
    format!("\u{2014} {name} {}\n", base64(&[&id[..4], signature.as_bytes()].concat()))
}

/// A checkpoint that its log signed.
pub fn checkpoint(origin: &str, size: u64, root: &[u8; 32], by: &Identity) -> String {
    let text = checkpoint_text(origin, size, root);
    format!("{text}\n{}", line(origin, &text, by))
}

/// The origin of a node's trail.
pub fn trail_origin(node: &str) -> String {
    format!("karute/trail/{}", hex(key(node)))
}

/// RFC 4648 section 4.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let value = (0..3).fold(0u32, |value, n| value << 8 | u32::from(group.get(n).copied().unwrap_or(0)));
        for n in 0..4 {
            let letter = LETTERS[(value >> (18 - 6 * n) & 63) as usize];
            text.push(if n > group.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// A note with who is to have signed it.
struct Note {
    text: String,
    lines: String,
    origin: String,
    node: [u8; 32],
}

const SIZE: u64 = 1_000_000;

impl Note {
    fn good() -> Self {
        let origin = trail_origin("home");
        Self::of(checkpoint_text(&origin, SIZE, &seed("a root")), &origin)
    }

    /// Signs a text.
    fn of(text: String, origin: &str) -> Self {
        let lines = line(origin, &text, &party("home"));
        Self { text, lines, origin: origin.to_owned(), node: key("home") }
    }

    /// Changes the text and signs it again.
    fn rewrite(&mut self, change: impl FnOnce(String) -> String) {
        *self = Self::of(change(std::mem::take(&mut self.text)), &self.origin);
    }
}

/// The cases of checkpoints, for `trail.json`.
pub fn cases() -> Vec<Case> {
    let faults = faults![fn(&mut Note);
        "P-23" "checkpoint" checkpoint_of_another_origin,
        "P-23" "checkpoint" checkpoint_of_another_node,
        "P-23" "checkpoint" checkpoint_signed_by_a_witness_only,
        "P-23" "checkpoint" checkpoint_with_a_flipped_signature,
        "P-23" "checkpoint" checkpoint_changed_after_signing,
        "P-23" "checkpoint" checkpoint_without_a_signature,
        "P-23" "checkpoint" size_with_a_leading_zero,
        "P-23" "checkpoint" size_with_a_plus_sign,
        "P-23" "checkpoint" size_that_is_no_number,
        "P-23" "checkpoint" root_of_31_bytes,
        "P-23" "checkpoint" root_without_padding,
        "P-23" "checkpoint" extension_line,
        "P-23" "checkpoint" lines_that_end_in_two_characters,
        "P-23" "checkpoint" hyphen_in_place_of_the_dash,
        "P-23" "checkpoint" signature_line_without_its_end,
        "P-23" "checkpoint" key_id_of_another_key,
    ];
    let input = |note: &Note| json!({ "note": format!("{}\n{}", note.text, note.lines), "origin": note.origin, "node": hex(note.node) });
    let output = json!({ "size": SIZE, "root": hex(seed("a root")) });
    let mut witnessed = Note::good();
    witnessed.lines += &line("witness.example", &witnessed.text, &party("witness"));
    let mut cases = vec![
        Case::good("checkpoint", "P-23", "checkpoint-of-a-trail", input(&Note::good())).gives(output.clone()),
        Case::good("checkpoint", "P-23", "checkpoint-with-the-line-of-a-witness", input(&witnessed)).gives(output),
    ];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut note = Note::good();
        put(&mut note);
        Case::bad("checkpoint", rule, stage, &name, input(&note))
    }));
    cases
}

fn checkpoint_of_another_origin(note: &mut Note) {
    note.origin = note.origin.replace("trail", "ledger");
}

fn checkpoint_of_another_node(note: &mut Note) {
    note.node = key("mirror");
}

fn checkpoint_signed_by_a_witness_only(note: &mut Note) {
    note.lines = line("witness.example", &note.text, &party("witness"));
}

fn checkpoint_with_a_flipped_signature(note: &mut Note) {
    let at = note.lines.len() - 10;
    let other = if note.lines.as_bytes()[at] == b'A' { "B" } else { "A" };
    note.lines.replace_range(at..at + 1, other);
}

fn checkpoint_changed_after_signing(note: &mut Note) {
    note.text = note.text.replace("\n1000000\n", "\n1000001\n");
}

fn checkpoint_without_a_signature(note: &mut Note) {
    note.lines.clear();
}

fn size_with_a_leading_zero(note: &mut Note) {
    note.rewrite(|text| text.replace("\n1000000\n", "\n01000000\n"));
}

fn size_with_a_plus_sign(note: &mut Note) {
    note.rewrite(|text| text.replace("\n1000000\n", "\n+1000000\n"));
}

fn size_that_is_no_number(note: &mut Note) {
    note.rewrite(|text| text.replace("\n1000000\n", "\n1e6\n"));
}

fn root_of_31_bytes(note: &mut Note) {
    note.rewrite(|text| text.replace(&base64(&seed("a root")), &base64(&seed("a root")[..31])));
}

fn root_without_padding(note: &mut Note) {
    note.rewrite(|text| text.replace('=', ""));
}

fn extension_line(note: &mut Note) {
    note.rewrite(|text| text + "an extension\n");
}

fn lines_that_end_in_two_characters(note: &mut Note) {
    note.rewrite(|text| text.replace('\n', "\r\n"));
}

fn hyphen_in_place_of_the_dash(note: &mut Note) {
    note.lines = note.lines.replace('\u{2014}', "-");
}

fn signature_line_without_its_end(note: &mut Note) {
    note.lines.pop();
}

/// The signature is the node's, its key id is not.
fn key_id_of_another_key(note: &mut Note) {
    let other = hash(&[note.origin.as_bytes(), b"\n\x01", &key("mirror")]);
    let signature = party("home").sign(note.text.as_bytes());
    let coded = base64(&[&other[..4], signature.as_bytes()].concat());
    note.lines = format!("\u{2014} {} {coded}\n", note.origin);
}
