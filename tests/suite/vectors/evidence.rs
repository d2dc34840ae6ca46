//! Kinds of protocol/SPEC.md sections 8, 10 and 15: events with their requests, items of a trail, tombstones, and what
//! a witness is asked to cosign.

use karute_consent::id::{NodeId, VaultId};
use karute_consent::party::Party;
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::message::{Removal, Tombstone, TombstoneError, TrailItem};
use karute_protocol::note::NoteKey;
use karute_protocol::trail::{CheckpointText, Event, Log};
use karute_protocol::witness::{AddCheckpoint, WitnessRefusal};
use serde_json::{Value, json};

use super::consent::stage_name;
use super::protocol::decode;
use super::{Check, Outcome, fixed, hex, number};

pub(super) const CHECKS: &[(&str, Check)] =
    &[("event", event), ("trail_item", trail_item), ("tombstone", tombstone), ("add_checkpoint", add_checkpoint)];

fn node(input: &Value) -> NodeId {
    NodeId::from_bytes(fixed(input, "node"))
}

fn vault(input: &Value) -> VaultId {
    VaultId::from_bytes(fixed(input, "vault"))
}

fn event(input: &Value) -> Outcome {
    let event: Event = decode(input, "event", "proof")?;
    event.check().map_err(|_| "proof")?;
    let request = event.check_request(vault(input), node(input)).map_err(|_| "proof")?;
    Ok(Some(json!({ "request": request.map(|request| hex(request.id().as_bytes())) })))
}

fn trail_item(input: &Value) -> Outcome {
    let item: TrailItem = decode(input, "item", "proof")?;
    let note = CheckpointText(input["checkpoint"].as_str().expect("a text").to_owned());
    let head = note.verify(Log::Trail, node(input)).map_err(|_| "checkpoint")?;
    let event = item.verify(&head).map_err(|_| "proof")?;
    Ok(Some(json!({ "number": item.leaf.number.0, "erased": event.is_none() })))
}

fn tombstone(input: &Value) -> Outcome {
    let tombstone: Tombstone = decode(input, "tombstone", "encoding")?;
    let removal = tombstone.removal(vault(input)).map_err(|error| match error {
        TombstoneError::Missing => "message",
        TombstoneError::Statement(error) => stage_name(error.stage()),
        TombstoneError::OtherRecord => "proof",
    })?;
    let signer = match &removal {
        Removal::Erased(erasure) => Some(erasure.signer()),
        Removal::Withdrawn(withdrawal) => Some(withdrawal.signer()),
        Removal::Moved => None,
    };
    let records = removal.records().map(|all| all.iter().map(|record| hex(record.as_bytes())).collect::<Vec<_>>());
    let signer = signer.map(|key| hex(key.as_bytes()));
    Ok(Some(json!({ "reason": tombstone.reason.number(), "signer": signer, "records": records })))
}

fn add_checkpoint(input: &Value) -> Outcome {
    let stage = |refusal: WitnessRefusal| match refusal {
        WitnessRefusal::BadRequest => "message",
        WitnessRefusal::UnknownOrigin | WitnessRefusal::Forbidden => "checkpoint",
        WitnessRefusal::Conflict { .. } => "conflict",
        WitnessRefusal::Unprocessable => "proof",
    };
    let body = input["body"].as_str().expect("a text");
    let asked = AddCheckpoint::from_bytes(body.as_bytes()).map_err(stage)?;
    assert_eq!(asked.to_bytes(), body.as_bytes(), "a request has one spelling");
    let name = input["origin"].as_str().expect("a text").parse().expect("a name");
    let key = NoteKey { name, party: Party::from_key(node(input).key()).expect("a key") };
    let known = &input["known"];
    let known = TreeHead { size: number(known, "size"), root: TreeHash(fixed(known, "root")) };
    let head = asked.judge(&[key], Some(known)).map_err(stage)?.head();
    Ok(Some(json!({ "size": head.size, "root": hex(head.root.0) })))
}
