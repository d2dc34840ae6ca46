//! Kinds of protocol/SPEC.md sections 8 and 11: trees, checkpoints, receipts, proof files.

use karute_consent::id::{Digest, NodeId, PartyKey};
use karute_consent::time::Timestamp;
use karute_consent::tree::digest_of;
use karute_consent::vault::{Witness, WitnessSet};
use karute_protocol::archive::{ProofError, ProofFile, ProofFileError};
use karute_protocol::checkpoint::SignedCheckpoint;
use karute_protocol::cosignature::witnessed;
use karute_protocol::finding::{Finding, FindingError, NotAFinding};
use karute_protocol::merkle::{TreeHash, TreeHead, verify_consistency, verify_inclusion};
use karute_protocol::note::NoteKey;
use karute_protocol::trail::{CheckpointText, Receipt, ReceiptError};
use karute_protocol::wire::ByteCount;
use serde_json::{Value, json};

use super::consent::stage_name;
use super::protocol::{decode, stage_of};
use super::{Check, Outcome, bytes, fixed, hex, number, unhex};

pub(super) const CHECKS: &[(&str, Check)] = &[
    ("inclusion", inclusion),
    ("consistency", consistency),
    ("checkpoint", checkpoint),
    ("cosigned", cosigned),
    ("receipt", receipt),
    ("finding", finding),
    ("proof_file", proof_file),
];

fn proof(input: &Value) -> Vec<TreeHash> {
    let hash = |hash: &Value| TreeHash(unhex(hash.as_str().expect("hex")).try_into().expect("32 bytes"));
    input["proof"].as_array().expect("hashes").iter().map(hash).collect()
}

fn inclusion(input: &Value) -> Outcome {
    let (leaf, root) = (TreeHash::leaf(&bytes(input, "leaf")), TreeHash(fixed(input, "root")));
    verify_inclusion(&leaf, number(input, "index"), number(input, "size"), &proof(input), &root)
        .map(|()| None)
        .map_err(|_| "proof")
}

fn consistency(input: &Value) -> Outcome {
    let head = |size, root| TreeHead { size: number(input, size), root: TreeHash(fixed(input, root)) };
    verify_consistency(&head("old_size", "old_root"), &head("size", "root"), &proof(input))
        .map(|()| None)
        .map_err(|_| "proof")
}

fn node(input: &Value) -> NodeId {
    NodeId::from_bytes(fixed(input, "node"))
}

fn checkpoint(input: &Value) -> Outcome {
    let note = input["note"].as_str().expect("a text");
    let signed = SignedCheckpoint::from_bytes(note.as_bytes()).map_err(|_| "checkpoint")?;
    let name = input["origin"].as_str().expect("a text").parse().expect("a name");
    let party = karute_consent::party::Party::from_key(node(input).key()).expect("a key");
    let head = signed.verify(&NoteKey { name, party }).map_err(|_| "checkpoint")?.head;
    Ok(Some(json!({ "size": head.size, "root": hex(head.root.0) })))
}

fn cosigned(input: &Value) -> Outcome {
    let note = CheckpointText(input["note"].as_str().expect("a text").to_owned());
    let witness = |witness: &Value| Witness {
        name: witness["name"].as_str().expect("a text").to_owned(),
        key: PartyKey::from_bytes(fixed(witness, "key")),
    };
    let witnesses = input["witnesses"].as_array().expect("witnesses").iter().map(witness).collect();
    let set = WitnessSet { witnesses, quorum: number(input, "quorum") as u8 };
    let found = witnessed(&note, &set).map_err(|_| "checkpoint")?;
    let each: Vec<_> = found.each.iter().map(|(_, at)| at.map(Timestamp::secs)).collect();
    Ok(Some(json!({ "at": found.at.map(Timestamp::secs), "each": each })))
}

fn receipt_stage(error: &ReceiptError) -> &'static str {
    match error {
        ReceiptError::Checkpoint(_) => "checkpoint",
        _ => "proof",
    }
}

fn receipt(input: &Value) -> Outcome {
    let receipt: Receipt = decode(input, "receipt", "proof")?;
    receipt.verify(node(input)).map_err(|error| receipt_stage(&error))?;
    Ok(Some(json!({ "vault": hex(receipt.leaf.vault.as_bytes()), "number": receipt.leaf.number.0 })))
}

fn finding(input: &Value) -> Outcome {
    let finding = Finding::from_bytes(&bytes(input, "finding")).map_err(|error| match error {
        FindingError::Encoding(error) => stage_of(error, "proof"),
        FindingError::Version | FindingError::TooLong => "proof",
    })?;
    let verdict = finding.verify().map_err(|error| match error {
        NotAFinding::Fields => "encoding",
        NotAFinding::Checkpoint(_) => "checkpoint",
        NotAFinding::Receipt(error) => receipt_stage(&error),
        NotAFinding::TreeHead(_) | NotAFinding::Answer(_) | NotAFinding::Request(_) => "statement",
        _ => "proof",
    })?;
    let accused = hex(verdict.accused.as_bytes());
    Ok(Some(json!({ "kind": verdict.kind.number(), "accused": accused, "refutable": verdict.refutable })))
}

fn proof_file(input: &Value) -> Outcome {
    let file = bytes(input, "file");
    let digest: Digest = digest_of(&[&file]);
    let proof = ProofFile::from_bytes(&bytes(input, "proof")).map_err(|error| match error {
        ProofFileError::Encoding(error) => stage_of(error, "proof"),
        ProofFileError::Version => "proof",
    })?;
    let judged = proof.verify().and_then(|proven| {
        proven.check_file(ByteCount(file.len() as u64), digest)?;
        Ok(proven.meta.title)
    });
    match judged {
        Ok(title) => Ok(Some(json!({ "title": title }))),
        Err(ProofError::Statement(error)) => Err(stage_name(error.stage())),
        Err(ProofError::Receipt(error)) => Err(receipt_stage(&error)),
        Err(_) => Err("proof"),
    }
}
