//! What a witness is asked to cosign (C2SP tlog-witness; protocol/SPEC.md section 15), and why it refuses.

use serde_json::{Value, json};

use super::case::{Case, Fault, hex};
use super::cast::{key, party, seed};
use super::notes::{base64, checkpoint, checkpoint_text, line, trail_origin};
use super::tree::{consistency, root_of};
use crate::faults;

/// A request, and what the witness cosigned last.
struct Asked {
    old: u64,
    proof: Vec<[u8; 32]>,
    note: String,
    known: usize,
}

fn leaves(size: usize) -> Vec<[u8; 1]> {
    (0..size as u8).map(|n| [n]).collect()
}

fn root(size: usize) -> [u8; 32] {
    root_of(&leaves(size))
}

fn note(size: usize) -> String {
    checkpoint(&trail_origin("home"), size as u64, &root(size), &party("home"))
}

impl Asked {
    fn growth(from: usize, to: usize) -> Self {
        let proof = if from == 0 { Vec::new() } else { consistency(from, &leaves(to)) };
        Self { old: from as u64, proof, note: note(to), known: from }
    }

    fn body(&self) -> String {
        let hashes: String = self.proof.iter().map(|hash| format!("{}\n", base64(hash))).collect();
        format!("old {}\n{hashes}\n{}", self.old, self.note)
    }

    fn input_of(&self, body: &str) -> Value {
        let known = json!({ "size": self.known, "root": hex(root(self.known)) });
        json!({ "body": body, "origin": trail_origin("home"), "node": hex(key("home")), "known": known })
    }
}

/// The cases of `witness.json`: a log of seven leaves grew to thirteen.
pub fn cases() -> Vec<Case> {
    let faults = faults![fn(&mut Asked);
        "P-45" "proof" asked_without_a_proof,
        "P-45" "proof" asked_with_a_flipped_bit_in_the_proof,
        "P-45" "proof" asked_with_a_hash_too_many,
        "P-45" "proof" asked_for_another_root_of_the_same_size,
        "P-45" "conflict" asked_from_an_older_size,
        "P-45" "conflict" asked_from_a_size_never_seen,
        "P-45" "message" asked_for_a_smaller_tree,
        "P-45" "message" asked_with_sixty_four_hashes,
        "P-45" "checkpoint" asked_for_a_log_that_the_witness_does_not_know,
        "P-45" "checkpoint" asked_for_a_checkpoint_of_another_key,
        "P-45" "checkpoint" asked_for_a_checkpoint_changed_after_signing,
        "P-45" "message" asked_for_a_checkpoint_with_an_extension_line,
    ];
    type Spelling = fn(String) -> String;
    let spellings: [(&str, Spelling); 4] = [
        ("request-whose-size-has-a-leading-zero", |body| body.replacen("old 7", "old 07", 1)),
        ("request-without-the-word-old", |body| body.replacen("old 7", "7", 1)),
        ("request-with-a-hash-of-31-bytes", |body| {
            body.replacen("old 7\n", &format!("old 7\n{}\n", base64(&[1; 31])), 1)
        }),
        ("request-without-the-empty-line", |body| body.replacen("\n\n", "\n", 1)),
    ];
    let good = |name: &str, asked: &Asked, size: u64| {
        let output = json!({ "size": size, "root": hex(root(size as usize)) });
        Case::good("add_checkpoint", "P-45", name, asked.input_of(&asked.body())).gives(output)
    };
    let mut cases = vec![
        good("first-checkpoint-of-a-log", &Asked::growth(0, 7), 7),
        good("checkpoint-of-a-log-that-grew", &Asked::growth(7, 13), 13),
        good("the-same-checkpoint-again", &Asked::growth(7, 7), 7),
    ];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut bad = Asked::growth(7, 13);
        put(&mut bad);
        Case::bad("add_checkpoint", rule, stage, &name, bad.input_of(&bad.body()))
    }));
    cases.extend(spellings.map(|(name, spell)| {
        let asked = Asked::growth(7, 13);
        Case::bad("add_checkpoint", "P-45", "message", name, asked.input_of(&spell(asked.body())))
    }));
    cases
}

fn asked_without_a_proof(asked: &mut Asked) {
    asked.proof.clear();
}

fn asked_with_a_flipped_bit_in_the_proof(asked: &mut Asked) {
    asked.proof[1][0] ^= 1;
}

fn asked_with_a_hash_too_many(asked: &mut Asked) {
    asked.proof.push(seed("a hash"));
}

fn asked_for_another_root_of_the_same_size(asked: &mut Asked) {
    *asked = Asked::growth(7, 7);
    asked.note = checkpoint(&trail_origin("home"), 7, &root(6), &party("home"));
}

fn asked_from_an_older_size(asked: &mut Asked) {
    *asked = Asked { known: 7, ..Asked::growth(6, 13) };
}

fn asked_from_a_size_never_seen(asked: &mut Asked) {
    *asked = Asked { known: 7, ..Asked::growth(8, 13) };
}

fn asked_for_a_smaller_tree(asked: &mut Asked) {
    asked.note = note(6);
}

fn asked_with_sixty_four_hashes(asked: &mut Asked) {
    asked.proof = vec![seed("a hash"); 64];
}

fn asked_for_a_log_that_the_witness_does_not_know(asked: &mut Asked) {
    asked.note = checkpoint(&trail_origin("mirror"), 13, &root(13), &party("mirror"));
}

fn asked_for_a_checkpoint_of_another_key(asked: &mut Asked) {
    asked.note = checkpoint(&trail_origin("home"), 13, &root(13), &party("mirror"));
}

fn asked_for_a_checkpoint_changed_after_signing(asked: &mut Asked) {
    asked.note = asked.note.replacen("\n13\n", "\n14\n", 1);
}

fn asked_for_a_checkpoint_with_an_extension_line(asked: &mut Asked) {
    let text = format!("{}an extension\n", checkpoint_text(&trail_origin("home"), 13, &root(13)));
    asked.note = format!("{text}\n{}", line(&trail_origin("home"), &text, &party("home")));
}
